//! Sample files, and reading a source to its end.
//!
//! `flock.rows.jsonl.gz` holds 26 rows of a Flock file as Python's DuckDB read them. The other samples were made from
//! those rows by Python: the DuckDB files with DuckDB 1.1.3 to 2.0.0 (`-log`: copied while half of the rows stood in the
//! write-ahead log), the OTLP files with `opentelemetry-proto`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use flockscope_model::{ReadReport, Span};
use flockscope_sources::{SourceError, open};
use tempfile::TempDir;

/// Where the samples are.
pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/data/sources")
        .join(name)
}

/// Unpacks `<name>.gz` into a folder, as `<name>`.
pub(crate) fn unpacked(name: &str, folder: &TempDir) -> PathBuf {
    let target = folder.path().join(name);
    let packed = File::open(sample(&format!("{name}.gz"))).expect("a sample");
    io::copy(
        &mut GzDecoder::new(packed),
        &mut File::create(&target).expect("a new file"),
    )
    .expect("unpacking");
    target
}

/// The rows that the samples were made from.
pub(crate) fn rows() -> Vec<serde_json::Value> {
    let mut text = String::new();
    let packed = File::open(sample("flock.rows.jsonl.gz")).expect("a sample");
    GzDecoder::new(packed).read_to_string(&mut text).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a row"))
        .collect()
}

/// Writes a file into a folder.
pub(crate) fn written(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("a new file");
    path
}

pub(crate) fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// Reads a source to its end.
pub(crate) fn read(path: &Path) -> Result<(Vec<Span>, ReadReport), SourceError> {
    let mut source = open(path)?;
    let mut report = ReadReport::default();
    let mut spans = Vec::new();
    while let Some(mut batch) = source.next_batch(&mut report)? {
        assert!(!batch.is_empty(), "an empty batch would look like an end");
        spans.append(&mut batch);
    }
    assert!(source.next_batch(&mut report)?.is_none(), "the end stays the end");
    assert_eq!(
        report.read,
        spans.len() as u64 + report.skipped_total(),
        "every span is kept or counted as skipped"
    );
    Ok((spans, report))
}

/// Reads a source without a fault in it.
pub(crate) fn read_sound(path: &Path) -> Vec<Span> {
    let (spans, report) = read(path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((report.skipped_total(), report.repaired.len()), (0, 0), "{report:?}");
    spans
}

/// Checks spans against rows, column by column; JSON by its meaning.
pub(crate) fn assert_same(spans: &[Span], rows: &[serde_json::Value]) {
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(spans.len(), rows.len());
    for (span, row) in spans.iter().zip(rows) {
        let text = |column: &str| row[column].as_str().expect("text");
        let label = format!("{} of {}", span.span_id, span.name);
        assert_eq!(span.trace_id, text("trace_id"), "{label}");
        assert_eq!(span.span_id, text("span_id"), "{label}");
        assert_eq!(span.parent_id.as_deref(), row["parent_id"].as_str(), "{label}");
        assert_eq!(span.name, text("name"), "{label}");
        assert_eq!(span.service, text("service"), "{label}");
        assert_eq!(span.operation, text("operation"), "{label}");
        assert_eq!(span.kind, text("kind"), "{label}");
        assert_eq!(Some(span.start_time), row["start_time"].as_i64(), "{label}");
        assert_eq!(Some(span.end_time), row["end_time"].as_i64(), "{label}");
        assert_eq!(span.status_code.as_str(), text("status_code"), "{label}");
        assert_eq!(
            span.status_description.as_deref(),
            row["status_description"].as_str(),
            "{label}"
        );
        for (found, column) in [
            (&span.attributes, "attributes"),
            (&span.events, "events"),
            (&span.links, "links"),
            (&span.resource, "resource"),
        ] {
            assert_eq!(json(found), json(text(column)), "{column} of {label}");
        }
    }
}
