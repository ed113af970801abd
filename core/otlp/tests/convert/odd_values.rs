//! Odd input has a documented outcome.

use flockscope_model::{Repair, SkipReason, Span};
use flockscope_otlp::{decode_json, from_request};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as proto;

use crate::messages::{key_value, request, span, text, with_attributes};

/// The one span of a request.
fn read(span: proto::Span) -> Span {
    let mut decoded = from_request(request(vec![span]));
    assert_eq!(decoded.report.skipped_total(), 0, "{:?}", decoded.report);
    decoded.spans.remove(0)
}

fn refused(span: proto::Span) -> SkipReason {
    let decoded = from_request(request(vec![span]));
    assert_eq!((decoded.spans.len(), decoded.report.read), (0, 1));
    *decoded.report.skipped.keys().next().expect("a reason")
}

#[test]
fn of_an_attribute_that_stands_there_twice_the_last_value_counts() {
    let attributes = vec![
        key_value("a", Any::IntValue(1)),
        key_value("b", Any::IntValue(2)),
        key_value("a", text("last")),
    ];
    assert_eq!(read(with_attributes(attributes)).attributes, r#"{"b":2,"a":"last"}"#);
}

#[test]
fn doubles_that_json_does_not_have_become_texts() {
    let attributes = vec![
        key_value("nan", Any::DoubleValue(f64::NAN)),
        key_value("most", Any::DoubleValue(f64::INFINITY)),
        key_value("least", Any::DoubleValue(f64::NEG_INFINITY)),
        key_value("one", Any::DoubleValue(1.0)),
        key_value("large", Any::DoubleValue(1e300)),
    ];
    assert_eq!(
        read(with_attributes(attributes)).attributes,
        r#"{"nan":"NaN","most":"Infinity","least":"-Infinity","one":1.0,"large":1e+300}"#
    );
}

#[test]
fn a_service_name_is_what_the_resource_shows() {
    for (name, service) in [
        (Any::DoubleValue(f64::NAN), "NaN"),
        (Any::BytesValue(vec![0]), "AA=="),
        (Any::IntValue(5), "GET /cart"),
    ] {
        let mut request = request(vec![span(1)]);
        request.resource_spans[0].resource = Some(Resource {
            attributes: vec![key_value("service.name", name)],
            ..Resource::default()
        });
        assert_eq!(from_request(request).spans[0].service, service);
    }
}

#[test]
fn bytes_become_base64_and_a_value_that_is_not_set_is_null() {
    let mut attributes = vec![
        key_value("bytes", Any::BytesValue(vec![0, 255, 16])),
        key_value("none", text("")),
    ];
    attributes[1].value = None;
    assert_eq!(
        read(with_attributes(attributes)).attributes,
        r#"{"bytes":"AP8Q","none":null}"#
    );
}

#[test]
fn a_span_without_ids_is_refused_and_other_lengths_are_kept() {
    let with = |change: fn(&mut proto::Span)| {
        let mut span = span(1);
        change(&mut span);
        span
    };
    assert_eq!(refused(with(|span| span.trace_id.clear())), SkipReason::NoTraceId);
    assert_eq!(refused(with(|span| span.trace_id = vec![0; 16])), SkipReason::NoTraceId);
    assert_eq!(refused(with(|span| span.span_id.clear())), SkipReason::NoSpanId);
    assert_eq!(refused(with(|span| span.span_id = vec![0; 8])), SkipReason::NoSpanId);
    assert_eq!(read(with(|span| span.trace_id = vec![1, 2])).trace_id, "0102");
    assert_eq!(read(with(|span| span.parent_span_id = vec![0; 8])).parent_id, None);
}

#[test]
fn times_out_of_range_refuse_a_span_but_not_for_an_event() {
    let with = |start, end| proto::Span {
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        ..span(1)
    };
    assert_eq!(refused(with(0, 5)), SkipReason::NoStartTime);
    assert_eq!(refused(with(u64::MAX, 5)), SkipReason::TimeOutOfRange);
    assert_eq!(refused(with(5, 1 << 63)), SkipReason::TimeOutOfRange);
    assert_eq!(read(with(5, (1 << 63) - 1)).end_time, i64::MAX);
    let mended = read(with(5, 2));
    assert_eq!(
        (mended.end_time, mended.repair.as_deref()),
        (5, Some("negative duration: end_time was 2"))
    );
    let event = proto::span::Event {
        time_unix_nano: u64::MAX,
        name: "late".to_owned(),
        ..proto::span::Event::default()
    };
    let with_event = proto::Span {
        events: vec![event],
        ..span(1)
    };
    assert_eq!(
        read(with_event).events,
        r#"[{"name":"late","timestamp":null,"attributes":{}}]"#
    );
}

#[test]
fn what_is_refused_is_counted_by_reason_and_said_where() {
    let mut spans = vec![span(1), span(2), span(3), span(4)];
    spans[1].trace_id.clear();
    spans[3].start_time_unix_nano = 0;
    let decoded = from_request(request(spans));
    assert_eq!(
        (decoded.spans.len(), decoded.report.read, decoded.report.skipped_total()),
        (2, 4, 2)
    );
    assert_eq!(decoded.report.notes, ["span 2: no trace id", "span 4: no start time"]);
}

#[test]
fn in_json_one_span_out_of_form_does_not_take_the_others_with_it() {
    let text = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"1","spanId":"1","startTimeUnixNano":"1","endTimeUnixNano":"2"},
        {"traceId":5},
        7,
        {"traceId":"1","spanId":"2","startTimeUnixNano":"1","attributes":[{"key":"k","value":{"doubleValue":[1]}}]},
        {"traceId":"1","spanId":"3","startTimeUnixNano":-1},
        {"traceId":"1","spanId":"4","startTimeUnixNano":"1","endTimeUnixNano":2,"attributes":[{"key":"k","value":{"doubleValue":"1e400"}}]}
    ]}]}]}"#;
    let decoded = decode_json(text.as_bytes()).expect("a message");
    let ids: Vec<&str> = decoded.spans.iter().map(|span| span.span_id.as_str()).collect();
    assert_eq!(ids, ["1", "4"]);
    assert_eq!(decoded.report.skipped[&SkipReason::Unreadable], 3);
    assert_eq!(decoded.report.skipped[&SkipReason::NoStartTime], 1);
    assert_eq!(decoded.spans[1].attributes, r#"{"k":"Infinity"}"#);
}

#[test]
fn in_json_bytes_that_are_not_utf_8_are_replaced_and_said() {
    let mut text = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"1","spanId":"1","name":"caf@","startTimeUnixNano":1,"endTimeUnixNano":1},
        {"traceId":"1","spanId":"2","name":"tea","startTimeUnixNano":1,"endTimeUnixNano":1}]}]}]}"#
        .to_vec();
    let place = text.iter().position(|byte| *byte == b'@').expect("the name");
    text[place] = 0xe9;
    let decoded = decode_json(&text).expect("a message");
    assert_eq!(
        (decoded.spans[0].name.as_str(), decoded.spans[1].name.as_str()),
        ("caf\u{fffd}", "tea")
    );
    assert_eq!(decoded.spans[0].repair.as_deref(), Some("invalid UTF-8 was replaced"));
    assert_eq!(decoded.spans[1].repair, None);
    assert_eq!(decoded.report.repaired[&Repair::InvalidUtf8], 1);
}
