//! OTLP trace messages, protobuf and JSON, to spans and back.
//!
//! [`decode_protobuf`] and [`decode_json`] take one whole message, already unpacked; [`from_request`] one that tonic
//! decoded; [`to_request`] makes a message of spans. What a file source needs beside these is [`Message`], which gives
//! its spans one by one.
//!
//! What becomes of each part of an OTLP span, and of odd input, stands in the head of `message.rs`.
//! <https://opentelemetry.io/docs/specs/otlp/>

mod any_value;
mod export;
mod json;
mod json_number;
mod message;
mod protobuf;
mod value;

use std::fmt;

use flockscope_model::{ReadReport, Span};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;

pub use export::{Export, to_request};
pub use message::{Message, is_flock_scope};
pub use value::{Value, object};

/// Most levels of lists and objects within one attribute value. A span with more is refused as unreadable.
///
/// Both parsers end at a nesting of their own (prost at 100 messages, `serde_json` at 128 brackets), which is between
/// 31 and 47 levels of values; this limit lies below, so that the two forms of a message have the same outcome.
pub const MOST_NESTING: usize = 24;

/// About how many bytes of span text one message may become; the spans beyond are refused as unreadable.
///
/// A span carries a copy of its resource, so that a small message with a large resource and many spans could otherwise
/// fill the memory.
pub const MOST_TEXT: usize = 128 << 20;

/// The spans of one message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    /// In the message's order.
    pub spans: Vec<Span>,
    /// How many spans were in the message, and which were refused or mended. What was skipped is what OTLP calls
    /// `partial_success.rejected_spans`.
    pub report: ReadReport,
}

/// Why a message as a whole could not be read: one short sentence that may be shown to whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(String);

impl DecodeError {
    pub(crate) fn new(detail: impl fmt::Display) -> Self {
        Self(short(&detail.to_string()))
    }
}

/// Reads an `ExportTraceServiceRequest` in protobuf. No bytes at all are a request without spans.
pub fn decode_protobuf(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    Ok(decoded(Message::of_protobuf(bytes)?))
}

/// Reads an `ExportTraceServiceRequest` in OTLP/JSON. Fields that are not known are passed over, so `{}` is a request
/// without spans.
pub fn decode_json(bytes: &[u8]) -> Result<Decoded, DecodeError> {
    Ok(decoded(Message::of_json(bytes)?))
}

/// The spans of a request that was decoded already. The nesting of its values must be bounded, as prost does.
pub fn from_request(request: ExportTraceServiceRequest) -> Decoded {
    decoded(Message::of_request(request))
}

fn decoded(mut message: Message) -> Decoded {
    let mut report = ReadReport::default();
    let mut spans = Vec::with_capacity(message.spans_left());
    let mut text = 0;
    loop {
        if text > MOST_TEXT {
            message.skip_rest(
                format_args!("the spans before it have {MOST_TEXT} bytes already"),
                &mut report,
            );
            break;
        }
        let place = report.read + 1;
        match message.next_span(format_args!("span {place}"), &mut report) {
            Some(Ok(span)) => {
                text += held(&span);
                spans.push(span);
            }
            Some(Err(_)) => {}
            None => break,
        }
    }
    Decoded { spans, report }
}

/// Bytes of text that a span holds, with those that it shares with others of its resource and scope.
fn held(span: &Span) -> usize {
    let scope = [&span.scope_name, &span.scope_version].into_iter().flatten();
    span.size() + span.service.len() + scope.map(String::len).sum::<usize>()
}

/// Most bytes of a reason: texts of a stranger may be quoted in it.
const MOST_REASON: usize = 200;

/// The text, without its middle where it is long: the end says what is wrong, the beginning with what.
fn short(text: &str) -> String {
    if text.len() <= MOST_REASON {
        return text.to_owned();
    }
    let start = text.floor_char_boundary(MOST_REASON / 2);
    let end = text.ceil_char_boundary(text.len() - MOST_REASON / 2);
    format!("{}…{}", &text[..start], &text[end..])
}
