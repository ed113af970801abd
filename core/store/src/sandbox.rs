//! SQL that a user wrote: one read-only statement, with limits on rows, time and memory.
//!
//! DuckDB's own parser decides what the statement is. The database may read and write only the store's own folder (see
//! `Store::lock_down`), and the query runs in a read-only transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::datatypes::SchemaRef;

use crate::database::{Statement, StatementKind};
use crate::{Store, StoreError};

/// What a user's query may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the answer; more are cut off, and [`Answer::cut`] says so.
    pub rows: usize,
    /// Bytes of the answer; more rows are cut off, as above.
    pub bytes: usize,
    /// Time until the query is interrupted.
    pub time: Duration,
    /// Memory for intermediate results, in DuckDB's words.
    pub memory: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 10_000,
            bytes: 256 << 20,
            time: Duration::from_secs(30),
            memory: "384MB".into(),
        }
    }
}

/// The answer to a user's query.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Names and types of the columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Whether there were more rows than the limits allow.
    pub cut: bool,
}

impl Answer {
    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

impl Store {
    /// Runs one read-only statement that a user wrote.
    pub fn sql(&self, sql: &str, limits: &Limits) -> Result<Answer, StoreError> {
        self.check_read_only(sql)?;
        let connection = self.reader()?;
        check_functions(&connection, sql)?;
        connection.execute_batch("BEGIN TRANSACTION READ ONLY")?;
        let watch = Watch::start(connection.interrupt_handle(), limits.time);
        let outcome = (|| {
            let mut statement = connection.prepare(sql)?;
            let stream = statement.stream_arrow([])?;
            let schema = stream.get_schema();
            let (mut batches, mut rows, mut bytes, mut cut) = (Vec::new(), 0, 0, false);
            for batch in stream {
                let batch: RecordBatch = batch?;
                let room = limits.rows - rows;
                if batch.num_rows() > room || bytes > limits.bytes {
                    cut = true;
                    if room > 0 && bytes <= limits.bytes {
                        batches.push(batch.slice(0, room));
                    }
                    break;
                }
                rows += batch.num_rows();
                bytes += batch.get_array_memory_size();
                batches.push(batch);
            }
            Ok(Answer { schema, batches, cut })
        })();
        let timed_out = watch.stop();
        // The transaction only read: how it ends changes nothing.
        let _ = connection.execute_batch("ROLLBACK");
        outcome.map_err(|error: duckdb::Error| self.sql_error(error, timed_out, limits))
    }

    /// Refuses all but exactly one statement that only reads.
    fn check_read_only(&self, sql: &str) -> Result<(), StoreError> {
        let refused = |what: &str| {
            StoreError::Refused(format!(
                "only one read-only statement is allowed here (SELECT, WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, PIVOT, EXPLAIN); this is {what}"
            ))
        };
        let statement = match self.database()?.classify(self.connection_setup(), sql) {
            // Binding it already asked for a file: COPY, ATTACH, or a table function.
            Err(StoreError::Sql(message)) if message.starts_with("Permission Error") => {
                return Err(refused("one that reads or writes files"));
            }
            statement => statement?,
        };
        match statement {
            Statement::None => Err(refused("empty")),
            Statement::Many(count) => Err(refused(&format!("{count} statements"))),
            Statement::One(StatementKind::Select) => Ok(()),
            // EXPLAIN ANALYZE runs what it explains.
            Statement::One(StatementKind::Explain) => self.check_read_only(explained(sql)),
            Statement::One(StatementKind::Several) if is_query(sql) => Ok(()),
            Statement::One(StatementKind::Several) => Err(refused("not a query")),
            Statement::One(StatementKind::Other(name)) => Err(refused(name)),
        }
    }

    fn sql_error(&self, error: duckdb::Error, timed_out: bool, limits: &Limits) -> StoreError {
        let message = match &error {
            duckdb::Error::DuckDBFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        let stopped = self.note_failure(&message);
        if timed_out {
            StoreError::TimedOut(limits.time)
        } else if stopped {
            StoreError::Stopped { message }
        } else if message.contains("Out of Memory") {
            StoreError::OutOfMemory {
                limit: self.settings.memory_limit.clone(),
                message,
            }
        } else {
            StoreError::Sql(message)
        }
    }
}

/// Interrupts a query when its time is over, again and again until it has ended: DuckDB drops an interrupt that comes
/// while it prepares.
struct Watch {
    ended: mpsc::Sender<()>,
    timed_out: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn start(interrupt: Arc<duckdb::InterruptHandle>, time: Duration) -> Self {
        let (ended, has_ended) = mpsc::channel();
        let timed_out = Arc::new(AtomicBool::new(false));
        let flag = timed_out.clone();
        let thread = thread::spawn(move || {
            let mut wait = time;
            while has_ended.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Timeout) {
                flag.store(true, Ordering::SeqCst);
                interrupt.interrupt();
                wait = Duration::from_millis(20);
            }
        });
        Self {
            ended,
            timed_out,
            thread,
        }
    }

    /// Ends the watch, and says whether it had to interrupt.
    fn stop(self) -> bool {
        drop(self.ended);
        // The thread only waits and interrupts: it cannot panic.
        let _ = self.thread.join();
        self.timed_out.load(Ordering::SeqCst)
    }
}

/// Refuses table functions that read files by name, run a text as SQL, write the store's file, or take memory
/// addresses. DuckDB would let the
/// first ones read the store's own file, and closing it again drops the process' lock on it (POSIX locks belong to the
/// process, not to the handle).
fn check_functions(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let refused = |name: &str| {
        Err(StoreError::Refused(format!(
            "{name} is not allowed here: queries read the store's own tables, views and macros, no files"
        )))
    };
    let tree: String = connection.query_row("SELECT json_serialize_sql(?)", [explained_or_whole(sql)], |row| {
        row.get(0)
    })?;
    let tree: serde_json::Value = serde_json::from_str(&tree).map_err(|error| StoreError::Sql(error.to_string()))?;
    if tree["error"] == serde_json::Value::Bool(true) {
        // A PIVOT that looks for its columns has no such tree: the words must do.
        let words = sql.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        return match words.into_iter().find(|word| is_outside(word)) {
            Some(word) => refused(word),
            None => Ok(()),
        };
    }
    match table_functions(&tree).into_iter().find(|name| is_outside(name)) {
        Some(name) => refused(name),
        None => Ok(()),
    }
}

fn explained_or_whole(sql: &str) -> &str {
    if after_word(sql, "explain").is_some() {
        explained(sql)
    } else {
        sql
    }
}

fn is_outside(function: &str) -> bool {
    let name = function.to_ascii_lowercase();
    ["read_", "parquet_", "sniff_"]
        .iter()
        .any(|start| name.starts_with(start))
        || name.ends_with("_scan")
        || name.ends_with("_scan_dumb")
        || matches!(
            name.as_str(),
            "glob" | "query" | "query_table" | "checkpoint" | "force_checkpoint"
        )
}

/// The names of all table functions in DuckDB's own syntax tree of a statement.
fn table_functions(tree: &serde_json::Value) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = vec![tree];
    while let Some(node) = rest.pop() {
        match node {
            serde_json::Value::Object(object) => {
                if object.get("type").and_then(|kind| kind.as_str()) == Some("TABLE_FUNCTION") {
                    names.extend(
                        object
                            .get("function")
                            .and_then(|function| function["function_name"].as_str()),
                    );
                }
                rest.extend(object.values());
            }
            serde_json::Value::Array(array) => rest.extend(array),
            _ => {}
        }
    }
    names
}

/// Whether a single statement begins as a query does. Asked only of one that DuckDB splits: a PIVOT without a list of
/// columns first collects them.
fn is_query(sql: &str) -> bool {
    ["pivot", "select", "from", "with"]
        .iter()
        .any(|word| after_word(sql, word).is_some())
}

/// What stands behind `EXPLAIN`, `ANALYZE` and its options in parentheses; empty if that can't be told.
fn explained(sql: &str) -> &str {
    let rest = after_word(sql, "explain").unwrap_or("");
    let rest = after_word(rest, "analyze").unwrap_or(rest);
    let rest = skip_blank(rest);
    // `EXPLAIN (FORMAT json) SELECT …` has options, `EXPLAIN (SELECT 1)` has none.
    let is_options = ["analyze", "format", "verbose", "costs", "timing"]
        .iter()
        .any(|option| {
            rest.strip_prefix('(')
                .is_some_and(|inner| after_word(inner, option).is_some())
        });
    if is_options {
        rest.split_once(')').map_or("", |(_, statement)| statement)
    } else {
        rest
    }
}

/// The text behind a leading keyword in any case, with white space and comments before it.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = skip_blank(text);
    let (start, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    (start.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

fn skip_blank(mut text: &str) -> &str {
    loop {
        text = text.trim_start();
        text = if let Some(comment) = text.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, rest)| rest)
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, rest)| rest)
        } else {
            return text;
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_explained_is_found_behind_options_and_comments() {
        assert_eq!(explained("EXPLAIN SELECT 1").trim(), "SELECT 1");
        assert_eq!(
            explained("explain analyze DELETE FROM spans").trim(),
            "DELETE FROM spans"
        );
        assert_eq!(
            explained("/* a */ EXPLAIN -- b\n (ANALYZE, FORMAT json) COPY x TO 'y'").trim(),
            "COPY x TO 'y'"
        );
        assert_eq!(explained("EXPLAIN (SELECT 1)").trim(), "(SELECT 1)");
        assert_eq!(explained("EXPLAINED").trim(), "");
    }
}
