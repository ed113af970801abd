//! OTLP messages in JSON.
//!
//! Read with types of our own and not with those of `opentelemetry-proto`, whose JSON refuses a whole message for one
//! span that is out of form, and enums by name. Here each span stands for itself, ids are kept as they are, numbers may
//! be texts, enums may be names, names may be in snake_case, and unknown fields are passed over.
//! <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>

use std::borrow::Cow;

use flockscope_model::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use crate::json_number::{Double, Enum, Integer};
use crate::message::{
    Attributes, Context, Event, Link, OtlpSpan, ResourceContext, Time, TooDeep, kind_number, status_code,
};
use crate::{DecodeError, MOST_NESTING, Message, Value, short};

impl Message {
    /// Reads one message in JSON: a request as the OTLP/HTTP protocol knows it. Bytes that are not UTF-8 are replaced;
    /// the spans that hold a replacement say so.
    pub fn of_json(bytes: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8_lossy(bytes);
        let request: Request<'_> = serde_json::from_str(&text).map_err(DecodeError::new)?;
        let mut message = Self::default();
        request.unpack(&mut message, matches!(text, Cow::Owned(_)));
        Ok(message)
    }

    /// Reads what may be several messages after one another, as a record of a file holds them. What comes before a
    /// fault is kept, and the fault is one unreadable span. A record must hold spans or another signal.
    pub fn of_json_record(bytes: &[u8]) -> Result<Self, DecodeError> {
        let text = String::from_utf8_lossy(bytes);
        let replaced_utf8 = matches!(text, Cow::Owned(_));
        let mut message = Self::default();
        for request in serde_json::Deserializer::from_str(&text).into_iter::<Request<'_>>() {
            match request {
                Ok(request) if request.has_no_signal() => return Err(DecodeError::new("no resourceSpans in it")),
                Ok(request) => request.unpack(&mut message, replaced_utf8),
                Err(error) if message.spans_left() == 0 => return Err(DecodeError::new(error)),
                Err(error) => message.push_span(Err(error.to_string()), false),
            }
        }
        Ok(message)
    }
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
    #[serde(default)]
    resource: Option<Resource>,
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
struct Resource {
    #[serde(default)]
    attributes: Pairs,
    #[serde(default, alias = "dropped_attributes_count")]
    dropped_attributes_count: Integer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeSpans<'a> {
    #[serde(default, alias = "instrumentationLibrary", alias = "instrumentation_library")]
    scope: Option<Scope>,
    #[serde(borrow, default)]
    spans: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Scope {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    attributes: Pairs,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonSpan {
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
    #[serde(default)]
    attributes: Pairs,
    #[serde(default, alias = "dropped_attributes_count")]
    dropped_attributes_count: Integer,
    #[serde(default)]
    events: Option<Vec<JsonEvent>>,
    #[serde(default, alias = "dropped_events_count")]
    dropped_events_count: Integer,
    #[serde(default)]
    links: Option<Vec<JsonLink>>,
    #[serde(default, alias = "dropped_links_count")]
    dropped_links_count: Integer,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonEvent {
    #[serde(default, alias = "time_unix_nano")]
    time_unix_nano: Time,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    attributes: Pairs,
    #[serde(default, alias = "dropped_attributes_count")]
    dropped_attributes_count: Integer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonLink {
    #[serde(default, alias = "trace_id")]
    trace_id: Option<String>,
    #[serde(default, alias = "span_id")]
    span_id: Option<String>,
    #[serde(default, alias = "trace_state")]
    trace_state: Option<String>,
    #[serde(default)]
    attributes: Pairs,
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

type Pairs = Option<Vec<Pair>>;

#[derive(Deserialize)]
struct Pair {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: Option<JsonValue>,
}

/// An `AnyValue`: at most one of the fields is there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonValue {
    #[serde(default, alias = "string_value")]
    string_value: Option<String>,
    #[serde(default, alias = "bool_value")]
    bool_value: Option<bool>,
    #[serde(default, alias = "int_value")]
    int_value: Option<Integer>,
    #[serde(default, alias = "double_value")]
    double_value: Option<Double>,
    #[serde(default, alias = "array_value")]
    array_value: Option<ArrayValue>,
    #[serde(default, alias = "kvlist_value")]
    kvlist_value: Option<KeyValueList>,
    /// In base64, as we write it too.
    #[serde(default, alias = "bytes_value")]
    bytes_value: Option<String>,
}

#[derive(Deserialize)]
struct ArrayValue {
    #[serde(default)]
    values: Option<Vec<JsonValue>>,
}

#[derive(Deserialize)]
struct KeyValueList {
    #[serde(default)]
    values: Pairs,
}

impl Request<'_> {
    fn has_no_signal(&self) -> bool {
        let has_other =
            self.resource_logs.is_some() || self.resource_metrics.is_some() || self.resource_profiles.is_some();
        self.resource_spans.is_none() && !has_other
    }

    fn unpack(self, message: &mut Message, replaced_utf8: bool) {
        for resource_spans in self.resource_spans.unwrap_or_default() {
            let resource = resource_spans.resource.unwrap_or_default();
            let dropped = resource.dropped_attributes_count.count();
            let resource = ResourceContext::new(pairs(resource.attributes, MOST_NESTING), dropped);
            for scope_spans in resource_spans.scope_spans.unwrap_or_default() {
                let spans = scope_spans.spans.unwrap_or_default();
                if spans.is_empty() {
                    continue;
                }
                let scope = scope_spans.scope.unwrap_or_default();
                message.push_context(Context::new(
                    &resource,
                    scope.name.unwrap_or_default(),
                    scope.version.unwrap_or_default(),
                    pairs(scope.attributes, MOST_NESTING),
                ));
                for raw in spans {
                    let replaced_utf8 = replaced_utf8 && raw.get().contains('\u{fffd}');
                    message.push_span(read_span(raw), replaced_utf8);
                }
            }
        }
    }
}

fn read_span(raw: &RawValue) -> Result<OtlpSpan, String> {
    let span: JsonSpan = serde_json::from_str(raw.get()).map_err(|error| short(&format!("a span: {error}")))?;
    Ok(span.into_otlp()?)
}

impl JsonSpan {
    fn into_otlp(self) -> Result<OtlpSpan, TooDeep> {
        let span = self;
        let status = span.status.unwrap_or_default();
        Ok(OtlpSpan {
            trace_id: id(span.trace_id),
            span_id: id(span.span_id),
            parent_id: id(span.parent_span_id),
            trace_state: span.trace_state.unwrap_or_default(),
            flags: span.flags.count(),
            name: span.name.unwrap_or_default(),
            kind: kind(&span.kind),
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            attributes: pairs(span.attributes, MOST_NESTING)?,
            dropped_attributes: span.dropped_attributes_count.count(),
            events: span
                .events
                .unwrap_or_default()
                .into_iter()
                .map(event)
                .collect::<Result<_, _>>()?,
            dropped_events: span.dropped_events_count.count(),
            links: span
                .links
                .unwrap_or_default()
                .into_iter()
                .map(link)
                .collect::<Result<_, _>>()?,
            dropped_links: span.dropped_links_count.count(),
            status_code: match &status.code {
                Enum::Number(number) => status_code(*number),
                Enum::Name(name) => StatusCode::from_word(name),
            },
            status_message: status.message.unwrap_or_default(),
        })
    }
}

fn event(event: JsonEvent) -> Result<Event, TooDeep> {
    Ok(Event {
        time: event.time_unix_nano,
        name: event.name.unwrap_or_default(),
        attributes: pairs(event.attributes, MOST_NESTING)?,
        dropped_attributes: event.dropped_attributes_count.count(),
    })
}

fn link(link: JsonLink) -> Result<Link, TooDeep> {
    Ok(Link {
        trace_id: id(link.trace_id),
        span_id: id(link.span_id),
        trace_state: link.trace_state.unwrap_or_default(),
        attributes: pairs(link.attributes, MOST_NESTING)?,
        dropped_attributes: link.dropped_attributes_count.count(),
    })
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
    kind_number(name).into()
}

/// Attributes whose values have at most so many levels of lists and objects.
fn pairs(pairs: Pairs, levels: usize) -> Result<Attributes, TooDeep> {
    pairs
        .unwrap_or_default()
        .into_iter()
        .map(|pair| Ok((pair.key, pair.value.map_or(Ok(Value::Empty), |any| value(any, levels))?)))
        .collect()
}

fn value(value: JsonValue, levels: usize) -> Result<Value, TooDeep> {
    Ok(if let Some(text) = value.string_value.or(value.bytes_value) {
        Value::Text(text)
    } else if let Some(value) = value.bool_value {
        Value::Bool(value)
    } else if let Some(value) = value.int_value {
        Value::Int(value.whole())
    } else if let Some(double) = value.double_value {
        match double {
            Double::Number(value) => Value::double(value),
            Double::Text(text) => Value::Text(text),
        }
    } else if let Some(list) = value.array_value {
        let levels = levels.checked_sub(1).ok_or(TooDeep)?;
        let values = list.values.unwrap_or_default().into_iter();
        Value::List(values.map(|any| self::value(any, levels)).collect::<Result<_, _>>()?)
    } else if let Some(list) = value.kvlist_value {
        Value::Object(pairs(list.values, levels.checked_sub(1).ok_or(TooDeep)?)?)
    } else {
        Value::Empty
    })
}
