//! Messages for the tests: simple ones, and any ones.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::collection::vec;
use proptest::prelude::*;

pub(crate) fn key_value(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

pub(crate) fn text(text: &str) -> any_value::Value {
    any_value::Value::StringValue(text.to_owned())
}

pub(crate) fn span(id: u64) -> Span {
    Span {
        trace_id: vec![0x5b; 16],
        span_id: id.to_be_bytes().to_vec(),
        name: "GET /cart".to_owned(),
        start_time_unix_nano: 1000,
        end_time_unix_nano: 2000,
        ..Span::default()
    }
}

pub(crate) fn with_attributes(attributes: Vec<KeyValue>) -> Span {
    Span { attributes, ..span(1) }
}

/// A request of one resource (`shop`) and one scope (`shop.http` 2.1).
pub(crate) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    request_of(
        Resource {
            attributes: vec![key_value("service.name", text("shop"))],
            ..Resource::default()
        },
        InstrumentationScope {
            name: "shop.http".to_owned(),
            version: "2.1".to_owned(),
            ..InstrumentationScope::default()
        },
        spans,
    )
}

pub(crate) fn request_of(
    resource: Resource,
    scope: InstrumentationScope,
    spans: Vec<Span>,
) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// Lists within lists, the innermost holding a number.
pub(crate) fn nested_lists(levels: usize) -> any_value::Value {
    let mut value = any_value::Value::IntValue(1);
    for _ in 0..levels {
        value = any_value::Value::ArrayValue(ArrayValue {
            values: vec![AnyValue { value: Some(value) }],
        });
    }
    value
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z.\"\\\\/\u{0}-\u{1f}é😀]{0,8}",
        1 => Just("NaN".to_owned()),
        1 => any::<String>(),
    ]
}

/// Few keys, so that some stand there twice, and those of our own among them.
fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-c]{1,2}",
        1 => any_text(),
        2 => prop::sample::select(vec![
            "service.name", "otel.flags", "otel.trace_state", "otel.scope.attributes",
            "otel.dropped_attributes_count", "otel.dropped_events_count", "otel.dropped_links_count",
        ]).prop_map(str::to_owned),
    ]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    use any_value::Value as Any;
    let leaf = prop_oneof![
        4 => any_text().prop_map(Any::StringValue),
        1 => any::<bool>().prop_map(Any::BoolValue),
        2 => prop_oneof![any::<i64>(), -2_i64..5].prop_map(Any::IntValue),
        2 => prop_oneof![
            any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(1.0), Just(1e23),
        ].prop_map(Any::DoubleValue),
        1 => vec(any::<u8>(), 0..5).prop_map(Any::BytesValue),
    ]
    .prop_map(Some);
    let leaf = prop_oneof![9 => leaf, 1 => Just(None)].prop_map(|value| AnyValue { value });
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| AnyValue {
                value: Some(Any::ArrayValue(ArrayValue { values }))
            }),
            vec((any_key(), prop::option::weighted(0.9, inner)), 0..4).prop_map(|pairs| AnyValue {
                value: Some(Any::KvlistValue(KeyValueList {
                    values: key_values(pairs)
                }))
            }),
        ]
    })
}

fn key_values(pairs: Vec<(String, Option<AnyValue>)>) -> Vec<KeyValue> {
    let pair = |(key, value)| KeyValue {
        key,
        value,
        ..KeyValue::default()
    };
    pairs.into_iter().map(pair).collect()
}

fn any_attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((any_key(), prop::option::weighted(0.95, any_value())), 0..5).prop_map(key_values)
}

/// Mostly of the right length.
fn any_id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(any::<u8>(), length),
        1 => Just(vec![0; length]),
        1 => vec(any::<u8>(), 0..20),
    ]
}

fn any_time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 1_u64..1000, 1 => Just(0), 1 => any::<u64>()]
}

fn any_count() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => any::<u32>()]
}

fn any_span() -> impl Strategy<Value = Span> {
    let event = (any_time(), any_text(), any_attributes(), any_count()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (
        vec(any::<u8>(), 16),
        vec(any::<u8>(), 8),
        any_text(),
        any_attributes(),
        any_count(),
    )
        .prop_map(
            |(trace_id, span_id, trace_state, attributes, dropped_attributes_count)| Link {
                trace_id,
                span_id,
                trace_state,
                attributes,
                dropped_attributes_count,
                ..Link::default()
            },
        );
    let ids = (any_id(16), any_id(8), prop_oneof![Just(vec![]), any_id(8)]);
    let times = (any_time(), any_time());
    let texts = (any_text(), any_text(), any_text());
    let numbers = (prop_oneof![Just(0x101_u32), any::<u32>()], -1_i32..8, -1_i32..4);
    let lists = (any_attributes(), vec(event, 0..3), vec(link, 0..3));
    let counts = (any_count(), any_count(), any_count());
    (ids, times, texts, numbers, lists, counts).prop_map(|(ids, times, texts, numbers, lists, counts)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        start_time_unix_nano: times.0,
        end_time_unix_nano: times.1,
        name: texts.0,
        trace_state: texts.1,
        flags: numbers.0,
        kind: numbers.1,
        status: Some(Status {
            message: texts.2,
            code: numbers.2,
        }),
        attributes: lists.0,
        events: lists.1,
        links: lists.2,
        dropped_attributes_count: counts.0,
        dropped_events_count: counts.1,
        dropped_links_count: counts.2,
    })
}

/// Any request that prost could have decoded. Links have ids that OTLP takes.
pub(crate) fn any_request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_name = prop_oneof![Just("flock.logging".to_owned()), any_text()];
    let scope =
        (scope_name, any_text(), any_attributes()).prop_map(|(name, version, attributes)| InstrumentationScope {
            name,
            version,
            attributes,
            ..InstrumentationScope::default()
        });
    let scope_spans = (prop::option::of(scope), vec(any_span(), 0..4)).prop_map(|(scope, spans)| ScopeSpans {
        scope,
        spans,
        ..ScopeSpans::default()
    });
    let resource = (any_attributes(), any_count()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        ..Resource::default()
    });
    let resource_spans =
        (prop::option::of(resource), vec(scope_spans, 0..3)).prop_map(|(resource, scope_spans)| ResourceSpans {
            resource,
            scope_spans,
            ..ResourceSpans::default()
        });
    vec(resource_spans, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}
