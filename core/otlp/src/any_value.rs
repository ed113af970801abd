//! From JSON text to the values of OTLP.

use std::borrow::Cow;
use std::fmt;

use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::MOST_NESTING;

/// The keys and values of a JSON object, in its order, and a key that stands there twice as often as it does.
#[derive(Default)]
pub(crate) struct Fields<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// `None` if the text is not a JSON object.
    pub(crate) fn of(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Takes the last field away if it has this key and `read` makes something of its value.
    pub(crate) fn take_last<T>(&mut self, key: &str, read: impl FnOnce(&'a RawValue) -> Option<T>) -> Option<T> {
        let (last, value) = self.0.last()?;
        let taken = if last == key { read(value) } else { None };
        if taken.is_some() {
            self.0.pop();
        }
        taken
    }

    /// As OTLP's attributes.
    pub(crate) fn key_values(self) -> Vec<KeyValue> {
        self.within(MOST_NESTING)
    }

    fn within(self, levels: usize) -> Vec<KeyValue> {
        self.0
            .into_iter()
            .map(|(key, raw)| KeyValue {
                key: key.into_owned(),
                value: Some(any_value(raw, levels)),
                ..KeyValue::default()
            })
            .collect()
    }
}

/// A value. Lists and objects beyond so many levels become texts that hold their JSON.
///
/// Every level is looked at once as part of each level above it, which is why their number is small.
fn any_value(raw: &RawValue, levels: usize) -> AnyValue {
    use any_value::Value as Any;
    let text = raw.get();
    let as_text = || Any::StringValue(text.to_owned());
    let value = match text.as_bytes().first() {
        Some(b'n') | None => return AnyValue::default(),
        Some(b't') => Any::BoolValue(true),
        Some(b'f') => Any::BoolValue(false),
        // A text with half a surrogate pair, which only a file can hold, keeps its spelling.
        Some(b'"') => serde_json::from_str(text).map_or_else(|_| as_text(), Any::StringValue),
        Some(b'[' | b'{') if levels == 0 => as_text(),
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(values) => Any::ArrayValue(ArrayValue {
                values: values.into_iter().map(|raw| any_value(raw, levels - 1)).collect(),
            }),
            Err(_) => as_text(),
        },
        Some(b'{') => match Fields::of(text) {
            Some(fields) => Any::KvlistValue(KeyValueList {
                values: fields.within(levels - 1),
            }),
            None => as_text(),
        },
        Some(_) => number(text),
    };
    AnyValue { value: Some(value) }
}

/// Whole numbers beyond 64 bits become texts, as OpenTelemetry asks for.
/// <https://opentelemetry.io/docs/specs/otel/common/attribute-type-mapping/#integer-values>
fn number(text: &str) -> any_value::Value {
    use any_value::Value as Any;
    if let Ok(whole) = text.parse() {
        return Any::IntValue(whole);
    }
    let is_whole = !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
    match text.parse() {
        // `-0` is whole, and yet a double.
        Ok(double) if !is_whole || double == 0.0 => Any::DoubleValue(double),
        _ => Any::StringValue(text.to_owned()),
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Key(key), value)) = map.next_entry()? {
            fields.push((key, value));
        }
        Ok(Fields(fields))
    }
}

/// A key, borrowed where it holds no escape.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
