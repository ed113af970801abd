//! The trace store: one DuckDB file with one relation `spans`, and the analyses as table macros over it.
//!
//! Start at [`Store`]. Spans come in by [`Store::ingest`]; answers come out by the methods named after the analyses,
//! and by [`Store::sql`] for SQL that a user wrote.

mod analyses;
mod archive;
mod archive_files;
mod backup;
mod care;
mod checksum;
mod compaction;
mod connections;
mod database;
mod database_file;
mod error;
mod files;
mod health;
mod ingest;
mod log_file;
mod progress;
mod record_batch;
mod rescue;
mod restore;
mod retention;
mod sandbox;
mod schema;
mod source_positions;
mod space;
mod store;

pub use analyses::{GroupBy, Level, Window};
pub use archive_files::ArchivedDay;
pub use backup::{BackupFile, Manifest};
pub use compaction::Compacted;
pub use duckdb::arrow;
pub use error::StoreError;
pub use health::{Finding, Health, Severity, examine};
pub use ingest::Ingested;
pub use progress::Progress;
pub use record_batch::record_batch;
pub use rescue::{Rescued, rescue};
pub use restore::{Restored, restore};
pub use retention::{Expired, SettingError, TTL_VARIABLE, ttl_days};
pub use sandbox::{Answer, Limits};
pub use schema::SPAN_COLUMNS;
pub use space::{Limited, SIZE_VARIABLE, Size, size_limit};
pub use store::{Settings, Store};
