//! Connections for users' SQL that have a budget of memory of their own, and who runs SQL just now.
//!
//! DuckDB has one limit of memory for a database ([`crate::Settings::memory_limit`]). Beside it a connection may have a
//! smaller one for what its operators hold (sorts, hash tables, windows: `operator_memory_limit`); what is more goes to
//! the disk. It must be set before the configuration is locked, so such connections are made when the file is opened,
//! and lent. A few aggregates (`list`, `string_agg`) hold memory that DuckDB does not count there: only the limit of the
//! database ends these. When one of the store's own calls then finds no memory, users' queries give way to it.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use duckdb::Connection;

use crate::archive_files::Lease;
use crate::calls::quoted;
use crate::connections::Reader;
use crate::database::Database;
use crate::memory::InUse;
use crate::stop::StopSignal;
use crate::{Settings, Store, StoreError};

/// How long a call of the store's own waits for users' queries to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether a query that waits for a connection was stopped.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(crate) struct Sandboxes {
    free: Mutex<Vec<Connection>>,
    returned: Condvar,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    next: u64,
    signals: Vec<(u64, StopSignal)>,
}

impl Sandboxes {
    /// Makes the connections of a database that was just opened and is not locked yet.
    pub(crate) fn fill(&self, database: &Database, settings: &Settings, setup: Option<&str>) -> Result<(), StoreError> {
        let mut free = self.free();
        for _ in 0..settings.sandboxes {
            let connection = database.connect()?;
            if let Some(setup) = setup {
                connection.execute_batch(setup)?;
            }
            connection.execute_batch(&format!(
                "SET operator_memory_limit = {}",
                quoted(&settings.sandbox_memory)
            ))?;
            free.push(connection);
        }
        Ok(())
    }

    /// Ends the connections. None is lent.
    pub(crate) fn empty(&self) {
        self.free().clear();
    }

    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a user's query runs, until what this returns is dropped.
    pub(crate) fn enter(&self, stop: &StopSignal) -> RunningQuery<'_> {
        let mut running = self.running();
        let number = running.next;
        running.next += 1;
        running.signals.push((number, stop.clone()));
        RunningQuery {
            sandboxes: self,
            number,
        }
    }
}

pub(crate) struct RunningQuery<'a> {
    sandboxes: &'a Sandboxes,
    number: u64,
}

impl Drop for RunningQuery<'_> {
    fn drop(&mut self) {
        self.sandboxes
            .running()
            .signals
            .retain(|(number, _)| *number != self.number);
    }
}

/// A connection for a user's query.
pub(crate) enum Sandbox<'a> {
    /// One with a budget; it goes back when this is dropped.
    Lent(Lent<'a>),
    /// One without, where the store has none with a budget.
    Unlimited(Reader<'a>),
}

pub(crate) struct Lent<'a> {
    /// `None` only while it is dropped.
    connection: Option<Connection>,
    store: &'a Store,
    _memory: InUse<'a>,
    // Given up after the connection was given back: the file is closed only when nobody holds this.
    _database: Arc<Database>,
    _archive: Lease,
}

impl Deref for Sandbox<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        match self {
            Self::Lent(lent) => lent.connection.as_ref().expect("it is given back only by drop"),
            Self::Unlimited(reader) => reader,
        }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let sandboxes = &self.store.sandboxes;
        if let Some(connection) = &self.connection {
            // After a panic, or an interrupt at the last moment, a transaction may still be open. Mostly none is.
            let _ = connection.execute_batch("ROLLBACK");
        }
        sandboxes.free().extend(self.connection.take());
        sandboxes.returned.notify_one();
    }
}

impl Store {
    /// A connection for a user's query: one with a budget where the store has such. Waits for a free one.
    pub(crate) fn sandbox(&self, time: Duration, stop: &StopSignal) -> Result<Sandbox<'_>, StoreError> {
        if self.settings.sandboxes == 0 {
            return Ok(Sandbox::Unlimited(self.reader()?));
        }
        let start = Instant::now();
        loop {
            // In this order: files that the connection can see must not go, nor may the file be closed, before it ends.
            let archive = self.archive_files.lease();
            let database = self.database()?;
            let mut free = self.sandboxes.free();
            if let Some(connection) = free.pop() {
                let memory = match self.use_memory(&database) {
                    Ok(memory) => memory,
                    Err(error) => {
                        free.push(connection);
                        return Err(error);
                    }
                };
                return Ok(Sandbox::Lent(Lent {
                    connection: Some(connection),
                    store: self,
                    _memory: memory,
                    _database: database,
                    _archive: archive,
                }));
            }
            if stop.is_stopped() {
                return Err(StoreError::Cancelled);
            }
            if start.elapsed() >= time {
                return Err(StoreError::TimedOut(time));
            }
            // Whoever wants to close the file need not wait for a query that has not begun.
            drop((database, archive));
            let waited = self.sandboxes.returned.wait_timeout(free, LOOK);
            drop(waited);
        }
    }

    /// Stops the users' queries that run, and waits until they have ended. Says whether there were any.
    pub(crate) fn users_give_way(&self) -> bool {
        let signals = self.sandboxes.running().signals.clone();
        for (_, signal) in &signals {
            signal.give_way();
        }
        let deadline = Instant::now() + PATIENCE;
        let still_runs = || {
            let running = self.sandboxes.running();
            signals
                .iter()
                .any(|(number, _)| running.signals.iter().any(|(other, _)| other == number))
        };
        while still_runs() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        !signals.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::mpsc;

    use super::*;
    use crate::{Limits, Part};

    #[test]
    fn users_queries_give_way_and_say_why() {
        let store = Store::in_memory(Settings::default()).expect("a store");
        assert!(!store.users_give_way(), "none runs");
        thread::scope(|scope| {
            let (begun, has_begun) = mpsc::channel();
            let store = &store;
            let user = scope.spawn(move || {
                let limits = Limits {
                    rows: usize::MAX,
                    bytes: usize::MAX,
                    ..Limits::default()
                };
                store.sql_each("FROM range(1_000_000_000_000)", &limits, &StopSignal::new(), |part| {
                    if let Part::Rows(_) = part {
                        let _ = begun.send(());
                    }
                    ControlFlow::Continue(())
                })
            });
            has_begun.recv_timeout(Duration::from_secs(20)).expect("it runs");
            assert!(store.users_give_way());
            let outcome = user.join().expect("no panic");
            assert!(
                matches!(&outcome, Err(StoreError::OutOfMemory { message, .. }) if message.contains("store itself")),
                "{outcome:?}"
            );
        });
        assert!(!store.users_give_way(), "it has ended");
    }
}
