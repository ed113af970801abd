//! OTLP/JSON as the specification writes it, made without any code of the project or of `opentelemetry-proto`'s JSON:
//! ids in hexadecimal, 64-bit numbers as text, enums as numbers, field names in lowerCamelCase, bytes in base64.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::{Value, json};

pub(crate) fn to_json(request: &ExportTraceServiceRequest) -> String {
    let resources = request.resource_spans.iter().map(|resource_spans| {
        let scopes = resource_spans.scope_spans.iter().map(|scope_spans| {
            json!({
                "scope": scope_spans.scope.as_ref().map(|scope| json!({
                    "name": scope.name, "version": scope.version, "attributes": pairs(&scope.attributes),
                })),
                "spans": scope_spans.spans.iter().map(span).collect::<Vec<_>>(),
            })
        });
        json!({
            "resource": resource_spans.resource.as_ref().map(|resource| json!({
                "attributes": pairs(&resource.attributes),
                "droppedAttributesCount": resource.dropped_attributes_count,
            })),
            "scopeSpans": scopes.collect::<Vec<_>>(),
        })
    });
    json!({ "resourceSpans": resources.collect::<Vec<_>>() }).to_string()
}

fn span(span: &Span) -> Value {
    let events = span.events.iter().map(|event| {
        json!({
            "timeUnixNano": event.time_unix_nano.to_string(), "name": event.name,
            "attributes": pairs(&event.attributes), "droppedAttributesCount": event.dropped_attributes_count,
        })
    });
    let links = span.links.iter().map(|link| {
        json!({
            "traceId": hex(&link.trace_id), "spanId": hex(&link.span_id), "traceState": link.trace_state,
            "attributes": pairs(&link.attributes), "droppedAttributesCount": link.dropped_attributes_count,
        })
    });
    let mut json = json!({
        "traceId": hex(&span.trace_id), "spanId": hex(&span.span_id), "parentSpanId": hex(&span.parent_span_id),
        "traceState": span.trace_state, "flags": span.flags, "name": span.name, "kind": span.kind,
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "endTimeUnixNano": span.end_time_unix_nano.to_string(),
        "attributes": pairs(&span.attributes), "droppedAttributesCount": span.dropped_attributes_count,
        "events": events.collect::<Vec<_>>(), "droppedEventsCount": span.dropped_events_count,
        "links": links.collect::<Vec<_>>(), "droppedLinksCount": span.dropped_links_count,
    });
    if let Some(status) = &span.status {
        json["status"] = json!({ "code": status.code, "message": status.message });
    }
    json
}

fn pairs(pairs: &[KeyValue]) -> Value {
    let pairs = pairs.iter().map(|pair| match &pair.value {
        Some(any) => json!({ "key": pair.key, "value": value(any) }),
        None => json!({ "key": pair.key }),
    });
    pairs.collect()
}

fn value(any: &AnyValue) -> Value {
    use any_value::Value as Any;
    match &any.value {
        None | Some(Any::StringValueStrindex(_)) => json!({}),
        Some(Any::StringValue(text)) => json!({ "stringValue": text }),
        Some(Any::BoolValue(value)) => json!({ "boolValue": value }),
        Some(Any::IntValue(value)) => json!({ "intValue": value.to_string() }),
        Some(Any::DoubleValue(value)) if value.is_nan() => json!({ "doubleValue": "NaN" }),
        Some(Any::DoubleValue(value)) if value.is_infinite() => {
            json!({ "doubleValue": if *value > 0.0 { "Infinity" } else { "-Infinity" } })
        }
        Some(Any::DoubleValue(value)) => json!({ "doubleValue": value }),
        Some(Any::ArrayValue(list)) => {
            json!({ "arrayValue": { "values": list.values.iter().map(value).collect::<Value>() } })
        }
        Some(Any::KvlistValue(list)) => json!({ "kvlistValue": { "values": pairs(&list.values) } }),
        Some(Any::BytesValue(bytes)) => json!({ "bytesValue": base64(bytes) }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, place| {
            bits << 8 | usize::from(*group.get(place).unwrap_or(&0))
        });
        for place in 0..4 {
            if place <= group.len() {
                text.push(ALPHABET[bits >> (18 - 6 * place) & 63].into());
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[test]
fn the_writer_writes_base64_as_its_specification_shows_it() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
    ] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
