//! Where the spans go.

use flockscope_model::Span;

/// Takes the spans that were accepted: the store, or a test's list.
///
/// One thread calls it, and it may block. A span may come again, with the same ids, when the process ended between
/// storing it and saying so in the log: a sink replaces what it has.
pub trait SpanSink: Send + Sync + 'static {
    /// Stores all of the spans, so that they survive the end of the process, or none that can't come again.
    fn store(&self, spans: &[Span]) -> Result<(), SinkError>;
}

/// Why a sink did not store spans. They are kept, and given to it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SinkError {
    /// The cause, for the log and the counters; clients never see it.
    pub message: String,
}

impl SinkError {
    /// A failure with this cause.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}
