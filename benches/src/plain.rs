//! Plain DuckDB, to compare with: a bare table with the columns of the store, and DuckDB's own settings.

use std::path::Path;

use anyhow::Result;
use duckdb::arrow::array::{AsArray, RecordBatch};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::{AccessMode, Config, Connection};
use flockscope_store::{SPAN_COLUMNS, Settings};

use crate::queries::Size;

/// Makes a file with the bare table.
pub(crate) fn create(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    let columns: Vec<String> = SPAN_COLUMNS
        .iter()
        .map(|(name, kind)| format!("\"{name}\" {kind}"))
        .collect();
    connection.execute_batch(&format!("CREATE TABLE stored_spans ({})", columns.join(", ")))?;
    Ok(connection)
}

/// Appends a batch in one transaction.
pub(crate) fn append(connection: &Connection, batch: RecordBatch) -> Result<()> {
    connection.execute_batch("BEGIN")?;
    let mut appender = connection.appender("stored_spans")?;
    appender.append_record_batch(batch)?;
    appender.flush()?;
    drop(appender);
    connection.execute_batch("COMMIT")?;
    Ok(())
}

/// Closes the file, which writes the checkpoint.
pub(crate) fn close(connection: Connection) -> Result<()> {
    Ok(connection.close().map_err(|(_, error)| error)?)
}

/// Opens a copy of a store's file to query its table directly, with the memory that the store has.
pub(crate) fn open_copy(copy: &Path) -> Result<Connection> {
    let config = Config::default()
        .access_mode(AccessMode::ReadOnly)?
        .max_memory(&Settings::default().memory_limit)?;
    Ok(Connection::open_with_flags(copy, config)?)
}

/// Runs a query to its end.
pub(crate) fn ask(connection: &Connection, sql: &str) -> Result<Size> {
    let mut statement = connection.prepare(sql)?;
    let batches: Vec<RecordBatch> = statement.query_arrow([])?.collect();
    Ok(batches.iter().fold(Size::default(), |size, batch| {
        let calls = batch
            .column_by_name("calls")
            .and_then(|column| column.as_primitive_opt::<Int64Type>());
        Size {
            rows: size.rows + batch.num_rows(),
            calls: size.calls + calls.map_or(0, |calls| calls.values().iter().sum::<i64>()),
        }
    }))
}
