//! Writes as Flock does: opens the file, inserts one span, closes it.

use std::path::Path;

use duckdb::{Connection, params};

/// Flock's table. <https://pypi.org/project/flock-core/>, `flock/logging/telemetry_exporter/duckdb_exporter.py`
const TABLE: &str = "CREATE TABLE IF NOT EXISTS spans (
    trace_id VARCHAR NOT NULL, span_id VARCHAR PRIMARY KEY, parent_id VARCHAR, name VARCHAR NOT NULL, service VARCHAR,
    operation VARCHAR, kind VARCHAR, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL, duration_ms DOUBLE NOT NULL,
    status_code VARCHAR NOT NULL, status_description VARCHAR, attributes JSON, events JSON, links JSON, resource JSON,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)";

/// Writes a span, a trace of its own, with these attributes.
pub(crate) fn write_span(file: &Path, number: u64, attributes: &str) {
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let connection = Connection::open(file).expect("no reader may lock the file");
    connection.execute_batch(TABLE).expect("the table");
    let start = 1_795_392_000_000_000_000 + i64::try_from(number).expect("a small number") * 1_000_000;
    connection
        .execute(
            "INSERT OR REPLACE INTO spans VALUES
             (?, ?, NULL, 'Agent.execute', 'Agent', 'execute', 'INTERNAL', ?, ?, 0.5, 'OK', NULL, ?, '[]', '[]',
              '{\"service.name\": \"flock-auto-trace\"}', now())",
            params![
                format!("f{number:031x}"),
                span_id(number),
                start,
                start + 500_000,
                attributes
            ],
        )
        .expect("a row");
}

/// The id of the span that [`write_span`] makes of a number.
pub(crate) fn span_id(number: u64) -> String {
    format!("f{number:015x}")
}
