//! The tables of a store, and the view `spans` that joins the table and the archive.

use std::path::{Path, PathBuf};

use duckdb::Connection;

use crate::archive::is_conflict;
use crate::archive_files;
use crate::calls::quoted;

/// Version of the tables below. It grows with every change of them.
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// Columns of `spans`: name and DuckDB type, Flock's columns first, under Flock's names.
pub const SPAN_COLUMNS: &[(&str, &str)] = &[
    ("trace_id", "VARCHAR"),
    ("span_id", "VARCHAR"),
    ("parent_id", "VARCHAR"),
    ("name", "VARCHAR"),
    ("service", "VARCHAR"),
    ("operation", "VARCHAR"),
    ("kind", "VARCHAR"),
    ("start_time", "BIGINT"),
    ("end_time", "BIGINT"),
    ("duration_ms", "DOUBLE"),
    ("status_code", "VARCHAR"),
    ("status_description", "VARCHAR"),
    ("attributes", "JSON"),
    ("events", "JSON"),
    ("links", "JSON"),
    ("resource", "JSON"),
    ("created_at", "TIMESTAMP"),
    ("scope_name", "VARCHAR"),
    ("scope_version", "VARCHAR"),
    ("service_name", "VARCHAR"),
    ("service_version", "VARCHAR"),
    ("deployment_environment", "VARCHAR"),
    ("agent", "VARCHAR"),
    ("correlation_id", "VARCHAR"),
    ("task_id", "VARCHAR"),
    ("workflow_name", "VARCHAR"),
    ("module", "VARCHAR"),
    ("class", "VARCHAR"),
    ("function", "VARCHAR"),
    ("code_file_path", "VARCHAR"),
    ("code_function_name", "VARCHAR"),
    ("code_line_number", "INTEGER"),
    ("exception_type", "VARCHAR"),
    ("exception_message", "VARCHAR"),
    ("event_count", "INTEGER"),
    ("gen_ai_provider", "VARCHAR"),
    ("gen_ai_model", "VARCHAR"),
    ("gen_ai_operation", "VARCHAR"),
    ("gen_ai_input_tokens", "BIGINT"),
    ("gen_ai_output_tokens", "BIGINT"),
    ("gen_ai_cost", "DOUBLE"),
    ("repair", "VARCHAR"),
];

/// The other columns of a store, by table; of the spans' table only the first.
pub(crate) const TABLES: &[(&str, &str)] = &[
    ("flockscope_meta", "key"),
    ("flockscope_meta", "value"),
    ("stored_spans", "trace_id"),
    ("trace_times", "trace_id"),
    ("trace_times", "min_start"),
    ("trace_times", "max_start"),
    ("archived_days", "day"),
    ("archived_days", "spans"),
    ("archived_days", "bytes"),
    ("archived_days", "file"),
    ("source_positions", "source"),
    ("source_positions", "position"),
];

/// Creates what is missing in a new store.
pub(crate) fn create(connection: &Connection) -> duckdb::Result<()> {
    // Spans repeat whole objects from one to the next: zstd makes a thirtieth of what DuckDB would choose by itself, and
    // loads faster (docs/storage-design.md).
    let compression = |data_type: &str| {
        if data_type == "JSON" {
            " USING COMPRESSION zstd"
        } else {
            ""
        }
    };
    let columns: Vec<String> = SPAN_COLUMNS
        .iter()
        .map(|(name, data_type)| format!("\"{name}\" {data_type}{}", compression(data_type)))
        .collect();
    connection.execute_batch(&format!(
        "BEGIN;
         CREATE TABLE IF NOT EXISTS flockscope_meta (key VARCHAR PRIMARY KEY, value VARCHAR);
         INSERT INTO flockscope_meta VALUES ('schema_version', '{SCHEMA_VERSION}') ON CONFLICT DO NOTHING;
         CREATE TABLE IF NOT EXISTS stored_spans ({});
         -- For every batch and trace the earliest and the latest start: bounds that let a look-up skip row groups.
         CREATE TABLE IF NOT EXISTS trace_times (trace_id VARCHAR, min_start BIGINT, max_start BIGINT);
         CREATE INDEX IF NOT EXISTS trace_times_by_trace ON trace_times (trace_id);
         -- The UTC days that are in the archive, each with its file, relative to the archive's folder.
         CREATE TABLE IF NOT EXISTS archived_days (day DATE PRIMARY KEY, spans BIGINT, bytes BIGINT, file VARCHAR);
         -- How far a followed source has been read.
         CREATE TABLE IF NOT EXISTS source_positions (source VARCHAR PRIMARY KEY, position VARCHAR);
         COMMIT;",
        columns.join(", ")
    ))
}

/// How long a view lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// In the store's file.
    Store,
    /// As long as the connection, before the one in the file.
    Connection,
}

/// Creates the view `spans`: the stored rows, and those of the files that `archived_days` names. A file that is missing
/// or can't be read must not keep the store from opening: it is left out, and the health check says so. Returns the
/// statement.
pub(crate) fn create_view(connection: &Connection, archive: &Path, lifetime: Lifetime) -> duckdb::Result<String> {
    let mut files: Vec<PathBuf> = archive_files::entered(connection)?
        .iter()
        .map(|day| archive.join(&day.file))
        .filter(|file| file.exists())
        .collect();
    let whole = view(&files, lifetime);
    match connection.execute_batch(&whole) {
        Ok(()) => return Ok(whole),
        Err(error) if is_conflict(&error) || files.is_empty() => return Err(error),
        Err(_) => {}
    }
    files.retain(|file| {
        let rows = parquet(std::slice::from_ref(file));
        connection
            .query_row(&format!("SELECT count(*) FROM {rows}"), [], |_| Ok(()))
            .is_ok()
    });
    let readable = view(&files, lifetime);
    connection.execute_batch(&readable)?;
    Ok(readable)
}

fn view(files: &[PathBuf], lifetime: Lifetime) -> String {
    let kind = match lifetime {
        Lifetime::Store => "VIEW",
        Lifetime::Connection => "TEMP VIEW",
    };
    let mut view = format!(
        "CREATE OR REPLACE {kind} spans AS SELECT {} FROM stored_spans",
        columns("")
    );
    if !files.is_empty() {
        view.push_str(&format!(
            " UNION ALL SELECT {} FROM {}",
            columns_from_archive(),
            parquet(files)
        ));
    }
    view
}

/// Creates the analyses' macros.
pub(crate) fn create_macros(connection: &Connection) -> duckdb::Result<()> {
    flockscope_analytics::definitions().try_for_each(|definition| connection.execute_batch(definition))
}

/// The columns of `spans` as a list, each with a prefix such as `s.`.
pub(crate) fn columns(prefix: &str) -> String {
    let columns: Vec<String> = SPAN_COLUMNS
        .iter()
        .map(|(name, _)| format!("{prefix}\"{name}\""))
        .collect();
    columns.join(", ")
}

/// The columns as the archive keeps them: JSON as plain text, which any engine reads.
pub(crate) fn columns_for_archive() -> String {
    casts("VARCHAR")
}

/// The columns as `spans` has them, out of the archive's.
pub(crate) fn columns_from_archive() -> String {
    casts("JSON")
}

fn casts(json_type: &str) -> String {
    let column = |(name, data_type): &(&str, &str)| match *data_type {
        "JSON" => format!("\"{name}\"::{json_type} AS \"{name}\""),
        _ => format!("\"{name}\""),
    };
    SPAN_COLUMNS.iter().map(column).collect::<Vec<_>>().join(", ")
}

/// The table function that reads files of the archive. All have the same columns, so DuckDB need not open every one
/// of them to find that out (`union_by_name`), which costs 80 ms for a year of days.
pub(crate) fn parquet(files: &[PathBuf]) -> String {
    let files: Vec<String> = files.iter().map(|file| quoted(&file.to_string_lossy())).collect();
    format!("read_parquet([{}], hive_partitioning = false)", files.join(", "))
}
