//! Live events, as server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use flockscope_protocol::Event;
use futures_util::stream;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::ask::Ask;
use crate::document::Common;
use crate::problem::ApiProblem;
use crate::schemas;

/// A comment is sent after so long a silence, so that nobody on the way takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One who listens.
struct Listener {
    events: Receiver<Event>,
    /// Events to be sent before those that come.
    first: Option<Event>,
    instance: String,
    number: u64,
    ended: bool,
    _counted: Counted,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What happens to the traces, as it happens
///
/// Server-sent events; the name of each is the `kind` in its JSON. After `stopping` the process ends. After `missed` the
/// listener must ask again for what it holds: it was too slow, or (events: 0) it was connected before and nobody knows
/// what it missed.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "Process",
    responses((status = 200, description = "Events, one JSON object each", content((schemas::Event = "text/event-stream"))), Common),
)]
pub(crate) async fn listen(ask: Ask) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let listeners = &ask.state.listeners;
    let counted = Counted(listeners.clone());
    if listeners.fetch_add(1, Ordering::Relaxed) >= ask.state.settings.listeners {
        return Err(ApiProblem::busy(5));
    }
    let was_connected = ask.headers.contains_key("last-event-id");
    let listener = Listener {
        events: ask.state.events.subscribe(),
        first: was_connected.then_some(Event::Missed { events: 0 }),
        instance: ask.state.instance.clone(),
        number: 0,
        ended: false,
        _counted: counted,
    };
    let events = stream::unfold(listener, |mut listener| async {
        let event = listener.next().await?;
        let event = listener.written(&event);
        Some((Ok::<_, Infallible>(event), listener))
    });
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Some proxies gather what goes through them unless this says not to.
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let event = match self.events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(events)) => Event::Missed { events },
            Err(RecvError::Closed) => Event::Stopping,
        };
        self.ended = event == Event::Stopping;
        Some(event)
    }

    fn written(&mut self, event: &Event) -> sse::Event {
        self.number += 1;
        let written = sse::Event::default()
            .id(format!("{}-{}", self.instance, self.number))
            .event(event.kind());
        // An event is plain data, which JSON can always hold.
        written.json_data(event).unwrap_or_default()
    }
}
