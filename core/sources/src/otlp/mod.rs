//! OTLP files, as the OpenTelemetry Collector's file exporter writes them, and how an OTLP span becomes one of ours.
//!
//! - `service` and `operation`: for spans of Flock (their instrumentation scope is `flock` or begins with `flock.`)
//!   taken from the name, as Flock does. For other programs `service` is the resource's `service.name` and `operation`
//!   the span's name, which is how OpenTelemetry's users think of a service.
//! - Kept as attributes, where they say anything: `otel.dropped_attributes_count`, `otel.dropped_events_count`,
//!   `otel.dropped_links_count` (not zero), `otel.trace_state` (not empty), `otel.flags` (more than "sampled" and "it is
//!   known whether the parent is remote", which every SDK sets), `otel.scope.attributes` (not empty). Events, links and
//!   resources keep their dropped counts in the same way, within their own attributes.
//! - Schema URLs are not kept.

mod json;
mod json_records;
mod protobuf;

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

use flockscope_model::{NewSpan, ReadReport, SkipReason, StatusCode};

use crate::batch::{Batch, Found};
use crate::compressed::Input;
use crate::json_value::{Value, object};
use crate::{SourceError, SpanSource};

/// Most bytes of one message (a line, a length-prefixed message) that are read; larger ones are skipped and counted.
pub(crate) const MOST_MESSAGE: usize = 64 << 20;
/// The flags that every SDK sets: sampled, and "it is known whether the parent is remote".
const USUAL_FLAGS: u32 = 0x101;

type Attributes = Vec<(String, Value)>;

/// An OTLP span, from JSON or from protobuf.
#[derive(Default)]
struct OtlpSpan {
    trace_id: String,
    span_id: String,
    parent_id: String,
    trace_state: String,
    flags: u32,
    name: String,
    /// The enum's number.
    kind: i64,
    start: Time,
    end: Time,
    attributes: Attributes,
    dropped_attributes: u32,
    events: Vec<Event>,
    dropped_events: u32,
    links: Vec<Link>,
    dropped_links: u32,
    status_code: StatusCode,
    status_message: String,
}

struct Event {
    time: Time,
    name: String,
    attributes: Attributes,
    dropped_attributes: u32,
}

struct Link {
    trace_id: String,
    span_id: String,
    trace_state: String,
    attributes: Attributes,
    dropped_attributes: u32,
}

/// What the spans of one scope of one resource share.
#[derive(Default)]
struct Context {
    service_name: Option<String>,
    resource: String,
    scope_name: String,
    scope_version: String,
    scope_attributes: Attributes,
}

/// The spans of one message.
#[derive(Default)]
struct MessageSpans {
    contexts: Vec<Context>,
    spans: VecDeque<MessageSpan>,
}

/// A span, or why it could not be read, and the number of its context.
struct MessageSpan {
    span: Result<OtlpSpan, String>,
    context: usize,
    replaced_utf8: bool,
}

impl MessageSpans {
    /// Begins a context; the spans that follow are its.
    fn push_context(&mut self, context: Context) {
        self.contexts.push(context);
    }

    fn push_span(&mut self, span: Result<OtlpSpan, String>) {
        self.spans.push_back(MessageSpan {
            span,
            context: self.contexts.len() - 1,
            replaced_utf8: false,
        });
    }

    /// Moves spans to a batch until either is at its end.
    fn move_into(&mut self, batch: &mut Batch, place: &str, report: &mut ReadReport) {
        while !batch.is_full() {
            let Some(next) = self.spans.pop_front() else {
                return;
            };
            match next.span {
                Ok(span) => {
                    let found = span.into_found(&self.contexts[next.context]).map(|found| Found {
                        replaced_utf8: next.replaced_utf8,
                        ..found
                    });
                    batch.add(found, place, report);
                }
                Err(detail) => unreadable(report, place, &detail),
            }
        }
    }
}

/// Counts something that could not be read.
fn unreadable(report: &mut ReadReport, place: &str, detail: &dyn fmt::Display) {
    report.read += 1;
    report.skip(SkipReason::Unreadable, format_args!("{place}, {detail}"));
}

/// A time in nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Time {
    #[default]
    Absent,
    At(i64),
    /// After the year 2262.
    OutOfRange,
}

impl Time {
    fn of(nanoseconds: u64) -> Self {
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

/// Opens OTLP/JSON: one message a line, or one message over many lines.
pub(crate) fn open_json(path: &Path) -> Result<impl SpanSource + use<>, SourceError> {
    Ok(json::JsonSource::new(path, Input::open(path)?))
}

/// Opens OTLP/protobuf: length-prefixed messages, or one bare message.
pub(crate) fn open_protobuf(path: &Path) -> Result<impl SpanSource + use<>, SourceError> {
    protobuf::ProtobufSource::new(path, Input::open(path)?)
}

/// Whether a message of this kind can begin a protobuf file; for [`crate::detect()`].
pub(crate) use protobuf::looks_like_protobuf;

/// Whether Flock itself made the spans of this scope.
pub(crate) fn is_flock_scope(scope: &str) -> bool {
    scope == "flock" || scope.starts_with("flock.")
}

impl Context {
    fn new(mut resource: Attributes, dropped_attributes: u32) -> Self {
        let service_name = resource.iter().rev().find(|(key, _)| key == "service.name");
        let service_name = service_name.and_then(|(_, value)| value.as_text()).map(str::to_owned);
        push_count(&mut resource, "otel.dropped_attributes_count", dropped_attributes);
        Self {
            service_name,
            resource: object(&resource),
            ..Self::default()
        }
    }
}

impl OtlpSpan {
    fn into_found(self, context: &Context) -> Result<Found, SkipReason> {
        let start_time = self.start.value()?;
        let end_time = self.end.value()?;
        let mut attributes = self.attributes;
        push_count(
            &mut attributes,
            "otel.dropped_attributes_count",
            self.dropped_attributes,
        );
        push_count(&mut attributes, "otel.dropped_events_count", self.dropped_events);
        push_count(&mut attributes, "otel.dropped_links_count", self.dropped_links);
        push_text(&mut attributes, "otel.trace_state", self.trace_state);
        if self.flags & !USUAL_FLAGS != 0 {
            attributes.push(("otel.flags".into(), Value::Int(self.flags.into())));
        }
        if !context.scope_attributes.is_empty() {
            attributes.push((
                "otel.scope.attributes".into(),
                Value::Object(context.scope_attributes.clone()),
            ));
        }
        let of_flock = is_flock_scope(&context.scope_name);
        let service = if of_flock { None } else { context.service_name.clone() };
        let span = NewSpan {
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
            resource: context.resource.clone(),
            scope_name: Some(context.scope_name.clone()),
            scope_version: Some(context.scope_version.clone()),
            created_at: None,
        };
        Ok(span.into())
    }
}

fn kind_word(kind: i64) -> &'static str {
    match kind {
        1 => "INTERNAL",
        2 => "SERVER",
        3 => "CLIENT",
        4 => "PRODUCER",
        5 => "CONSUMER",
        _ => "UNSPECIFIED",
    }
}

fn status_code(number: i64) -> StatusCode {
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
            "otel.dropped_attributes_count",
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
        push_count(
            &mut link.attributes,
            "otel.dropped_attributes_count",
            link.dropped_attributes,
        );
        push_text(&mut link.attributes, "otel.trace_state", link.trace_state);
        vec![
            ("trace_id".into(), Value::Text(link.trace_id)),
            ("span_id".into(), Value::Text(link.span_id)),
            ("attributes".into(), Value::Object(link.attributes)),
        ]
    }))
}

fn list_json(objects: impl Iterator<Item = Attributes>) -> String {
    let mut json = String::new();
    Value::List(objects.map(Value::Object).collect()).write(&mut json);
    json
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
