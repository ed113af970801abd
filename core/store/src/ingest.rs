//! How spans get into the store: whole batches, each one transaction; a span id that is there already is replaced.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use duckdb::Connection;
use duckdb::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use flockscope_model::Span;
use serde::Serialize;

use crate::record_batch::record_batch;
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
        let latest = latest_of_each(spans);
        let kept = latest.as_deref().unwrap_or(spans);
        let batch = record_batch(kept, now_in_microseconds());
        let connection = self.writer();
        connection.execute_batch("BEGIN").map_err(|error| self.write_error(error))?;
        match write(&connection, kept, batch).and_then(|replaced| connection.execute_batch("COMMIT").map(|()| replaced)) {
            Ok(replaced) => Ok(Ingested {
                stored: kept.len() as u64,
                replaced: replaced + (spans.len() - kept.len()) as u64,
            }),
            Err(error) => {
                // The first error is the one that counts; after a full disk the rollback may fail, too.
                let _ = connection.execute_batch("ROLLBACK");
                Err(self.write_error(error))
            }
        }
    }

    pub(crate) fn write_error(&self, error: duckdb::Error) -> StoreError {
        let message = error.to_string();
        if message.contains("No space left on device") || message.contains("File too large") {
            return StoreError::DiskFull {
                path: self.path.clone(),
                message,
            };
        }
        StoreError::Database(error)
    }
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
    Some(spans.iter().enumerate().filter(is_last).map(|(_, span)| span.clone()).collect())
}

/// Earliest and latest start of each trace's spans.
fn trace_times(spans: &[Span]) -> HashMap<&str, (i64, i64)> {
    let mut times: HashMap<&str, (i64, i64)> = HashMap::new();
    for span in spans {
        let (first, last) = times.entry(&span.trace_id).or_insert((span.start_time, span.start_time));
        *first = span.start_time.min(*first);
        *last = span.start_time.max(*last);
    }
    times
}

/// Writes within a transaction, and says how many stored spans were replaced.
fn write(connection: &Connection, spans: &[Span], batch: RecordBatch) -> duckdb::Result<u64> {
    let times = trace_times(spans);
    let (ids, times): (Vec<&str>, Vec<(i64, i64)>) = times.into_iter().unzip();
    let ids: ArrayRef = Arc::new(StringArray::from(ids));
    let first: ArrayRef = Arc::new(Int64Array::from_iter_values(times.iter().map(|(first, _)| *first)));
    let last: ArrayRef = Arc::new(Int64Array::from_iter_values(times.iter().map(|(_, last)| *last)));
    let times = record_batch_of([("trace_id", ids), ("min_start", first), ("max_start", last)]);

    connection.execute_batch("CREATE OR REPLACE TEMP TABLE incoming_traces (trace_id VARCHAR, min_start BIGINT, max_start BIGINT)")?;
    append(connection, "temp", "incoming_traces", times)?;
    let replaced = replace(connection, spans)?;
    append(connection, "main", "stored_spans", batch)?;
    connection.execute_batch("INSERT INTO trace_times FROM incoming_traces")?;
    Ok(replaced)
}

/// Deletes the stored spans that come again. Only spans of traces that the store knows can be there, and only within
/// the times that it knows of them; for a bulk load of new traces this is one look into `trace_times`.
fn replace(connection: &Connection, spans: &[Span]) -> duckdb::Result<u64> {
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE known_traces AS
         SELECT trace_id, min(t.min_start) AS first_start, max(t.max_start) AS last_start
         FROM trace_times t SEMI JOIN incoming_traces USING (trace_id)
         GROUP BY trace_id",
    )?;
    let known: Vec<String> = connection
        .prepare("SELECT trace_id FROM known_traces")?
        .query_map([], |row| row.get(0))?
        .collect::<duckdb::Result<_>>()?;
    if known.is_empty() {
        return Ok(0);
    }
    let known: std::collections::HashSet<String> = known.into_iter().collect();
    let coming = spans.iter().filter(|span| known.contains(&span.trace_id));
    let (traces, ids): (Vec<&str>, Vec<&str>) =
        coming.map(|span| (span.trace_id.as_str(), span.span_id.as_str())).unzip();
    let traces: ArrayRef = Arc::new(StringArray::from(traces));
    let ids: ArrayRef = Arc::new(StringArray::from(ids));
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE incoming_spans (trace_id VARCHAR, span_id VARCHAR)")?;
    append(connection, "temp", "incoming_spans", record_batch_of([("trace_id", traces), ("span_id", ids)]))?;
    let replaced = connection.execute(
        "DELETE FROM stored_spans s
         USING (SELECT * FROM incoming_spans JOIN known_traces USING (trace_id)) i
         WHERE s.trace_id = i.trace_id AND s.span_id = i.span_id AND s.start_time BETWEEN i.first_start AND i.last_start",
        [],
    )?;
    Ok(replaced as u64)
}

fn record_batch_of<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

fn append(connection: &Connection, catalog: &str, table: &str, batch: RecordBatch) -> duckdb::Result<()> {
    let mut appender = match catalog {
        "temp" => connection.appender_to_catalog_and_db(table, "temp", "main")?,
        _ => connection.appender(table)?,
    };
    appender.append_record_batch(batch)?;
    appender.flush()
}

fn now_in_microseconds() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_micros().try_into().unwrap_or(i64::MAX)
}
