//! What the core process and its clients say to each other.
//!
//! - [`DiscoveryRecord`]: the file by which a client finds the process that owns a store.
//! - [`Event`]: what the process says by itself, as server-sent events.
//! - [`SqlRequest`], [`SpansTaken`], [`BackupRequest`], [`ProcessStatus`], [`Problem`]: the bodies of requests and answers that are no rows of an analysis.
//!   Those are in `flockscope_model::rows`.

mod backup;
mod discovery;
mod event;
mod problem;
mod spans;
mod sql;
mod status;

pub use backup::BackupRequest;
pub use discovery::{DiscoveryFile, DiscoveryRecord, process_folder};
pub use event::{ChangedOperation, Event};
pub use problem::Problem;
pub use spans::SpansTaken;
pub use sql::SqlRequest;
pub use status::{OtlpStatus, ProcessStatus};
