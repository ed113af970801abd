use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::SystemTime;

use duckdb::Connection;

use crate::archive_files::{self, ArchiveFiles};
use crate::calls::quoted;
use crate::connections::{Connections, open_database};
use crate::files::{self, file_error, make_folder};
use crate::log_file::{self, LOGS, LogState};
use crate::memory::Memory;
use crate::sandboxes::Sandboxes;
use crate::schema::{self, Lifetime, SCHEMA_VERSION};
use crate::{StoreError, restore, truncation};

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// DuckDB's memory limit for all that the store does, in its words (`512MB`).
    pub memory_limit: String,
    /// The limit while spans are stored and nobody asks; `None`: the same.
    pub resting_memory: Option<String>,
    /// Number of threads; `None`: all cores.
    pub threads: Option<usize>,
    /// Most bytes that queries may write to the disk for want of memory; never more than half of what is free when the file
    /// is opened.
    pub spill_limit: u64,
    /// Connections with a budget of memory of their own: so many users' queries run at a time, the next ones wait. 0:
    /// as many as come, without such a budget.
    pub sandboxes: usize,
    /// What the operators of one such query (sorts, hash tables, windows) may hold before they go to the disk, in
    /// DuckDB's words. All queries together hold at most `memory_limit`; see `core/store/src/sandboxes.rs`.
    pub sandbox_memory: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_limit: "512MB".into(),
            resting_memory: None,
            threads: None,
            spill_limit: 16_000_000_000,
            sandboxes: 0,
            sandbox_memory: "128MB".into(),
        }
    }
}

/// An open trace store. All methods take `&self`: one writes at a time, many read.
///
/// Beside its file `x.duckdb` a store keeps the folder `x.duckdb.d` with its archive, its spill files and the files
/// that are being made.
pub struct Store {
    pub(crate) connections: Connections,
    pub(crate) archive_files: ArchiveFiles,
    pub(crate) sandboxes: Sandboxes,
    pub(crate) memory: Memory,
    /// Grows with every change of what is stored; see [`Store::version`].
    pub(crate) version: AtomicU64,
    /// The file's length when it was last looked at; see `truncation.rs`.
    pub(crate) length: AtomicU64,
    /// Held by whoever archives, deletes, compacts or backs up: one at a time.
    pub(crate) care: Mutex<()>,
    pub(crate) path: PathBuf,
    /// The file beside which the archive lies: `path`, or for a copy the original.
    original: PathBuf,
    pub(crate) settings: Settings,
    pub(crate) read_only: bool,
    /// For a store that is only read; see [`Store::connection_setup`].
    pub(crate) view_of_reader: OnceLock<String>,
}

impl Store {
    /// Opens a store to read and write, and makes it where there is none.
    pub fn open(path: &Path, settings: Settings) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder)?;
        }
        let path = std::path::absolute(path).map_err(|source| file_error(path, source))?;
        restore::finish_interrupted(&path)?;
        Self::check_logs(&path)?;
        truncation::check_closed(&path)?;
        Self::start(path.clone(), path, settings, false)
    }

    /// Opens a store that nothing writes to: a mirror, a backup. Nothing can be stored in it.
    pub fn open_read_only(path: &Path, settings: Settings) -> Result<Self, StoreError> {
        let path = std::path::absolute(path).map_err(|source| file_error(path, source))?;
        restore::finish_interrupted(&path)?;
        let path = path.canonicalize().map_err(|source| file_error(&path, source))?;
        Self::start(path.clone(), path, settings, true)
    }

    /// Opens a copy of the file of a store that another process holds. Nothing can be stored in it. The archive, which
    /// is never changed in place, is that of the original.
    pub fn open_copy(copy: &Path, original: &Path, settings: Settings) -> Result<Self, StoreError> {
        let copy = copy.canonicalize().map_err(|source| file_error(copy, source))?;
        let original = std::path::absolute(original).map_err(|source| file_error(original, source))?;
        Self::start(copy, original, settings, true)
    }

    /// A store in memory, gone when it is dropped.
    pub fn in_memory(settings: Settings) -> Result<Self, StoreError> {
        Self::start(PathBuf::from(":memory:"), PathBuf::from(":memory:"), settings, false)
    }

    /// Refuses a store whose log DuckDB would cut off in the middle, and so lose batches that were acknowledged.
    fn check_logs(path: &Path) -> Result<(), StoreError> {
        for log in LOGS.map(|suffix| beside(path, suffix)) {
            if let LogState::Damaged { at } =
                log_file::examine(&log, false).map_err(|source| file_error(&log, source))?
            {
                // Another process may just be writing it; then that is what to say.
                if let Err(error @ StoreError::InUse { .. }) = open_database(path, &Settings::default(), true) {
                    return Err(error);
                }
                return Err(StoreError::DamagedLog { path: log, at });
            }
        }
        Ok(())
    }

    fn start(path: PathBuf, original: PathBuf, settings: Settings, read_only: bool) -> Result<Self, StoreError> {
        let before = SystemTime::now();
        let database = open_database(&path, &settings, read_only)?;
        if !read_only {
            // Now that the file is locked, nobody else spills there.
            files::remove_older(&folder_beside(&path).join("spill"), before);
        }
        let store = Self {
            connections: Connections::new(database)?,
            archive_files: ArchiveFiles::default(),
            sandboxes: Sandboxes::default(),
            memory: Memory::default(),
            version: AtomicU64::new(1),
            length: AtomicU64::new(0),
            care: Mutex::new(()),
            path,
            original,
            settings,
            read_only,
            view_of_reader: OnceLock::new(),
        };
        let connection = store.writer()?;
        store.prepare_schema(&connection)?;
        store
            .sandboxes
            .fill(&*store.database_of_writer()?, &store.settings, store.connection_setup())?;
        store.lock_down(&connection)?;
        drop(connection);
        Ok(store)
    }

    fn prepare_schema(&self, connection: &Connection) -> Result<(), StoreError> {
        let tables: Vec<String> = connection
            .prepare("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let is_store = tables.iter().any(|table| table == "flockscope_meta");
        if !is_store && (self.read_only || !tables.is_empty()) {
            return Err(StoreError::NotAStore {
                path: self.path.clone(),
                reason: format!("it has no table flockscope_meta; its tables are: {}", tables.join(", ")),
            });
        }
        if is_store {
            let found: String = connection.query_row(
                "SELECT value FROM flockscope_meta WHERE key = 'schema_version'",
                [],
                |row| row.get(0),
            )?;
            let found = found.parse().unwrap_or(i64::MAX);
            if found > SCHEMA_VERSION {
                return Err(StoreError::TooNew {
                    path: self.path.clone(),
                    found,
                    known: SCHEMA_VERSION,
                });
            }
        }
        if self.read_only {
            let view = schema::create_view(connection, &self.archive_folder(), Lifetime::Connection)?;
            self.view_of_reader.get_or_init(|| view);
            return Ok(());
        }
        schema::create(connection)?;
        if !self.is_in_memory() {
            let (archive, staging) = (self.archive_folder(), self.staging_folder());
            make_folder(&archive)?;
            make_folder(&staging)?;
            archive_files::sweep(connection, &archive, &staging)?;
        }
        schema::create_view(connection, &self.archive_folder(), Lifetime::Store)?;
        schema::create_macros(connection)?;
        Ok(())
    }

    /// From here on DuckDB reads and writes nothing but the store's file, its archive and its staging folder.
    pub(crate) fn lock_down(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut statements = String::new();
        if !self.is_in_memory() {
            statements.push_str(&format!(
                "SET allowed_directories = [{}, {}];",
                quoted(&self.archive_folder().to_string_lossy()),
                quoted(&self.staging_folder().to_string_lossy()),
            ));
        }
        statements.push_str(
            "SET enable_external_access = false; SET allowed_configs = ['memory_limit']; SET lock_configuration = true;",
        );
        connection.execute_batch(&statements)?;
        Ok(())
    }

    /// A number that is another one whenever spans have come or gone since the store was opened. What is read after
    /// asking for it is at least as new.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// Says that what is stored has changed. To be called once the change can be seen.
    pub(crate) fn note_change(&self) {
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of the archive: Parquet by day, `day=YYYY-MM-DD/`.
    pub fn archive_folder(&self) -> PathBuf {
        folder_beside(&self.original).join("archive")
    }

    /// Folder for files that are being made.
    pub(crate) fn staging_folder(&self) -> PathBuf {
        folder_beside(&self.path).join("staging")
    }

    pub(crate) fn is_in_memory(&self) -> bool {
        self.path.as_os_str() == ":memory:"
    }
}

/// `x.duckdb` → `x.duckdb.d`
pub(crate) fn folder_beside(path: &Path) -> PathBuf {
    beside(path, ".d")
}

/// The path with something behind its name: `x.duckdb` → `x.duckdb.wal`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

pub(crate) fn open_error(path: &Path, message: String) -> StoreError {
    if message.contains("Could not set lock on file") || message.contains("being used by another process") {
        let holder = message
            .split_once("held in ")
            .map(|(_, rest)| rest.split(". ").next().unwrap_or(rest).trim_end_matches('.').to_owned());
        return StoreError::InUse {
            path: path.to_owned(),
            holder,
        };
    }
    if is_disk_full(&message) {
        return StoreError::DiskFull {
            path: path.to_owned(),
            message,
        };
    }
    StoreError::NotAStore {
        path: path.to_owned(),
        reason: message,
    }
}

/// Whether DuckDB's words say that the disk is full.
pub(crate) fn is_disk_full(message: &str) -> bool {
    ["No space left on device", "File too large", "Disk quota exceeded"]
        .iter()
        .any(|words| message.contains(words))
}
