//! OTLP/JSON.
//!
//! Read with types of our own and not with those of `opentelemetry-proto`, whose JSON refuses a whole message for one
//! span that is out of form, and enums by name. Here each span stands for itself, ids are kept as they are, numbers may
//! be texts, enums may be names, names may be in snake_case, and unknown fields are passed over.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use flockscope_model::{ReadReport, Span, StatusCode};
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, Visitor};
use serde_json::value::RawValue;

use super::json_records::Records;
use super::{Attributes, Context, Event, Link, MessageSpans, OtlpSpan, Time, status_code, unreadable};
use crate::batch::Batch;
use crate::compressed::Input;
use crate::json_value::Value;
use crate::{Progress, SourceError, SpanSource};

/// Reads an OTLP/JSON file.
pub(super) struct JsonSource {
    path: PathBuf,
    records: Records<Input>,
    /// Spans of the last record that did not fit into a batch, and its line.
    rest: MessageSpans,
    line: u64,
    ended: bool,
}

impl JsonSource {
    pub(super) fn new(path: &Path, input: Input) -> Self {
        Self {
            path: path.to_owned(),
            records: Records::new(input),
            rest: MessageSpans::default(),
            line: 0,
            ended: false,
        }
    }
}

impl SpanSource for JsonSource {
    fn next_batch(&mut self, report: &mut ReadReport) -> Result<Option<Vec<Span>>, SourceError> {
        let mut batch = Batch::default();
        loop {
            self.rest.move_into(&mut batch, &format!("line {}", self.line), report);
            if batch.is_full() || self.ended {
                break;
            }
            let record = match self.records.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                Err(error) => {
                    self.ended = true;
                    if error.raw_os_error().is_some() {
                        return Err(SourceError::io(&self.path)(error));
                    }
                    // A packed file that is cut off or damaged, not a disk that fails.
                    let detail = format!("{error}; what follows it is lost");
                    unreadable(report, &format!("after line {}", self.line), &detail);
                    break;
                }
            };
            self.line = record.line;
            match record.text.and_then(read_message) {
                Ok(spans) => self.rest = spans,
                Err(detail) => unreadable(report, &format!("line {}", self.line), &detail),
            }
        }
        Ok(batch.take())
    }

    fn progress(&self) -> Option<Progress> {
        Some(self.records.source().progress())
    }
}

/// The spans of a message. Bytes that are not UTF-8 are replaced; the spans that hold a replacement are marked.
pub(super) fn read_message(bytes: Vec<u8>) -> Result<MessageSpans, String> {
    let (text, replaced) = match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    };
    let mut spans = MessageSpans::default();
    for request in serde_json::Deserializer::from_str(&text).into_iter::<Request<'_>>() {
        match request {
            Ok(request) => request.unpack(&mut spans, replaced)?,
            // What was read before the fault is kept.
            Err(error) if spans.spans.is_empty() => return Err(error.to_string()),
            Err(error) => spans.push_span(Err(error.to_string())),
        }
    }
    Ok(spans)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, default, alias = "resource_spans")]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
    /// The exporter may write other signals into the same file.
    #[serde(default, alias = "resource_logs")]
    resource_logs: Option<IgnoredAny>,
    #[serde(default, alias = "resource_metrics")]
    resource_metrics: Option<IgnoredAny>,
    #[serde(default, alias = "resource_profiles")]
    resource_profiles: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(borrow, default)]
    resource: Option<Resource<'a>>,
    #[serde(
        borrow,
        default,
        alias = "scope_spans",
        alias = "instrumentationLibrarySpans",
        alias = "instrumentation_library_spans"
    )]
    scope_spans: Option<Vec<ScopeSpans<'a>>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Resource<'a> {
    #[serde(borrow, default)]
    attributes: Pairs<'a>,
    #[serde(default, alias = "dropped_attributes_count")]
    dropped_attributes_count: Integer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeSpans<'a> {
    #[serde(borrow, default, alias = "instrumentationLibrary", alias = "instrumentation_library")]
    scope: Option<Scope<'a>>,
    #[serde(borrow, default)]
    spans: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Scope<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(borrow, default)]
    attributes: Pairs<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan<'a> {
    #[serde(default, alias = "trace_id")]
    trace_id: Option<String>,
    #[serde(default, alias = "span_id")]
    span_id: Option<String>,
    #[serde(default, alias = "parent_span_id")]
    parent_span_id: Option<String>,
    #[serde(default, alias = "trace_state")]
    trace_state: Option<String>,
    #[serde(default)]
    flags: Integer,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    kind: Enum,
    #[serde(default, alias = "start_time_unix_nano")]
    start_time_unix_nano: Time,
    #[serde(default, alias = "end_time_unix_nano")]
    end_time_unix_nano: Time,
    #[serde(borrow, default)]
    attributes: Pairs<'a>,
    #[serde(default, alias = "dropped_attributes_count")]
    dropped_attributes_count: Integer,
    #[serde(borrow, default)]
    events: Option<Vec<JsonEvent<'a>>>,
    #[serde(default, alias = "dropped_events_count")]
    dropped_events_count: Integer,
    #[serde(borrow, default)]
    links: Option<Vec<JsonLink<'a>>>,
    #[serde(default, alias = "dropped_links_count")]
    dropped_links_count: Integer,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonEvent<'a> {
    #[serde(default, alias = "time_unix_nano")]
    time_unix_nano: Time,
    #[serde(default)]
    name: Option<String>,
    #[serde(borrow, default)]
    attributes: Pairs<'a>,
    #[serde(default, alias = "dropped_attributes_count")]
    dropped_attributes_count: Integer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLink<'a> {
    #[serde(default, alias = "trace_id")]
    trace_id: Option<String>,
    #[serde(default, alias = "span_id")]
    span_id: Option<String>,
    #[serde(default, alias = "trace_state")]
    trace_state: Option<String>,
    #[serde(borrow, default)]
    attributes: Pairs<'a>,
    #[serde(default, alias = "dropped_attributes_count")]
    dropped_attributes_count: Integer,
}

#[derive(Deserialize, Default)]
struct Status {
    #[serde(default)]
    code: Enum,
    #[serde(default)]
    message: Option<String>,
}

type Pairs<'a> = Option<Vec<Pair<'a>>>;

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(default)]
    key: String,
    #[serde(borrow, default)]
    value: Option<JsonValue<'a>>,
}

/// An `AnyValue`: at most one of the fields is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonValue<'a> {
    #[serde(default, alias = "string_value")]
    string_value: Option<String>,
    #[serde(default, alias = "bool_value")]
    bool_value: Option<bool>,
    #[serde(default, alias = "int_value")]
    int_value: Option<Integer>,
    /// A number, or one of the texts `NaN`, `Infinity`, `-Infinity`.
    #[serde(borrow, default, alias = "double_value")]
    double_value: Option<&'a RawValue>,
    #[serde(borrow, default, alias = "array_value")]
    array_value: Option<ArrayValue<'a>>,
    #[serde(borrow, default, alias = "kvlist_value")]
    kvlist_value: Option<KeyValueList<'a>>,
    /// In base64, as we write it too.
    #[serde(default, alias = "bytes_value")]
    bytes_value: Option<String>,
}

#[derive(Deserialize)]
struct ArrayValue<'a> {
    #[serde(borrow, default)]
    values: Option<Vec<JsonValue<'a>>>,
}

#[derive(Deserialize)]
struct KeyValueList<'a> {
    #[serde(borrow, default)]
    values: Pairs<'a>,
}

impl<'a> Request<'a> {
    fn unpack(self, spans: &mut MessageSpans, replaced_utf8: bool) -> Result<(), String> {
        let Some(resource_spans) = self.resource_spans else {
            let is_other = self.resource_logs.is_some() || self.resource_metrics.is_some();
            return if is_other || self.resource_profiles.is_some() {
                Ok(())
            } else {
                Err("no resourceSpans in it".to_owned())
            };
        };
        for resource_spans in resource_spans {
            let resource = resource_spans.resource.unwrap_or_default();
            let attributes = pairs(resource.attributes);
            for scope_spans in resource_spans.scope_spans.unwrap_or_default() {
                let scope = scope_spans.scope.unwrap_or_default();
                spans.push_context(Context {
                    scope_name: scope.name.unwrap_or_default(),
                    scope_version: scope.version.unwrap_or_default(),
                    scope_attributes: pairs(scope.attributes),
                    ..Context::new(attributes.clone(), resource.dropped_attributes_count.count())
                });
                for raw in scope_spans.spans.unwrap_or_default() {
                    let span = serde_json::from_str::<JsonSpan<'_>>(raw.get());
                    spans.push_span(span.map(OtlpSpan::from).map_err(|error| format!("a span: {error}")));
                    if let Some(last) = spans.spans.back_mut() {
                        last.replaced_utf8 = replaced_utf8 && raw.get().contains('\u{fffd}');
                    }
                }
            }
        }
        Ok(())
    }
}

impl From<JsonSpan<'_>> for OtlpSpan {
    fn from(span: JsonSpan<'_>) -> Self {
        let status = span.status.unwrap_or_default();
        Self {
            trace_id: id(span.trace_id),
            span_id: id(span.span_id),
            parent_id: id(span.parent_span_id),
            trace_state: span.trace_state.unwrap_or_default(),
            flags: span.flags.count(),
            name: span.name.unwrap_or_default(),
            kind: kind(&span.kind),
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            attributes: pairs(span.attributes),
            dropped_attributes: span.dropped_attributes_count.count(),
            events: span.events.unwrap_or_default().into_iter().map(Event::from).collect(),
            dropped_events: span.dropped_events_count.count(),
            links: span.links.unwrap_or_default().into_iter().map(Link::from).collect(),
            dropped_links: span.dropped_links_count.count(),
            status_code: match &status.code {
                Enum::Number(number) => status_code(*number),
                Enum::Name(name) => StatusCode::from_word(name),
            },
            status_message: status.message.unwrap_or_default(),
        }
    }
}

impl From<JsonEvent<'_>> for Event {
    fn from(event: JsonEvent<'_>) -> Self {
        Self {
            time: event.time_unix_nano,
            name: event.name.unwrap_or_default(),
            attributes: pairs(event.attributes),
            dropped_attributes: event.dropped_attributes_count.count(),
        }
    }
}

impl From<JsonLink<'_>> for Link {
    fn from(link: JsonLink<'_>) -> Self {
        Self {
            trace_id: id(link.trace_id),
            span_id: id(link.span_id),
            trace_state: link.trace_state.unwrap_or_default(),
            attributes: pairs(link.attributes),
            dropped_attributes: link.dropped_attributes_count.count(),
        }
    }
}

/// Hexadecimal in either case.
fn id(id: Option<String>) -> String {
    let mut id = id.unwrap_or_default();
    if id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        id.make_ascii_lowercase();
    }
    id
}

fn kind(kind: &Enum) -> i64 {
    let name = match kind {
        Enum::Number(number) => return *number,
        Enum::Name(name) => name.strip_prefix("SPAN_KIND_").unwrap_or(name),
    };
    ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
        .iter()
        .position(|word| word.eq_ignore_ascii_case(name))
        .map_or(0, |position| position as i64)
}

fn pairs(pairs: Pairs<'_>) -> Attributes {
    pairs
        .unwrap_or_default()
        .into_iter()
        .map(|pair| (pair.key, pair.value.map_or(Value::Empty, Value::from)))
        .collect()
}

impl From<JsonValue<'_>> for Value {
    fn from(value: JsonValue<'_>) -> Self {
        if let Some(text) = value.string_value.or(value.bytes_value) {
            Self::Text(text)
        } else if let Some(value) = value.bool_value {
            Self::Bool(value)
        } else if let Some(value) = value.int_value {
            Self::Int(value.0)
        } else if let Some(raw) = value.double_value {
            match raw.get().trim_matches('"').parse() {
                Ok(double) => Self::Double(double),
                Err(_) => Self::Json(raw.get().to_owned()),
            }
        } else if let Some(list) = value.array_value {
            Self::List(list.values.unwrap_or_default().into_iter().map(Self::from).collect())
        } else if let Some(list) = value.kvlist_value {
            Self::Object(pairs(list.values))
        } else {
            Self::Empty
        }
    }
}

/// A whole number, also as text, also `null`.
#[derive(Clone, Copy, Default)]
struct Integer(i64);

impl Integer {
    /// As a count of 32 bits; saturates.
    fn count(self) -> u32 {
        u32::try_from(self.0.max(0)).unwrap_or(u32::MAX)
    }
}

/// The number of an enum, or its name.
enum Enum {
    Number(i64),
    Name(String),
}

impl Default for Enum {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// A number in any of the ways in which JSON spells them.
enum Spelled<'a> {
    Absent,
    Whole(i128),
    Fraction(f64),
    Text(Cow<'a, str>),
}

impl<'de> Deserialize<'de> for Spelled<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Spelled<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number, or a number as text")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Spelled::Absent)
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Spelled::Whole(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Spelled::Whole(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Spelled::Fraction(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Spelled::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Spelled::Text(Cow::Borrowed(text)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = match Spelled::deserialize(deserializer)? {
            Spelled::Absent => 0,
            Spelled::Whole(value) => value,
            Spelled::Fraction(value) if value.fract() == 0.0 => value as i128,
            Spelled::Fraction(value) => return Err(Error::custom(format!("{value} is not a whole number"))),
            Spelled::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| Error::custom(format!("{text:?} is not a whole number")))?,
        };
        i64::try_from(whole)
            .map(Self)
            .map_err(|_| Error::custom(format!("{whole} does not fit 64 bits")))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanoseconds = match Spelled::deserialize(deserializer)? {
            Spelled::Absent => 0,
            Spelled::Whole(value) => value,
            // `as` saturates, which is out of range in any case.
            Spelled::Fraction(value) => value as i128,
            Spelled::Text(text) if text.trim().is_empty() => 0,
            Spelled::Text(text) => match text.trim().parse() {
                Ok(value) => value,
                Err(_) if text.trim().bytes().all(|byte| byte.is_ascii_digit()) => i128::MAX,
                Err(_) => return Err(Error::custom(format!("{text:?} is not a time in nanoseconds"))),
            },
        };
        Ok(match i64::try_from(nanoseconds) {
            Ok(0) => Self::Absent,
            Ok(time) => Self::At(time),
            Err(_) => Self::OutOfRange,
        })
    }
}

impl<'de> Deserialize<'de> for Enum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Spelled::deserialize(deserializer)? {
            Spelled::Absent => Self::Number(0),
            Spelled::Whole(number) => Self::Number(i64::try_from(number).unwrap_or(0)),
            Spelled::Fraction(number) => Self::Number(number as i64),
            Spelled::Text(text) => match text.parse() {
                Ok(number) => Self::Number(number),
                Err(_) => Self::Name(text.into_owned()),
            },
        })
    }
}
