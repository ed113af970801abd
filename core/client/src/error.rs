use std::path::PathBuf;

use flockscope_protocol::Problem;
use flockscope_sources::SourceError;
use flockscope_store::StoreError;

/// How the API names the problem of a query that ran too long.
const TIMED_OUT: &str = "query-timed-out";

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
    /// Only a store can have a process of its own.
    #[error("{}: not kept in a store, so no process can serve it; flockscope import puts it into one", path.display())]
    NotAStore {
        /// The path.
        path: PathBuf,
    },
    /// No process serves the store, and none was to be started.
    #[error("no process serves {}; flockscope serve starts one", store.display())]
    NotRunning {
        /// The store's file.
        store: PathBuf,
    },
    /// Another process serves the store.
    #[error(
        "{} is served by another process{} already; flockscope status shows it, flockscope stop ends it",
        store.display(),
        holder.map_or_else(String::new, |pid| format!(" ({pid})"))
    )]
    AlreadyServed {
        /// The store's file.
        store: PathBuf,
        /// Process id of the other one, where it can be told.
        holder: Option<u32>,
    },
    /// The process that should serve a store could not be started.
    #[error(
        "the process that keeps the traces could not be started: {} serve: {reason}{}\nits log is {}; \
         --in-process does without it",
        program.display(),
        lines.iter().map(|line| format!("\n  {line}")).collect::<String>(),
        log.display()
    )]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why, in words.
        reason: String,
        /// The log of the process.
        log: PathBuf,
        /// The last lines of it.
        lines: Vec<String>,
    },
    /// The process that serves the store can't be reached.
    #[error("the process that keeps the traces does not answer: {0}; flockscope status shows how it does")]
    Unreachable(String),
    /// The process refused a request, or failed at it.
    #[error("{}", .0.detail.as_deref().unwrap_or(&.0.title))]
    Problem(Box<Problem>),
    /// What the process answered is not what it should be.
    #[error("an answer could not be read: {0}")]
    Answer(String),
    /// A query that was asked for whole has more rows than that.
    #[error("the answer has more than {rows} rows; narrow the question")]
    TooLarge {
        /// The limit.
        rows: u64,
    },
    /// A task that should ask the store was ended with its runtime.
    #[error("the question was given up because the program ends")]
    GivenUp,
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
    /// A source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ClientError {
    /// Whether a query was stopped because its time was over.
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Store(StoreError::TimedOut(_)) => true,
            Self::Problem(problem) => problem.kind.ends_with(TIMED_OUT),
            _ => false,
        }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
