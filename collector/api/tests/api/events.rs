//! Live events.

use std::time::Duration;

use axum::body::Body;
use axum::body::BodyDataStream;
use axum::http::{Request, header};
use flockscope_api::Settings;
use flockscope_protocol::Event;
use futures_util::StreamExt;
use tower::ServiceExt;

use crate::sample;
use crate::server::{self, Server, admin, get};

struct Listener(BodyDataStream, String);

impl Listener {
    async fn of(server: &Server, request: Request<Body>) -> Self {
        let mut request = request;
        request.extensions_mut().insert(admin());
        let Ok(response) = server.router.clone().oneshot(request).await;
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
        Self(response.into_body().into_data_stream(), String::new())
    }

    /// The next event: id, name, what it holds. `None` at the end.
    async fn next(&mut self) -> Option<(String, String, Event)> {
        loop {
            if let Some((event, rest)) = self.1.split_once("\n\n") {
                let field = |name: &str| {
                    let line = event.lines().find_map(|line| line.strip_prefix(name));
                    line.unwrap_or_else(|| panic!("{name} in {event}")).trim().to_owned()
                };
                let found = (
                    field("id:"),
                    field("event:"),
                    serde_json::from_str(&field("data:")).expect("an event"),
                );
                self.1 = rest.to_owned();
                return Some(found);
            }
            let piece = tokio::time::timeout(Duration::from_secs(20), self.0.next())
                .await
                .expect("in time")?;
            self.1
                .push_str(std::str::from_utf8(&piece.expect("a piece")).expect("UTF-8"));
        }
    }
}

#[tokio::test]
async fn events_come_in_order_with_ids_until_the_process_stops() {
    let server = server::of(sample::store_of(&[]));
    let request = Request::get("/api/v1/events")
        .header(header::ACCEPT_ENCODING, "gzip, br, zstd")
        .body(Body::empty())
        .expect("a request");
    let mut listener = Listener::of(&server, request).await;
    let stored = Event::SpansStored {
        spans: 2,
        traces: vec!["t\n\ndata: x".into()],
        operations: Vec::new(),
        more: false,
        earliest_end: 8,
        latest_end: 9,
    };
    server.events.send(stored.clone()).expect("somebody listens");
    server.events.send(Event::Stopping).expect("somebody listens");
    assert_eq!(
        listener.next().await,
        Some(("word-1".into(), "spans_stored".into(), stored))
    );
    assert_eq!(
        listener.next().await,
        Some(("word-2".into(), "stopping".into(), Event::Stopping))
    );
    assert_eq!(listener.next().await, None);
}

#[tokio::test]
async fn one_who_is_too_slow_is_told_how_much_was_missed() {
    let server = server::of(sample::store_of(&[]));
    let mut listener = Listener::of(&server, get("/api/v1/events")).await;
    // The channel holds eight.
    for spans in 0..20 {
        server
            .events
            .send(Event::SpansRemoved { spans })
            .expect("somebody listens");
    }
    assert_eq!(
        listener.next().await.map(|(_, _, event)| event),
        Some(Event::Missed { events: 12 })
    );
    for spans in 12..20 {
        assert_eq!(
            listener.next().await.map(|(_, _, event)| event),
            Some(Event::SpansRemoved { spans })
        );
    }
}

#[tokio::test]
async fn one_who_comes_back_is_told_to_ask_again() {
    let server = server::of(sample::store_of(&[]));
    let request = Request::get("/api/v1/events")
        .header("last-event-id", "word-7")
        .body(Body::empty())
        .expect("a request");
    let mut listener = Listener::of(&server, request).await;
    assert_eq!(
        listener.next().await.map(|(_, _, event)| event),
        Some(Event::Missed { events: 0 })
    );
}

#[tokio::test]
async fn the_number_of_listeners_is_limited() {
    let settings = Settings {
        listeners: 2,
        ..Settings::default()
    };
    let server = server::with(sample::store_of(&[]), settings, None);
    let first = Listener::of(&server, get("/api/v1/events")).await;
    let _second = Listener::of(&server, get("/api/v1/events")).await;
    server.get("/api/v1/events").await.problem(503, "busy");
    drop(first);
    Listener::of(&server, get("/api/v1/events")).await;
}

#[tokio::test]
async fn a_clearing_is_told() {
    let server = server::sample();
    let mut listener = Listener::of(&server, get("/api/v1/events")).await;
    let body = serde_json::json!({"confirm": "all traces"});
    let cleared = server.post("/api/v1/clear", &body).await.json();
    assert_eq!(cleared, serde_json::json!({"spans": 6797, "traces": 191}));
    assert_eq!(
        listener.next().await.map(|(_, _, event)| event),
        Some(Event::SpansRemoved { spans: 6797 })
    );
}
