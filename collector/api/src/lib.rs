//! The REST API of the core process: Flock's own five routes, the modern ones under `/api/v1/`, live events, health,
//! metrics, the OpenAPI document with Swagger UI, and a folder with a viewer.
//!
//! Start at [`Api`]. It knows nothing of who may call: the process wraps the router in the layers of
//! `flockscope-security`, which put a [`Caller`](flockscope_security::Caller) into every request.

mod accept;
mod analyses;
mod answer_stream;
mod answers;
mod api;
mod ask;
mod columns;
mod cursor;
mod document;
mod entity_tag;
mod events;
mod flock;
mod gate;
mod health;
mod latencies;
mod metrics;
mod moments;
mod operate;
mod parameters;
mod problem;
mod process;
mod running;
mod schemas;
mod settings;
mod span_json;
mod spans;
mod sql;
mod traces;
mod viewer;
mod words_without_paths;

pub use answers::{ClearRequest, Page, Rows, Span, TraceSpans};
pub use api::Api;
pub use flock::{MOST_FLOCK_BYTES, MOST_FLOCK_SPANS};
pub use problem::ApiProblem;
pub use process::{BackupMade, Check, Measurement, MeasurementKind, Process, ProcessError, Setting};
pub use settings::{Settings, SqlBudgets, SqlLimits};
pub use sql::CUT;
