//! The trace store: one DuckDB file with one relation `spans`, and the analyses as table macros over it.
//!
//! Start at [`Store`]. Spans come in by [`Store::ingest`]; answers come out by the methods named after the analyses,
//! and by [`Store::sql`] for SQL that a user wrote.

mod analyses;
mod archive;
mod archive_files;
mod backup;
mod bounded;
mod care;
mod checksum;
mod clear;
mod compaction;
mod connections;
mod database;
mod database_file;
mod error;
mod files;
mod health;
mod ingest;
mod internals;
mod log_file;
mod memory;
mod progress;
mod record_batch;
mod rescue;
mod restore;
mod retention;
mod sandbox;
mod sandboxes;
mod schema;
mod search;
mod source_positions;
mod space;
mod spans;
mod stop;
mod store;
mod truncation;

pub use archive_files::ArchivedDay;
pub use backup::{BackupFile, Manifest};
pub use bounded::{Bounds, FirstRows};
pub use clear::Cleared;
pub use compaction::Compacted;
pub use duckdb::arrow;
pub use error::StoreError;
pub use flockscope_analytics::calls::{self, GroupBy, Level, Window};
pub use health::{Finding, Health, Severity, examine};
pub use ingest::Ingested;
pub use progress::Progress;
pub use record_batch::record_batch;
pub use rescue::{Rescued, rescue};
pub use restore::{Restored, restore};
pub use retention::Expired;
pub use sandbox::{Answer, Ending, Limits, Part};
pub use schema::SPAN_COLUMNS;
pub use search::{After, AttributeFilter, FoundTraces, TraceSearch};
pub use space::{Limited, Size};
pub use spans::SpanSelection;
pub use stop::StopSignal;
pub use store::{Settings, Store};
