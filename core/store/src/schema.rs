//! The tables of a store, and the view `spans` that joins the table and the archive.

use duckdb::Connection;

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

/// Creates what is missing in a new store.
pub(crate) fn create(connection: &Connection) -> duckdb::Result<()> {
    let columns: Vec<String> = SPAN_COLUMNS.iter().map(|(name, data_type)| format!("\"{name}\" {data_type}")).collect();
    connection.execute_batch(&format!(
        "BEGIN;
         CREATE TABLE IF NOT EXISTS flockscope_meta (key VARCHAR PRIMARY KEY, value VARCHAR);
         INSERT INTO flockscope_meta VALUES ('schema_version', '{SCHEMA_VERSION}') ON CONFLICT DO NOTHING;
         CREATE TABLE IF NOT EXISTS stored_spans ({});
         -- For every batch and trace the earliest and the latest start: bounds that let a look-up skip row groups.
         CREATE TABLE IF NOT EXISTS trace_times (trace_id VARCHAR, min_start BIGINT, max_start BIGINT);
         -- The days that are in the archive, as days since the epoch.
         CREATE TABLE IF NOT EXISTS archived_days (day DATE PRIMARY KEY, spans BIGINT, bytes BIGINT);
         -- How far a followed source has been read.
         CREATE TABLE IF NOT EXISTS source_positions (source VARCHAR PRIMARY KEY, position VARCHAR);
         COMMIT;",
        columns.join(", ")
    ))
}

/// Creates the view `spans` and the macros over it. `archive` is the pattern of the archive's files, if it has any.
pub(crate) fn create_views(connection: &Connection, archive: Option<&str>) -> duckdb::Result<()> {
    let columns: Vec<String> = SPAN_COLUMNS.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let columns = columns.join(", ");
    let mut view = format!("CREATE OR REPLACE VIEW spans AS SELECT {columns} FROM stored_spans");
    if let Some(pattern) = archive {
        view.push_str(&format!(
            " UNION ALL SELECT {columns} FROM read_parquet({}, hive_partitioning = true, union_by_name = true)",
            quoted(pattern)
        ));
    }
    connection.execute_batch(&view)?;
    for definition in flockscope_analytics::definitions() {
        connection.execute_batch(definition)?;
    }
    Ok(())
}

/// A text as an SQL literal.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
