//! How spans get into the store: whole batches, each one transaction; a span id that is there already is replaced.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use duckdb::Connection;
use duckdb::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use flockscope_model::Span;
use serde::Serialize;

use crate::archive_files::Marker;
use crate::calls::quoted;
use crate::memory::is_shortage;
use crate::record_batch::record_batch;
use crate::store::is_disk_full;
use crate::{Store, StoreError};

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ingested {
    /// Spans of the batch that are in the store now.
    pub stored: u64,
    /// Spans that gave way to a later one with the same trace and span id, in the store or in the batch.
    pub replaced: u64,
}

impl std::ops::AddAssign for Ingested {
    fn add_assign(&mut self, other: Self) {
        self.stored += other.stored;
        self.replaced += other.replaced;
    }
}

impl Store {
    /// Stores a batch of spans, all or none. When it returns, the batch is in DuckDB's write-ahead log.
    ///
    /// Of several spans with the same trace and span id the last one stays. Large batches cost less for each span:
    /// tens of thousands are a good size.
    pub fn ingest(&self, spans: &[Span]) -> Result<Ingested, StoreError> {
        if spans.is_empty() {
            return Ok(Ingested::default());
        }
        match self.ingest_once(spans) {
            Err(StoreError::Database(error)) if is_shortage(&error.to_string()) => {
                // Held while the batch is stored, which may take longer than the store waits before it rests again.
                let (had_less, _memory) = self.end_rest(&*self.writer()?)?;
                if had_less || self.users_give_way() {
                    self.ingest_once(spans)
                } else {
                    Err(StoreError::Database(error))
                }
            }
            outcome => outcome,
        }
    }

    fn ingest_once(&self, spans: &[Span]) -> Result<Ingested, StoreError> {
        let latest = latest_of_each(spans);
        let kept = latest.as_deref().unwrap_or(spans);
        let batch = record_batch(kept, now_in_microseconds());
        let connection = self.writer()?;
        self.rest_memory(&connection);
        let written = connection
            .execute_batch("BEGIN")
            .map_err(StoreError::from)
            .and_then(|()| self.write(&connection, kept, batch))
            .and_then(|written| Ok(connection.execute_batch("COMMIT").map(|()| written)?));
        match written {
            Ok(written) => {
                self.note_change();
                drop(connection);
                self.archive_files.give_up(&self.archive_folder(), written.given_up);
                Ok(Ingested {
                    stored: kept.len() as u64,
                    replaced: written.replaced + (spans.len() - kept.len()) as u64,
                })
            }
            Err(error) => {
                // The first error is the one that counts; after a full disk the rollback may fail, too.
                let _ = connection.execute_batch("ROLLBACK");
                Err(self.write_error(error))
            }
        }
    }

    /// What a failed write means. Nothing of it is in the store.
    pub(crate) fn write_error(&self, error: impl Into<StoreError>) -> StoreError {
        match error.into() {
            StoreError::Database(error) => {
                let message = error.to_string();
                let stopped = self.note_failure(&message);
                if is_disk_full(&message) {
                    StoreError::DiskFull {
                        path: self.path.clone(),
                        message,
                    }
                } else if stopped {
                    StoreError::Stopped { message }
                } else {
                    StoreError::Database(error)
                }
            }
            other => other,
        }
    }

    /// Writes within a transaction.
    fn write(&self, connection: &Connection, spans: &[Span], batch: RecordBatch) -> Result<Written, StoreError> {
        let times = trace_times(spans);
        let (traces, times): (Vec<&str>, Vec<(i64, i64)>) = times.into_iter().unzip();
        let written = match known_times(connection, &traces)? {
            Some((first, last)) => self.replace(connection, spans, first, last)?,
            None => Written::default(),
        };
        append(connection, "stored_spans", batch)?;
        let traces: ArrayRef = Arc::new(StringArray::from(traces));
        let first: ArrayRef = Arc::new(Int64Array::from_iter_values(times.iter().map(|(first, _)| *first)));
        let last: ArrayRef = Arc::new(Int64Array::from_iter_values(times.iter().map(|(_, last)| *last)));
        append(
            connection,
            "trace_times",
            record_batch_of([("trace_id", traces), ("min_start", first), ("max_start", last)]),
        )?;
        Ok(written)
    }

    /// Deletes the stored spans that come again. They can only lie within the times that the store knows of their
    /// traces: only the row groups of these times are read, and only the archive's days of these times looked into.
    fn replace(&self, connection: &Connection, spans: &[Span], first: i64, last: i64) -> Result<Written, StoreError> {
        let traces: ArrayRef = Arc::new(StringArray::from_iter_values(spans.iter().map(|span| &span.trace_id)));
        let ids: ArrayRef = Arc::new(StringArray::from_iter_values(spans.iter().map(|span| &span.span_id)));
        connection.execute_batch("CREATE OR REPLACE TEMP TABLE incoming_spans (trace_id VARCHAR, span_id VARCHAR)")?;
        append(
            connection,
            "incoming_spans",
            record_batch_of([("trace_id", traces), ("span_id", ids)]),
        )?;
        let given_up = self.bring_back_days_of_incoming_spans(connection, first, last)?;
        let replaced = connection.execute(
            &format!(
                "DELETE FROM stored_spans s USING incoming_spans i
                 WHERE s.start_time BETWEEN {first} AND {last} AND s.trace_id = i.trace_id AND s.span_id = i.span_id"
            ),
            [],
        )?;
        Ok(Written {
            replaced: replaced as u64,
            given_up,
        })
    }
}

/// What writing a batch did.
#[derive(Default)]
struct Written {
    /// Stored spans that gave way.
    replaced: u64,
    /// Files of the archive whose spans are in the table again.
    given_up: Vec<(String, Marker)>,
}

/// The spans without those that a later one of the batch replaces; `None` where there are none.
fn latest_of_each(spans: &[Span]) -> Option<Vec<Span>> {
    let mut last = HashMap::with_capacity(spans.len());
    for (index, span) in spans.iter().enumerate() {
        last.insert((span.trace_id.as_str(), span.span_id.as_str()), index);
    }
    if last.len() == spans.len() {
        return None;
    }
    let is_last = |(index, span): &(usize, &Span)| last[&(span.trace_id.as_str(), span.span_id.as_str())] == *index;
    Some(
        spans
            .iter()
            .enumerate()
            .filter(is_last)
            .map(|(_, span)| span.clone())
            .collect(),
    )
}

/// Earliest and latest start of each trace's spans.
fn trace_times(spans: &[Span]) -> HashMap<&str, (i64, i64)> {
    let mut times: HashMap<&str, (i64, i64)> = HashMap::new();
    for span in spans {
        let (first, last) = times
            .entry(&span.trace_id)
            .or_insert((span.start_time, span.start_time));
        *first = span.start_time.min(*first);
        *last = span.start_time.max(*last);
    }
    times
}

/// The earliest and the latest start of those of the traces that the store has; `None` if it has none of them.
fn known_times(connection: &Connection, traces: &[&str]) -> duckdb::Result<Option<(i64, i64)>> {
    // DuckDB looks constants up in the index, up to 64 of them; more are found faster by a scan.
    let (first, last): (Option<i64>, Option<i64>) = if traces.len() <= 64 {
        let traces: Vec<String> = traces.iter().map(|trace| quoted(trace)).collect();
        connection.query_row(
            &format!(
                "SELECT min(min_start), max(max_start) FROM trace_times WHERE trace_id IN ({})",
                traces.join(", ")
            ),
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
    } else {
        connection.execute_batch("CREATE OR REPLACE TEMP TABLE incoming_traces (trace_id VARCHAR)")?;
        let traces: ArrayRef = Arc::new(StringArray::from(traces.to_vec()));
        append(connection, "incoming_traces", record_batch_of([("trace_id", traces)]))?;
        connection.query_row(
            "SELECT min(min_start), max(max_start) FROM trace_times SEMI JOIN incoming_traces USING (trace_id)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?
    };
    Ok(first.zip(last))
}

fn record_batch_of<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn append(connection: &Connection, table: &str, batch: RecordBatch) -> duckdb::Result<()> {
    let mut appender = connection.appender(table)?;
    appender.append_record_batch(batch)?;
    appender.flush()
}

fn now_in_microseconds() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_micros().try_into().unwrap_or(i64::MAX)
}
