//! Messages that are made to do harm.

use flockscope_model::SkipReason;
use flockscope_otlp::{MOST_NESTING, MOST_TEXT, decode_json, decode_protobuf, from_request};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::json_writer::to_json;
use crate::messages::{any_request, key_value, nested_lists, request, request_of, span, text, with_attributes};

const DEEP: usize = 100_000;

fn json_with(attribute_value: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[
            {{"traceId":"1","spanId":"1","startTimeUnixNano":1,"attributes":[{{"key":"k","value":{attribute_value}}}]}},
            {{"traceId":"1","spanId":"2","startTimeUnixNano":1,"endTimeUnixNano":1}}]}}]}}]}}"#
    )
}

#[test]
fn json_that_is_nested_without_end_is_refused_where_it_stands() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP));
    for value in [
        deep(r#"{"arrayValue":{"values":["#, "]}}"),
        deep(r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}"),
        format!(r#"{{"doubleValue":{}}}"#, deep("[", "]")),
        format!(r#"{{"stringValue":{}}}"#, deep("[", "]")),
        deep("[", "]"),
    ] {
        let decoded = decode_json(json_with(&value).as_bytes()).expect("a message");
        assert_eq!(decoded.spans.len(), 1);
        assert_eq!(decoded.spans[0].span_id, "2");
        assert_eq!(decoded.report.skipped[&SkipReason::Unreadable], 1);
    }
    // In fields that nobody knows it is passed over.
    let unknown = format!(r#"{{"what":{},"resourceSpans":[]}}"#, deep("[", "]"));
    assert_eq!(decode_json(unknown.as_bytes()).expect("a message").report.read, 0);
    for text in ["[", "{\"resourceSpans\":[", "{\"resourceSpans\":[{\"resource\":"] {
        let error = decode_json(text.repeat(DEEP).as_bytes()).expect_err("not a request");
        assert!(error.to_string().len() < 300, "{error}");
    }
}

#[test]
fn protobuf_that_is_nested_without_end_is_refused() {
    // From the inside out: AnyValue.array_value (5) holds ArrayValue.values (1), which is an AnyValue.
    let mut value: Vec<u8> = Vec::new();
    for level in 0..20_000 {
        let mut outer = Vec::with_capacity(value.len() + 8);
        encode_key(
            if level % 2 == 0 { 1 } else { 5 },
            WireType::LengthDelimited,
            &mut outer,
        );
        encode_varint(value.len() as u64, &mut outer);
        outer.append(&mut value);
        value = outer;
    }
    // KeyValue.value (2), Span.attributes (9), ScopeSpans.spans (2), ResourceSpans.scope_spans (2), and the request.
    for tag in [2, 9, 2, 2, 1] {
        let mut outer = Vec::new();
        encode_key(tag, WireType::LengthDelimited, &mut outer);
        encode_varint(value.len() as u64, &mut outer);
        outer.append(&mut value);
        value = outer;
    }
    let error = decode_protobuf(&value).expect_err("too deep").to_string();
    assert!(error.contains("recursion limit"), "{error}");
}

#[test]
fn values_have_a_greatest_depth_in_both_forms() {
    let objects = |levels| {
        (0..levels).fold(Any::IntValue(1), |value, _| {
            Any::KvlistValue(KeyValueList {
                values: vec![key_value("k", value)],
            })
        })
    };
    for (levels, outcome) in [(MOST_NESTING, 0), (MOST_NESTING + 1, 1)] {
        for value in [nested_lists(levels), objects(levels)] {
            let request = request(vec![with_attributes(vec![key_value("k", value)]), span(2)]);
            let of_protobuf = decode_protobuf(&request.encode_to_vec()).expect("a message");
            let of_json = decode_json(to_json(&request).as_bytes()).expect("a message");
            assert_eq!(of_protobuf, of_json);
            assert_eq!(of_protobuf.report.skipped_total(), outcome, "{levels}");
            assert_eq!(of_protobuf.spans.len() as u64, 2 - outcome);
        }
    }
}

#[test]
fn a_resource_or_scope_that_is_too_deep_refuses_its_spans() {
    let deep = || vec![key_value("k", nested_lists(MOST_NESTING + 1))];
    let resource = Resource {
        attributes: deep(),
        ..Resource::default()
    };
    let scope = InstrumentationScope {
        attributes: deep(),
        ..InstrumentationScope::default()
    };
    for request in [
        request_of(resource, InstrumentationScope::default(), vec![span(1), span(2)]),
        request_of(Resource::default(), scope, vec![span(1), span(2)]),
    ] {
        let decoded = from_request(request);
        assert_eq!(
            (decoded.spans.len(), decoded.report.skipped[&SkipReason::Unreadable]),
            (0, 2)
        );
        assert!(
            decoded.report.notes[1].contains("nested more than"),
            "{:?}",
            decoded.report.notes
        );
    }
}

#[test]
fn a_large_resource_of_many_spans_does_not_fill_the_memory() {
    let large = "x".repeat(4 << 20);
    for (resource, scope_name) in [(&*large, ""), ("", &large)] {
        let resource = Resource {
            attributes: vec![key_value("k", text(resource))],
            ..Resource::default()
        };
        let scope = InstrumentationScope {
            name: scope_name.to_owned(),
            ..InstrumentationScope::default()
        };
        let decoded = from_request(request_of(resource, scope, (1..=3_000).map(span).collect()));
        let kept = decoded.spans.len();
        assert!(
            kept >= 30 && kept * large.len() <= MOST_TEXT + 2 * large.len(),
            "{kept}"
        );
        assert_eq!(decoded.report.read, 3_000);
        assert_eq!(decoded.report.skipped[&SkipReason::Unreadable], 3_000 - kept as u64);
        assert_eq!(decoded.report.notes.len(), 1);
    }
}

#[test]
fn many_scopes_of_a_large_resource_and_many_keys_are_no_quadratic_work() {
    let mut large = request_of(
        Resource {
            attributes: vec![key_value("k", text(&"x".repeat(1 << 20)))],
            ..Resource::default()
        },
        InstrumentationScope::default(),
        vec![],
    );
    let scope = large.resource_spans[0].scope_spans[0].clone();
    large.resource_spans[0].scope_spans = vec![scope; 100_000];
    assert_eq!(from_request(large).report.read, 0);

    let attributes: Vec<KeyValue> = (0..100_000)
        .map(|index| key_value(&format!("key {}", index / 2), Any::IntValue(index)))
        .collect();
    let decoded = from_request(request(vec![with_attributes(attributes)]));
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&decoded.spans[0].attributes).expect("an object");
    assert_eq!((fields.len(), &fields["key 7"]), (50_000, &serde_json::json!(15)));
}

#[test]
fn reasons_are_short_and_quote_little_of_what_was_sent() {
    let long = "x".repeat(100_000);
    let text = json_with(&format!(r#"{{"boolValue":"{long}"}}"#));
    let decoded = decode_json(text.as_bytes()).expect("a message");
    assert!(
        decoded.report.notes[0].len() < 300,
        "{} bytes",
        decoded.report.notes[0].len()
    );
    let error = decode_json(format!(r#"{{"resourceSpans":"{long}"}}"#).as_bytes()).expect_err("no request");
    assert!(error.to_string().len() < 300);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_end_in_spans_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_protobuf(&bytes);
        let _ = decode_json(&bytes);
    }

    #[test]
    fn messages_with_bytes_changed_end_in_spans_or_an_error(
        request in any_request(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut protobuf = request.encode_to_vec();
        let mut json = to_json(&request).into_bytes();
        for (place, byte) in changes {
            if !protobuf.is_empty() {
                let place = place.index(protobuf.len());
                protobuf[place] = byte;
            }
            let place = place.index(json.len());
            json[place] = byte;
        }
        for decoded in [decode_protobuf(&protobuf), decode_json(&json)].into_iter().flatten() {
            prop_assert_eq!(decoded.spans.len() as u64 + decoded.report.skipped_total(), decoded.report.read);
            for span in decoded.spans {
                for json in [&span.attributes, &span.events, &span.links, &span.resource] {
                    prop_assert!(serde_json::from_str::<serde_json::Value>(json).is_ok(), "{}", json);
                }
            }
        }
    }
}
