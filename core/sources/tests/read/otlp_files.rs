//! OTLP files, as the OpenTelemetry Collector's file exporter writes them.

use flockscope_model::{ReadReport, Repair, SkipReason, StatusCode};
use flockscope_sources::{SourceKind, detect, open};
use serde_json::{Value, json};

use crate::samples::{assert_same, folder, read, read_sound, rows, sample, written};

#[test]
fn spans_of_flock_are_the_rows_of_its_file_in_every_spelling() {
    let rows = rows();
    for (name, kind) in [
        ("flock.otlp.jsonl.gz", SourceKind::OtlpJson),
        ("flock.otlp.jsonl.zst", SourceKind::OtlpJson),
        ("flock.otlp.pretty.json.gz", SourceKind::OtlpJson),
        ("flock.otlp.binpb.gz", SourceKind::OtlpProtobuf),
        ("flock.otlp.message.gz", SourceKind::OtlpProtobuf),
        ("flock.otlp.packed-messages", SourceKind::OtlpProtobuf),
        ("flock.otlp.packed-json", SourceKind::OtlpProtobuf),
    ] {
        let file = sample(name);
        assert_eq!(detect(&file).expect(name), kind, "{name}");
        let spans = read_sound(&file);
        assert_same(&spans, &rows);
        assert_eq!(spans[0].scope_name.as_deref(), Some("flock.logging.trace_and_logged"));
    }
}

fn request(spans: Value) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeSpans": [{"scope": {"name": "shop.http", "version": "2.1"}, "spans": spans}]
    }]})
}

fn span(id: u32) -> Value {
    json!({"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": format!("{id:016x}"), "name": "GET /cart",
           "startTimeUnixNano": "1000", "endTimeUnixNano": "2000"})
}

/// The span with more fields.
fn span_with(fields: Value) -> Value {
    let mut span = span(1);
    for (key, value) in fields.as_object().expect("fields") {
        span[key] = value.clone();
    }
    span
}

fn read_request(request: &Value) -> (flockscope_model::Span, ReadReport) {
    let folder = folder();
    let file = written(&folder, "x", request.to_string().as_bytes());
    let (mut spans, report) = read(&file).expect("a request");
    assert_eq!(spans.len(), 1, "{report:?}");
    (spans.remove(0), report)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn other_programs_have_the_service_of_their_resource_and_the_span_name_as_operation() {
    let (span, _) = read_request(&request(json!([span(1)])));
    assert_eq!((span.service.as_str(), span.operation.as_str()), ("shop", "GET /cart"));
    assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
    assert_eq!(
        (span.scope_name.as_deref(), span.scope_version.as_deref()),
        (Some("shop.http"), Some("2.1"))
    );
    assert_eq!(
        (span.kind.as_str(), span.status_code, span.parent_id),
        ("UNSPECIFIED", StatusCode::Unset, None)
    );
    assert_eq!(parsed(&span.resource), json!({"service.name": "shop"}));
}

#[test]
fn enums_may_be_numbers_or_names_and_numbers_may_be_text() {
    for (kind, code) in [
        (json!(3), json!(2)),
        (json!("SPAN_KIND_CLIENT"), json!("STATUS_CODE_ERROR")),
        (json!("3"), json!("2")),
    ] {
        let spans = json!([span_with(json!({
            "kind": kind, "status": {"code": code, "message": "no"}, "startTimeUnixNano": 1000, "endTimeUnixNano": "2500",
        }))]);
        let (span, _) = read_request(&request(spans));
        assert_eq!((span.kind.as_str(), span.status_code), ("CLIENT", StatusCode::Error));
        assert_eq!(span.status_description.as_deref(), Some("no"));
        assert_eq!((span.start_time, span.end_time), (1000, 2500));
    }
}

#[test]
fn names_may_be_in_snake_case_and_unknown_fields_are_passed_over() {
    let request = json!({"resource_spans": [{"new_field": {}, "scope_spans": [{"spans": [{
        "trace_id": "01", "span_id": "02", "parent_span_id": "03", "name": "n", "start_time_unix_nano": 7, "end_time_unix_nano": 9,
        "attributes": [{"key": "a", "value": {"string_value": "b"}}], "unknown": [1, {"x": 2}]
    }]}]}]});
    let (span, report) = read_request(&request);
    assert_eq!(
        (span.trace_id.as_str(), span.parent_id.as_deref(), span.start_time),
        ("01", Some("03"), 7)
    );
    assert_eq!(parsed(&span.attributes), json!({"a": "b"}));
    assert_eq!(report.repaired.len(), 0);
}

#[test]
fn values_of_every_type_become_json() {
    let attributes = json!([
        {"key": "text", "value": {"stringValue": "a\"b\u{1F600}"}},
        {"key": "flag", "value": {"boolValue": false}},
        {"key": "whole", "value": {"intValue": "-9223372036854775808"}},
        {"key": "plain", "value": {"intValue": 5}},
        {"key": "half", "value": {"doubleValue": 0.5}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "most", "value": {"doubleValue": "Infinity"}},
        {"key": "bytes", "value": {"bytesValue": "AP8Q"}},
        {"key": "list", "value": {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "x"}, {}]}}},
        {"key": "object", "value": {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": true}}]}}},
        {"key": "empty", "value": {}},
        {"key": "nothing"}
    ]);
    let (span, _) = read_request(&request(json!([span_with(json!({"attributes": attributes}))])));
    assert_eq!(
        parsed(&span.attributes),
        json!({"text": "a\"b\u{1F600}", "flag": false, "whole": i64::MIN, "plain": 5, "half": 0.5, "nan": "NaN",
               "most": "Infinity", "bytes": "AP8Q", "list": [1, "x", null], "object": {"k": true}, "empty": null,
               "nothing": null})
    );
}

#[test]
fn events_links_counts_and_state_are_kept() {
    let spans = json!([span_with(json!({
        "traceState": "a=1", "flags": 0x301, "droppedAttributesCount": 2, "droppedEventsCount": 0, "droppedLinksCount": "4",
        "events": [{"timeUnixNano": "1500", "name": "exception", "droppedAttributesCount": 1,
                    "attributes": [{"key": "exception.type", "value": {"stringValue": "KeyError"}}]}],
        "links": [{"traceId": "0A", "spanId": "0B", "traceState": "b=2",
                   "attributes": [{"key": "why", "value": {"stringValue": "batch"}}]}],
    }))]);
    let (span, _) = read_request(&request(spans));
    assert_eq!(
        parsed(&span.attributes),
        json!({"otel.trace_state": "a=1", "otel.flags": 0x301, "otel.dropped_attributes_count": 2, "otel.dropped_links_count": 4})
    );
    assert_eq!(
        parsed(&span.events),
        json!([{"name": "exception", "timestamp": 1500,
                "attributes": {"exception.type": "KeyError", "otel.dropped_attributes_count": 1}}])
    );
    assert_eq!(
        parsed(&span.links),
        json!([{"trace_id": "0a", "span_id": "0b", "attributes": {"why": "batch", "otel.trace_state": "b=2"}}])
    );
}

#[test]
fn a_bad_line_is_counted_and_the_others_are_read() {
    let good = |id| request(json!([span(id)])).to_string();
    let deep = format!(
        "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"1\",\"spanId\":\"2\",\"name\":\"n\",\"startTimeUnixNano\":1,\
         \"attributes\":[{{\"key\":\"k\",\"value\":{}1{}}}]}}]}}]}}]}}",
        "{\"arrayValue\":{\"values\":[".repeat(100),
        "]}}".repeat(100)
    );
    let lines = [
        good(1),
        "{\"resourceSpans\": [{\"scopeSp".to_owned(),
        good(2),
        "not JSON at all".to_owned(),
        String::new(),
        "{\"resourceLogs\": []}".to_owned(),
        "{\"something\": \"else\"}".to_owned(),
        deep,
        good(3),
        "{\"resourceSpans\": \"text\"}".to_owned(),
        good(4)[..90].to_owned(),
    ];
    let folder = folder();
    let file = written(&folder, "x.jsonl", lines.join("\n").as_bytes());
    let (spans, report) = read(&file).expect("a file");
    let ids: Vec<&str> = spans.iter().map(|span| &span.span_id[15..]).collect();
    assert_eq!(ids, ["1", "2", "3"]);
    assert_eq!(report.skipped[&SkipReason::Unreadable], 6);
    let places: Vec<&str> = report.notes.iter().filter_map(|note| note.split(',').next()).collect();
    assert_eq!(
        places,
        ["line 2", "line 4", "line 7", "line 8", "line 10", "line 11"],
        "{:?}",
        report.notes
    );
}

#[test]
fn one_bad_span_does_not_take_its_message_with_it() {
    let request = request(
        json!([span(1), {"traceId": 5}, span(3), {"traceId": "1", "spanId": "2", "startTimeUnixNano": "soon"}]),
    );
    let folder = folder();
    let (spans, report) = read(&written(&folder, "x", request.to_string().as_bytes())).expect("a file");
    assert_eq!(
        (spans.len(), report.read, report.skipped[&SkipReason::Unreadable]),
        (2, 4, 2)
    );
}

#[test]
fn spans_that_cannot_be_placed_are_counted_by_reason_and_others_are_mended() {
    let spans = json!([
        span_with(json!({"traceId": ""})),
        span_with(json!({"spanId": "0000000000000000"})),
        span_with(json!({"startTimeUnixNano": null})),
        // The year 2300, and more than 64 bits.
        span_with(json!({"startTimeUnixNano": "10413792000000000000"})),
        span_with(json!({"endTimeUnixNano": "99999999999999999999999"})),
        span_with(json!({"spanId": "0a", "endTimeUnixNano": 1})),
        span_with(json!({"spanId": "0b", "parentSpanId": "0b", "name": ""})),
    ]);
    let folder = folder();
    let (spans, report) = read(&written(&folder, "x", request(spans).to_string().as_bytes())).expect("a file");
    assert_eq!(spans.len(), 2);
    let skipped: Vec<_> = report.skipped.iter().map(|(reason, count)| (*reason, *count)).collect();
    assert_eq!(
        skipped,
        [
            (SkipReason::NoTraceId, 1),
            (SkipReason::NoSpanId, 1),
            (SkipReason::NoStartTime, 1),
            (SkipReason::TimeOutOfRange, 2)
        ]
    );
    assert_eq!(spans[0].end_time, spans[0].start_time);
    assert_eq!(
        (spans[1].parent_id.as_deref(), spans[1].name.as_str()),
        (None, "(no name)")
    );
    for repair in [Repair::NegativeDuration, Repair::OwnParent, Repair::NoName] {
        assert_eq!(report.repaired[&repair], 1);
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced_and_said() {
    let mut line = request(json!([span(1), span_with(json!({"name": "caf@"}))]))
        .to_string()
        .into_bytes();
    let place = line.iter().position(|byte| *byte == b'@').expect("the name");
    line[place] = 0xe9;
    let folder = folder();
    let (spans, report) = read(&written(&folder, "x", &line)).expect("a file");
    assert_eq!(spans[1].name, "caf\u{fffd}");
    assert_eq!(report.repaired.get(&Repair::InvalidUtf8), Some(&1));
    assert_eq!(spans[1].repair.as_deref(), Some("invalid UTF-8 was replaced"));
    assert_eq!(spans[0].repair, None);
}

#[test]
fn a_megabyte_in_one_span_is_kept_and_large_files_come_in_batches() {
    let big = "x".repeat(1 << 20);
    let line = |id: u32| {
        let mut span = span(id);
        span["attributes"] = json!([{"key": "k", "value": {"stringValue": big}}]);
        request(json!([span])).to_string() + "\n"
    };
    let folder = folder();
    let text: String = (1..=80).map(line).collect();
    let file = written(&folder, "x", text.as_bytes());
    let mut source = open(&file).expect("a source");
    let mut report = ReadReport::default();
    let mut sizes = Vec::new();
    while let Some(batch) = source.next_batch(&mut report).expect("a batch") {
        assert!(batch.iter().all(|span| span.attributes.len() == (1 << 20) + 8));
        sizes.push(batch.len());
    }
    assert_eq!(sizes, [32, 32, 16]);
    let progress = source.progress().expect("known");
    assert_eq!((progress.done, progress.total), (text.len() as u64, text.len() as u64));
}

#[test]
fn a_protobuf_file_that_is_cut_off_gives_what_comes_before() {
    let folder = folder();
    let mut bytes = Vec::new();
    let packed = std::fs::File::open(sample("flock.otlp.binpb.gz")).expect("a sample");
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed), &mut bytes).expect("unpacking");
    // Six messages of five spans at most; the last one loses its end.
    let cut = written(&folder, "cut", &bytes[..bytes.len() - 3]);
    let (spans, report) = read(&cut).expect("a file");
    assert_eq!((spans.len(), report.skipped[&SkipReason::Unreadable]), (25, 1));
    assert!(
        report.notes[0].starts_with("message 6, the file ends within it"),
        "{:?}",
        report.notes
    );

    // A message that can't be decoded is passed over.
    let first = 4 + u32::from_be_bytes(bytes[..4].try_into().expect("4 bytes")) as usize;
    let mut broken = bytes.clone();
    // The first field of the second message, made one of a type that there is not.
    broken[first + 4] = 0x0f;
    let (spans, report) = read(&written(&folder, "broken", &broken)).expect("a file");
    assert_eq!(
        (spans.len(), report.skipped[&SkipReason::Unreadable]),
        (21, 1),
        "{:?}",
        report.notes
    );

    // A length that can't be is where the reading ends.
    let mut lost = bytes;
    lost[first..first + 4].copy_from_slice(&[0xff; 4]);
    let (spans, report) = read(&written(&folder, "lost", &lost)).expect("a file");
    assert_eq!((spans.len(), report.skipped[&SkipReason::Unreadable]), (5, 1));
    assert!(
        report.notes[0].contains("what follows it is lost"),
        "{:?}",
        report.notes
    );
}

#[test]
fn a_packed_file_that_is_cut_off_gives_what_comes_before() {
    let folder = folder();
    let packed = std::fs::read(sample("flock.otlp.jsonl.zst")).expect("a sample");
    // A frame a line; the last one loses its end.
    let (spans, report) = read(&written(&folder, "cut", &packed[..packed.len() - 5])).expect("a file");
    assert_eq!((spans.len(), report.skipped[&SkipReason::Unreadable]), (25, 1));
    assert!(report.notes[0].contains("after line 5"), "{:?}", report.notes);
}
