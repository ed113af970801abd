use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use duckdb::Connection;

use crate::database::Database;
use crate::schema::{self, SCHEMA_VERSION, quoted};
use crate::StoreError;

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// DuckDB's memory limit for all that the store does, in its words (`512MB`).
    pub memory_limit: String,
    /// Number of threads; `None`: all cores.
    pub threads: Option<usize>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_limit: "512MB".into(),
            threads: None,
        }
    }
}

/// An open trace store. All methods take `&self`: one writes at a time, many read.
///
/// Beside its file `x.duckdb` a store keeps the folder `x.duckdb.d` with its archive, its spill files and the files
/// that are being made.
pub struct Store {
    // Declared before the database: connections end first.
    writer: Mutex<Connection>,
    pub(crate) database: Database,
    pub(crate) path: PathBuf,
    pub(crate) settings: Settings,
    read_only: bool,
}

impl Store {
    /// Opens a store to read and write, and makes it where there is none.
    pub fn open(path: &Path, settings: Settings) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            make_folder(folder)?;
        }
        let path = std::path::absolute(path).map_err(|source| file_error(path, source))?;
        Self::start(path, settings, false)
    }

    /// Opens a store that nothing writes to: a mirror, a backup. Nothing can be stored in it.
    pub fn open_read_only(path: &Path, settings: Settings) -> Result<Self, StoreError> {
        let path = path.canonicalize().map_err(|source| file_error(path, source))?;
        Self::start(path, settings, true)
    }

    /// A store in memory, gone when it is dropped.
    pub fn in_memory(settings: Settings) -> Result<Self, StoreError> {
        Self::start(PathBuf::from(":memory:"), settings, false)
    }

    fn start(path: PathBuf, settings: Settings, read_only: bool) -> Result<Self, StoreError> {
        let in_memory = path.as_os_str() == ":memory:";
        let spill = folder_beside(&path).join("spill");
        let threads = settings.threads.map(|threads| threads.to_string());
        let spill_text = spill.to_string_lossy().into_owned();
        let mut options = vec![
            ("memory_limit", settings.memory_limit.as_str()),
            ("autoinstall_known_extensions", "false"),
            ("autoload_known_extensions", "false"),
            // A large log costs a longer checkpoint now and then; a small one costs a checkpoint every few batches.
            ("wal_autocheckpoint", "256MB"),
        ];
        if let Some(threads) = &threads {
            options.push(("threads", threads));
        }
        if !in_memory {
            options.push(("temp_directory", &spill_text));
        }
        if read_only {
            options.push(("access_mode", "READ_ONLY"));
        }
        let database = Database::open(&path, &options).map_err(|message| open_error(&path, message))?;
        let writer = database.connect()?;
        let store = Self {
            writer: Mutex::new(writer),
            database,
            path,
            settings,
            read_only,
        };
        store.prepare_schema(in_memory)?;
        store.lock_down(in_memory)?;
        Ok(store)
    }

    fn prepare_schema(&self, in_memory: bool) -> Result<(), StoreError> {
        let connection = self.writer();
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
            return Ok(());
        }
        if !in_memory {
            for folder in [self.archive_folder(), self.staging_folder()] {
                make_folder(&folder)?;
            }
        }
        schema::create(&connection)?;
        drop(connection);
        self.refresh_views()
    }

    /// From here on DuckDB reads and writes nothing but the store's file, its archive and its staging folder.
    fn lock_down(&self, in_memory: bool) -> Result<(), StoreError> {
        let mut statements = String::new();
        if !in_memory {
            statements.push_str(&format!(
                "SET allowed_directories = [{}, {}];",
                quoted(&self.archive_folder().to_string_lossy()),
                quoted(&self.staging_folder().to_string_lossy()),
            ));
        }
        statements.push_str("SET enable_external_access = false; SET lock_configuration = true;");
        self.writer().execute_batch(&statements)?;
        Ok(())
    }

    /// Makes the view `spans` anew: it reads the archive only where there is one.
    pub(crate) fn refresh_views(&self) -> Result<(), StoreError> {
        let connection = self.writer();
        let archived: i64 = connection.query_row("SELECT count(*) FROM archived_days", [], |row| row.get(0))?;
        let pattern = self.archive_folder().join("day=*").join("*.parquet");
        let pattern = pattern.to_string_lossy();
        schema::create_views(&connection, (archived > 0).then_some(&*pattern))?;
        Ok(())
    }

    /// The store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folder of the archive: Parquet by day, `day=YYYY-MM-DD/`.
    pub fn archive_folder(&self) -> PathBuf {
        folder_beside(&self.path).join("archive")
    }

    /// Folder for files that are being made.
    pub(crate) fn staging_folder(&self) -> PathBuf {
        folder_beside(&self.path).join("staging")
    }

    /// The connection that writes. One caller at a time.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic while writing leaves DuckDB's transaction to be rolled back, not broken data: go on.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection to read with.
    pub(crate) fn reader(&self) -> Result<Connection, StoreError> {
        Ok(self.database.connect()?)
    }
}

/// `x.duckdb` → `x.duckdb.d`
fn folder_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".d");
    PathBuf::from(name)
}

fn make_folder(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(|source| file_error(folder, source))
}

pub(crate) fn file_error(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        source,
    }
}

fn open_error(path: &Path, message: String) -> StoreError {
    if message.contains("Could not set lock on file") || message.contains("being used by another process") {
        let holder = message
            .split_once("held in ")
            .map(|(_, rest)| rest.split(". ").next().unwrap_or(rest).trim_end_matches('.').to_owned());
        return StoreError::InUse {
            path: path.to_owned(),
            holder,
        };
    }
    StoreError::NotAStore {
        path: path.to_owned(),
        reason: message,
    }
}
