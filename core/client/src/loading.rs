//! Spans from a source into a store, in batches that suit the store.

use flockscope_model::{ReadReport, Span};
use flockscope_redaction::Redactor;
use flockscope_sources::SpanSource;
use flockscope_store::{Ingested, Store};
use serde::Serialize;

use crate::ClientError;

/// A batch for the store holds at most so many spans, or so many bytes of text.
const MOST_SPANS: usize = 100_000;
const MOST_TEXT: usize = 64 << 20;

/// What came into a store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// What was read, left out and mended.
    #[serde(flatten)]
    pub report: ReadReport,
    /// What became of the spans.
    #[serde(flatten)]
    pub ingested: Ingested,
}

/// How far a loading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Spans stored so far.
    pub spans: u64,
    /// Bytes or rows done, and how many there are; `None` where that is not known.
    pub done_of: Option<(u64, u64)>,
}

/// Gathers spans until they make a good batch.
#[derive(Default)]
pub struct Loader {
    waiting: Vec<Span>,
    text: usize,
    ingested: Ingested,
}

impl Loader {
    /// Takes spans, and stores all that wait when they are enough. Says whether it did.
    pub fn add(&mut self, store: &Store, spans: Vec<Span>) -> Result<bool, ClientError> {
        self.text += spans.iter().map(Span::size).sum::<usize>();
        if self.waiting.is_empty() {
            self.waiting = spans;
        } else {
            self.waiting.extend(spans);
        }
        if self.waiting.len() < MOST_SPANS && self.text < MOST_TEXT {
            return Ok(false);
        }
        self.flush(store)?;
        Ok(true)
    }

    /// Stores all that wait.
    pub fn flush(&mut self, store: &Store) -> Result<(), ClientError> {
        self.ingested += store.ingest(&self.waiting)?;
        self.waiting.clear();
        self.text = 0;
        Ok(())
    }

    /// What was stored so far.
    pub fn ingested(&self) -> Ingested {
        self.ingested
    }
}

/// Reads a source to its end, and makes secrets unreadable.
pub fn load(
    store: &Store,
    source: &mut dyn SpanSource,
    redactor: &Redactor,
    progress: &mut dyn FnMut(Progress),
) -> Result<Loaded, ClientError> {
    let mut report = ReadReport::default();
    let mut loader = Loader::default();
    while let Some(mut spans) = source.next_batch(&mut report)? {
        for span in &mut spans {
            redactor.redact(span);
        }
        loader.add(store, spans)?;
        progress(Progress {
            spans: loader.ingested().stored,
            done_of: source.progress().map(|progress| (progress.done, progress.total)),
        });
    }
    loader.flush(store)?;
    Ok(Loaded {
        report,
        ingested: loader.ingested(),
    })
}
