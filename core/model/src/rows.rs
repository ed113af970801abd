//! The rows that the analyses answer with. Names and units are those of the table macros in `core/analytics/sql`:
//! times are nanoseconds since the epoch (`_time`), durations are milliseconds (`_ms`), rates and shares are 0 to 1.

use serde::{Deserialize, Serialize};

/// One trace, as `traces()` lists it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TraceRow {
    /// Trace id.
    pub trace_id: String,
    /// Name of the root span: the earliest span without a parent in the trace.
    pub root_name: String,
    /// Earliest start.
    pub start_time: i64,
    /// Latest end of any span: a triggered agent outlives the root.
    pub end_time: i64,
    /// From the earliest start to the latest end.
    pub duration_ms: f64,
    /// Number of spans.
    pub spans: i64,
    /// Number of spans with status ERROR.
    pub errors: i64,
    /// Flock services (classes) that took part, sorted.
    pub services: Vec<String>,
    /// Agents that took part, sorted.
    pub agents: Vec<String>,
}

/// One span of a trace, as `timeline(trace)` answers, in the order of the tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TimelineRow {
    /// Place in the tree read from top to bottom, from 1.
    pub position: i64,
    /// Distance to the root, which has 0.
    pub depth: i64,
    /// Trace id.
    pub trace_id: String,
    /// Span id.
    pub span_id: String,
    /// The parent as recorded, even where it is missing from the trace.
    pub parent_id: Option<String>,
    /// Span name.
    pub name: String,
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Agent that the span worked for, where it says so.
    pub agent: Option<String>,
    /// `OK`, `ERROR` or `UNSET`.
    pub status_code: String,
    /// Text of the status.
    pub status_description: Option<String>,
    /// Start.
    pub start_time: i64,
    /// End.
    pub end_time: i64,
    /// Start, counted from the start of the trace.
    pub offset_ms: f64,
    /// End minus start.
    pub duration_ms: f64,
    /// The part of the duration that no child covers, children clipped to their parent.
    pub self_ms: f64,
    /// Whether the span is on the critical path.
    pub critical: bool,
    /// The part of the duration that the critical path spends in this span itself.
    pub critical_ms: f64,
    /// Number of direct children.
    pub children: i64,
    /// Number of spans below this one, at any depth.
    pub descendants: i64,
    /// Number of events.
    pub event_count: i64,
    /// Type of the recorded exception.
    pub exception_type: Option<String>,
    /// Message of the recorded exception.
    pub exception_message: Option<String>,
    /// What is unsound about the span's place in the tree, in words: `parent missing`, `cycle`, …
    pub repair: Option<String>,
}

/// Rate, errors and durations of one group, as `red()` answers. Columns that were not grouped by are `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RedRow {
    /// Start of the time bucket; `None` without a time series.
    pub bucket_time: Option<i64>,
    /// Service.
    pub service: Option<String>,
    /// Operation.
    pub operation: Option<String>,
    /// Agent.
    pub agent: Option<String>,
    /// Module.
    pub module: Option<String>,
    /// Deployment environment.
    pub environment: Option<String>,
    /// Service version.
    pub version: Option<String>,
    /// Number of spans.
    pub calls: i64,
    /// Number of spans with status ERROR.
    pub errors: i64,
    /// `errors / calls`.
    pub error_rate: f64,
    /// Calls a second over the window (or the bucket).
    pub rate_per_s: f64,
    /// Mean duration.
    pub avg_ms: f64,
    /// Median, by linear interpolation, as the other percentiles.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Longest duration.
    pub max_ms: f64,
    /// Sum of durations.
    pub total_ms: f64,
}

/// An edge of the dependency graph, as `dependencies()` answers: who called whom.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DependencyRow {
    /// The caller: a service, an operation's full name, or an agent.
    pub from: String,
    /// The called.
    pub to: String,
    /// Number of calls along this edge.
    pub calls: i64,
    /// Calls that ended with status ERROR.
    pub errors: i64,
    /// `errors / calls`.
    pub error_rate: f64,
    /// Mean duration of exactly these calls.
    pub avg_ms: f64,
    /// Median of exactly these calls.
    pub p50_ms: f64,
    /// 95th percentile of exactly these calls.
    pub p95_ms: f64,
    /// 99th percentile of exactly these calls.
    pub p99_ms: f64,
    /// Longest of these calls.
    pub max_ms: f64,
}

/// One step of the critical path, summed over traces, as `critical_path()` answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CriticalPathRow {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Traces in which it was on the critical path.
    pub traces: i64,
    /// Spans on the critical path.
    pub spans: i64,
    /// Time that the critical paths spent in it.
    pub critical_ms: f64,
    /// `critical_ms` over the duration of all traces together.
    pub share: f64,
}

/// One kind of exception at one operation, as `exceptions()` answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExceptionRow {
    /// Type of the exception; for an error without an exception event, the status text up to its colon.
    pub exception_type: String,
    /// Message of its latest occurrence.
    pub message: Option<String>,
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Spans that recorded it.
    pub occurrences: i64,
    /// Traces in which it occurred.
    pub traces: i64,
    /// Start of the first span that recorded it.
    pub first_time: i64,
    /// Start of the last span that recorded it.
    pub last_time: i64,
    /// Trace of its latest occurrence.
    pub last_trace_id: String,
    /// Span of its latest occurrence.
    pub last_span_id: String,
    /// Stack trace of its latest occurrence.
    pub stacktrace: Option<String>,
}

/// One traced function, as `operations()` lists it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperationRow {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Span name.
    pub name: String,
    /// Module of the function, where the spans say so.
    pub module: Option<String>,
    /// Class.
    pub class: Option<String>,
    /// Function.
    pub function: Option<String>,
    /// Number of spans.
    pub calls: i64,
    /// Spans with status ERROR.
    pub errors: i64,
    /// Sum of durations.
    pub total_ms: f64,
    /// Start of the first span.
    pub first_time: i64,
    /// Start of the latest span.
    pub last_time: i64,
    /// Duration of the latest span.
    pub last_ms: f64,
}

/// A traced function, as `functions()` lists it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FunctionRow {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Span name.
    pub name: String,
    /// Module in which the function is defined, where spans say so.
    pub module: Option<String>,
    /// Runtime class.
    pub class: Option<String>,
    /// Function.
    pub function: Option<String>,
    /// File of the function.
    pub code_file_path: Option<String>,
    /// Qualified name of the function.
    pub code_function_name: Option<String>,
    /// Line of the function, from 1.
    pub code_line_number: Option<i32>,
    /// Number of spans.
    pub calls: i64,
    /// Spans with status ERROR.
    pub errors: i64,
    /// Median duration.
    pub p50_ms: f64,
    /// 95th percentile of the durations.
    pub p95_ms: f64,
    /// 99th percentile of the durations.
    pub p99_ms: f64,
    /// Sum of durations.
    pub total_ms: f64,
    /// Start of the latest span.
    pub last_time: i64,
    /// Duration of the latest span.
    pub last_ms: f64,
    /// Trace of the latest span.
    pub last_trace_id: String,
    /// The latest span.
    pub last_span_id: String,
    /// Longest duration.
    pub slowest_ms: f64,
    /// Trace of the span that took longest.
    pub slowest_trace_id: String,
    /// Start of the latest span with status ERROR.
    pub last_error_time: Option<i64>,
    /// Its trace.
    pub last_error_trace_id: Option<String>,
    /// Type of the exception that it recorded.
    pub last_error_type: Option<String>,
    /// Message of that exception, else the text of its status.
    pub last_error_message: Option<String>,
    /// Sum of the tokens that went into models.
    pub input_tokens: i64,
    /// Sum of the tokens that came out.
    pub output_tokens: i64,
    /// Sum of what spans say that they cost.
    pub cost: f64,
}

/// One attribute key, as `attribute_keys()` lists it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeKeyRow {
    /// The key, with its dots.
    pub key: String,
    /// Spans that carry it.
    pub spans: i64,
    /// JSON types of its values, sorted: `VARCHAR`, `BIGINT`, …
    pub types: Vec<String>,
    /// Length of its longest value as text.
    pub longest: i64,
    /// One of its values, cut at 200 characters.
    pub example: Option<String>,
}

/// One value of an attribute, as `attribute_values(key)` lists it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttributeValueRow {
    /// The value as text.
    pub value: String,
    /// Spans that carry it.
    pub spans: i64,
}

/// What a store holds, as `statistics()` answers in one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StatisticsRow {
    /// Number of spans.
    pub spans: i64,
    /// Number of traces.
    pub traces: i64,
    /// Distinct services.
    pub services: i64,
    /// Distinct operations (service and operation together).
    pub operations: i64,
    /// Distinct agents.
    pub agents: i64,
    /// Spans with status ERROR.
    pub errors: i64,
    /// Spans with a repair.
    pub repaired: i64,
    /// Earliest start; `None` for an empty store.
    pub oldest_time: Option<i64>,
    /// Latest start.
    pub newest_time: Option<i64>,
}
