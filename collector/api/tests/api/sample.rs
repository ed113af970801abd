//! Spans to test with: the bundled real sample, and a way to make some by hand.

use flockscope_model::{NewSpan, Span};
use flockscope_store::{Settings, Store};

#[path = "../../../../tests/data/sample.rs"]
mod bundled;

pub(crate) use bundled::spans;

/// A store in memory with these spans, and connections with a budget as the process has them.
pub(crate) fn store_of(spans: &[Span]) -> Store {
    let store = Store::in_memory(settings()).expect("a store");
    for batch in spans.chunks(2_000) {
        store.ingest(batch).expect("stored");
    }
    store
}

pub(crate) fn settings() -> Settings {
    Settings {
        threads: Some(2),
        sandboxes: 2,
        sandbox_memory: "64MB".into(),
        spill_limit: 200_000_000,
        ..Settings::default()
    }
}

/// A span, in milliseconds from the second 1,000 on.
pub(crate) fn span(trace: &str, id: &str, parent: Option<&str>, name: &str, start_ms: i64, end_ms: i64) -> NewSpan {
    NewSpan {
        trace_id: trace.into(),
        span_id: id.into(),
        parent_id: parent.map(Into::into),
        name: name.into(),
        start_time: (1_000_000 + start_ms) * 1_000_000,
        end_time: (1_000_000 + end_ms) * 1_000_000,
        ..NewSpan::default()
    }
}

pub(crate) fn made(found: NewSpan) -> Span {
    Span::new(found, |_| {}).expect("a span that can be placed")
}
