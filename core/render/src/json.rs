//! JSON: the stable contract of `--format json`. Text of one array, fields in the documented order, a record a line.
//!
//! Figures that are not finite become `null`. Times are nanoseconds since the epoch, as integers.

use flockscope_model::rows::{DependencyRow, RedRow};
use serde::Serialize;

use crate::records::{self, Record};

/// Rates, errors and durations: `{service, operation, calls, errors, error_rate, rate_per_s, avg_ms, p50_ms, p90_ms,
/// p95_ms, p99_ms, max_ms}` for a grouping by operation. Other groupings have their own keys in the place of `service`
/// and `operation`; a time series has `bucket_time` before them.
pub fn red(rows: &[RedRow]) -> String {
    array(&records::red(rows))
}

/// Edges of the dependency graph: `{from, to, calls, errors, p50_ms, p95_ms, p99_ms}`.
pub fn dependencies(rows: &[DependencyRow]) -> String {
    array(&rows.iter().map(records::dependency).collect::<Vec<_>>())
}

/// Rows of any other analysis, with every field under its own name.
///
/// Fails only if `T` can't be written as a JSON object; the rows of `flockscope_model` all can.
pub fn rows<T: Serialize>(rows: &[T]) -> serde_json::Result<String> {
    let lines = rows
        .iter()
        .map(serde_json::to_string)
        .collect::<serde_json::Result<Vec<_>>>()?;
    Ok(bracketed(&lines))
}

/// An answer of SQL: an array of objects. Values come as JSON already. Of columns of the same name the later ones get a
/// number: `n`, `n_2`.
pub fn answer(columns: &[String], rows: &[Vec<serde_json::Value>]) -> String {
    let mut names: Vec<String> = Vec::with_capacity(columns.len());
    for column in columns {
        let mut name = column.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{column}_{number}");
            number += 1;
        }
        names.push(name);
    }
    let records: Vec<Record> = rows
        .iter()
        .map(|row| Record(names.iter().cloned().zip(row.iter().cloned()).collect()))
        .collect();
    array(&records)
}

fn array(records: &[Record]) -> String {
    // A record holds text keys and JSON values: writing it can't fail.
    let lines: Vec<String> = records
        .iter()
        .filter_map(|record| serde_json::to_string(record).ok())
        .collect();
    bracketed(&lines)
}

fn bracketed(lines: &[String]) -> String {
    if lines.is_empty() {
        return "[]\n".into();
    }
    format!("[\n  {}\n]\n", lines.join(",\n  "))
}
