//! SQL that a user wrote: one read-only statement, with limits on rows and time. (Memory: see
//! [`crate::Settings::sandbox_memory`].)
//!
//! DuckDB's own parser decides what the statement is. The database may read and write only the store's own folder (see
//! `Store::lock_down`), and the query runs in a read-only transaction.

use std::ops::ControlFlow;
use std::time::Duration;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::datatypes::{Schema, SchemaRef};

use crate::database::{Statement, StatementKind};
use crate::internals::{INFORMATION_SCHEMA, asks_about_internals, internals_asked_about};
use crate::stop::{StopSignal, Watch};
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
    /// Whether the query may ask DuckDB about itself: its settings, files, secrets. These name paths.
    pub internals: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows: 10_000,
            bytes: 256 << 20,
            time: Duration::from_secs(30),
            internals: true,
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

/// A part of an answer on its way; see [`Store::sql_each`].
#[derive(Debug, Clone)]
pub enum Part {
    /// Names and types of the columns: once, and first.
    Columns(SchemaRef),
    /// Some rows.
    Rows(RecordBatch),
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Rows that were given.
    pub rows: usize,
    /// Whether there were more: more than the limits allow, or than the caller took.
    pub cut: bool,
}

impl Store {
    /// Runs one read-only statement that a user wrote.
    pub fn sql(&self, sql: &str, limits: &Limits) -> Result<Answer, StoreError> {
        let (mut columns, mut batches) = (None, Vec::new());
        let ending = self.sql_each(sql, limits, &StopSignal::new(), |part| {
            match part {
                Part::Columns(schema) => columns = Some(schema),
                Part::Rows(batch) => batches.push(batch),
            }
            ControlFlow::Continue(())
        })?;
        Ok(Answer {
            schema: columns.unwrap_or_else(|| Schema::empty().into()),
            batches,
            cut: ending.cut,
        })
    }

    /// Runs one read-only statement that a user wrote, and hands over its rows as they come, so that the answer need
    /// not fit in memory. `take` may end it early; `stop` stops it from outside. The time in which `take` works counts.
    pub fn sql_each(
        &self,
        sql: &str,
        limits: &Limits,
        stop: &StopSignal,
        mut take: impl FnMut(Part) -> ControlFlow<()>,
    ) -> Result<Ending, StoreError> {
        if stop.is_stopped() {
            return Err(StoreError::Cancelled);
        }
        let connection = self.sandbox(limits.time, stop)?;
        // First by its words alone: to tell the kind of a statement DuckDB binds it, and then a file is open already.
        check_functions(&connection, sql, limits)?;
        self.check_read_only(sql)?;
        let _running = self.sandboxes.enter(stop);
        connection.execute_batch("BEGIN TRANSACTION READ ONLY")?;
        let interrupt = connection.interrupt_handle();
        let watch = Watch::start(stop, limits.time, move || interrupt.interrupt());
        let outcome = (|| {
            let mut statement = connection.prepare(sql)?;
            let stream = statement.stream_arrow([])?;
            let mut ending = Ending { rows: 0, cut: false };
            if take(Part::Columns(stream.get_schema())).is_break() {
                return Ok(Ending { cut: true, ..ending });
            }
            let mut bytes = 0_usize;
            for batch in stream {
                let batch: RecordBatch = batch?;
                let room = limits.rows - ending.rows;
                if batch.num_rows() > room || bytes > limits.bytes {
                    ending.cut = true;
                    if room > 0 && bytes <= limits.bytes {
                        ending.rows += room;
                        let _ = take(Part::Rows(batch.slice(0, room)));
                    }
                    break;
                }
                ending.rows += batch.num_rows();
                bytes = bytes.saturating_add(batch.get_array_memory_size());
                if take(Part::Rows(batch)).is_break() {
                    ending.cut = true;
                    break;
                }
            }
            Ok(ending)
        })();
        let ended = watch.stop();
        // The transaction only read: how it ends changes nothing.
        let _ = connection.execute_batch("ROLLBACK");
        outcome.map_err(
            |error: duckdb::Error| match self.ended_error(error, ended, limits.time) {
                // What is wrong is the user's SQL.
                StoreError::Database(duckdb::Error::DuckDBFailure(_, Some(message))) => StoreError::Sql(message),
                StoreError::Database(error) => StoreError::Sql(error.to_string()),
                error => error,
            },
        )
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
}

/// Refuses table functions that read files by name, run a text as SQL, write the store's file, or take memory
/// addresses. DuckDB would let the
/// first ones read the store's own file, and closing it again drops the process' lock on it (POSIX locks belong to the
/// process, not to the handle).
fn check_functions(connection: &Connection, sql: &str, limits: &Limits) -> Result<(), StoreError> {
    let refused = |name: &str| {
        Err(StoreError::Refused(format!(
            "{name} is not allowed here: queries read the store's own tables, views and macros, no files"
        )))
    };
    if !limits.internals && is_analyzed(sql) {
        return Err(StoreError::Refused(
            "EXPLAIN ANALYZE is not allowed here: it names the files that it read; EXPLAIN shows the plan".into(),
        ));
    }
    let tree: String = connection.query_row("SELECT json_serialize_sql(?)", [explained_or_whole(sql)], |row| {
        row.get(0)
    })?;
    let tree: serde_json::Value = serde_json::from_str(&tree).map_err(|error| StoreError::Sql(error.to_string()))?;
    if tree["error"] == serde_json::Value::Bool(true) {
        // A PIVOT that looks for its columns has no such tree: the words must do. Nor has a PRAGMA.
        if !limits.internals && after_word(sql, "pragma").is_some() {
            return refused("PRAGMA");
        }
        let mut words = sql.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let tells = |word: &str| asks_about_internals(word) || word.eq_ignore_ascii_case(INFORMATION_SCHEMA);
        let is_unfit = |word: &str| is_outside(word) || word.eq_ignore_ascii_case(PLAN);
        return match words.find(|word| is_unfit(word) || !limits.internals && tells(word)) {
            Some(word) => refused(word),
            None => Ok(()),
        };
    }
    if let Some(name) = table_functions(&tree).into_iter().find(|name| is_outside(name)) {
        return refused(name);
    }
    for planned in planned_texts(&tree) {
        match planned {
            // It is bound as any query is, and gets shorter with each level.
            Some(inner) if inner.len() < sql.len() => check_functions(connection, inner, limits)?,
            _ => return refused(PLAN),
        }
    }
    if !limits.internals
        && let Some(name) = internals_asked_about(&tree)
    {
        return Err(StoreError::Refused(format!(
            "{name} is not allowed here: queries read the traces, not DuckDB's settings and files"
        )));
    }
    Ok(())
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
            "glob" | "query" | "query_table" | "json_execute_serialized_sql" | "checkpoint" | "force_checkpoint"
        )
}

/// The function that binds a text as a query, which reads what the query would.
const PLAN: &str = "json_serialize_plan";

/// The texts that a statement has planned; `None` for one that is worked out only when it runs.
fn planned_texts(tree: &serde_json::Value) -> Vec<Option<&str>> {
    let mut texts = Vec::new();
    let mut rest = vec![tree];
    while let Some(node) = rest.pop() {
        match node {
            serde_json::Value::Object(object) => {
                let name = object.get("function_name").and_then(|name| name.as_str());
                if name.is_some_and(|name| name.eq_ignore_ascii_case(PLAN)) {
                    texts.push(node["arguments"][0]["expression"]["literal"]["text"].as_str());
                }
                rest.extend(object.values());
            }
            serde_json::Value::Array(array) => rest.extend(array),
            _ => {}
        }
    }
    texts
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

/// Whether an EXPLAIN runs what it explains: `EXPLAIN ANALYZE …`, or the option in parentheses. In doubt it does.
fn is_analyzed(sql: &str) -> bool {
    let Some(rest) = after_word(sql, "explain") else {
        return false;
    };
    // Options may hold comments, which may hold brackets.
    let may_have_options = skip_blank(rest).starts_with('(');
    after_word(rest, "analyze").is_some() || may_have_options && rest.to_ascii_lowercase().contains("analyze")
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

    #[test]
    fn what_is_run_to_be_explained_is_told_from_what_is_only_planned() {
        for sql in [
            "EXPLAIN ANALYZE SELECT 1",
            "/* a */ explain -- b\n analyze SELECT 1",
            "EXPLAIN (FORMAT json, Analyze) SELECT 1",
            "EXPLAIN (FORMAT json /* ) */, ANALYZE) SELECT 1",
        ] {
            assert!(is_analyzed(sql), "{sql}");
        }
        for sql in ["EXPLAIN SELECT 1", "EXPLAIN (FORMAT json) SELECT 1", "SELECT 'analyze'"] {
            assert!(!is_analyzed(sql), "{sql}");
        }
    }
}
