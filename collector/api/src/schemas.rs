//! Schemas for the OpenAPI document of bodies whose types live where nothing is known of OpenAPI. The tests hold real
//! answers against them.

#![allow(dead_code, reason = "they are only described, never made")]

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /api/v1/sql`.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlRequest {
    /// One read-only statement.
    #[schema(example = "SELECT service, count(*) AS spans FROM spans GROUP BY service")]
    query: String,
    /// Most rows; more are cut off.
    #[schema(minimum = 1)]
    rows: Option<u64>,
    /// Milliseconds after which the query is stopped.
    #[schema(minimum = 1)]
    time_ms: Option<u64>,
    /// A name by which `DELETE /api/v1/queries/{id}` stops the query: 1 to 128 letters, digits and any of `- _ . :`.
    #[schema(max_length = 128)]
    id: Option<String>,
}

/// Answer of `POST /api/v1/sql` as JSON.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlAnswer {
    /// The columns in order.
    columns: Vec<SqlColumn>,
    /// The rows, each an array of values in the order of the columns.
    rows: Vec<Vec<serde_json::Value>>,
    /// Number of rows.
    row_count: u64,
    /// Whether there were more rows than the limits allow.
    cut: bool,
}

/// A column of an answer.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlColumn {
    /// Its name.
    name: String,
    /// Its type, in DuckDB's words.
    #[schema(example = "BIGINT")]
    r#type: String,
}

/// Body of `POST /api/v1/backup`.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupRequest {
    /// Full path of the folder to make; only clients of this machine may name one.
    #[schema(example = "/home/me/backups/2026-11-23")]
    folder: Option<String>,
}

/// Answer of `POST /api/v1/spans`.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpansTaken {
    /// Spans that are in the store now.
    stored: u64,
    /// Spans that gave way to one of these with the same trace and span id.
    replaced: u64,
    /// Spans without ids or times, which can't be placed.
    left_out: u64,
}

/// An error, as RFC 9457 defines it.
#[derive(ToSchema, Serialize, Deserialize)]
pub(crate) struct Problem {
    /// The kind of problem.
    #[schema(example = "/problems/query-timed-out")]
    r#type: String,
    /// The kind in words.
    #[schema(example = "The query ran too long")]
    title: String,
    /// The HTTP status.
    #[schema(example = 504)]
    status: u16,
    /// What happened here, and what to do.
    detail: Option<String>,
    /// Under this id the log of the process has the cause.
    id: Option<String>,
    /// Of a parameter that can't be used: its name.
    parameter: Option<String>,
    /// Of a parameter that can't be used: what it was.
    value: Option<String>,
    /// Of a parameter with an unknown name: the nearest known one.
    nearest: Option<String>,
}

/// A live event; `kind` says which.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Spans were stored and can be queried.
    SpansStored {
        /// Number of spans.
        spans: u64,
        /// Trace ids they belong to, the first 200.
        traces: Vec<String>,
        /// Operations they are calls of, the first 200.
        operations: Vec<ChangedOperation>,
        /// Whether there were more traces or operations than are named.
        more: bool,
        /// Latest end of a span, in nanoseconds since the epoch.
        earliest_end: i64,
        /// Latest end of a span, in nanoseconds since the epoch.
        latest_end: i64,
    },
    /// Spans were removed.
    SpansRemoved {
        /// Number of spans.
        spans: u64,
    },
    /// Events are lost to this listener; 0: nobody knows how many.
    Missed {
        /// Number of events.
        events: u64,
    },
    /// The process ends.
    Stopping,
}

/// An operation that was called.
#[derive(ToSchema, Serialize, Deserialize)]
pub(crate) struct ChangedOperation {
    /// Service.
    service: String,
    /// Operation.
    operation: String,
    /// Calls in this event.
    calls: u64,
    /// Those with status ERROR.
    errors: u64,
}

/// How the process does.
#[derive(ToSchema, Serialize, Deserialize)]
pub(crate) struct ProcessStatus {
    /// Process id.
    pid: u32,
    /// The word of this run of the process.
    instance: String,
    /// Version of the program.
    version: String,
    /// Start of the process, in nanoseconds since the epoch.
    started_at: i64,
    /// File of the store; `null` for viewers.
    store: Option<String>,
    /// The Flock file that is followed; `null` for viewers.
    following: Option<String>,
    /// Where OTLP over gRPC is taken in.
    otlp_grpc: OtlpStatus,
    /// Where OTLP over HTTP is taken in.
    otlp_http: OtlpStatus,
    /// Seconds without a client after which the process ends; `null`: it stays.
    ends_when_idle_for_s: Option<u64>,
    /// Spans in the store.
    spans: u64,
    /// Traces in the store.
    traces: u64,
    /// What a person should know.
    notes: Vec<String>,
}

/// State of one receiver.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum OtlpStatus {
    /// It takes spans.
    Listening {
        /// Where.
        #[schema(example = "127.0.0.1:4317")]
        address: String,
    },
    /// Configuration says no.
    Off,
    /// It could not listen.
    Unavailable {
        /// Why.
        reason: String,
    },
}

/// What a clearing removed.
#[derive(ToSchema, Serialize, Deserialize)]
pub(crate) struct Cleared {
    /// Spans that are gone.
    spans: u64,
    /// Their traces.
    traces: u64,
}

/// A span in Flock's form. Times are nanoseconds since the epoch.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlockSpan {
    /// Span name.
    name: String,
    /// Ids.
    context: FlockContext,
    /// `INTERNAL`, …
    kind: String,
    /// Start.
    start_time: i64,
    /// End.
    end_time: i64,
    /// Status.
    status: FlockStatus,
    /// Attributes.
    #[schema(value_type = Object)]
    attributes: serde_json::Value,
    /// Events.
    events: Vec<serde_json::Value>,
    /// Links.
    links: Vec<serde_json::Value>,
    /// Attributes of the resource.
    #[schema(value_type = Object)]
    resource: serde_json::Value,
    /// Span id of the parent; absent on a root.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
}

/// Ids of a span in Flock's form.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlockContext {
    /// Trace id.
    trace_id: String,
    /// Span id.
    span_id: String,
    /// 0.
    trace_flags: u8,
    /// Empty.
    trace_state: String,
}

/// Status of a span in Flock's form.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlockStatus {
    /// `OK`, `ERROR` or `UNSET`.
    status_code: String,
    /// `Type: message`, on an error.
    description: Option<String>,
}

/// Body of `POST /api/traces/query`.
#[derive(ToSchema, Serialize, Deserialize)]
pub(crate) struct FlockQuery {
    /// One read-only statement.
    query: String,
}

/// Answer of `POST /api/traces/query`.
#[derive(ToSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlockAnswer {
    /// The rows, each an object by column name.
    #[schema(value_type = Vec<Object>)]
    results: Vec<serde_json::Value>,
    /// Names of the columns in order.
    columns: Vec<String>,
    /// Number of rows.
    row_count: u64,
}
