//! CSV (RFC 4180): one line of names, then a line a row.
//!
//! **Formula injection.** A spreadsheet runs a field as a formula if it begins with `=`, `+`, `-`, `@`, a tab or a
//! carriage return, and telemetry is text that strangers wrote. Such *text* gets a leading `'`, which spreadsheets
//! take as "this is text" (<https://owasp.org/www-community/attacks/CSV_Injection>). Figures are left alone, so a
//! negative number stays one. A program that reads the file back may drop one `'` before those characters; JSON holds
//! the text untouched.

use flockscope_model::rows::{DependencyRow, RedRow};
use serde::Serialize;
use serde_json::Value;

use crate::records::{self, Record};
use crate::tables::red_keys;

/// Rates, errors and durations, with the fields of [`json::red`](crate::json::red).
pub fn red(rows: &[RedRow]) -> String {
    let timed = rows.iter().any(|row| row.bucket_time.is_some());
    let keys = if rows.is_empty() {
        vec!["service", "operation"]
    } else {
        red_keys(rows)
    };
    let head = records::red_record(&RedRow::default(), &keys, timed);
    write(&head, rows.iter().map(|row| records::red_record(row, &keys, timed)))
}

/// Edges of the dependency graph, with the fields of [`json::dependencies`](crate::json::dependencies).
pub fn dependencies(rows: &[DependencyRow]) -> String {
    write(
        &records::dependency(&DependencyRow::default()),
        rows.iter().map(records::dependency),
    )
}

/// Rows of any other analysis, a column a field. Lists are one field, with blanks between their parts.
///
/// Fails only if `T` can't be written as a JSON object; the rows of `flockscope_model` all can.
pub fn rows<T: Serialize + Default>(rows: &[T]) -> serde_json::Result<String> {
    let head = records::of(&T::default())?;
    let records = rows.iter().map(records::of).collect::<serde_json::Result<Vec<_>>>()?;
    Ok(write(&head, records.into_iter()))
}

/// An answer of SQL: values as text, `None` for NULL, which becomes an empty field. Text and figures can't be told
/// apart here, so what reads as a number counts as one.
pub fn answer(columns: &[String], rows: &[Vec<Option<String>>]) -> String {
    let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    line(&mut writer, columns.iter().map(|name| safe(name)));
    for row in rows {
        line(
            &mut writer,
            row.iter().map(|value| value.as_deref().map(safe).unwrap_or_default()),
        );
    }
    finish(writer)
}

fn write(head: &Record, records: impl Iterator<Item = Record>) -> String {
    let mut writer = ::csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    line(&mut writer, head.0.iter().map(|(name, _)| name.clone()));
    for record in records {
        line(
            &mut writer,
            record.0.iter().map(|(_, value)| match value {
                Value::Number(_) => records::field(value),
                _ => safe(&records::field(value)),
            }),
        );
    }
    finish(writer)
}

fn safe(text: &str) -> String {
    let begins_a_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if begins_a_formula && text.parse::<f64>().is_err() {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

// The writer fills a `Vec`, which has no errors, and lines of any length are allowed.
fn line(writer: &mut ::csv::Writer<Vec<u8>>, fields: impl Iterator<Item = String>) {
    let _ = writer.write_record(fields);
}

fn finish(writer: ::csv::Writer<Vec<u8>>) -> String {
    writer
        .into_inner()
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}
