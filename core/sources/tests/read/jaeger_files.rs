//! Jaeger's JSON.

use flockscope_model::{Repair, SkipReason, StatusCode};
use flockscope_sources::{SourceKind, detect};
use serde_json::{Value, json};

use crate::samples::{folder, read, written};

fn export() -> Value {
    json!({"data": [{
        "traceID": "AB12",
        "spans": [
            {"traceID": "AB12", "spanID": "0A", "operationName": "GET /cart", "startTime": 1_700_000_000_000_001_u64, "duration": 2500,
             "processID": "p1", "flags": 1, "references": [],
             "tags": [{"key": "span.kind", "type": "string", "value": "server"},
                      {"key": "http.status_code", "type": "int64", "value": 500},
                      {"key": "ratio", "type": "float64", "value": 0.25},
                      {"key": "cached", "type": "bool", "value": true},
                      {"key": "as.text", "type": "int64", "value": "7"},
                      {"key": "error", "type": "bool", "value": true},
                      {"key": "otel.status_description", "type": "string", "value": "boom"}],
             "logs": [{"timestamp": 1_700_000_000_000_500_u64,
                       "fields": [{"key": "event", "type": "string", "value": "exception"},
                                  {"key": "exception.type", "type": "string", "value": "KeyError"}]},
                      {"timestamp": 1_700_000_000_000_600_u64, "fields": [{"key": "message", "type": "string", "value": "hm"}]}],
             "warnings": ["clock skew"]},
            {"traceID": "AB12", "spanID": "0B", "operationName": "Agent.execute", "startTime": 1_700_000_000_000_002_u64, "duration": 10,
             "processID": "p2",
             "references": [{"refType": "FOLLOWS_FROM", "traceID": "AB12", "spanID": "0C"},
                            {"refType": "CHILD_OF", "traceID": "AB12", "spanID": "0A"},
                            {"refType": "CHILD_OF", "traceID": "FF", "spanID": "01"}],
             "tags": [{"key": "otel.scope.name", "type": "string", "value": "flock.logging.trace_and_logged"},
                      {"key": "otel.status_code", "type": "string", "value": "OK"}],
             "logs": null, "warnings": null}
        ],
        "processes": {"p1": {"serviceName": "shop", "tags": [{"key": "host", "type": "string", "value": "h1"}]},
                      "p2": {"serviceName": "desk", "tags": []}}
    }], "total": 0, "limit": 0, "errors": null})
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn tags_logs_references_and_processes_find_their_columns() {
    let folder = folder();
    let file = written(&folder, "trace", export().to_string().as_bytes());
    assert_eq!(detect(&file).expect("JSON"), SourceKind::Jaeger);
    let (spans, report) = read(&file).expect("a file");
    assert_eq!((spans.len(), report.repaired.len()), (2, 0));

    let server = &spans[0];
    assert_eq!(
        (server.trace_id.as_str(), server.span_id.as_str(), &server.parent_id),
        ("ab12", "0a", &None)
    );
    assert_eq!(
        (server.start_time, server.end_time),
        (1_700_000_000_000_001_000, 1_700_000_000_002_501_000)
    );
    assert_eq!(
        (server.kind.as_str(), server.status_code),
        ("SERVER", StatusCode::Error)
    );
    assert_eq!(server.status_description.as_deref(), Some("boom"));
    assert_eq!(
        (server.service.as_str(), server.operation.as_str()),
        ("shop", "GET /cart")
    );
    assert_eq!(
        parsed(&server.attributes),
        json!({"http.status_code": 500, "ratio": 0.25, "cached": true, "as.text": 7, "jaeger.warnings": ["clock skew"]})
    );
    assert_eq!(
        parsed(&server.events),
        json!([{"name": "exception", "timestamp": 1_700_000_000_000_500_000_u64, "attributes": {"exception.type": "KeyError"}},
               {"name": "log", "timestamp": 1_700_000_000_000_600_000_u64, "attributes": {"message": "hm"}}])
    );
    assert_eq!(parsed(&server.resource), json!({"service.name": "shop", "host": "h1"}));

    let agent = &spans[1];
    assert_eq!(agent.parent_id.as_deref(), Some("0a"));
    assert_eq!((agent.service.as_str(), agent.operation.as_str()), ("Agent", "execute"));
    assert_eq!(
        (agent.kind.as_str(), agent.status_code),
        ("UNSPECIFIED", StatusCode::Ok)
    );
    assert_eq!(
        parsed(&agent.links),
        json!([{"trace_id": "ab12", "span_id": "0c", "attributes": {"opentracing.ref_type": "follows_from"}},
               {"trace_id": "ff", "span_id": "01", "attributes": {"opentracing.ref_type": "child_of"}}])
    );
}

#[test]
fn a_trace_alone_and_a_list_of_traces_are_read_too() {
    let folder = folder();
    let trace = export()["data"][0].clone();
    for content in [trace.clone(), json!([trace.clone(), trace])] {
        let file = written(&folder, "trace", content.to_string().as_bytes());
        assert_eq!(detect(&file).expect("JSON"), SourceKind::Jaeger);
        let (spans, _) = read(&file).expect("a file");
        assert_eq!(spans.len(), if content.is_array() { 4 } else { 2 });
    }
}

#[test]
fn faults_are_counted_one_by_one() {
    let mut export = export();
    let spans = export["data"][0]["spans"].as_array_mut().expect("spans");
    spans[0]["duration"] = json!(-5);
    spans.push(json!({"traceID": "AB12", "spanID": 17}));
    spans.push(json!({"traceID": "AB12", "spanID": "0D", "startTime": 10_413_792_000_000_000_u64, "duration": 1}));
    spans.push(json!({"traceID": "AB12", "spanID": "0E", "operationName": "n", "startTime": i64::MAX, "duration": 1}));
    export["data"]
        .as_array_mut()
        .expect("traces")
        .push(json!({"traceID": "CD", "processes": {}}));
    let folder = folder();
    let (spans, report) = read(&written(&folder, "trace", export.to_string().as_bytes())).expect("a file");
    assert_eq!(spans.len(), 2);
    assert_eq!(report.repaired[&Repair::NegativeDuration], 1);
    assert_eq!(report.skipped[&SkipReason::Unreadable], 2, "{:?}", report.notes);
    assert_eq!(report.skipped[&SkipReason::TimeOutOfRange], 2);
}

#[test]
fn a_document_that_is_cut_off_is_an_error_that_says_so() {
    let folder = folder();
    let text = export().to_string();
    let error = read(&written(&folder, "trace", &text.as_bytes()[..text.len() - 40])).expect_err("half a document");
    assert!(
        error.to_string().contains("trace: damaged: not a whole JSON document"),
        "{error}"
    );
}
