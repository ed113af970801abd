//! How much memory DuckDB may use: less while spans only come in and nobody asks.
//!
//! DuckDB fills what it may use with the blocks that it has just written, which nobody reads. A query needs them, and
//! room to sort and to join; so the limit goes up when one begins, and down again when spans are stored and no query has
//! run for a while. The option is the only one that may be changed after the configuration is locked; users' SQL can't:
//! it is never a `SET` (see `sandbox.rs`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duckdb::Connection;

use crate::calls::quoted;
use crate::database::Database;
use crate::{Store, StoreError};

/// A query is often followed by the next one.
const REST_AFTER: Duration = Duration::from_secs(2);

/// What DuckDB may use just now.
#[derive(Default)]
pub(crate) struct Memory(Mutex<State>);

#[derive(Default)]
struct State {
    queries: usize,
    last_query: Option<Instant>,
    is_resting: bool,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file was opened, with all the memory that there is.
    pub(crate) fn opened(&self) {
        self.state().is_resting = false;
    }
}

/// A query that runs. While there is one, DuckDB may use all of its memory.
pub(crate) struct InUse<'a>(&'a Memory);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.queries -= 1;
        state.last_query = Some(Instant::now());
    }
}

impl Store {
    /// Gives a query that begins all the memory.
    pub(crate) fn use_memory(&self, database: &Database) -> Result<InUse<'_>, StoreError> {
        let mut state = self.memory.state();
        if state.is_resting {
            set(&database.connect()?, &self.settings.memory_limit)?;
            state.is_resting = false;
        }
        state.queries += 1;
        Ok(InUse(&self.memory))
    }

    /// Gives back memory that nobody needs now. What can't be given back yet is for the next time.
    pub(crate) fn rest_memory(&self, connection: &Connection) {
        let Some(resting) = &self.settings.resting_memory else {
            return;
        };
        let mut state = self.memory.state();
        let is_quiet = state.queries == 0 && state.last_query.is_none_or(|last| last.elapsed() >= REST_AFTER);
        if is_quiet && !state.is_resting {
            state.is_resting = set(connection, resting).is_ok();
        }
    }

    /// Gives a batch that needs it all the memory. Says whether that is more than it had.
    pub(crate) fn end_rest(&self, connection: &Connection) -> Result<(bool, InUse<'_>), StoreError> {
        let mut state = self.memory.state();
        let had_less = state.is_resting;
        if had_less {
            set(connection, &self.settings.memory_limit)?;
            state.is_resting = false;
        }
        state.queries += 1;
        Ok((had_less, InUse(&self.memory)))
    }
}

/// Whether DuckDB's message says that there was no memory. Of a failed append only the end of such a message comes
/// through, which is the same in all of them.
pub(crate) fn is_shortage(message: &str) -> bool {
    message.contains("Out of Memory") || message.contains("performance/how_to_tune_workloads")
}

fn set(connection: &Connection, limit: &str) -> Result<(), StoreError> {
    connection.execute_batch(&format!("SET memory_limit = {}", quoted(limit)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{Bounds, Limits, Settings, StopSignal, TraceSearch, calls};

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            memory_limit: "300MiB".into(),
            resting_memory: Some("100MiB".into()),
            sandboxes: 1,
            ..Settings::default()
        };
        let store = Store::open(&folder.path().join("store.duckdb"), settings).expect("a store");
        (folder, store)
    }

    fn limit(store: &Store) -> String {
        let writer = store.writer().expect("a writer");
        let limit = writer.query_row("SELECT current_setting('memory_limit')", [], |row| row.get(0));
        limit.expect("a limit")
    }

    fn spans(count: usize, size: usize) -> Vec<flockscope_model::Span> {
        let span = |number: usize| {
            let found = flockscope_model::NewSpan {
                trace_id: format!("{number:x}a"),
                span_id: "b".into(),
                name: "A.f".into(),
                start_time: 1,
                end_time: 2,
                attributes: format!("{{\"text\": \"{}\"}}", "x".repeat(size)),
                ..flockscope_model::NewSpan::default()
            };
            flockscope_model::Span::new(found, |_| {}).expect("a sound span")
        };
        (0..count).map(span).collect()
    }

    #[test]
    fn there_is_less_while_spans_only_come_in_and_all_of_it_for_a_query() {
        let (_folder, store) = store();
        assert_eq!(limit(&store), "300.0 MiB");
        store.ingest(&spans(1, 1)).expect("stored");
        assert_eq!(limit(&store), "100.0 MiB");
        let reader = store.reader().expect("a reader");
        assert_eq!(limit(&store), "300.0 MiB");
        store.ingest(&spans(1, 1)).expect("stored");
        assert_eq!(limit(&store), "300.0 MiB", "a query runs");
        drop(reader);
        store.ingest(&spans(1, 1)).expect("stored");
        assert_eq!(limit(&store), "300.0 MiB", "the next one may follow");
        store.memory.state().last_query = Instant::now().checked_sub(REST_AFTER);
        store.ingest(&spans(1, 1)).expect("stored");
        assert_eq!(limit(&store), "100.0 MiB");
        store.sql("SELECT 1", &Limits::default()).expect("an answer");
        assert_eq!(limit(&store), "300.0 MiB");
    }

    #[test]
    fn the_analyses_get_all_of_it() {
        let (_folder, store) = store();
        let bounds = || Bounds {
            rows: 10,
            time: Duration::from_secs(60),
            stop: StopSignal::new(),
        };
        let ask: [&dyn Fn(); 3] = [
            &|| drop(store.statistics().expect("a row")),
            &|| drop(store.ask_within(&calls::statistics(), &bounds()).expect("a row")),
            &|| drop(store.search(&TraceSearch::default(), &bounds()).expect("rows")),
        ];
        for (number, ask) in ask.into_iter().enumerate() {
            store.memory.state().last_query = None;
            store.ingest(&spans(1, 1)).expect("stored");
            assert_eq!(limit(&store), "100.0 MiB");
            ask();
            assert_eq!(limit(&store), "300.0 MiB", "{number}");
            let state = store.memory.state();
            assert!(state.queries == 0 && state.last_query.is_some(), "{number}");
        }
    }

    #[test]
    fn nobody_else_changes_it() {
        let (_folder, store) = store();
        store
            .sql("SET memory_limit = '1GB'", &Limits::default())
            .expect_err("refused");
        let reader = store.reader().expect("a reader");
        let error = reader.execute_batch("SET threads = 1").expect_err("locked");
        assert!(error.to_string().contains("locked"), "{error}");
    }

    #[test]
    fn a_batch_that_needs_more_gets_it() {
        let (_folder, store) = store();
        store.ingest(&spans(1, 1)).expect("stored");
        assert_eq!(limit(&store), "100.0 MiB");
        let batch = spans(1_000, 200 << 10);
        assert_eq!(store.ingest(&batch).expect("stored").stored, 1_000);
        assert_eq!(store.statistics().expect("a row").spans, 1_000);
    }

    #[test]
    fn queries_and_batches_go_on_side_by_side() {
        let (_folder, store) = store();
        thread::scope(|scope| {
            let asking = scope.spawn(|| {
                for _ in 0..50 {
                    store
                        .sql("SELECT count(*) FROM spans", &Limits::default())
                        .expect("an answer");
                    store.memory.state().last_query = None;
                }
            });
            while !asking.is_finished() {
                store.ingest(&spans(10, 10)).expect("stored");
            }
        });
        assert_eq!(store.memory.state().queries, 0);
    }
}
