//! OTLP requests.

use std::collections::BTreeMap;
use std::io::Write;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

pub(crate) fn attribute(key: &str, text: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(text.into())),
        }),
        ..KeyValue::default()
    }
}

/// A span as Flock sends it; its ids are made of the number, which is not zero.
pub(crate) fn span(number: u64, name: &str) -> Span {
    Span {
        trace_id: [0x5b; 16].to_vec(),
        span_id: number.to_be_bytes().to_vec(),
        name: name.into(),
        kind: 1,
        start_time_unix_nano: 1_700_000_000_000_000_000 + number,
        end_time_unix_nano: 1_700_000_000_000_000_500 + number,
        attributes: vec![
            attribute("class", "Agent"),
            attribute("output.value", "\"{\\\"a\\\": 1}\""),
        ],
        status: Some(Status {
            code: 1,
            ..Status::default()
        }),
        ..Span::default()
    }
}

/// The `span_id` that a span of this number is stored with.
pub(crate) fn id(number: u64) -> String {
    format!("{number:016x}")
}

/// Each number's span stored once.
pub(crate) fn once(numbers: impl IntoIterator<Item = u64>) -> BTreeMap<String, usize> {
    numbers.into_iter().map(|number| (id(number), 1)).collect()
}

pub(crate) fn request_of(spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![attribute("service.name", "flock-auto-trace")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "flock.logging.trace_and_logged".into(),
                    ..InstrumentationScope::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

pub(crate) fn request(numbers: impl IntoIterator<Item = u64>) -> ExportTraceServiceRequest {
    request_of(
        numbers
            .into_iter()
            .map(|number| span(number, "Agent.execute"))
            .collect(),
    )
}

pub(crate) fn protobuf(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    request(numbers).encode_to_vec()
}

/// A request of about so many bytes, with one span.
pub(crate) fn large(number: u64, bytes: usize) -> ExportTraceServiceRequest {
    let mut span = span(number, "Agent.execute");
    span.attributes.push(attribute("input.text", &"x".repeat(bytes)));
    request_of(vec![span])
}

/// The spans of these numbers in OTLP's JSON, written by hand.
pub(crate) fn json(numbers: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let spans: Vec<String> = numbers
        .into_iter()
        .map(|number| {
            format!(
                r#"{{"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"{}","name":"Agent.execute","kind":1,"startTimeUnixNano":"1700000000000000000","endTimeUnixNano":1700000000000000500,"attributes":[{{"key":"n","value":{{"intValue":"{number}"}}}}],"status":{{"code":2,"message":"KeyError: 'a'"}}}}"#,
                id(number)
            )
        })
        .collect();
    let spans = spans.join(",");
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"flock"}},"spans":[{spans}]}}]}}]}}"#).into()
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("compressed");
    encoder.finish().expect("compressed")
}

pub(crate) fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::encode_all(plain, 3).expect("compressed")
}
