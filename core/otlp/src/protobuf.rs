//! OTLP messages in protobuf.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1 as proto;
use prost::Message as _;

use crate::message::{Attributes, Context, Event, Link, OtlpSpan, ResourceContext, Time, TooDeep, status_code};
use crate::{DecodeError, MOST_NESTING, Message, Value};

impl Message {
    /// Reads a message in protobuf. It must be right as a whole.
    pub fn of_protobuf(bytes: &[u8]) -> Result<Self, DecodeError> {
        let request = ExportTraceServiceRequest::decode(bytes).map_err(DecodeError::new)?;
        Ok(Self::of_request(request))
    }

    /// Takes a message that was decoded already.
    pub fn of_request(request: ExportTraceServiceRequest) -> Self {
        let mut message = Self::default();
        for resource_spans in request.resource_spans {
            let resource = resource_spans.resource.unwrap_or_default();
            let dropped = resource.dropped_attributes_count;
            let resource = ResourceContext::new(pairs(resource.attributes, MOST_NESTING), dropped);
            for scope_spans in resource_spans.scope_spans {
                if scope_spans.spans.is_empty() {
                    continue;
                }
                let scope = scope_spans.scope.unwrap_or_default();
                let scope_attributes = pairs(scope.attributes, MOST_NESTING);
                message.push_context(Context::new(&resource, scope.name, scope.version, scope_attributes));
                for span in scope_spans.spans {
                    message.push_span(otlp_span(span).map_err(String::from), false);
                }
            }
        }
        message
    }
}

fn otlp_span(span: proto::Span) -> Result<OtlpSpan, TooDeep> {
    let status = span.status.unwrap_or_default();
    Ok(OtlpSpan {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        trace_state: span.trace_state,
        flags: span.flags,
        name: span.name,
        kind: span.kind.into(),
        start: Time::of(span.start_time_unix_nano),
        end: Time::of(span.end_time_unix_nano),
        attributes: pairs(span.attributes, MOST_NESTING)?,
        dropped_attributes: span.dropped_attributes_count,
        events: span.events.into_iter().map(event).collect::<Result<_, _>>()?,
        dropped_events: span.dropped_events_count,
        links: span.links.into_iter().map(link).collect::<Result<_, _>>()?,
        dropped_links: span.dropped_links_count,
        status_code: status_code(status.code.into()),
        status_message: status.message,
    })
}

fn event(event: proto::span::Event) -> Result<Event, TooDeep> {
    Ok(Event {
        time: Time::of(event.time_unix_nano),
        name: event.name,
        attributes: pairs(event.attributes, MOST_NESTING)?,
        dropped_attributes: event.dropped_attributes_count,
    })
}

fn link(link: proto::span::Link) -> Result<Link, TooDeep> {
    Ok(Link {
        trace_id: hex(&link.trace_id),
        span_id: hex(&link.span_id),
        trace_state: link.trace_state,
        attributes: pairs(link.attributes, MOST_NESTING)?,
        dropped_attributes: link.dropped_attributes_count,
    })
}

/// Attributes whose values have at most so many levels of lists and objects.
fn pairs(attributes: Vec<KeyValue>, levels: usize) -> Result<Attributes, TooDeep> {
    attributes
        .into_iter()
        .map(|pair| Ok((pair.key, value(pair.value, levels)?)))
        .collect()
}

fn value(any: Option<AnyValue>, levels: usize) -> Result<Value, TooDeep> {
    use any_value::Value as Any;
    Ok(match any.and_then(|any| any.value) {
        // The index points into a table that only profiles have.
        None | Some(Any::StringValueStrindex(_)) => Value::Empty,
        Some(Any::StringValue(text)) => Value::Text(text),
        Some(Any::BoolValue(value)) => Value::Bool(value),
        Some(Any::IntValue(value)) => Value::Int(value),
        Some(Any::DoubleValue(value)) => Value::double(value),
        Some(Any::ArrayValue(list)) => {
            let levels = levels.checked_sub(1).ok_or(TooDeep)?;
            let values = list.values.into_iter().map(|any| value(Some(any), levels));
            Value::List(values.collect::<Result<_, _>>()?)
        }
        Some(Any::KvlistValue(list)) => Value::Object(pairs(list.values, levels.checked_sub(1).ok_or(TooDeep)?)?),
        Some(Any::BytesValue(bytes)) => Value::bytes(&bytes),
    })
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}
