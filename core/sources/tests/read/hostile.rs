//! Input that somebody made to break the reader, and input that broke by itself.

use std::fs;
use std::sync::OnceLock;

use flockscope_model::ReadReport;
use flockscope_sources::{detect, open};
use proptest::prelude::*;

use crate::samples::{folder, read, rows, unpacked};

/// Reads content of any kind. What comes of it does not matter, as long as it ends and all is counted.
fn survive(content: &[u8]) {
    let folder = folder();
    let file = folder.path().join("x");
    fs::write(&file, content).expect("a file");
    if detect(&file).is_ok() {
        let _ = read(&file);
    }
}

fn json_scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("JSON has no NaN", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        Just("[{}]".to_owned()),
        Just("true".to_owned()),
    ]
}

const OTLP_FIELDS: &[&str] = &[
    "traceId",
    "spanId",
    "parentSpanId",
    "name",
    "kind",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "attributes",
    "events",
    "links",
    "status",
    "flags",
    "traceState",
    "droppedEventsCount",
];
const JAEGER_FIELDS: &[&str] = &[
    "traceID",
    "spanID",
    "operationName",
    "references",
    "startTime",
    "duration",
    "tags",
    "logs",
    "processID",
    "process",
    "warnings",
];

/// A span with some of the fields, each holding anything.
fn any_span(fields: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::collection::vec((proptest::sample::select(fields), json_scalar()), 0..12).prop_map(|pairs| {
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        format!("{{{}}}", pairs.join(","))
    })
}

/// First bytes of every kind of file.
const STARTS: &[&[u8]] = &[
    b"{\"resourceSpans\":[",
    b"{\"data\":[{\"traceID\":",
    b"\0\0\0\x40\x0a\x10\x12",
    b"\x0a\x20\x12\x1e\x12\x1c",
    b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
    b"\x28\xb5\x2f\xfd\x04",
    b"PAR1",
    b"01234567DUCK",
    b"\0\0\0\x20\x28\xb5\x2f\xfd",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(content in proptest::collection::vec(any::<u8>(), 0..600)) {
        survive(&content);
    }

    #[test]
    fn any_bytes_behind_a_believable_start_are_survived(
        start in proptest::sample::select(STARTS),
        rest in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        survive(&[start, &rest].concat());
    }

    #[test]
    fn otlp_spans_with_anything_in_their_fields_are_kept_or_counted(spans in proptest::collection::vec(any_span(OTLP_FIELDS), 1..6)) {
        let folder = folder();
        let file = folder.path().join("x");
        fs::write(&file, format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}", spans.join(","))).expect("a file");
        let (_, report) = read(&file).expect("OTLP");
        prop_assert_eq!(report.read, spans.len() as u64);
    }

    #[test]
    fn jaeger_spans_with_anything_in_their_fields_are_kept_or_counted(spans in proptest::collection::vec(any_span(JAEGER_FIELDS), 1..6)) {
        let folder = folder();
        let file = folder.path().join("x");
        fs::write(&file, format!("{{\"data\":[{{\"traceID\":\"1\",\"spans\":[{}]}}]}}", spans.join(","))).expect("a file");
        let (_, report) = read(&file).expect("Jaeger");
        prop_assert_eq!(report.read, spans.len() as u64);
    }
}

/// A real file, once.
fn real_file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = folder();
        fs::read(unpacked("flock-2.0.0.duckdb", &folder)).expect("bytes")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_database_is_an_error_or_still_whole(
        damage in proptest::collection::vec((0..real_file().len(), any::<u8>(), 1..200_usize), 1..4),
    ) {
        let mut bytes = real_file().to_vec();
        for (place, value, length) in damage {
            let end = (place + length).min(bytes.len());
            bytes[place..end].fill(value);
        }
        let folder = folder();
        let file = folder.path().join("x.duckdb");
        fs::write(&file, bytes).expect("a file");
        // Only part of a file is in use; damage elsewhere does no harm.
        if let Ok((spans, report)) = read(&file) {
            prop_assert_eq!((spans.len(), report.repaired.len()), (rows().len(), 0));
        }
    }
}

#[test]
fn a_source_that_is_dropped_halfway_ends_its_thread() {
    let folder = folder();
    let file = unpacked("flock-2.0.0.duckdb", &folder);
    for _ in 0..5 {
        let mut source = open(&file).expect("a source");
        source.next_batch(&mut ReadReport::default()).expect("a batch");
        drop(open(&file).expect("another source"));
    }
}
