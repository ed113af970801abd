//! Whole spans out of the store's columns as JSON: as Flock's API writes them, and as ours does.

use flockscope_store::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use flockscope_store::arrow::datatypes::{Float64Type, Int64Type};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::problem::ApiProblem;

/// The columns of a batch of spans.
pub(crate) struct SpanColumns<'a> {
    batch: &'a RecordBatch,
}

/// A text of the store that is JSON. One that is none, which no way into the store lets happen, is written as a text.
struct Json<'a>(&'a str);

impl Serialize for Json<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(raw) => raw.serialize(serializer),
            Err(_) => serializer.serialize_str(self.0),
        }
    }
}

/// A span as `/api/v1/traces/{id}` writes it; see [`crate::Span`].
#[derive(Serialize)]
pub(crate) struct SpanJson<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    parent_id: Option<&'a str>,
    name: &'a str,
    service: &'a str,
    operation: &'a str,
    kind: &'a str,
    start_time: i64,
    end_time: i64,
    duration_ms: f64,
    status_code: &'a str,
    status_description: Option<&'a str>,
    attributes: Json<'a>,
    events: Json<'a>,
    links: Json<'a>,
    resource: Json<'a>,
    scope_name: Option<&'a str>,
    scope_version: Option<&'a str>,
    agent: Option<&'a str>,
    exception_type: Option<&'a str>,
    exception_message: Option<&'a str>,
    repair: Option<&'a str>,
}

/// A span as Flock's `/api/traces` writes it.
#[derive(Serialize)]
pub(crate) struct FlockSpan<'a> {
    name: &'a str,
    context: FlockContext<'a>,
    kind: &'a str,
    start_time: i64,
    end_time: i64,
    status: FlockStatus<'a>,
    attributes: Json<'a>,
    events: Json<'a>,
    links: Json<'a>,
    resource: Json<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<&'a str>,
}

#[derive(Serialize)]
struct FlockContext<'a> {
    trace_id: &'a str,
    span_id: &'a str,
    trace_flags: u8,
    trace_state: &'static str,
}

#[derive(Serialize)]
struct FlockStatus<'a> {
    status_code: &'a str,
    description: Option<&'a str>,
}

impl<'a> SpanColumns<'a> {
    /// Checks that the columns are there, in their types.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, ApiProblem> {
        for (name, data_type) in flockscope_store::SPAN_COLUMNS {
            let is_sound = batch.column_by_name(name).is_some_and(|column| match *data_type {
                "VARCHAR" | "JSON" => column.as_string_opt::<i32>().is_some(),
                "BIGINT" => column.as_primitive_opt::<Int64Type>().is_some(),
                "DOUBLE" => column.as_primitive_opt::<Float64Type>().is_some(),
                _ => true,
            });
            if !is_sound {
                return Err(ApiProblem::internal(format!(
                    "the spans' column {name} is not of type {data_type}"
                )));
            }
        }
        Ok(Self { batch })
    }

    /// The span of a row, as our API writes it.
    pub(crate) fn span(&self, row: usize) -> SpanJson<'a> {
        SpanJson {
            trace_id: self.text("trace_id", row),
            span_id: self.text("span_id", row),
            parent_id: self.optional("parent_id", row),
            name: self.text("name", row),
            service: self.text("service", row),
            operation: self.text("operation", row),
            kind: self.text("kind", row),
            start_time: self.integer("start_time", row),
            end_time: self.integer("end_time", row),
            duration_ms: self.double("duration_ms", row),
            status_code: self.text("status_code", row),
            status_description: self.optional("status_description", row),
            attributes: self.json("attributes", row, "{}"),
            events: self.json("events", row, "[]"),
            links: self.json("links", row, "[]"),
            resource: self.json("resource", row, "{}"),
            scope_name: self.optional("scope_name", row),
            scope_version: self.optional("scope_version", row),
            agent: self.optional("agent", row),
            exception_type: self.optional("exception_type", row),
            exception_message: self.optional("exception_message", row),
            repair: self.optional("repair", row),
        }
    }

    /// The span of a row, as Flock writes it.
    pub(crate) fn flock_span(&self, row: usize) -> FlockSpan<'a> {
        FlockSpan {
            name: self.text("name", row),
            context: FlockContext {
                trace_id: self.text("trace_id", row),
                span_id: self.text("span_id", row),
                trace_flags: 0,
                trace_state: "",
            },
            kind: self.text("kind", row),
            start_time: self.integer("start_time", row),
            end_time: self.integer("end_time", row),
            status: FlockStatus {
                status_code: self.text("status_code", row),
                description: self.optional("status_description", row),
            },
            attributes: self.json("attributes", row, "{}"),
            events: self.json("events", row, "[]"),
            links: self.json("links", row, "[]"),
            resource: self.json("resource", row, "{}"),
            parent_id: self.optional("parent_id", row).filter(|id| !id.is_empty()),
        }
    }

    fn optional(&self, name: &str, row: usize) -> Option<&'a str> {
        let column: &'a StringArray = self.batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn text(&self, name: &str, row: usize) -> &'a str {
        self.optional(name, row).unwrap_or_default()
    }

    fn json(&self, name: &str, row: usize, empty: &'static str) -> Json<'a> {
        Json(self.optional(name, row).unwrap_or(empty))
    }

    fn integer(&self, name: &str, row: usize) -> i64 {
        let column = self.batch.column_by_name(name);
        column
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .map_or(0, |column| column.value(row))
    }

    fn double(&self, name: &str, row: usize) -> f64 {
        let column = self.batch.column_by_name(name);
        column
            .and_then(|column| column.as_primitive_opt::<Float64Type>())
            .map_or(0.0, |column| column.value(row))
    }
}
