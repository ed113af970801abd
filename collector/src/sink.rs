//! Where spans go, from wherever they came: into the store, and as news to whoever listens.

use std::sync::Arc;

use flockscope_client::{LiveSink, stored_event};
use flockscope_ingest::{SinkError, SpanSink};
use flockscope_model::Span;
use flockscope_protocol::Event;
use flockscope_store::{Store, StoreError};
use tokio::sync::broadcast;

/// The store as a sink.
#[derive(Clone)]
pub(crate) struct StoreSink {
    pub(crate) store: Arc<Store>,
    pub(crate) events: broadcast::Sender<Event>,
}

impl StoreSink {
    fn put(&self, spans: &[Span]) -> Result<(), StoreError> {
        self.store.ingest(spans)?;
        // Nobody listens: that is no fault.
        let _ = self.events.send(stored_event(spans));
        Ok(())
    }
}

/// Spans that came over OTLP.
impl SpanSink for StoreSink {
    fn store(&self, spans: &[Span]) -> Result<(), SinkError> {
        self.put(spans).map_err(|error| SinkError::new(error.to_string()))
    }
}

/// Spans of the followed Flock file.
impl LiveSink for StoreSink {
    fn store(&mut self, spans: &[Span]) -> Result<(), String> {
        self.put(spans).map_err(|error| error.to_string())
    }
}
