//! What can be wrong with a source, said so that a person can act on it.

use std::io;
use std::path::{Path, PathBuf};

use crate::database_file::{NEWEST_STORAGE, OLDEST_STORAGE};

/// The kinds of input that are read, for messages.
const EXPECTED: &str = "a Flock file or a Flockscope store (DuckDB), OTLP JSON or protobuf as the OpenTelemetry Collector's \
                        file exporter writes it, a Jaeger JSON export, or Parquet (a file or a folder)";

/// Why a source could not be read. Every message begins with the path.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The content is none of the known kinds.
    #[error("{}: found {found}; expected {EXPECTED}", path.display())]
    Unrecognised {
        /// The file.
        path: PathBuf,
        /// What the content looks like.
        found: String,
    },
    /// A folder without a Parquet file.
    #[error("{}: found a folder without any *.parquet file; expected {EXPECTED}", path.display())]
    NoParquet {
        /// The folder.
        path: PathBuf,
    },
    /// A DuckDB file of a storage version that this program can't read.
    #[error(
        "{}: found a DuckDB file of storage version {found}; versions {OLDEST_STORAGE} to {NEWEST_STORAGE} \
         (DuckDB 0.9 to 2.0) can be read",
        path.display()
    )]
    UnsupportedStorage {
        /// The file.
        path: PathBuf,
        /// Its storage version.
        found: u64,
    },
    /// An encrypted DuckDB file.
    #[error("{}: found an encrypted DuckDB file; only unencrypted ones can be read", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A DuckDB file that ends too early.
    #[error("{}: the DuckDB file is truncated: found {found} bytes, its header speaks of {expected}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// The least size in bytes that its header asks for.
        expected: u64,
    },
    /// Content that contradicts itself.
    #[error("{}: damaged: {detail}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// A writer changed the file during every attempt to copy it.
    #[error("{}: changed during each of {attempts} attempts to copy it; try again when less is written", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
        /// Attempts made.
        attempts: u32,
    },
    /// A DuckDB file without spans.
    #[error("{}: found no table `spans`, but {}; expected a Flock file or a Flockscope store", path.display(), listed(found))]
    NoSpansTable {
        /// The file.
        path: PathBuf,
        /// The tables and views that it holds.
        found: Vec<String>,
    },
    /// Spans without columns that can't be done without.
    #[error("{}: the spans lack the columns {}; found {}", path.display(), missing.join(", "), listed(found))]
    MissingColumns {
        /// The file or folder.
        path: PathBuf,
        /// Required columns that are not there.
        missing: Vec<String>,
        /// Columns that are there.
        found: Vec<String>,
    },
    /// More than is held in memory.
    #[error("{}: larger than {limit} bytes, the most that is read of this kind; split it", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// DuckDB refused.
    #[error("{}: DuckDB could not read it: {source}", path.display())]
    Database {
        /// The file or folder.
        path: PathBuf,
        /// DuckDB's reason.
        source: duckdb::Error,
    },
}

impl SourceError {
    /// Whether there is nothing at that path (yet).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn database(path: &Path) -> impl FnOnce(duckdb::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Database { path, source }
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.join(", ")
    }
}
