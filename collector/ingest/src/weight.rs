//! What a request will take in memory, before it is decoded.
//!
//! An empty span needs two bytes on the wire and hundreds in memory. A limit to the bytes of a body therefore does not
//! bound memory; a limit to the messages in it, weighed by their sizes, does.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as ProtoSpan};

/// Bytes for a field of text or bytes, beside its content.
const FIELD: usize = 32;
/// A span on its way from the message to its stored form, without its text: two of each may be there at a time.
const SPAN: usize = size_of::<flockscope_model::Span>() + 2 * size_of::<ProtoSpan>();
/// An event or a link on its way into the JSON in which a span keeps it, beside its message.
const AS_JSON: usize = 384;
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
    EntityRef,
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
            (Self::Resource, 3) => Self::EntityRef,
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
            Self::EntityRef => size_of::<EntityRef>(),
            Self::Event => size_of::<Event>() + AS_JSON,
            Self::Link => size_of::<Link>() + AS_JSON,
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
        // The decoder passes over the groups of unknown fields, so what comes after one counts as well.
        3 => skip_group(bytes, place)?,
        5 => *place = place.checked_add(4)?,
        _ => return None,
    }
    Some(Field::Other)
}

/// Passes over a group whose opening key was read, with the groups in it.
fn skip_group(bytes: &[u8], place: &mut usize) -> Option<()> {
    let mut open = 1_usize;
    while open > 0 {
        match varint(bytes, place)? & 7 {
            0 => {
                varint(bytes, place)?;
            }
            1 => *place = place.checked_add(8)?,
            2 => {
                let length = usize::try_from(varint(bytes, place)?).ok()?;
                *place = place.checked_add(length)?;
            }
            3 => open += 1,
            4 => open -= 1,
            5 => *place = place.checked_add(4)?,
            _ => return None,
        }
    }
    Some(())
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
            // What stands for a span takes the room of one, whatever it is.
            b',' if depth + 1 == JSON_SPAN_DEPTH => SPAN,
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
    fn a_group_hides_nothing_that_comes_after_it() {
        let spans = request(vec![ProtoSpan::default(); 1000]).encode_to_vec();
        // Field 100 as a group: empty, and with a group, a text, a number and both fixed sizes in it.
        let full = [
            0xa3, 6, 0xab, 6, 0x0a, 1, b'a', 0xac, 6, 8, 0x96, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 0, 0xa4, 6,
        ];
        for group in [&[0xa3, 6, 0xa4, 6][..], &full] {
            let bytes = [group, &spans].concat();
            let decoded = ExportTraceServiceRequest::decode(&*bytes).expect("the decoder takes it");
            assert_eq!(decoded, request(vec![ProtoSpan::default(); 1000]));
            assert!(of_protobuf(&bytes) >= 1000 * SPAN, "{group:?}");
        }
        let unclosed = [&[0xa3, 6][..], &spans].concat();
        assert_eq!(of_protobuf(&unclosed), 0);
        assert!(ExportTraceServiceRequest::decode(&*unclosed).is_err());
    }

    #[test]
    fn events_and_links_weigh_the_json_that_they_become() {
        let span = ProtoSpan {
            events: vec![Event::default(); 1000],
            links: vec![Link::default(); 1000],
            ..ProtoSpan::default()
        };
        let weight = of_protobuf(&request(vec![span]).encode_to_vec());
        assert!(
            weight >= 1000 * (size_of::<Event>() + size_of::<Link>() + 2 * AS_JSON),
            "{weight}"
        );
    }

    #[test]
    fn references_to_entities_weigh_their_size() {
        let mut request = request(Vec::new());
        request.resource_spans[0].resource = Some(Resource {
            entity_refs: vec![EntityRef::default(); 1000],
            ..Resource::default()
        });
        assert!(of_protobuf(&request.encode_to_vec()) >= 1000 * size_of::<EntityRef>());
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
        assert_eq!(of_json(request), 6 * JSON_BRACKET + 3 * SPAN);
    }

    #[test]
    fn json_spans_that_are_no_objects_weigh_as_much_as_spans() {
        let zeros = vec!["0"; 1000].join(",");
        let request = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{zeros}]}}]}}]}}"#);
        assert!(of_json(request.as_bytes()) >= 999 * SPAN);
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
