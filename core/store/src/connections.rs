//! The open database of a store: one connection that writes, as many as wanted that read, and a way to close and open
//! the file again while the store lives.
//!
//! DuckDB gives up a database after some failures (a full disk while it writes a checkpoint, a fault in itself), and
//! then answers nothing until the file has been opened anew. What was committed is safe in its write-ahead log.

use std::ops::Deref;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use duckdb::Connection;

use crate::archive_files::Lease;
use crate::database::Database;
use crate::memory::InUse;
use crate::store::{folder_beside, open_error};
use crate::{Settings, Store, StoreError, truncation};

/// How long closing the file waits for queries that still run.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Connections {
    // Declared before the database: connections end first.
    writer: Mutex<Option<Connection>>,
    database: RwLock<Option<Arc<Database>>>,
    /// DuckDB gave up: whoever asks next opens the file again.
    stopped: AtomicBool,
    /// See [`Connections::never_close`].
    never_close: AtomicBool,
}

/// The connection that writes, held by one caller at a time.
pub(crate) struct Writer<'a>(MutexGuard<'a, Option<Connection>>);

impl Deref for Writer<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.as_ref().expect("a writer is made only of an open connection")
    }
}

/// A connection to read with. What it may read stays where it is until it ends.
pub(crate) struct Reader<'a> {
    // In this order: the connection ends before what it stands on.
    connection: Connection,
    _memory: InUse<'a>,
    _database: Arc<Database>,
    _archive: Lease,
}

impl Deref for Reader<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Connections {
    pub(crate) fn new(database: Database) -> Result<Self, StoreError> {
        let writer = database.connect()?;
        Ok(Self {
            writer: Mutex::new(Some(writer)),
            database: RwLock::new(Some(Arc::new(database))),
            stopped: AtomicBool::new(false),
            never_close: AtomicBool::new(false),
        })
    }

    /// Leaves the file as it is and open until the process ends: DuckDB writes a checkpoint when it closes one, over
    /// whatever happened to it, and its settings are locked by now.
    pub(crate) fn never_close(&self) {
        self.never_close.store(true, Ordering::SeqCst);
    }
}

impl Drop for Connections {
    fn drop(&mut self) {
        if self.never_close.load(Ordering::SeqCst) {
            let database = self.database.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(database.take());
        }
    }
}

impl Store {
    /// The connection that writes. One caller at a time; opens the file again if DuckDB gave it up. Refused when the end
    /// of the file is missing.
    pub(crate) fn writer(&self) -> Result<Writer<'_>, StoreError> {
        // A panic while writing leaves DuckDB's transaction to be rolled back, not broken data: go on.
        let mut writer = self.connections.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() || self.connections.stopped.load(Ordering::SeqCst) {
            self.close(&mut writer)?;
            self.open_again(&mut writer)?;
        }
        let writer = Writer(writer);
        self.check_length(&writer)?;
        Ok(writer)
    }

    /// The writer, for a caller that holds a reader: such a one would wait for itself to open the file again.
    pub(crate) fn hold_up_storing(&self) -> Result<Writer<'_>, StoreError> {
        let writer = self.connections.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() || self.connections.stopped.load(Ordering::SeqCst) {
            return Err(StoreError::Stopped {
                message: "another call failed".into(),
            });
        }
        Ok(Writer(writer))
    }

    /// A new connection to read with.
    pub(crate) fn reader(&self) -> Result<Reader<'_>, StoreError> {
        // The lease comes first: files that the connection can see must not go before it has ended.
        let archive = self.archive_files.lease();
        let database = self.database()?;
        let connection = database.connect()?;
        if let Some(setup) = self.connection_setup() {
            connection.execute_batch(setup)?;
        }
        let memory = self.use_memory(&database)?;
        Ok(Reader {
            connection,
            _memory: memory,
            _database: database,
            _archive: archive,
        })
    }

    /// What a connection must run first. The view in a file that is only read names the archive of the place where the
    /// file was written; its readers get one of their own.
    pub(crate) fn connection_setup(&self) -> Option<&str> {
        self.view_of_reader.get().map(String::as_str)
    }

    /// The open database. Must not be called by a thread that holds the writer.
    pub(crate) fn database(&self) -> Result<Arc<Database>, StoreError> {
        loop {
            if !self.connections.stopped.load(Ordering::SeqCst) {
                let database = self.connections.database.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(database) = database.as_ref() {
                    return Ok(database.clone());
                }
            }
            self.writer()?;
        }
    }

    /// The open database, for the thread that holds the writer while it opens the store.
    pub(crate) fn database_of_writer(&self) -> Result<Arc<Database>, StoreError> {
        let database = self.connections.database.read().unwrap_or_else(PoisonError::into_inner);
        database.clone().ok_or_else(|| StoreError::Stopped {
            message: "it is closed".into(),
        })
    }

    /// Remembers from an error's words that DuckDB gave up the database. Returns whether it did.
    pub(crate) fn note_failure(&self, message: &str) -> bool {
        let gave_up = ["database has been invalidated", "FATAL Error", "INTERNAL Error"];
        let stopped = gave_up.iter().any(|words| message.contains(words));
        if stopped {
            self.connections.stopped.store(true, Ordering::SeqCst);
        }
        stopped
    }

    /// What a failed query means.
    pub(crate) fn read_error(&self, error: duckdb::Error) -> StoreError {
        let message = error.to_string();
        if self.note_failure(&message) {
            StoreError::Stopped { message }
        } else {
            StoreError::Database(error)
        }
    }

    /// Closes the file, does something with it, and opens it again. Nothing reads or writes meanwhile.
    pub(crate) fn with_file_closed<T>(
        &self,
        mut writer: Writer<'_>,
        act: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.close(&mut writer.0)?;
        let outcome = act();
        self.open_again(&mut writer.0)?;
        outcome
    }

    fn close(&self, writer: &mut Option<Connection>) -> Result<(), StoreError> {
        if self.is_in_memory() {
            return Err(StoreError::Stopped {
                message: "the store was in memory only and is lost".into(),
            });
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut slot = self
                .connections
                .database
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            // Readers hold the database, too; it is closed only when the last one has let go of it, and closing it
            // after it was opened anew would drop the new one's lock on the file.
            if slot.as_ref().is_none_or(|database| Arc::strong_count(database) == 1) {
                *writer = None;
                // Nobody has borrowed any of these: a borrower holds the database.
                self.sandboxes.empty();
                *slot = None;
                return Ok(());
            }
            drop(slot);
            if Instant::now() > deadline {
                return Err(StoreError::Busy {
                    path: self.path.clone(),
                });
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn open_again(&self, writer: &mut Option<Connection>) -> Result<(), StoreError> {
        truncation::check_closed(&self.path)?;
        let database = open_database(&self.path, &self.settings, self.read_only)?;
        self.memory.opened();
        let connection = database.connect()?;
        self.sandboxes
            .fill(&database, &self.settings, self.connection_setup())?;
        self.lock_down(&connection)?;
        *writer = Some(connection);
        *self
            .connections
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(database));
        self.connections.stopped.store(false, Ordering::SeqCst);
        Ok(())
    }
}

/// Opens a file with the settings of a store; see [`Database::open`].
pub(crate) fn open_database(path: &Path, settings: &Settings, read_only: bool) -> Result<Database, StoreError> {
    let threads = settings.threads.map(|threads| threads.to_string());
    let spill_limit = spill_limit(settings, fs4::available_space(path.parent().unwrap_or(path)).ok());
    let spill = folder_beside(path).join("spill");
    let spill = spill.to_string_lossy();
    let mut options = vec![
        ("memory_limit", settings.memory_limit.as_str()),
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        // A large log costs a longer checkpoint now and then; a small one costs a checkpoint every few batches.
        ("wal_autocheckpoint", "256MB"),
        // DuckDB's own limit is nine tenths of the free space: a single query could stop all storing.
        ("max_temp_directory_size", &spill_limit),
    ];
    if let Some(threads) = &threads {
        options.push(("threads", threads));
    }
    if path.as_os_str() != ":memory:" {
        options.push(("temp_directory", &spill));
    }
    if read_only {
        options.push(("access_mode", "READ_ONLY"));
    }
    Database::open(path, &options).map_err(|message| open_error(path, message))
}

/// What queries may write to the disk, in DuckDB's words: what the settings say, but no more than half of what is free (in
/// bytes), so that a query can't stop all storing.
fn spill_limit(settings: &Settings, free: Option<u64>) -> String {
    let limit = match free {
        Some(free) => settings.spill_limit.min(free / 2),
        None => settings.spill_limit,
    };
    format!("{limit}B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_leave_half_of_the_free_disk() {
        let settings = Settings {
            spill_limit: 1_000,
            ..Settings::default()
        };
        assert_eq!(spill_limit(&settings, Some(10_000)), "1000B");
        assert_eq!(spill_limit(&settings, Some(900)), "450B");
        assert_eq!(spill_limit(&settings, None), "1000B");
    }
}
