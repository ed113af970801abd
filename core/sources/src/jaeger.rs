//! Jaeger's JSON: what its API answers and its user interface downloads.
//!
//! - `service` and `operation`: the process's `serviceName` and the span's `operationName`; for spans of Flock (the tag
//!   `otel.scope.name` or `otel.library.name` says so) taken from the name, as Flock does.
//! - The parent is the first `CHILD_OF` reference within the trace, else the first `FOLLOWS_FROM`. All other references,
//!   and a parent that was followed from, become links with the attribute `opentracing.ref_type`.
//! - Tags become attributes. Those that have a column are taken out: `span.kind`, `otel.status_code`,
//!   `otel.status_description`, `error` (where it is true or false), `otel.scope.name`, `otel.scope.version` and their
//!   older names. A process's tags become the resource.
//! - Logs become events; the field `event` is the name. Warnings become the attribute `jaeger.warnings`.
//! - Ids are kept as they are, in lower case.

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::Path;

use flockscope_model::{NewSpan, ReadReport, SkipReason, Span, StatusCode};
use flockscope_otlp::{Value, is_flock_scope, object};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::batch::{Batch, Found};
use crate::compressed::Input;
use crate::{Progress, SourceError, SpanSource};

/// Most bytes of a file, unpacked. It is held in memory, because a trace's processes may come after its spans.
const MOST_BYTES: u64 = 1 << 30;

/// Reads a Jaeger file.
struct JaegerSource {
    /// The traces that are still to be read, the last one first, and how many there are in all.
    traces: Vec<Box<RawValue>>,
    total: usize,
    /// The trace that is being read.
    trace: Option<OpenTrace>,
    replaced_utf8: bool,
}

struct OpenTrace {
    trace_id: String,
    processes: HashMap<String, Process>,
    /// The spans that are still to be read, the last one first.
    spans: Vec<Box<RawValue>>,
    place: String,
}

/// Opens a Jaeger file.
pub(crate) fn open(path: &Path) -> Result<impl SpanSource + use<>, SourceError> {
    let mut input = Input::open(path)?;
    input.fill_buf().map_err(SourceError::io(path))?;
    let mut bytes = Vec::new();
    (&mut input)
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(SourceError::io(path))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(SourceError::TooLarge {
            path: path.to_owned(),
            limit: MOST_BYTES,
        });
    }
    let (text, replaced_utf8) = match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    };
    let mut traces = traces(text.trim_start_matches('\u{feff}')).map_err(|error| SourceError::Damaged {
        path: path.to_owned(),
        detail: format!("not a whole JSON document: {error}"),
    })?;
    traces.reverse();
    Ok(JaegerSource {
        total: traces.len(),
        traces,
        trace: None,
        replaced_utf8,
    })
}

/// The traces of an answer (`{"data": […]}`), of a list, or a trace alone.
fn traces(text: &str) -> serde_json::Result<Vec<Box<RawValue>>> {
    #[derive(Deserialize)]
    struct Answer {
        data: Option<Vec<Box<RawValue>>>,
    }
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    match serde_json::from_str::<Answer>(text)?.data {
        Some(traces) => Ok(traces),
        None => Ok(vec![serde_json::from_str(text)?]),
    }
}

#[derive(Deserialize)]
struct JaegerTrace {
    #[serde(rename = "traceID", default)]
    trace_id: Option<String>,
    #[serde(default)]
    spans: Option<Vec<Box<RawValue>>>,
    #[serde(default)]
    processes: Option<HashMap<String, Process>>,
}

#[derive(Deserialize, Default, Clone)]
struct Process {
    #[serde(rename = "serviceName", default)]
    service_name: Option<String>,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
struct JaegerSpan {
    #[serde(rename = "traceID", default)]
    trace_id: Option<String>,
    #[serde(rename = "spanID", default)]
    span_id: Option<String>,
    #[serde(rename = "parentSpanID", default)]
    parent_span_id: Option<String>,
    #[serde(rename = "operationName", default)]
    operation_name: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    /// Microseconds.
    #[serde(rename = "startTime", default)]
    start_time: Option<Microseconds>,
    /// Microseconds.
    #[serde(default)]
    duration: Option<Microseconds>,
    #[serde(default)]
    tags: Option<Vec<Tag>>,
    #[serde(default)]
    logs: Option<Vec<Log>>,
    #[serde(rename = "processID", default)]
    process_id: Option<String>,
    #[serde(default)]
    process: Option<Process>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "refType", default)]
    kind: String,
    #[serde(rename = "traceID", default)]
    trace_id: String,
    #[serde(rename = "spanID", default)]
    span_id: String,
}

#[derive(Deserialize, Clone)]
struct Tag {
    #[serde(default)]
    key: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    value: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Log {
    #[serde(default)]
    timestamp: Option<Microseconds>,
    #[serde(default)]
    fields: Option<Vec<Tag>>,
}

/// A number or a number as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Microseconds {
    Whole(i64),
    Fraction(f64),
    Text(String),
}

impl Microseconds {
    /// In nanoseconds, `None` where that does not fit.
    fn nanoseconds(&self) -> Option<i64> {
        match self {
            Self::Whole(value) => value.checked_mul(1000),
            Self::Fraction(value) => whole(value * 1000.0),
            Self::Text(text) => match text.trim().parse::<i64>() {
                Ok(value) => value.checked_mul(1000),
                Err(_) => whole(text.trim().parse::<f64>().ok()? * 1000.0),
            },
        }
    }
}

fn whole(value: f64) -> Option<i64> {
    (value.abs() < i64::MAX as f64).then_some(value as i64)
}

impl SpanSource for JaegerSource {
    fn next_batch(&mut self, report: &mut ReadReport) -> Result<Option<Vec<Span>>, SourceError> {
        let mut batch = Batch::default();
        while !batch.is_full() {
            let Some(trace) = &mut self.trace else {
                match self.traces.pop() {
                    Some(raw) => self.trace = self.open_trace(&raw, report),
                    None => break,
                }
                continue;
            };
            let Some(raw) = trace.spans.pop() else {
                self.trace = None;
                continue;
            };
            match serde_json::from_str::<JaegerSpan>(raw.get()) {
                Ok(span) => {
                    let found = trace.found(span).map(|span| Found {
                        span,
                        replaced_utf8: self.replaced_utf8 && raw.get().contains('\u{fffd}'),
                        earlier_repair: None,
                    });
                    batch.add(found, &trace.place, report);
                }
                Err(error) => {
                    report.read += 1;
                    report.skip(SkipReason::Unreadable, format_args!("{}, a span: {error}", trace.place));
                }
            }
        }
        Ok(batch.take())
    }

    /// In traces.
    fn progress(&self) -> Option<Progress> {
        Some(Progress {
            done: (self.total - self.traces.len() - usize::from(self.trace.is_some())) as u64,
            total: self.total as u64,
        })
    }
}

impl JaegerSource {
    fn open_trace(&self, raw: &RawValue, report: &mut ReadReport) -> Option<OpenTrace> {
        let number = self.total - self.traces.len();
        let trace = match serde_json::from_str::<JaegerTrace>(raw.get()) {
            Ok(JaegerTrace {
                spans: Some(mut spans),
                trace_id,
                processes,
            }) => {
                spans.reverse();
                OpenTrace {
                    place: format!("trace {number} ({})", trace_id.as_deref().unwrap_or("no id")),
                    trace_id: trace_id.unwrap_or_default(),
                    processes: processes.unwrap_or_default(),
                    spans,
                }
            }
            Ok(_) => {
                report.read += 1;
                report.skip(SkipReason::Unreadable, format_args!("trace {number}, no spans in it"));
                return None;
            }
            Err(error) => {
                report.read += 1;
                report.skip(SkipReason::Unreadable, format_args!("trace {number}, {error}"));
                return None;
            }
        };
        Some(trace)
    }
}

impl OpenTrace {
    fn found(&self, span: JaegerSpan) -> Result<NewSpan, SkipReason> {
        let start_time = nanoseconds(span.start_time.as_ref())?;
        let duration = nanoseconds(span.duration.as_ref())?;
        let end_time = start_time.checked_add(duration).ok_or(SkipReason::TimeOutOfRange)?;
        let trace_id = span.trace_id.unwrap_or_else(|| self.trace_id.clone()).to_lowercase();
        let (parent_id, links) = parent_and_links(span.references.unwrap_or_default(), &trace_id);
        let parent_id = parent_id.or(span.parent_span_id.map(|id| id.to_lowercase()));

        let of_process = span.process_id.and_then(|id| self.processes.get(&id));
        let process = span.process.as_ref().or(of_process).cloned().unwrap_or_default();
        let mut resource: Vec<(String, Value)> = Vec::new();
        if let Some(name) = &process.service_name {
            resource.push(("service.name".into(), Value::text(name)));
        }
        resource.extend(process.tags.unwrap_or_default().into_iter().map(pair));

        let mut told = Told::default();
        let mut attributes: Vec<(String, Value)> = Vec::new();
        for (key, value) in span.tags.unwrap_or_default().into_iter().map(pair) {
            if !told.take(&key, &value) {
                attributes.push((key, value));
            }
        }
        if let Some(warnings) = span.warnings.filter(|warnings| !warnings.is_empty()) {
            let warnings = warnings.into_iter().map(Value::Text).collect();
            attributes.push(("jaeger.warnings".into(), Value::List(warnings)));
        }
        let name = span.operation_name.unwrap_or_default();
        let of_flock = told.scope_name.as_deref().is_some_and(is_flock_scope);
        Ok(NewSpan {
            trace_id,
            span_id: span.span_id.unwrap_or_default().to_lowercase(),
            parent_id,
            service: if of_flock { None } else { process.service_name },
            operation: (!of_flock && !name.is_empty()).then(|| name.clone()),
            name,
            kind: told.kind.unwrap_or_else(|| "UNSPECIFIED".into()),
            start_time,
            end_time,
            status_code: told.status.unwrap_or(match told.error {
                Some(true) => StatusCode::Error,
                _ => StatusCode::Unset,
            }),
            status_description: told.status_description,
            attributes: object(&attributes),
            events: Value::List(span.logs.unwrap_or_default().into_iter().map(event).collect()).to_json(),
            links: Value::List(links).to_json(),
            resource: object(&resource),
            scope_name: told.scope_name,
            scope_version: told.scope_version,
            created_at: None,
        })
    }
}

/// What tags tell that has a column of its own.
#[derive(Default)]
struct Told {
    kind: Option<String>,
    status: Option<StatusCode>,
    status_description: Option<String>,
    error: Option<bool>,
    scope_name: Option<String>,
    scope_version: Option<String>,
}

impl Told {
    /// Whether the tag has a column, which it goes to then.
    fn take(&mut self, key: &str, value: &Value) -> bool {
        if key == "error" {
            self.error = match value {
                Value::Bool(value) => Some(*value),
                Value::Text(text) => text.parse().ok(),
                _ => None,
            };
            return self.error.is_some();
        }
        let Some(text) = value.as_text() else {
            return false;
        };
        match key {
            "span.kind" => self.kind = Some(text.to_uppercase()),
            "otel.status_code" => self.status = Some(StatusCode::from_word(text)),
            "otel.status_description" => self.status_description = Some(text.to_owned()),
            "otel.scope.name" | "otel.library.name" => self.scope_name = Some(text.to_owned()),
            "otel.scope.version" | "otel.library.version" => self.scope_version = Some(text.to_owned()),
            _ => return false,
        }
        true
    }
}

fn nanoseconds(time: Option<&Microseconds>) -> Result<i64, SkipReason> {
    time.map_or(Ok(0), |time| time.nanoseconds().ok_or(SkipReason::TimeOutOfRange))
}

fn parent_and_links(references: Vec<Reference>, trace_id: &str) -> (Option<String>, Vec<Value>) {
    let first = |kind: &str| {
        references
            .iter()
            .position(|reference| reference.kind == kind && reference.trace_id.to_lowercase() == trace_id)
    };
    let child_of = first("CHILD_OF");
    let parent = child_of.or_else(|| first("FOLLOWS_FROM"));
    let parent_id = parent.map(|index| references[index].span_id.to_lowercase());
    let links = references
        .into_iter()
        .enumerate()
        .filter(|(index, _)| Some(*index) != child_of)
        .map(|(_, reference)| {
            let kind = (
                "opentracing.ref_type".to_owned(),
                Value::Text(reference.kind.to_lowercase()),
            );
            Value::Object(vec![
                ("trace_id".into(), Value::Text(reference.trace_id.to_lowercase())),
                ("span_id".into(), Value::Text(reference.span_id.to_lowercase())),
                ("attributes".into(), Value::Object(vec![kind])),
            ])
        })
        .collect();
    (parent_id, links)
}

fn event(log: Log) -> Value {
    let mut name = None;
    let mut attributes = Vec::new();
    for (key, value) in log.fields.unwrap_or_default().into_iter().map(pair) {
        match value.as_text() {
            Some(text) if key == "event" && name.is_none() => name = Some(text.to_owned()),
            _ => attributes.push((key, value)),
        }
    }
    let time = log.timestamp.as_ref().and_then(Microseconds::nanoseconds);
    Value::Object(vec![
        ("name".into(), Value::Text(name.unwrap_or_else(|| "log".into()))),
        ("timestamp".into(), time.map_or(Value::Empty, Value::Int)),
        ("attributes".into(), Value::Object(attributes)),
    ])
}

/// A tag's value by its declared type. One that is not of that type is kept as the JSON that it is.
fn pair(tag: Tag) -> (String, Value) {
    let Some(raw) = tag.value else {
        return (tag.key, Value::Empty);
    };
    let text = serde_json::from_str::<String>(raw.get()).ok();
    let spelled = text.as_deref().unwrap_or(raw.get());
    let typed = match tag.kind.as_str() {
        "bool" => spelled.parse().ok().map(Value::Bool),
        "int64" => spelled.parse().ok().map(Value::Int),
        "float64" => spelled.parse().ok().map(Value::Double),
        _ => None,
    };
    let value = typed.or(text.map(Value::Text)).unwrap_or(Value::Json(raw));
    (tag.key, value)
}
