//! The trace store: one DuckDB file with one relation `spans`, and the analyses as table macros over it.
//!
//! Start at [`Store`]. Spans come in by [`Store::ingest`]; answers come out by the methods named after the analyses,
//! and by [`Store::sql`] for SQL that a user wrote.

mod analyses;
mod database;
mod error;
mod ingest;
mod record_batch;
mod sandbox;
mod schema;
mod store;

pub use analyses::{GroupBy, Level, Window};
pub use duckdb::arrow;
pub use error::StoreError;
pub use ingest::Ingested;
pub use sandbox::{Answer, Limits};
pub use schema::SPAN_COLUMNS;
pub use store::{Settings, Store};
