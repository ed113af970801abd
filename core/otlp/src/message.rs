//! How an OTLP span becomes one of ours, whether it came as protobuf or as JSON.
//!
//! - `service` and `operation`: for spans of Flock (their instrumentation scope is `flock` or begins with `flock.`)
//!   taken from the name, as Flock does. For other programs `service` is the resource's `service.name` and `operation`
//!   the span's name, which is how OpenTelemetry's users think of a service.
//! - Kept as attributes, where they say anything, after the span's own ones and in this order:
//!   `otel.dropped_attributes_count`, `otel.dropped_events_count`, `otel.dropped_links_count` (not zero),
//!   `otel.trace_state` (not empty), `otel.flags` (more than "sampled" and "it is known whether the parent is remote",
//!   which every SDK sets), `otel.scope.attributes` (not empty). Events, links and resources keep their dropped counts
//!   in the same way, within their own attributes. [`crate::to_request`] puts them back into their fields.
//! - Schema URLs are not kept.
//!
//! What becomes of odd input:
//! - Of an attribute key that stands there twice, the last value counts.
//! - NaN and the infinities become the texts `NaN`, `Infinity`, `-Infinity`; bytes become text in base64; a value that
//!   is not set becomes `null`.
//! - A span without trace id or span id (none, or zeros) or without a start is skipped, by that reason. Ids of other
//!   lengths than 16 and 8 bytes are kept.
//! - A span that starts or ends after the year 2262 is skipped; an event's time after it becomes `null`.
//! - Values that are nested more than [`MOST_NESTING`] levels make their span unreadable, those of a resource or a scope
//!   all its spans.
//! - Protobuf must be right as a whole. In JSON each span stands for itself: one that is out of form is skipped as
//!   unreadable, and bytes that are not UTF-8 are replaced and said.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use flockscope_model::{NewSpan, ReadReport, Repair, SkipReason, Span, StatusCode};
use serde_json::value::RawValue;

use crate::value::{Value, object};
use crate::{MOST_NESTING, short};

/// The flags that every SDK sets: sampled, and "it is known whether the parent is remote".
pub(crate) const USUAL_FLAGS: u32 = 0x101;

/// The names under which fields that have no column stand among the attributes.
pub(crate) mod kept {
    pub(crate) const DROPPED_ATTRIBUTES: &str = "otel.dropped_attributes_count";
    pub(crate) const DROPPED_EVENTS: &str = "otel.dropped_events_count";
    pub(crate) const DROPPED_LINKS: &str = "otel.dropped_links_count";
    pub(crate) const TRACE_STATE: &str = "otel.trace_state";
    pub(crate) const FLAGS: &str = "otel.flags";
    pub(crate) const SCOPE_ATTRIBUTES: &str = "otel.scope.attributes";
}

pub(crate) type Attributes = Vec<(String, Value)>;

/// The spans of one message, which are made one by one: [`Message::next_span`].
#[derive(Debug, Default)]
pub struct Message {
    contexts: Vec<Context>,
    spans: VecDeque<MessageSpan>,
}

/// A span, or why it could not be read, and the number of its context.
#[derive(Debug)]
struct MessageSpan {
    span: Result<OtlpSpan, String>,
    context: usize,
    replaced_utf8: bool,
}

impl Message {
    /// The next span, or why there is none in its place; `None` at the end. Counts it in `report`, where `place` says
    /// where it was.
    pub fn next_span(&mut self, place: impl fmt::Display, report: &mut ReadReport) -> Option<Result<Span, SkipReason>> {
        let next = self.spans.pop_front()?;
        report.read += 1;
        let context = &self.contexts[next.context];
        let unreadable = match (next.span, context.unreadable()) {
            (Ok(span), None) => {
                let found = span.into_found(context);
                let made = found.and_then(|found| Span::new(found, |repair| report.repair(repair)));
                if let Err(reason) = made {
                    report.skip(reason, place);
                }
                return Some(made.map(|mut span| {
                    if next.replaced_utf8 {
                        report.repair(Repair::InvalidUtf8);
                        let words = "invalid UTF-8 was replaced";
                        span.repair = Some(span.repair.map_or(words.into(), |before| format!("{before}; {words}")));
                    }
                    span
                }));
            }
            (Err(detail), _) => detail,
            (Ok(_), Some(detail)) => detail.to_owned(),
        };
        report.skip(SkipReason::Unreadable, format_args!("{place}, {}", short(&unreadable)));
        Some(Err(SkipReason::Unreadable))
    }

    /// How many spans are still to come.
    pub fn spans_left(&self) -> usize {
        self.spans.len()
    }

    /// Counts all that is left as unreadable.
    pub(crate) fn skip_rest(&mut self, detail: impl fmt::Display, report: &mut ReadReport) {
        let left = self.spans.len() as u64;
        self.spans.clear();
        if left > 0 {
            report.note(format!("span {} and all after it: {detail}", report.read + 1));
            report.read += left;
            *report.skipped.entry(SkipReason::Unreadable).or_default() += left;
        }
    }

    /// Begins a context; the spans that follow are its.
    pub(crate) fn push_context(&mut self, context: Context) {
        self.contexts.push(context);
    }

    /// A span of the context that was pushed last.
    pub(crate) fn push_span(&mut self, span: Result<OtlpSpan, String>, replaced_utf8: bool) {
        if self.contexts.is_empty() {
            self.contexts.push(Context::default());
        }
        self.spans.push_back(MessageSpan {
            span,
            context: self.contexts.len() - 1,
            replaced_utf8,
        });
    }
}

/// Attribute values that are nested more than [`MOST_NESTING`] levels.
pub(crate) struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attribute values nested more than {MOST_NESTING} levels")
    }
}

impl From<TooDeep> for String {
    fn from(error: TooDeep) -> Self {
        error.to_string()
    }
}

/// An OTLP span, from JSON or from protobuf.
#[derive(Debug, Default)]
pub(crate) struct OtlpSpan {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) parent_id: String,
    pub(crate) trace_state: String,
    pub(crate) flags: u32,
    pub(crate) name: String,
    /// The enum's number.
    pub(crate) kind: i64,
    pub(crate) start: Time,
    pub(crate) end: Time,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
    pub(crate) events: Vec<Event>,
    pub(crate) dropped_events: u32,
    pub(crate) links: Vec<Link>,
    pub(crate) dropped_links: u32,
    pub(crate) status_code: StatusCode,
    pub(crate) status_message: String,
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) time: Time,
    pub(crate) name: String,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
}

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) trace_id: String,
    pub(crate) span_id: String,
    pub(crate) trace_state: String,
    pub(crate) attributes: Attributes,
    pub(crate) dropped_attributes: u32,
}

/// A time in nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Time {
    #[default]
    Absent,
    At(i64),
    /// After the year 2262.
    OutOfRange,
}

impl Time {
    pub(crate) fn of(nanoseconds: u64) -> Self {
        match i64::try_from(nanoseconds) {
            Ok(0) => Self::Absent,
            Ok(time) => Self::At(time),
            Err(_) => Self::OutOfRange,
        }
    }

    fn value(self) -> Result<i64, SkipReason> {
        match self {
            Self::Absent => Ok(0),
            Self::At(time) => Ok(time),
            Self::OutOfRange => Err(SkipReason::TimeOutOfRange),
        }
    }
}

/// Whether Flock itself made the spans of this scope.
pub fn is_flock_scope(scope: &str) -> bool {
    scope == "flock" || scope.starts_with("flock.")
}

/// What the spans of one resource share.
#[derive(Debug, Default)]
pub(crate) struct ResourceContext {
    service_name: Option<String>,
    json: String,
    unreadable: Option<String>,
}

impl ResourceContext {
    pub(crate) fn new(attributes: Result<Attributes, TooDeep>, dropped_attributes: u32) -> Arc<Self> {
        let mut attributes = match attributes {
            Ok(attributes) => attributes,
            Err(error) => {
                return Arc::new(Self {
                    unreadable: Some(format!("resource: {error}")),
                    ..Self::default()
                });
            }
        };
        let service_name = attributes.iter().rev().find(|(key, _)| key == "service.name");
        let service_name = service_name.and_then(|(_, value)| value.as_text()).map(str::to_owned);
        push_count(&mut attributes, kept::DROPPED_ATTRIBUTES, dropped_attributes);
        Arc::new(Self {
            service_name,
            json: object(&attributes),
            unreadable: None,
        })
    }
}

/// What the spans of one scope of one resource share.
#[derive(Debug, Default)]
pub(crate) struct Context {
    resource: Arc<ResourceContext>,
    scope_name: String,
    scope_version: String,
    scope_attributes: Option<Box<RawValue>>,
    scope_unreadable: Option<String>,
}

impl Context {
    pub(crate) fn new(
        resource: &Arc<ResourceContext>,
        scope_name: String,
        scope_version: String,
        scope_attributes: Result<Attributes, TooDeep>,
    ) -> Self {
        let mut scope_unreadable = None;
        let scope_attributes = match scope_attributes {
            Ok(attributes) if attributes.is_empty() => None,
            Ok(attributes) => RawValue::from_string(object(&attributes)).ok(),
            Err(error) => {
                scope_unreadable = Some(format!("scope: {error}"));
                None
            }
        };
        Self {
            resource: Arc::clone(resource),
            scope_name,
            scope_version,
            scope_attributes,
            scope_unreadable,
        }
    }

    /// Why none of the spans can be read, where it is so.
    fn unreadable(&self) -> Option<&str> {
        self.resource.unreadable.as_deref().or(self.scope_unreadable.as_deref())
    }
}

impl OtlpSpan {
    fn into_found(self, context: &Context) -> Result<NewSpan, SkipReason> {
        let start_time = self.start.value()?;
        let end_time = self.end.value()?;
        let mut attributes = self.attributes;
        push_count(&mut attributes, kept::DROPPED_ATTRIBUTES, self.dropped_attributes);
        push_count(&mut attributes, kept::DROPPED_EVENTS, self.dropped_events);
        push_count(&mut attributes, kept::DROPPED_LINKS, self.dropped_links);
        push_text(&mut attributes, kept::TRACE_STATE, self.trace_state);
        if self.flags & !USUAL_FLAGS != 0 {
            attributes.push((kept::FLAGS.to_owned(), Value::Int(self.flags.into())));
        }
        if let Some(scope_attributes) = &context.scope_attributes {
            attributes.push((kept::SCOPE_ATTRIBUTES.to_owned(), Value::Json(scope_attributes.clone())));
        }
        let of_flock = is_flock_scope(&context.scope_name);
        let service = if of_flock {
            None
        } else {
            context.resource.service_name.clone()
        };
        Ok(NewSpan {
            trace_id: self.trace_id,
            span_id: self.span_id,
            parent_id: (!self.parent_id.is_empty()).then_some(self.parent_id),
            operation: (!of_flock && !self.name.is_empty()).then(|| self.name.clone()),
            service,
            name: self.name,
            kind: kind_word(self.kind).to_owned(),
            start_time,
            end_time,
            status_code: self.status_code,
            status_description: Some(self.status_message),
            attributes: object(&attributes),
            events: events_json(self.events),
            links: links_json(self.links),
            resource: context.resource.json.clone(),
            scope_name: Some(context.scope_name.clone()),
            scope_version: Some(context.scope_version.clone()),
            created_at: None,
        })
    }
}

/// The words for a span's kind, by the enum's number.
pub(crate) const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];

fn kind_word(kind: i64) -> &'static str {
    let kind = usize::try_from(kind).unwrap_or(0);
    KINDS.get(kind).copied().unwrap_or(KINDS[0])
}

/// The enum's number for a word in any case; 0, which is unspecified, for others.
pub(crate) fn kind_number(word: &str) -> u8 {
    (0..)
        .zip(KINDS)
        .find(|(_, kind)| kind.eq_ignore_ascii_case(word))
        .map_or(0, |(number, _)| number)
}

pub(crate) fn status_code(number: i64) -> StatusCode {
    match number {
        1 => StatusCode::Ok,
        2 => StatusCode::Error,
        _ => StatusCode::Unset,
    }
}

fn events_json(events: Vec<Event>) -> String {
    list_json(events.into_iter().map(|mut event| {
        push_count(
            &mut event.attributes,
            kept::DROPPED_ATTRIBUTES,
            event.dropped_attributes,
        );
        vec![
            ("name".into(), Value::Text(event.name)),
            (
                "timestamp".into(),
                match event.time {
                    Time::At(time) => Value::Int(time),
                    Time::Absent | Time::OutOfRange => Value::Empty,
                },
            ),
            ("attributes".into(), Value::Object(event.attributes)),
        ]
    }))
}

fn links_json(links: Vec<Link>) -> String {
    list_json(links.into_iter().map(|mut link| {
        push_count(&mut link.attributes, kept::DROPPED_ATTRIBUTES, link.dropped_attributes);
        push_text(&mut link.attributes, kept::TRACE_STATE, link.trace_state);
        vec![
            ("trace_id".into(), Value::Text(link.trace_id)),
            ("span_id".into(), Value::Text(link.span_id)),
            ("attributes".into(), Value::Object(link.attributes)),
        ]
    }))
}

/// No events or links at all, as most spans have it, are no text: [`Span::new`] makes the empty list of it.
fn list_json(objects: impl ExactSizeIterator<Item = Attributes>) -> String {
    if objects.len() == 0 {
        return String::new();
    }
    Value::List(objects.map(Value::Object).collect()).to_json()
}

fn push_count(attributes: &mut Attributes, key: &str, count: u32) {
    if count != 0 {
        attributes.push((key.to_owned(), Value::Int(count.into())));
    }
}

fn push_text(attributes: &mut Attributes, key: &str, text: String) {
    if !text.is_empty() {
        attributes.push((key.to_owned(), Value::Text(text)));
    }
}
