use std::path::PathBuf;
use std::time::Duration;

/// What can go wrong with a store. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the file.
    #[error("{path} is in use by another process{}", .holder.as_deref().map(|holder| format!(" ({holder})")).unwrap_or_default())]
    InUse {
        /// The store's file.
        path: PathBuf,
        /// What DuckDB says of the holder: program and process id.
        holder: Option<String>,
    },
    /// The file is no Flockscope store.
    #[error("{path} is not a Flockscope store: {reason}")]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The store was written by a newer Flockscope.
    #[error("{path} was written by a newer Flockscope (schema {found}, this one knows {known}): update Flockscope")]
    TooNew {
        /// The store's file.
        path: PathBuf,
        /// Schema version of the file.
        found: i64,
        /// Highest schema version that this program knows.
        known: i64,
    },
    /// A folder or file could not be made or read.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The user's SQL was refused before it ran.
    #[error("{0}")]
    Refused(String),
    /// The user's SQL is wrong: DuckDB's own words.
    #[error("{0}")]
    Sql(String),
    /// The user's SQL ran longer than it may.
    #[error("the query ran longer than {} s and was stopped; narrow it (a WHERE on start_time) or allow more time", .0.as_secs_f64())]
    TimedOut(Duration),
    /// The query was stopped by somebody ([`crate::StopSignal`]).
    #[error("the query was stopped")]
    Cancelled,
    /// The user's SQL needs more memory than it may have.
    #[error("the query needs more memory than the limit of {limit}: {message}")]
    OutOfMemory {
        /// The limit in force.
        limit: String,
        /// DuckDB's words.
        message: String,
    },
    /// The disk is full. What had been stored before is safe.
    #[error(
        "no space left on the disk of {path}: free some space, then try again; nothing that was stored is lost ({message})"
    )]
    DiskFull {
        /// The store's file.
        path: PathBuf,
        /// DuckDB's words.
        message: String,
    },
    /// DuckDB gave up the open file. What was stored is safe, and the next call opens the file again.
    #[error(
        "the database stopped and is opened again with the next call, so try again; nothing that was stored is lost ({message})"
    )]
    Stopped {
        /// DuckDB's words.
        message: String,
    },
    /// Queries ran on while the file had to be closed.
    #[error("{path}: queries were still running after a minute, so the file could not be swapped; try again later")]
    Busy {
        /// The store's file.
        path: PathBuf,
    },
    /// A store in memory has no file to care for.
    #[error("a store in memory can't {0}: only a store in a file can")]
    InMemory(&'static str),
    /// Something is in the way.
    #[error("{path} exists already: {advice}")]
    Exists {
        /// The file or folder.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
    },
    /// A backup is not what its manifest says.
    #[error("{path} is not a sound backup: {reason}; nothing was restored")]
    BadBackup {
        /// The backup's folder.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// What was written to the disk did not read back as it should. The store was left as it was.
    #[error("{path} did not read back as it was written: {reason}; the store was left as it was")]
    NotWrittenWell {
        /// The file that was written.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// The write-ahead log is damaged. DuckDB would open the store and silently drop what follows.
    #[error(
        "{path} is damaged at byte {at}, and opening the store would lose what was stored after that: restore a backup \
         (flockscope restore), or save what can be read (flockscope doctor --rescue NEW)"
    )]
    DamagedLog {
        /// The log.
        path: PathBuf,
        /// Byte of the first damaged entry.
        at: u64,
    },
    /// The end of the file is missing. DuckDB would open it, fail when it comes to what is missing, and write over it.
    #[error(
        "{path} is truncated: it has {length} bytes, and what is stored in it needs {needed}. Nothing was changed. \
         Restore a backup (flockscope restore), or save what can be read (flockscope doctor --rescue NEW)"
    )]
    Truncated {
        /// The store's file.
        path: PathBuf,
        /// Its bytes.
        length: u64,
        /// The bytes that its header promises.
        needed: u64,
    },
    /// Nothing can be read of a damaged store.
    #[error("{path}: nothing can be read of its table: {reason}; restore a backup")]
    BeyondRescue {
        /// The store's file.
        path: PathBuf,
        /// DuckDB's words.
        reason: String,
    },
    /// DuckDB failed in another way.
    #[error("the store failed: {0}")]
    Database(#[from] duckdb::Error),
    /// A row did not have the shape that its analysis promises.
    #[error("an answer could not be read: {0}")]
    Answer(#[from] serde_arrow::Error),
}
