//! One finished span, in the shape of Flock's `spans` table.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::report::{Repair, SkipReason};

/// The status of a span, as OpenTelemetry defines it.
/// <https://opentelemetry.io/docs/specs/otel/trace/api/#set-status>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StatusCode {
    /// Nobody set a status. A cancelled Flock span ends this way.
    #[default]
    Unset,
    /// The operation was declared a success.
    Ok,
    /// The operation failed.
    Error,
}

impl StatusCode {
    /// The word that the `status_code` column holds: `UNSET`, `OK` or `ERROR`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "UNSET",
            Self::Ok => "OK",
            Self::Error => "ERROR",
        }
    }

    /// Reads the column's word in any case, with or without the prefix `STATUS_CODE_`. Other words are [`Self::Unset`].
    pub fn from_word(word: &str) -> Self {
        let word = word.strip_prefix("STATUS_CODE_").unwrap_or(word);
        if word.eq_ignore_ascii_case("error") {
            Self::Error
        } else if word.eq_ignore_ascii_case("ok") {
            Self::Ok
        } else {
            Self::Unset
        }
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A span that passed [`Span::new`]: every field is in its stored form.
///
/// Times are nanoseconds since the Unix epoch. The JSON fields hold valid JSON text: `attributes` and `resource` an
/// object, `events` and `links` an array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Lower-case hexadecimal as a rule (32 digits), but any text that a source used is kept.
    pub trace_id: String,
    /// Lower-case hexadecimal as a rule (16 digits). Unique within its trace.
    pub span_id: String,
    /// `None` on a root.
    pub parent_id: Option<String>,
    /// `Class.method` for Flock.
    pub name: String,
    /// Flock's `service`: the part of the name before its first dot.
    pub service: String,
    /// Flock's `operation`: the part of the name after its first dot.
    pub operation: String,
    /// `INTERNAL`, `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `UNSPECIFIED`.
    pub kind: String,
    /// Nanoseconds since the epoch.
    pub start_time: i64,
    /// Nanoseconds since the epoch, never before `start_time`.
    pub end_time: i64,
    /// The status word.
    pub status_code: StatusCode,
    /// For a Flock error `Type: message`.
    pub status_description: Option<String>,
    /// JSON object.
    pub attributes: String,
    /// JSON array of `{name, timestamp, attributes}`, timestamps in nanoseconds.
    pub events: String,
    /// JSON array, as the source wrote it: `{trace_id, span_id, attributes}`, or with the ids under `context` (Flock).
    pub links: String,
    /// JSON object.
    pub resource: String,
    /// Name of the instrumentation scope.
    pub scope_name: Option<String>,
    /// Version of the instrumentation scope.
    pub scope_version: Option<String>,
    /// Microseconds since the epoch, without a time zone: Flock writes its local time here. `None`: the store sets it.
    pub created_at: Option<i64>,
    /// What was mended when the span was read, in words; `None` for a sound span.
    pub repair: Option<String>,
}

/// A span as a source found it, before its checks. Text fields that are JSON may be invalid here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NewSpan {
    /// See [`Span::trace_id`].
    pub trace_id: String,
    /// See [`Span::span_id`].
    pub span_id: String,
    /// See [`Span::parent_id`]; empty and all-zero ids count as none.
    pub parent_id: Option<String>,
    /// See [`Span::name`].
    pub name: String,
    /// `None`: taken from the name.
    pub service: Option<String>,
    /// `None`: taken from the name.
    pub operation: Option<String>,
    /// Empty: `INTERNAL`.
    pub kind: String,
    /// Nanoseconds since the epoch.
    pub start_time: i64,
    /// Nanoseconds since the epoch.
    pub end_time: i64,
    /// See [`Span::status_code`].
    pub status_code: StatusCode,
    /// See [`Span::status_description`].
    pub status_description: Option<String>,
    /// Empty: `{}`.
    pub attributes: String,
    /// Empty: `[]`.
    pub events: String,
    /// Empty: `[]`.
    pub links: String,
    /// Empty: `{}`.
    pub resource: String,
    /// See [`Span::scope_name`].
    pub scope_name: Option<String>,
    /// See [`Span::scope_version`].
    pub scope_version: Option<String>,
    /// See [`Span::created_at`].
    pub created_at: Option<i64>,
}

/// Splits a span's name as Flock does: `Agent.execute` is service `Agent`, operation `execute`; a name without a dot
/// is both.
pub fn service_and_operation(name: &str) -> (&str, &str) {
    name.split_once('.').unwrap_or((name, name))
}

impl Span {
    /// Checks a span and brings it into its stored form.
    ///
    /// A span that can't be placed (no ids, no time) is refused with a [`SkipReason`]. Lesser faults are mended, and
    /// said in [`Span::repair`]; `on_repair` is called once for each.
    pub fn new(found: NewSpan, mut on_repair: impl FnMut(Repair)) -> Result<Self, SkipReason> {
        if is_no_id(&found.trace_id) {
            return Err(SkipReason::NoTraceId);
        }
        if is_no_id(&found.span_id) {
            return Err(SkipReason::NoSpanId);
        }
        if found.start_time <= 0 {
            return Err(SkipReason::NoStartTime);
        }
        let mut repairs: Vec<String> = Vec::new();
        let mut mend = |repair: Repair, words: String| {
            on_repair(repair);
            repairs.push(words);
        };

        let mut end_time = found.end_time;
        if end_time < found.start_time {
            mend(
                Repair::NegativeDuration,
                format!("negative duration: end_time was {end_time}"),
            );
            end_time = found.start_time;
        }
        let mut parent_id = found.parent_id.filter(|id| !is_no_id(id));
        if parent_id.as_deref() == Some(found.span_id.as_str()) {
            mend(Repair::OwnParent, "the span was its own parent".into());
            parent_id = None;
        }
        let mut name = found.name;
        if name.is_empty() {
            mend(Repair::NoName, "no name".into());
            name = "(no name)".into();
        }
        let attributes = sound_json(found.attributes, Shape::Object).unwrap_or_else(|text| {
            mend(Repair::InvalidJson, "attributes were not a JSON object".into());
            wrapped(Shape::Object, &text)
        });
        let events = sound_json(found.events, Shape::Array).unwrap_or_else(|text| {
            mend(Repair::InvalidJson, "events were not a JSON array".into());
            wrapped(Shape::Array, &text)
        });
        let links = sound_json(found.links, Shape::Array).unwrap_or_else(|text| {
            mend(Repair::InvalidJson, "links were not a JSON array".into());
            wrapped(Shape::Array, &text)
        });
        let resource = sound_json(found.resource, Shape::Object).unwrap_or_else(|text| {
            mend(Repair::InvalidJson, "resource was not a JSON object".into());
            wrapped(Shape::Object, &text)
        });
        let (service, operation) = service_and_operation(&name);
        Ok(Self {
            service: found.service.unwrap_or_else(|| service.to_owned()),
            operation: found.operation.unwrap_or_else(|| operation.to_owned()),
            trace_id: found.trace_id,
            span_id: found.span_id,
            parent_id,
            name,
            kind: if found.kind.is_empty() {
                "INTERNAL".into()
            } else {
                found.kind
            },
            start_time: found.start_time,
            end_time,
            status_code: found.status_code,
            status_description: found.status_description.filter(|text| !text.is_empty()),
            attributes,
            events,
            links,
            resource,
            scope_name: found.scope_name.filter(|text| !text.is_empty()),
            scope_version: found.scope_version.filter(|text| !text.is_empty()),
            created_at: found.created_at,
            repair: (!repairs.is_empty()).then(|| repairs.join("; ")),
        })
    }

    /// Milliseconds between start and end.
    pub fn duration_ms(&self) -> f64 {
        self.end_time.saturating_sub(self.start_time) as f64 / 1e6
    }

    /// Bytes of text in this span: what it costs to hold it.
    pub fn size(&self) -> usize {
        self.name.len() + self.attributes.len() + self.events.len() + self.links.len() + self.resource.len() + 200
    }
}

/// OpenTelemetry: an id of zeros is no id.
fn is_no_id(id: &str) -> bool {
    id.bytes().all(|digit| digit == b'0')
}

#[derive(Clone, Copy)]
enum Shape {
    Object,
    Array,
}

/// The text itself where it is JSON of the wanted shape, the shape's empty value for no text, else the text back.
fn sound_json(text: String, shape: Shape) -> Result<String, String> {
    let (open, empty) = match shape {
        Shape::Object => (b'{', "{}"),
        Shape::Array => (b'[', "[]"),
    };
    let start = text.trim_start();
    if start.is_empty() || start == "null" {
        return Ok(empty.to_owned());
    }
    if start.as_bytes()[0] == open && serde_json::from_str::<&RawValue>(&text).is_ok() {
        Ok(text)
    } else {
        Err(text)
    }
}

/// Text that is not the JSON that it should be is kept whole, under one key.
fn wrapped(shape: Shape, text: &str) -> String {
    let object = serde_json::json!({ "flockscope.invalid_json": text });
    match shape {
        Shape::Object => object.to_string(),
        Shape::Array => serde_json::Value::Array(vec![object]).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sound() -> NewSpan {
        NewSpan {
            trace_id: "5b8efff798038103d269b633813fc60c".into(),
            span_id: "eee19b7ec3c1b174".into(),
            name: "Agent.execute".into(),
            start_time: 10,
            end_time: 2_000_010,
            ..NewSpan::default()
        }
    }

    fn read(found: NewSpan) -> (Span, Vec<Repair>) {
        let mut repairs = Vec::new();
        let span = Span::new(found, |repair| repairs.push(repair)).expect("a span that can be placed");
        (span, repairs)
    }

    #[test]
    fn a_sound_span_is_left_alone() {
        let (span, repairs) = read(sound());
        assert_eq!((span.service.as_str(), span.operation.as_str()), ("Agent", "execute"));
        assert_eq!((span.attributes.as_str(), span.events.as_str()), ("{}", "[]"));
        assert_eq!(span.duration_ms(), 2.0);
        assert!(repairs.is_empty() && span.repair.is_none());
    }

    #[test]
    fn a_name_without_a_dot_is_service_and_operation() {
        assert_eq!(
            service_and_operation("ticket_workflow_1"),
            ("ticket_workflow_1", "ticket_workflow_1")
        );
        assert_eq!(service_and_operation("a.b.c"), ("a", "b.c"));
    }

    #[test]
    fn a_span_that_cannot_be_placed_is_refused() {
        let refuse = |change: fn(&mut NewSpan)| {
            let mut found = sound();
            change(&mut found);
            Span::new(found, |_| {}).expect_err("refused")
        };
        assert_eq!(refuse(|s| s.trace_id.clear()), SkipReason::NoTraceId);
        assert_eq!(refuse(|s| s.span_id = "0000000000000000".into()), SkipReason::NoSpanId);
        assert_eq!(refuse(|s| s.start_time = 0), SkipReason::NoStartTime);
    }

    #[test]
    fn faults_are_mended_and_said() {
        let (span, repairs) = read(NewSpan {
            end_time: 3,
            parent_id: Some("eee19b7ec3c1b174".into()),
            attributes: "{broken".into(),
            ..sound()
        });
        assert_eq!(span.end_time, span.start_time);
        assert_eq!(span.parent_id, None);
        assert_eq!(span.attributes, r#"{"flockscope.invalid_json":"{broken"}"#);
        assert_eq!(
            repairs,
            [Repair::NegativeDuration, Repair::OwnParent, Repair::InvalidJson]
        );
        assert_eq!(
            span.repair.as_deref(),
            Some("negative duration: end_time was 3; the span was its own parent; attributes were not a JSON object")
        );
    }
}
