//! Writes as Flock does: opens the file, inserts one span, closes it.

use std::path::{Path, PathBuf};

use duckdb::{Connection, params};

use crate::program::Project;

/// Flock's table. <https://pypi.org/project/flock-core/>, `flock/logging/telemetry_exporter/duckdb_exporter.py`
const TABLE: &str = "CREATE TABLE IF NOT EXISTS spans (
    trace_id VARCHAR NOT NULL, span_id VARCHAR PRIMARY KEY, parent_id VARCHAR, name VARCHAR NOT NULL, service VARCHAR,
    operation VARCHAR, kind VARCHAR, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL, duration_ms DOUBLE NOT NULL,
    status_code VARCHAR NOT NULL, status_description VARCHAR, attributes JSON, events JSON, links JSON, resource JSON,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)";

/// Where Flock puts its file.
pub(crate) fn flock_file(project: &Project) -> PathBuf {
    project.path(".flock/traces.duckdb")
}

/// Writes a span of half a millisecond, a trace of its own. Every fifth is an error.
pub(crate) fn write_span(file: &Path, number: i64) {
    write_span_at(file, number, 1_795_392_000_000_000_000 + number * 1_000_000);
}

/// As [`write_span`], with a start in nanoseconds since the epoch.
pub(crate) fn write_span_at(file: &Path, number: i64, start: i64) {
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    let connection = Connection::open(file).expect("no reader may lock the file");
    connection.execute_batch(TABLE).expect("the table");
    let (status, description) = if number % 5 == 0 {
        ("ERROR", Some("KeyError: 'x'"))
    } else {
        ("OK", None)
    };
    connection
        .execute(
            "INSERT OR REPLACE INTO spans VALUES
             (?, ?, NULL, 'Agent.execute', 'Agent', 'execute', 'INTERNAL', ?, ?, 0.5, ?, ?,
              '{\"agent.name\": \"intake\", \"class\": \"Agent\"}', '[]', '[]', '{\"service.name\": \"flock-auto-trace\"}', now())",
            params![format!("{:032x}", number + 1), span_id(number), start, start + 500_000, status, description],
        )
        .expect("a row");
}

/// The id of the span that [`write_span`] makes of a number.
pub(crate) fn span_id(number: i64) -> String {
    format!("{:016x}", number + 1)
}
