//! What a request will take in memory, before it is decoded.
//!
//! An empty span needs two bytes on the wire and hundreds in memory. A limit to the bytes of a body therefore does not
//! bound memory; a limit to the messages in it, weighed by their sizes, does.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan};

/// Bytes for a field of text or bytes, beside its content.
const FIELD: usize = 32;
/// A span on its way from the message to its stored form, without its text: two of each may be there at a time.
const SPAN: usize = size_of::<flockscope_model::Span>() + 2 * size_of::<ProtoSpan>();
/// Deeper messages are refused by the decoder.
const DEEPEST: usize = 128;
/// Bytes for an object or a list of JSON (an attribute has two) and for one more field or value.
const JSON_BRACKET: usize = 96;
const JSON_COMMA: usize = 32;
/// `{"resourceSpans":[{"scopeSpans":[{"spans":[{`: the brackets that are open within a span.
const JSON_SPAN_DEPTH: usize = 7;

/// The messages of a request, as far as they nest.
#[derive(Clone, Copy)]
enum Message {
    Request,
    ResourceSpans,
    Resource,
    ScopeSpans,
    Scope,
    Span,
    Event,
    Link,
    KeyValue,
    AnyValue,
    Array,
    KeyValueList,
    /// Any message whose fields hold no further ones.
    Leaf,
}

impl Message {
    /// The message in a field of this number.
    /// <https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto>
    fn field(self, number: u64) -> Self {
        match (self, number) {
            (Self::Request, 1) => Self::ResourceSpans,
            (Self::ResourceSpans, 1) => Self::Resource,
            (Self::ResourceSpans, 2) => Self::ScopeSpans,
            (Self::ScopeSpans, 1) => Self::Scope,
            (Self::ScopeSpans, 2) => Self::Span,
            (Self::Span, 11) => Self::Event,
            (Self::Span, 13) => Self::Link,
            (Self::Resource, 1) | (Self::Scope | Self::Event, 3) | (Self::Span, 9) | (Self::Link, 4) => Self::KeyValue,
            (Self::KeyValue, 2) | (Self::Array, 1) => Self::AnyValue,
            (Self::AnyValue, 5) => Self::Array,
            (Self::AnyValue, 6) => Self::KeyValueList,
            (Self::KeyValueList, 1) => Self::KeyValue,
            _ => Self::Leaf,
        }
    }

    /// Its size in memory.
    fn size(self) -> usize {
        match self {
            Self::Request => size_of::<ExportTraceServiceRequest>(),
            Self::ResourceSpans => size_of::<ResourceSpans>(),
            Self::Resource => size_of::<Resource>(),
            Self::ScopeSpans => size_of::<ScopeSpans>(),
            Self::Scope => size_of::<InstrumentationScope>(),
            Self::Span => SPAN,
            Self::Event => size_of::<Event>(),
            Self::Link => size_of::<Link>(),
            Self::KeyValue => size_of::<KeyValue>(),
            Self::AnyValue | Self::Array | Self::KeyValueList => size_of::<AnyValue>(),
            Self::Leaf => FIELD,
        }
    }
}

/// At least about what the messages of this protobuf request take in memory, beside its own bytes. Where the bytes are
/// no protobuf, what was counted up to there: the decoder says what is wrong.
pub(crate) fn of_protobuf(request: &[u8]) -> usize {
    // The messages that are open, with the bytes where they end.
    let mut open = vec![(Message::Request, request.len())];
    let mut weight = 0_usize;
    let mut place = 0;
    while let Some((message, end)) = open.last().copied() {
        if place >= end {
            open.pop();
            continue;
        }
        let Some(step) = field(request, &mut place) else {
            return weight;
        };
        if let Field::Bytes { number, length } = step {
            let inner = message.field(number);
            weight = weight.saturating_add(inner.size());
            let Some(inner_end) = place.checked_add(length).filter(|inner_end| *inner_end <= end) else {
                return weight;
            };
            if matches!(inner, Message::Leaf) || open.len() >= DEEPEST {
                place = inner_end;
            } else {
                open.push((inner, inner_end));
            }
        }
    }
    weight
}

enum Field {
    Bytes { number: u64, length: usize },
    Other,
}

/// Reads a field's key, and its value unless that is bytes.
/// <https://protobuf.dev/programming-guides/encoding/>
fn field(bytes: &[u8], place: &mut usize) -> Option<Field> {
    let key = varint(bytes, place)?;
    match key & 7 {
        0 => {
            varint(bytes, place)?;
        }
        1 => *place = place.checked_add(8)?,
        2 => {
            let length = usize::try_from(varint(bytes, place)?).ok()?;
            return Some(Field::Bytes {
                number: key >> 3,
                length,
            });
        }
        5 => *place = place.checked_add(4)?,
        _ => return None,
    }
    Some(Field::Other)
}

fn varint(bytes: &[u8], place: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*place)?;
        *place += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The same for JSON, by its brackets and commas.
pub(crate) fn of_json(request: &[u8]) -> usize {
    let mut weight = 0_usize;
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut is_escaped = false;
    for byte in request {
        if in_text {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        let more = match byte {
            b'"' => {
                in_text = true;
                0
            }
            b'{' | b'[' => {
                depth += 1;
                if depth == JSON_SPAN_DEPTH && *byte == b'{' {
                    SPAN
                } else {
                    JSON_BRACKET
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                0
            }
            b',' => JSON_COMMA,
            _ => 0,
        };
        weight = weight.saturating_add(more);
    }
    weight
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn request(spans: Vec<ProtoSpan>) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                scope_spans: vec![ScopeSpans {
                    spans,
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            }],
        }
    }

    #[test]
    fn empty_spans_weigh_what_they_take() {
        let bytes = request(vec![ProtoSpan::default(); 1000]).encode_to_vec();
        assert!(bytes.len() < 2020, "two bytes each");
        let weight = of_protobuf(&bytes);
        let all = 1000 * SPAN;
        assert!((all..all + 1000).contains(&weight), "{weight}");
    }

    #[test]
    fn attributes_within_attributes_are_weighed() {
        let leaf = KeyValue::default();
        let list = |values| AnyValue {
            value: Some(Value::KvlistValue(
                opentelemetry_proto::tonic::common::v1::KeyValueList { values },
            )),
        };
        let span = ProtoSpan {
            attributes: vec![KeyValue {
                value: Some(list(vec![leaf; 1000])),
                ..KeyValue::default()
            }],
            ..ProtoSpan::default()
        };
        assert!(of_protobuf(&request(vec![span]).encode_to_vec()) >= 1000 * size_of::<KeyValue>());
    }

    #[test]
    fn json_text_within_text_weighs_nothing() {
        assert_eq!(of_json(br#""{\"a\":[1,2,{}]}""#), 0);
        let request = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{},{"name":"a"}]}]}]}"#;
        assert_eq!(of_json(request), 6 * JSON_BRACKET + 2 * SPAN + JSON_COMMA);
    }

    proptest! {
        /// Any bytes are weighed without a panic and without an endless loop.
        #[test]
        fn any_bytes_can_be_weighed(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            of_protobuf(&bytes);
            of_json(&bytes);
        }
    }
}
