//! Spans to test with: the bundled real sample, and short ways to make some by hand.

use flockscope_model::{NewSpan, Span};
use flockscope_store::{Settings, Store};

#[path = "../../../../tests/data/sample.rs"]
mod bundled;

pub(crate) use bundled::{data, spans};

/// A store in memory that holds the sample.
pub(crate) fn store() -> Store {
    store_of(spans())
}

pub(crate) fn store_of(spans: &[Span]) -> Store {
    let store = Store::in_memory(Settings::default()).expect("a store");
    for batch in spans.chunks(2_000) {
        store.ingest(batch).expect("stored");
    }
    store
}

/// A span of trace `t`, in milliseconds from the second 1,000 on.
pub(crate) fn span(id: &str, parent: Option<&str>, name: &str, start_ms: i64, end_ms: i64) -> Span {
    made(NewSpan {
        trace_id: "t".into(),
        span_id: id.into(),
        parent_id: parent.map(Into::into),
        name: name.into(),
        start_time: (1_000_000 + start_ms) * 1_000_000,
        end_time: (1_000_000 + end_ms) * 1_000_000,
        ..NewSpan::default()
    })
}

pub(crate) fn made(found: NewSpan) -> Span {
    Span::new(found, |_| {}).expect("a span that can be placed")
}
