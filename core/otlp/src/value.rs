//! Attribute values on their way into JSON text.

use std::collections::HashMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

/// A value as OpenTelemetry and Jaeger know them. Serialises as the JSON that a span holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// No value was set: `null`.
    Empty,
    /// A text.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; see [`Value::double`].
    Double(f64),
    /// Values of any kinds.
    List(Vec<Value>),
    /// Keys and values. Of a key that stands there twice, the last value counts.
    Object(Vec<(String, Value)>),
    /// JSON already.
    Json(Box<RawValue>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number. JSON has no NaN and no infinities: these become the texts `NaN`, `Infinity`, `-Infinity`, as in
    /// OTLP/JSON.
    pub fn double(value: f64) -> Self {
        match not_finite(value) {
            Some(name) => Self::text(name),
            None => Self::Double(value),
        }
    }

    /// Bytes, as text in base64.
    pub fn bytes(bytes: &[u8]) -> Self {
        use base64::Engine;
        Self::Text(base64::engine::general_purpose::STANDARD.encode(bytes))
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as JSON text.
    pub fn to_json(&self) -> String {
        json(self)
    }
}

/// The fields as a JSON object. Of a key that stands there twice, the last value counts.
pub fn object(fields: &[(String, Value)]) -> String {
    json(&Fields(fields))
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("the keys are texts, and no value refuses")
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_unit(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Double(value) => match not_finite(*value) {
                Some(name) => serializer.serialize_str(name),
                None => serializer.serialize_f64(*value),
            },
            Self::List(values) => serializer.collect_seq(values),
            Self::Object(fields) => Fields(fields).serialize(serializer),
            Self::Json(raw) => raw.serialize(serializer),
        }
    }
}

fn not_finite(value: f64) -> Option<&'static str> {
    match value {
        value if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

struct Fields<'a>(&'a [(String, Value)]);

/// Up to so many fields, looking through the later ones for the same key is faster than a table of keys.
const FEW_FIELDS: usize = 32;

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.0;
        let mut map = serializer.serialize_map(None)?;
        if fields.len() <= FEW_FIELDS {
            for (index, (key, value)) in fields.iter().enumerate() {
                if !fields[index + 1..].iter().any(|(later, _)| later == key) {
                    map.serialize_entry(key, value)?;
                }
            }
        } else {
            let last: HashMap<&str, usize> = (0..)
                .zip(fields)
                .map(|(index, (key, _))| (key.as_str(), index))
                .collect();
            for (index, (key, value)) in fields.iter().enumerate() {
                if last.get(key.as_str()) == Some(&index) {
                    map.serialize_entry(key, value)?;
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_becomes_json_that_reads_back() {
        let json = object(&[
            ("text".into(), Value::text("a \"quote\"\n\u{1}é")),
            ("whole".into(), Value::Int(i64::MAX)),
            ("half".into(), Value::Double(0.5)),
            ("one".into(), Value::Double(1.0)),
            ("nan".into(), Value::Double(f64::NAN)),
            ("least".into(), Value::Double(f64::NEG_INFINITY)),
            ("bytes".into(), Value::bytes(&[0, 255, 16])),
            (
                "list".into(),
                Value::List(vec![Value::Bool(true), Value::Empty, Value::List(vec![])]),
            ),
            (
                "object".into(),
                Value::Object(vec![(
                    "k".into(),
                    Value::Json(RawValue::from_string("[1]".into()).expect("JSON")),
                )]),
            ),
        ]);
        let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(
            read,
            serde_json::json!({
                "text": "a \"quote\"\n\u{1}é", "whole": 9_223_372_036_854_775_807_i64, "half": 0.5, "one": 1.0,
                "nan": "NaN", "least": "-Infinity", "bytes": "AP8Q", "list": [true, null, []], "object": {"k": [1]}
            })
        );
        assert!(json.contains("\"one\":1.0"), "{json}");
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_value_counts() {
        let fields = [("a", 1), ("b", 2), ("a", 3)].map(|(key, value)| (key.to_owned(), Value::Int(value)));
        assert_eq!(object(&fields), r#"{"b":2,"a":3}"#);
        assert_eq!(object(&[]), "{}");
    }

    #[test]
    fn many_fields_are_told_apart_in_the_same_way() {
        let fields: Vec<_> = (0..2 * FEW_FIELDS as i64)
            .map(|index| (format!("key {}", index % FEW_FIELDS as i64), Value::Int(index)))
            .collect();
        let read: HashMap<String, i64> = serde_json::from_str(&object(&fields)).expect("JSON");
        assert_eq!(read.len(), FEW_FIELDS);
        assert!(read.values().all(|value| *value >= FEW_FIELDS as i64), "{read:?}");
        assert_eq!(object(&fields).matches("key").count(), FEW_FIELDS);
    }
}
