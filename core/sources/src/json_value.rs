//! Attribute values on their way into JSON text.

use std::collections::HashMap;
use std::fmt::Write;

/// A value as OpenTelemetry and Jaeger know them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// No value was set: `null`.
    Empty,
    Text(String),
    Bool(bool),
    Int(i64),
    /// JSON has no NaN and no infinities: these become the texts `NaN`, `Infinity`, `-Infinity`, as in OTLP/JSON.
    Double(f64),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    /// JSON already.
    Json(String),
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Bytes, as text in base64.
    pub(crate) fn bytes(bytes: &[u8]) -> Self {
        use base64::Engine;
        Self::Text(base64::engine::general_purpose::STANDARD.encode(bytes))
    }

    /// The text, where it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Writes the value as JSON.
    pub(crate) fn write(&self, json: &mut String) {
        match self {
            Self::Empty => json.push_str("null"),
            Self::Text(text) => write_text(text, json),
            Self::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => write_shown(value, json),
            Self::Double(value) if value.is_nan() => json.push_str("\"NaN\""),
            Self::Double(value) if value.is_infinite() => {
                json.push_str(if *value > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" });
            }
            // `Debug` keeps the point or the exponent, so a double stays one: `1.0`, `1e300`.
            Self::Double(value) => write_shown(format_args!("{value:?}"), json),
            Self::List(values) => {
                json.push('[');
                for (position, value) in values.iter().enumerate() {
                    if position > 0 {
                        json.push(',');
                    }
                    value.write(json);
                }
                json.push(']');
            }
            Self::Object(fields) => write_object(fields, json),
            Self::Json(text) => json.push_str(text),
        }
    }
}

/// The fields as a JSON object. Of a key that stands there twice, the last value counts.
pub(crate) fn object(fields: &[(String, Value)]) -> String {
    let mut json = String::new();
    write_object(fields, &mut json);
    json
}

fn write_object(fields: &[(String, Value)], json: &mut String) {
    let last: HashMap<&str, usize> = fields
        .iter()
        .enumerate()
        .map(|(index, (key, _))| (key.as_str(), index))
        .collect();
    let mut separator = '{';
    for (index, (key, value)) in fields.iter().enumerate() {
        if last[key.as_str()] == index {
            json.push(separator);
            write_text(key, json);
            json.push(':');
            value.write(json);
            separator = ',';
        }
    }
    json.push_str(if separator == '{' { "{}" } else { "}" });
}

fn write_text(text: &str, json: &mut String) {
    json.push_str(&serde_json::Value::from(text).to_string());
}

fn write_shown(value: impl std::fmt::Display, json: &mut String) {
    write!(json, "{value}").expect("a String takes all text");
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
                Value::Object(vec![("k".into(), Value::Json("[1]".into()))]),
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
}
