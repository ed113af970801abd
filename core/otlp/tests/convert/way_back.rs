//! Spans become messages again.

use flockscope_model::{NewSpan, Span, StatusCode};
use flockscope_otlp::{MOST_NESTING, from_request, to_request};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1 as proto;
use proptest::prelude::*;
use prost::Message;

use crate::messages::{any_request, key_value, nested_lists, request, span, text, with_attributes};

/// In an order of their own, without what OTLP has no field for.
fn comparable(spans: &[Span]) -> Vec<String> {
    let mut spans: Vec<String> = spans
        .iter()
        .map(|span| {
            let span = Span {
                repair: None,
                created_at: None,
                ..span.clone()
            };
            format!("{span:?}")
        })
        .collect();
    spans.sort();
    spans
}

fn has_otlp_ids(span: &Span) -> bool {
    span.trace_id.len() == 32 && span.span_id.len() == 16 && span.parent_id.as_ref().is_none_or(|id| id.len() == 16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn spans_that_go_out_and_come_back_are_the_same(request in any_request()) {
        let spans = from_request(request).spans;
        let export = to_request(&spans);
        let (exportable, others): (Vec<Span>, Vec<Span>) = spans.into_iter().partition(has_otlp_ids);
        prop_assert_eq!(export.unexportable, others.len() as u64);
        let again = from_request(export.request);
        prop_assert_eq!(again.report.skipped_total(), 0);
        prop_assert_eq!(comparable(&again.spans), comparable(&exportable));
    }
}

fn stored(change: impl FnOnce(&mut NewSpan)) -> Span {
    let mut found = NewSpan {
        trace_id: "5b8efff798038103d269b633813fc60c".into(),
        span_id: "EEE19B7EC3C1B174".into(),
        name: "Agent.execute".into(),
        start_time: 10,
        end_time: 20,
        ..NewSpan::default()
    };
    change(&mut found);
    Span::new(found, |_| {}).expect("a span that can be placed")
}

fn exported(span: Span) -> proto::Span {
    let export = to_request(&[span]);
    assert_eq!(export.unexportable, 0);
    export.request.resource_spans[0].scope_spans[0].spans[0].clone()
}

#[test]
fn every_field_goes_back_to_its_place() {
    let sent = proto::Span {
        parent_span_id: vec![7; 8],
        trace_state: "a=1".into(),
        flags: 0x301,
        kind: 3,
        attributes: vec![
            key_value("text", text("a")),
            key_value("whole", Any::IntValue(-5)),
            key_value("half", Any::DoubleValue(0.1)),
            key_value("flag", Any::BoolValue(true)),
            key_value("list", nested_lists(2)),
        ],
        dropped_attributes_count: 1,
        dropped_events_count: 2,
        dropped_links_count: 3,
        events: vec![proto::span::Event {
            time_unix_nano: 1500,
            name: "exception".into(),
            attributes: vec![key_value("exception.type", text("KeyError"))],
            dropped_attributes_count: 4,
        }],
        links: vec![proto::span::Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "b=2".into(),
            attributes: vec![key_value("why", text("batch"))],
            dropped_attributes_count: 5,
            ..proto::span::Link::default()
        }],
        status: Some(proto::Status {
            message: "no".into(),
            code: 2,
        }),
        ..span(1)
    };
    let mut request = request(vec![sent]);
    let scope = request.resource_spans[0].scope_spans[0]
        .scope
        .as_mut()
        .expect("a scope");
    scope.attributes = vec![key_value("s", text("t"))];
    request.resource_spans[0]
        .resource
        .as_mut()
        .expect("a resource")
        .dropped_attributes_count = 6;
    let export = to_request(&from_request(request.clone()).spans);
    assert_eq!(export.request, request);
}

#[test]
fn spans_are_grouped_by_resource_and_scope() {
    let of = |service: &str, scope: &str, id: u64| {
        stored(|found| {
            found.span_id = format!("{id:016x}");
            found.resource = format!(r#"{{"service.name":"{service}"}}"#);
            found.scope_name = Some(scope.to_owned());
        })
    };
    let spans = [of("a", "x", 1), of("b", "x", 2), of("a", "y", 3), of("a", "x", 4)];
    let groups: Vec<Vec<Vec<u8>>> = to_request(&spans)
        .request
        .resource_spans
        .into_iter()
        .flat_map(|resource| resource.scope_spans)
        .map(|scope| scope.spans.into_iter().map(|span| span.span_id[7]).collect())
        .map(|ids: Vec<u8>| vec![ids])
        .collect();
    assert_eq!(groups, [vec![vec![1, 4]], vec![vec![3]], vec![vec![2]]]);
}

#[test]
fn ids_that_otlp_does_not_have_can_not_be_exported() {
    let odd = [
        stored(|found| found.trace_id = "abc".into()),
        stored(|found| found.span_id = "not hexadecimal!".into()),
        stored(|found| found.parent_id = Some("1".into())),
        stored(|_| {}),
    ];
    let export = to_request(&odd);
    assert_eq!(export.unexportable, 3);
    assert_eq!(
        export.request.encoded_len(),
        to_request(&odd[3..]).request.encoded_len()
    );
    let span = exported(stored(|_| {}));
    assert_eq!(span.span_id, [0xee, 0xe1, 0x9b, 0x7e, 0xc3, 0xc1, 0xb1, 0x74]);
}

#[test]
fn links_of_flock_are_read_and_links_without_ids_are_counted_as_dropped() {
    let span = exported(stored(|found| {
        found.links = r#"[
            {"context": {"trace_id": "0x5b8efff798038103d269b633813fc60c", "span_id": "0xeee19b7ec3c1b174"}, "attributes": {"a": 1}},
            {"trace_id": "01", "span_id": "02"}, 5]"#
            .into();
    }));
    assert_eq!((span.links.len(), span.dropped_links_count), (1, 2));
    assert_eq!(span.links[0].attributes, [key_value("a", Any::IntValue(1))]);
    assert_eq!(span.links[0].span_id[0], 0xee);
}

#[test]
fn numbers_of_files_keep_their_value() {
    let span = exported(stored(|found| {
        found.attributes =
            r#"{"a":12345678901234567890,"b":-9223372036854775808,"c":1.5e3,"d":0.1,"e":-0,"f":1e400,"g":null}"#.into();
    }));
    let values: Vec<Option<Any>> = span
        .attributes
        .into_iter()
        .map(|pair| pair.value.and_then(|any| any.value))
        .collect();
    assert_eq!(
        values,
        [
            Some(text("12345678901234567890")),
            Some(Any::IntValue(i64::MIN)),
            Some(Any::DoubleValue(1500.0)),
            Some(Any::DoubleValue(0.1)),
            Some(Any::IntValue(0)),
            Some(Any::DoubleValue(f64::INFINITY)),
            None
        ]
    );
}

#[test]
fn values_that_are_too_deep_for_receivers_go_out_as_text() {
    let deep = format!(r#"{{"k":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let span = exported(stored(|found| found.attributes = deep));
    // prost takes it, and so do we.
    let bytes = request(vec![span]).encode_to_vec();
    let spans = flockscope_otlp::decode_protobuf(&bytes).expect("a message").spans;
    assert!(
        spans[0]
            .attributes
            .starts_with(&format!(r#"{{"k":{}"[["#, "[".repeat(MOST_NESTING)))
    );
}

#[test]
fn attributes_of_the_program_that_have_our_names_stay_attributes() {
    let sent = with_attributes(vec![
        key_value("otel.flags", text("a flag")),
        key_value("otel.trace_state", Any::IntValue(1)),
        key_value("otel.dropped_links_count", Any::IntValue(-1)),
        key_value("otel.scope.attributes", Any::KvlistValue(Default::default())),
    ]);
    let spans = from_request(request(vec![sent.clone()])).spans;
    assert_eq!(exported(spans[0].clone()).attributes, sent.attributes);
}

#[test]
fn status_and_kind_are_the_numbers_of_otlp() {
    for (code, number) in [(StatusCode::Unset, 0), (StatusCode::Ok, 1), (StatusCode::Error, 2)] {
        assert_eq!(
            exported(stored(|found| found.status_code = code))
                .status
                .expect("a status")
                .code,
            number
        );
    }
    for (kind, number) in [("INTERNAL", 1), ("server", 2), ("CONSUMER", 5), ("something", 0)] {
        assert_eq!(exported(stored(|found| found.kind = kind.to_owned())).kind, number);
    }
}
