//! One message in protobuf and in JSON gives the same spans.

use flockscope_otlp::{decode_json, decode_protobuf, from_request};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;

use crate::json_writer::to_json;
use crate::messages::{any_request, request, span};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn protobuf_and_json_of_a_message_give_the_same_spans(request in any_request()) {
        let of_protobuf = decode_protobuf(&request.encode_to_vec()).expect("a message");
        let of_json = decode_json(to_json(&request).as_bytes()).expect("a message");
        prop_assert_eq!(&of_json, &of_protobuf);
        prop_assert_eq!(&from_request(request.clone()), &of_protobuf);
        let spans = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        let count: usize = spans.map(|scope| scope.spans.len()).sum();
        prop_assert_eq!(of_protobuf.report.read, count as u64);
        prop_assert_eq!(of_protobuf.spans.len() as u64 + of_protobuf.report.skipped_total(), count as u64);
    }
}

#[test]
fn an_empty_message_has_no_spans() {
    assert_eq!(decode_protobuf(b"").expect("a request").spans, []);
    assert_eq!(decode_json(b"{}").expect("a request").spans, []);
    assert_eq!(
        decode_json(br#"{"resourceSpans": null, "other": [1]}"#)
            .expect("a request")
            .spans,
        []
    );
    assert_eq!(from_request(ExportTraceServiceRequest::default()).report.read, 0);
}

#[test]
fn spans_keep_the_order_of_the_message() {
    let decoded = from_request(request((1..=9).map(span).collect()));
    let ids: Vec<&str> = decoded.spans.iter().map(|span| &span.span_id[15..]).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn the_json_of_the_specification_is_read() {
    // https://github.com/open-telemetry/opentelemetry-proto/blob/main/examples/trace.json
    let text = r#"{"resourceSpans": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my.service"}}]},
        "scopeSpans": [{
            "scope": {"name": "my.library", "version": "1.0.0",
                      "attributes": [{"key": "my.scope.attribute", "value": {"stringValue": "some scope attribute"}}]},
            "spans": [{
                "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174",
                "parentSpanId": "EEE19B7EC3C1B173", "name": "I'm a server span",
                "startTimeUnixNano": "1544712660000000000", "endTimeUnixNano": "1544712661000000000", "kind": 2,
                "attributes": [{"key": "my.span.attr", "value": {"stringValue": "some value"}}]
            }]
        }]
    }]}"#;
    let decoded = decode_json(text.as_bytes()).expect("a message");
    let span = &decoded.spans[0];
    assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
    assert_eq!(
        (span.span_id.as_str(), span.parent_id.as_deref()),
        ("eee19b7ec3c1b174", Some("eee19b7ec3c1b173"))
    );
    assert_eq!(
        (span.service.as_str(), span.operation.as_str()),
        ("my.service", "I'm a server span")
    );
    assert_eq!(
        (span.kind.as_str(), span.start_time),
        ("SERVER", 1_544_712_660_000_000_000)
    );
    assert_eq!(
        span.attributes,
        r#"{"my.span.attr":"some value","otel.scope.attributes":{"my.scope.attribute":"some scope attribute"}}"#
    );
}
