//! From the columns of a `spans` relation to [`Span`](flockscope_model::Span)s, whatever the columns' exact types.
//!
//! The columns go by Flock's names. Required are `trace_id`, `span_id`, `name`, `start_time`, and `end_time` or
//! `duration_ms`; the others may be missing, and columns that are not named here are ignored. Texts are taken as bytes
//! and checked here, because DuckDB hands out whatever a damaged file holds.

use duckdb::arrow::array::{Array, AsArray, BinaryArray, Float64Array, Int64Array, RecordBatch};
use duckdb::arrow::datatypes::{Float64Type, Int64Type};
use flockscope_model::{NewSpan, SkipReason, StatusCode};

use crate::batch::Found;
use crate::database::identifier;

/// What a column is for, which decides how it is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Id,
    Text,
    Json,
    /// Nanoseconds since the epoch.
    Nanoseconds,
    /// Microseconds since the epoch.
    Microseconds,
    Milliseconds,
}

/// The columns in the order in which they are selected.
const COLUMNS: [(&str, Kind); 19] = [
    ("trace_id", Kind::Id),
    ("span_id", Kind::Id),
    ("parent_id", Kind::Id),
    ("name", Kind::Text),
    ("service", Kind::Text),
    ("operation", Kind::Text),
    ("kind", Kind::Text),
    ("status_code", Kind::Text),
    ("status_description", Kind::Text),
    ("attributes", Kind::Json),
    ("events", Kind::Json),
    ("links", Kind::Json),
    ("resource", Kind::Json),
    ("scope_name", Kind::Text),
    ("scope_version", Kind::Text),
    ("repair", Kind::Text),
    ("start_time", Kind::Nanoseconds),
    ("end_time", Kind::Nanoseconds),
    ("duration_ms", Kind::Milliseconds),
];
const CREATED_AT: (&str, Kind) = ("created_at", Kind::Microseconds);

/// Stands for a time that does not fit: real ones are not negative.
const OUT_OF_RANGE: i64 = i64::MIN;

/// The expressions to select, in the order that [`SpanRows`] reads; or the required columns that are missing.
pub(crate) fn select_list(columns: &[(String, String)]) -> Result<String, Vec<String>> {
    let find = |wanted: &str| columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let mut missing: Vec<String> = ["trace_id", "span_id", "name", "start_time"]
        .iter()
        .filter(|name| find(name).is_none())
        .map(|name| (*name).to_owned())
        .collect();
    if find("end_time").is_none() && find("duration_ms").is_none() {
        missing.push("end_time".to_owned());
    }
    if !missing.is_empty() {
        return Err(missing);
    }
    let expressions: Vec<String> = COLUMNS
        .iter()
        .chain([&CREATED_AT])
        .map(|(name, kind)| match find(name) {
            Some((name, sql_type)) => expression(&identifier(name), sql_type, *kind),
            None => absent(*kind).to_owned(),
        })
        .collect();
    Ok(expressions.join(", "))
}

fn absent(kind: Kind) -> &'static str {
    match kind {
        Kind::Id | Kind::Text | Kind::Json => "NULL::BLOB",
        Kind::Nanoseconds | Kind::Microseconds => "NULL::BIGINT",
        Kind::Milliseconds => "NULL::DOUBLE",
    }
}

fn expression(column: &str, sql_type: &str, kind: Kind) -> String {
    let is_text = sql_type == "VARCHAR" || sql_type == "JSON" || sql_type.starts_with("ENUM");
    let is_timestamp = sql_type.starts_with("TIMESTAMP") || sql_type == "DATE";
    match (kind, sql_type) {
        (Kind::Id, "BLOB") => format!("encode(lower(hex({column})))"),
        (Kind::Text | Kind::Json, "BLOB") => column.to_owned(),
        (Kind::Json, "VARIANT") => format!("encode({column}::JSON::VARCHAR)"),
        (Kind::Json, _) if !is_text => format!("encode(to_json({column})::VARCHAR)"),
        (Kind::Id | Kind::Text | Kind::Json, _) => format!("encode({column}::VARCHAR)"),
        (Kind::Nanoseconds | Kind::Microseconds, "BIGINT") => column.to_owned(),
        (Kind::Nanoseconds, _) if is_timestamp => in_range(column, &format!("TRY(epoch_ns({column}))")),
        (Kind::Microseconds, _) if is_timestamp => format!("TRY(epoch_us({column}))"),
        (Kind::Nanoseconds, _) => in_range(column, &format!("TRY_CAST({column} AS BIGINT)")),
        (Kind::Microseconds, _) => format!("TRY_CAST({column} AS BIGINT)"),
        (Kind::Milliseconds, _) => format!("TRY_CAST({column} AS DOUBLE)"),
    }
}

fn in_range(column: &str, value: &str) -> String {
    format!("CASE WHEN {column} IS NOT NULL THEN coalesce({value}, (-9223372036854775808)::BIGINT) END")
}

/// The rows of a batch that was selected with [`select_list`].
pub(crate) struct SpanRows<'a> {
    texts: [&'a BinaryArray; 16],
    start_time: &'a Int64Array,
    end_time: &'a Int64Array,
    duration_ms: &'a Float64Array,
    created_at: &'a Int64Array,
}

/// A value of a text column, by its place in [`COLUMNS`].
struct Texts<'a> {
    columns: &'a [&'a BinaryArray; 16],
    row: usize,
    replaced: bool,
}

impl Texts<'_> {
    fn get(&mut self, name: &str) -> Option<String> {
        let place = COLUMNS.iter().position(|(column, _)| *column == name)?;
        let column = self.columns[place];
        if column.is_null(self.row) {
            return None;
        }
        let bytes = column.value(self.row);
        Some(match str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                self.replaced = true;
                String::from_utf8_lossy(bytes).into_owned()
            }
        })
    }

    fn text(&mut self, name: &str) -> String {
        self.get(name).unwrap_or_default()
    }

    fn some_text(&mut self, name: &str) -> Option<String> {
        self.get(name).filter(|text| !text.is_empty())
    }
}

impl<'a> SpanRows<'a> {
    /// The columns of `batch` from column `first` on; `None` if they are not what was selected.
    pub(crate) fn of(batch: &'a RecordBatch, first: usize) -> Option<Self> {
        let column = |index: usize| batch.columns().get(first + index);
        let integers = |index: usize| column(index)?.as_primitive_opt::<Int64Type>();
        let mut texts = Vec::with_capacity(16);
        for index in 0..16 {
            texts.push(column(index)?.as_binary_opt::<i32>()?);
        }
        Some(Self {
            texts: texts.try_into().ok()?,
            start_time: integers(16)?,
            end_time: integers(17)?,
            duration_ms: column(18)?.as_primitive_opt::<Float64Type>()?,
            created_at: integers(19)?,
        })
    }

    /// Trace id and span id of a row.
    pub(crate) fn ids(&self, row: usize) -> (String, String) {
        let mut texts = self.texts(row);
        (texts.text("trace_id"), texts.text("span_id"))
    }

    fn texts(&self, row: usize) -> Texts<'_> {
        Texts {
            columns: &self.texts,
            row,
            replaced: false,
        }
    }

    /// One row.
    pub(crate) fn get(&self, row: usize) -> Result<Found, SkipReason> {
        let start_time = present(self.start_time, row).unwrap_or(0);
        let end_time = match present(self.end_time, row) {
            Some(end_time) => end_time,
            None if self.duration_ms.is_null(row) => 0,
            // `as` saturates, and makes NaN 0.
            None => start_time.saturating_add((self.duration_ms.value(row) * 1e6).round() as i64),
        };
        if start_time == OUT_OF_RANGE || end_time == OUT_OF_RANGE {
            return Err(SkipReason::TimeOutOfRange);
        }
        let mut texts = self.texts(row);
        let span = NewSpan {
            trace_id: texts.text("trace_id"),
            span_id: texts.text("span_id"),
            parent_id: texts.get("parent_id"),
            name: texts.text("name"),
            service: texts.some_text("service"),
            operation: texts.some_text("operation"),
            kind: texts.text("kind"),
            start_time,
            end_time,
            status_code: status(&texts.text("status_code")),
            status_description: texts.get("status_description"),
            attributes: texts.text("attributes"),
            events: texts.text("events"),
            links: texts.text("links"),
            resource: texts.text("resource"),
            scope_name: texts.get("scope_name"),
            scope_version: texts.get("scope_version"),
            created_at: present(self.created_at, row),
        };
        Ok(Found {
            span,
            earlier_repair: texts.some_text("repair"),
            replaced_utf8: texts.replaced,
        })
    }
}

fn present(column: &Int64Array, row: usize) -> Option<i64> {
    (!column.is_null(row)).then(|| column.value(row))
}

/// The word, or OTLP's number.
fn status(word: &str) -> StatusCode {
    match word {
        "1" => StatusCode::Ok,
        "2" => StatusCode::Error,
        word => StatusCode::from_word(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[(&str, &str)]) -> Vec<(String, String)> {
        names
            .iter()
            .map(|(name, sql_type)| ((*name).to_owned(), (*sql_type).to_owned()))
            .collect()
    }

    #[test]
    fn required_columns_that_are_missing_are_named() {
        let found = columns(&[("TRACE_ID", "VARCHAR"), ("name", "VARCHAR"), ("start_time", "BIGINT")]);
        assert_eq!(select_list(&found), Err(vec!["span_id".into(), "end_time".into()]));
    }

    #[test]
    fn the_types_that_others_use_are_read_too() {
        let found = columns(&[
            ("trace_id", "BLOB"),
            ("span_id", "VARCHAR"),
            ("name", "VARCHAR"),
            ("start_time", "TIMESTAMP_NS"),
            ("duration_ms", "BIGINT"),
            ("attributes", "MAP(VARCHAR, VARCHAR)"),
        ]);
        let list = select_list(&found).expect("all that is required");
        assert!(
            list.starts_with(r#"encode(lower(hex("trace_id"))), encode("span_id"::VARCHAR), NULL::BLOB"#),
            "{list}"
        );
        assert!(list.contains(r#"encode(to_json("attributes")::VARCHAR)"#), "{list}");
        assert!(list.contains(r#"TRY(epoch_ns("start_time"))"#), "{list}");
        assert!(
            list.ends_with(r#"NULL::BIGINT, TRY_CAST("duration_ms" AS DOUBLE), NULL::BIGINT"#),
            "{list}"
        );
    }
}
