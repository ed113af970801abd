//! Writes spans as a Flock program does: for each span the file is opened, one row is inserted, the file is closed.

use std::fs;
use std::io::{Write, stdout};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use duckdb::{Connection, params};
use flockscope_model::Span;
use flockscope_store::record_batch;
use serde::{Deserialize, Serialize};

use crate::{data, plain};

/// Flock's table and indexes.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS spans (
        trace_id VARCHAR NOT NULL, span_id VARCHAR PRIMARY KEY, parent_id VARCHAR, name VARCHAR NOT NULL,
        service VARCHAR, operation VARCHAR, kind VARCHAR, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL,
        duration_ms DOUBLE NOT NULL, status_code VARCHAR NOT NULL, status_description VARCHAR,
        attributes JSON, events JSON, links JSON, resource JSON, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
    CREATE INDEX IF NOT EXISTS idx_trace_id ON spans(trace_id);
    CREATE INDEX IF NOT EXISTS idx_service ON spans(service);
    CREATE INDEX IF NOT EXISTS idx_start_time ON spans(start_time);
    CREATE INDEX IF NOT EXISTS idx_name ON spans(name);
    CREATE INDEX IF NOT EXISTS idx_created_at ON spans(created_at);";

/// Columns of that table: the first ones of the store, in the same order.
const COLUMNS: usize = 17;
const SPANS_A_STEP: usize = 5_000;

/// What a file was filled with.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Filled {
    pub(crate) spans: u64,
    pub(crate) bytes: u64,
}

/// Makes a file with Flock's table, of so many bytes at least.
pub(crate) fn fill(file: &Path, bytes: u64) -> Result<Filled> {
    let connection = Connection::open(file)?;
    connection.execute_batch(SCHEMA)?;
    let mut generator = data::others(u64::MAX, 3)?;
    let columns: Vec<usize> = (0..COLUMNS).collect();
    let mut filled = Filled { spans: 0, bytes: 0 };
    while filled.bytes < bytes {
        let spans = generator.next_batch(SPANS_A_STEP).context("the generator ended")?;
        let batch = record_batch(&spans, now_in_nanoseconds()? / 1_000).project(&columns)?;
        let mut appender = connection.appender("spans")?;
        appender.append_record_batch(batch)?;
        appender.flush()?;
        drop(appender);
        connection.execute_batch("CHECKPOINT")?;
        filled.spans += spans.len() as u64;
        filled.bytes = fs::metadata(file)?.len();
    }
    plain::close(connection)?;
    Ok(filled)
}

/// A span that was written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) span_id: String,
    /// When its row was committed, in nanoseconds since the epoch.
    pub(crate) at: i64,
    /// From opening the file to having closed it.
    pub(crate) took: Duration,
}

/// Writes spans, and says of each on a line of its own when it was committed, as soon as its file is closed.
pub(crate) fn write(file: &Path, spans: u64, pause: Duration) -> Result<()> {
    let mut generator = data::others(spans, 4)?;
    while let Some(batch) = generator.next_batch(1) {
        for span in batch {
            let start = std::time::Instant::now();
            let connection = Connection::open(file)?;
            insert(&connection, &span)?;
            let at = now_in_nanoseconds()?;
            plain::close(connection)?;
            let written = Written {
                span_id: span.span_id,
                at,
                took: start.elapsed(),
            };
            writeln!(stdout(), "{}", serde_json::to_string(&written)?)?;
            thread::sleep(pause);
        }
    }
    Ok(())
}

fn insert(connection: &Connection, span: &Span) -> Result<()> {
    connection.execute(
        "INSERT OR REPLACE INTO spans (trace_id, span_id, parent_id, name, service, operation, kind, start_time, end_time,
             duration_ms, status_code, status_description, attributes, events, links, resource)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        params![
            span.trace_id,
            span.span_id,
            span.parent_id,
            span.name,
            span.service,
            span.operation,
            span.kind,
            span.start_time,
            span.end_time,
            span.duration_ms(),
            span.status_code.as_str(),
            span.status_description,
            span.attributes,
            span.events,
            span.links,
            span.resource,
        ],
    )?;
    Ok(())
}

pub(crate) fn now_in_nanoseconds() -> Result<i64> {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the clock is before 1970")?;
    i64::try_from(since_epoch.as_nanos()).context("the clock is after 2262")
}
