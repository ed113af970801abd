//! Traces that are opened in this process, asked on threads that may block.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flockscope_analytics::calls::Call;
use flockscope_model::Span;
use flockscope_protocol::{Event, SpansTaken};
use flockscope_redaction::Redactor;
use flockscope_store::{Limits, StopSignal, Store};
use futures_util::{Stream, stream};
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::spawn_blocking;

use crate::answer::LocalPart;
use crate::live::{LiveFile, LiveSink};
use crate::{AnswerStream, ClientError, Following, Located, Opened, Options, open, stored_event};

/// Batches of an answer that wait for their reader at the most.
const WAITING_BATCHES: usize = 4;

/// Events that wait for a listener at the most.
const WAITING_EVENTS: usize = 1024;

/// A store that is open here.
pub(crate) struct InProcess {
    // Declared first: the file is no longer followed when the store is closed.
    _live: Option<LiveFile>,
    opened: Opened,
    redactor: Arc<Redactor>,
    events: broadcast::Sender<Event>,
    /// Queries that run, by the names that their callers gave them.
    queries: Mutex<HashMap<String, StopSignal>>,
}

impl InProcess {
    pub(crate) async fn open(located: Located, options: Options) -> Result<Self, ClientError> {
        on_a_thread(move || {
            let opened = open(&located, &options, &mut |_| {})?;
            let (events, _) = broadcast::channel(WAITING_EVENTS);
            let live = match &located {
                Located::Flock {
                    file, keeps_history, ..
                } if !opened.is_copy() => {
                    let store = opened.store.clone();
                    let following = Following::resume(&store, file)?.redacting(options.redactor.clone());
                    let sink = Sink {
                        store: store.clone(),
                        events: events.clone(),
                    };
                    let live = LiveFile::start(store, following, *keeps_history, sink);
                    Some(live.map_err(ClientError::file("a thread for the Flock file"))?)
                }
                _ => None,
            };
            Ok(Self {
                _live: live,
                opened,
                redactor: options.redactor,
                events,
                queries: Mutex::default(),
            })
        })
        .await
    }
}

impl InProcess {
    pub(crate) async fn ask<T>(self: &Arc<Self>, call: Call<T>) -> Result<Vec<T>, ClientError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let this = self.clone();
        on_a_thread(move || Ok(this.opened.store.ask(&call)?)).await
    }

    pub(crate) async fn sql(
        self: &Arc<Self>,
        query: &str,
        limits: &Limits,
        id: Option<&str>,
    ) -> Result<AnswerStream, ClientError> {
        let running = Running::start(self.clone(), id);
        let (this, query, limits, stop) = (self.clone(), query.to_owned(), limits.clone(), running.stop.clone());
        let (sender, mut parts) = mpsc::channel(WAITING_BATCHES);
        spawn_blocking(move || {
            let store = &this.opened.store;
            let outcome = store.sql_each(&query, &limits, &stop, |part| {
                match sender.blocking_send(Ok(part.into())) {
                    Ok(()) => ControlFlow::Continue(()),
                    // Nobody wants the rest.
                    Err(_) => ControlFlow::Break(()),
                }
            });
            let last = outcome.map(|ending| LocalPart::End { cut: ending.cut });
            let _ = sender.blocking_send(last.map_err(ClientError::from));
        });
        match parts.recv().await {
            Some(Ok(LocalPart::Columns(schema))) => Ok(AnswerStream::local(schema, parts, Box::new(running))),
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(ClientError::GivenUp),
        }
    }

    pub(crate) async fn store(self: &Arc<Self>, mut spans: Vec<Span>) -> Result<SpansTaken, ClientError> {
        let this = self.clone();
        on_a_thread(move || {
            for span in &mut spans {
                this.redactor.redact(span);
            }
            let ingested = this.opened.store.ingest(&spans)?;
            if !spans.is_empty() {
                // Nobody listens: that is no fault.
                let _ = this.events.send(stored_event(&spans));
            }
            Ok(SpansTaken {
                stored: ingested.stored,
                replaced: ingested.replaced,
                left_out: 0,
            })
        })
        .await
    }

    pub(crate) async fn backup(self: &Arc<Self>, folder: &Path) -> Result<(), ClientError> {
        let (this, folder) = (self.clone(), folder.to_owned());
        on_a_thread(move || Ok(this.opened.store.backup(&folder, |_| {}).map(drop)?)).await
    }

    pub(crate) fn cancel(&self, id: &str) {
        if let Some(stop) = self.queries().get(id) {
            stop.stop();
        }
    }

    pub(crate) fn events(&self) -> impl Stream<Item = Event> + Send + 'static {
        stream::unfold(self.events.subscribe(), |mut events| async move {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(missed)) => Event::Missed { events: missed },
                // The store was closed, and so nothing more happens; a stream of events does not end.
                Err(RecvError::Closed) => std::future::pending().await,
            };
            Some((event, events))
        })
    }

    fn queries(&self) -> MutexGuard<'_, HashMap<String, StopSignal>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query that runs. Dropping it stops the query, if it has not ended.
struct Running {
    asked: Arc<InProcess>,
    id: Option<String>,
    stop: StopSignal,
}

impl Running {
    fn start(asked: Arc<InProcess>, id: Option<&str>) -> Self {
        let stop = StopSignal::new();
        if let Some(id) = id {
            asked.queries().insert(id.to_owned(), stop.clone());
        }
        Self {
            asked,
            id: id.map(str::to_owned),
            stop,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(id) = &self.id {
            self.asked.queries().remove(id);
        }
    }
}

/// Stores the spans of the followed file, and tells of them.
struct Sink {
    store: Arc<Store>,
    events: broadcast::Sender<Event>,
}

impl LiveSink for Sink {
    fn store(&mut self, spans: &[Span]) -> Result<(), String> {
        self.store.ingest(spans).map_err(|error| error.to_string())?;
        // Nobody listens: that is no fault.
        let _ = self.events.send(stored_event(spans));
        Ok(())
    }
}

/// Does what blocks, without holding up other tasks.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClientError> + Send + 'static,
) -> Result<T, ClientError> {
    match spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(ClientError::GivenUp),
    }
}
