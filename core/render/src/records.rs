//! Rows as records with named fields in a fixed order: what JSON and CSV are written from.

use std::fmt;

use flockscope_model::rows::{DependencyRow, RedRow};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::figures;
use crate::tables::{RED_KEYS, red_keys};

/// One row: its fields in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Record(pub(crate) Vec<(String, Value)>);

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Record;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Record(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// The fields of a row as serde writes them, in the order of its declaration.
///
/// By way of JSON text, because a `serde_json::Value` sorts its keys.
pub(crate) fn of<T: Serialize>(row: &T) -> serde_json::Result<Record> {
    serde_json::from_str(&serde_json::to_string(row)?)
}

/// The contract of `red --format json`: the bucket's time where there is one, the keys of the grouping, the figures.
/// With no rows there is nothing to tell the grouping from: the fields are those of a grouping by operation.
pub(crate) fn red(rows: &[RedRow]) -> Vec<Record> {
    let keys = red_keys(rows);
    let timed = rows.iter().any(|row| row.bucket_time.is_some());
    rows.iter().map(|row| red_record(row, &keys, timed)).collect()
}

pub(crate) fn red_record(row: &RedRow, keys: &[&str], timed: bool) -> Record {
    let mut fields: Vec<(String, Value)> = Vec::new();
    if timed {
        fields.push(("bucket_time".into(), json!(row.bucket_time)));
    }
    for (name, key) in RED_KEYS.iter().filter(|(name, _)| keys.contains(name)) {
        fields.push(((*name).into(), json!(key(row))));
    }
    let figures = [
        ("calls", json!(row.calls)),
        ("errors", json!(row.errors)),
        ("error_rate", json!(row.error_rate)),
        ("rate_per_s", json!(row.rate_per_s)),
        ("avg_ms", json!(row.avg_ms)),
        ("p50_ms", json!(row.p50_ms)),
        ("p90_ms", json!(row.p90_ms)),
        ("p95_ms", json!(row.p95_ms)),
        ("p99_ms", json!(row.p99_ms)),
        ("max_ms", json!(row.max_ms)),
    ];
    fields.extend(figures.map(|(name, value)| (name.into(), value)));
    Record(fields)
}

/// The contract of `deps --format json`.
pub(crate) fn dependency(row: &DependencyRow) -> Record {
    let fields = [
        ("from", json!(row.from)),
        ("to", json!(row.to)),
        ("calls", json!(row.calls)),
        ("errors", json!(row.errors)),
        ("p50_ms", json!(row.p50_ms)),
        ("p95_ms", json!(row.p95_ms)),
        ("p99_ms", json!(row.p99_ms)),
    ];
    Record(fields.map(|(name, value)| (name.into(), value)).into())
}

/// A value as one field of CSV: a list with blanks between its parts.
pub(crate) fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(field).collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
        other => other.to_string(),
    }
}

/// Milliseconds with the microsecond as the last digit, for charts: more digits only make them larger.
pub(crate) fn chart_ms(ms: f64) -> Value {
    if ms.is_finite() {
        json!((ms * 1e3).round() / 1e3)
    } else {
        Value::Null
    }
}

/// A time for charts.
pub(crate) fn chart_time(ns: i64) -> Value {
    json!(figures::rfc3339(ns))
}
