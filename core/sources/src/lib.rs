//! Where spans come from: Flock files, OTLP and Jaeger files, Parquet, other stores. Every source becomes
//! [`flockscope_model::Span`]s, and what was left out or mended is counted in a [`ReadReport`].
//!
//! Start with [`open`] for a file that is read once, and with [`FlockFollower`] for a Flock file that is written now.

mod batch;
mod compressed;
mod database;
mod database_file;
mod detect;
mod error;
mod follow;
mod jaeger;
mod mirror_folder;
mod otlp;
pub mod snapshot;
mod span_columns;
mod table;

use std::path::Path;

use flockscope_model::{ReadReport, Span};

pub use detect::{SourceKind, detect};
pub use error::SourceError;
pub use follow::{FlockFollower, Position};

/// Spans that are read in batches.
pub trait SpanSource: Send {
    /// The next batch (about 10,000 spans or 32 MiB of text at most), `None` at the
    /// end. Adds what was read, skipped and repaired to `report`. After an error there is nothing more to read.
    fn next_batch(&mut self, report: &mut ReadReport) -> Result<Option<Vec<Span>>, SourceError>;

    /// How far the reading is, where that is known.
    fn progress(&self) -> Option<Progress>;
}

/// How far a reading is: bytes of a file or rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done so far.
    pub done: u64,
    /// In all.
    pub total: u64,
}

/// Finds out what a file or folder is, and opens it.
///
/// A DuckDB file is copied to a temporary folder and the copy is read, so a program that writes to it loses nothing.
/// It is opened and closed once as a plain file; never call this on a file that the same process holds with DuckDB,
/// as closing any handle drops the process's lock on it.
pub fn open(path: &Path) -> Result<Box<dyn SpanSource>, SourceError> {
    Ok(match detect(path)? {
        SourceKind::Flock | SourceKind::Store => Box::new(table::of_database(path)?),
        SourceKind::Parquet => Box::new(table::of_parquet(path)?),
        SourceKind::OtlpJson => Box::new(otlp::open_json(path)?),
        SourceKind::OtlpProtobuf => Box::new(otlp::open_protobuf(path)?),
        SourceKind::Jaeger => Box::new(jaeger::open(path)?),
    })
}
