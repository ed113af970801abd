//! Spans to test with: the bundled real sample, and a way to make some by hand.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flockscope_model::{NewSpan, ReadReport, Span};
use flockscope_store::{Settings, Store};

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data")
        .join(name)
}

/// The spans of the bundled sample, read by the real source.
pub(crate) fn spans() -> &'static [Span] {
    static SPANS: OnceLock<Vec<Span>> = OnceLock::new();
    SPANS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("traces.duckdb");
        let packed = std::fs::File::open(data("traces.duckdb.gz")).expect("the bundled sample");
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(packed)
            .read_to_end(&mut bytes)
            .expect("a sound gzip file");
        std::fs::write(&file, bytes).expect("room for the sample");
        let mut source = flockscope_sources::open(&file).expect("a Flock file");
        let mut report = ReadReport::default();
        let mut spans = Vec::new();
        while let Some(batch) = source.next_batch(&mut report).expect("a sound file") {
            spans.extend(batch);
        }
        assert_eq!((report.read, report.skipped_total()), (6797, 0));
        spans
    })
}

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
