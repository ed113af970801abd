//! The bodies of answers and requests that are no rows of an analysis.

use flockscope_model::rows::TraceRow;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// Rows of an analysis.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Rows<T> {
    /// The rows, in the order of the analysis.
    pub rows: Vec<T>,
    /// Whether there were more rows than the server gives.
    pub cut: bool,
}

/// A page of traces.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page {
    /// Traces, newest first.
    pub rows: Vec<TraceRow>,
    /// Give this as `cursor` for the next page; `null` on the last one.
    pub next: Option<String>,
}

/// The spans of one trace.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TraceSpans {
    /// Trace id.
    pub trace_id: String,
    /// Its spans, by start.
    pub spans: Vec<Span>,
    /// Whether there were more spans, or bytes, than the server gives.
    pub cut: bool,
}

/// One span, whole. Times are nanoseconds since the epoch.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Span {
    /// Trace id.
    pub trace_id: String,
    /// Span id.
    pub span_id: String,
    /// Span id of the parent; `null` on a root.
    pub parent_id: Option<String>,
    /// Span name.
    #[schema(example = "Agent.execute")]
    pub name: String,
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// `INTERNAL`, `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `UNSPECIFIED`.
    pub kind: String,
    /// Start.
    pub start_time: i64,
    /// End.
    pub end_time: i64,
    /// End minus start, in milliseconds.
    pub duration_ms: f64,
    /// `OK`, `ERROR` or `UNSET`.
    pub status_code: String,
    /// Text of the status.
    pub status_description: Option<String>,
    /// Attributes.
    #[schema(value_type = Object)]
    pub attributes: Box<RawValue>,
    /// Events: `{name, timestamp, attributes}`.
    #[schema(value_type = Vec<Object>)]
    pub events: Box<RawValue>,
    /// Links.
    #[schema(value_type = Vec<Object>)]
    pub links: Box<RawValue>,
    /// Attributes of the resource.
    #[schema(value_type = Object)]
    pub resource: Box<RawValue>,
    /// Name of the instrumentation scope.
    pub scope_name: Option<String>,
    /// Version of the instrumentation scope.
    pub scope_version: Option<String>,
    /// Agent that the span worked for.
    pub agent: Option<String>,
    /// Type of the first recorded exception.
    pub exception_type: Option<String>,
    /// Its message.
    pub exception_message: Option<String>,
    /// What was mended when the span was read.
    pub repair: Option<String>,
}

/// Body of `POST /api/v1/clear`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearRequest {
    /// The words `all traces`: so that nobody clears by a slip.
    #[schema(example = "all traces")]
    pub confirm: String,
}
