use std::path::PathBuf;

use flockscope_sources::SourceError;
use flockscope_store::{SettingError, StoreError};

/// Why traces could not be found or opened. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No path was given, and no project was found.
    #[error(
        "no traces found: neither .flock/traces.duckdb nor .flockscope/store.duckdb is in {} or a folder above it; run your \
         Flock program there with FLOCK_AUTO_TRACE=true FLOCK_TRACE_FILE=true, or say where the traces are with --db PATH",
        working_directory.display()
    )]
    NothingFound {
        /// Where the search began.
        working_directory: PathBuf,
    },
    /// There is nothing at the path that was given.
    #[error(
        "{}: no such file or folder; give a Flock file (.flock/traces.duckdb), a store, a folder with either, or a Parquet, \
         OTLP or Jaeger file",
        path.display()
    )]
    NoSuchPath {
        /// The path.
        path: PathBuf,
    },
    /// A Flock file is needed, and this is none.
    #[error("{}: only a file that Flock writes can be watched; this is {found}", path.display())]
    NotAFlockFile {
        /// The path.
        path: PathBuf,
        /// What it is, in words.
        found: &'static str,
    },
    /// There is no folder for stores of traces that lie outside of a project.
    #[error("no folder to keep a store in: the home folder is unknown; set HOME or XDG_CACHE_HOME")]
    NoCacheFolder,
    /// A folder or file could not be made or read.
    #[error("{}: {source}", path.display())]
    File {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The position of a source could not be kept or read back.
    #[error("the position in {} could not be kept: {source}", path.display())]
    Position {
        /// The source.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A setting of the environment or of the project's `.env` can't be used.
    #[error("{0}; set it right in the environment or in the project's .env")]
    Setting(#[from] SettingError),
    /// A source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ClientError {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
