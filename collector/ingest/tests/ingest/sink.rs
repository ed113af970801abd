//! A sink in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use flockscope_ingest::{SinkError, SpanSink};
use flockscope_model::Span;

/// How the sink behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Works,
    Fails,
    IsFull,
    Panics,
    /// Until the mood is another one.
    Blocks,
}

#[derive(Debug)]
pub(crate) struct MemorySink {
    state: Mutex<(Mood, Vec<Span>)>,
    changed: Condvar,
}

impl MemorySink {
    pub(crate) fn new(mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new((mood, Vec::new())),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.state.lock().expect("no panic").0 = mood;
        self.changed.notify_all();
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.state.lock().expect("no panic").1.clone()
    }

    /// How often each span was stored, by its span id.
    pub(crate) fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for span in self.spans() {
            *times.entry(span.span_id).or_default() += 1;
        }
        times
    }
}

impl SpanSink for MemorySink {
    fn store(&self, spans: &[Span]) -> Result<(), SinkError> {
        let mut state = self.state.lock().expect("no panic");
        while state.0 == Mood::Blocks {
            state = self.changed.wait(state).expect("no panic");
        }
        match state.0 {
            Mood::Works => {
                state.1.extend_from_slice(spans);
                Ok(())
            }
            Mood::IsFull => Err(SinkError::new("no room in /secret/store")),
            Mood::Panics => {
                drop(state);
                panic!("as the test wants it");
            }
            Mood::Fails | Mood::Blocks => Err(SinkError::new("not now")),
        }
    }
}

/// Waits for a condition; the deadline is there for a test that fails.
pub(crate) async fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited for too long: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
