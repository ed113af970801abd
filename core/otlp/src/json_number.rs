//! The ways in which OTLP/JSON spells numbers: as numbers, as text, and enums by their names.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::message::Time;

/// A whole number, also as text, also `null`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Integer(i64);

impl Integer {
    pub(crate) fn whole(self) -> i64 {
        self.0
    }

    /// As a count of 32 bits; saturates.
    pub(crate) fn count(self) -> u32 {
        u32::try_from(self.0.max(0)).unwrap_or(u32::MAX)
    }
}

/// A number, or a text that is one, or one of the texts `NaN`, `Infinity`, `-Infinity`. Another text stays one.
pub(crate) enum Double {
    Number(f64),
    Text(String),
}

/// The number of an enum, or its name.
pub(crate) enum Enum {
    Number(i64),
    Name(String),
}

impl Default for Enum {
    fn default() -> Self {
        Self::Number(0)
    }
}

/// A number in any of the ways in which JSON spells them.
enum Spelled<'a> {
    Absent,
    Whole(i128),
    Fraction(f64),
    Text(Cow<'a, str>),
}

impl<'de> Deserialize<'de> for Spelled<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Spelled<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number, or a number as text")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Spelled::Absent)
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Spelled::Whole(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(Spelled::Whole(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Spelled::Fraction(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Spelled::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Spelled::Text(Cow::Borrowed(text)))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = match Spelled::deserialize(deserializer)? {
            Spelled::Absent => 0,
            Spelled::Whole(value) => value,
            Spelled::Fraction(value) if value.fract() == 0.0 => value as i128,
            Spelled::Fraction(value) => return Err(Error::custom(format!("{value} is not a whole number"))),
            Spelled::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| Error::custom(format!("{text:?} is not a whole number")))?,
        };
        i64::try_from(whole)
            .map(Self)
            .map_err(|_| Error::custom(format!("{whole} does not fit 64 bits")))
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The number's own text, because `serde_json` may be off by the last digit where it reads a number.
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let text = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map_err(Error::custom)?,
            _ => raw.to_owned(),
        };
        match text.trim().parse() {
            Ok(value) => Ok(Self::Number(value)),
            Err(_) if raw.starts_with('"') => Ok(Self::Text(text)),
            Err(_) => Err(Error::custom("a doubleValue that is not a number")),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let nanoseconds = match Spelled::deserialize(deserializer)? {
            Spelled::Absent => 0,
            Spelled::Whole(value) => value,
            // `as` saturates, which is out of range in any case.
            Spelled::Fraction(value) => value as i128,
            Spelled::Text(text) if text.trim().is_empty() => 0,
            Spelled::Text(text) => match text.trim().parse() {
                Ok(value) => value,
                Err(_) if text.trim().bytes().all(|byte| byte.is_ascii_digit()) => i128::MAX,
                Err(_) => return Err(Error::custom(format!("{text:?} is not a time in nanoseconds"))),
            },
        };
        Ok(match i64::try_from(nanoseconds) {
            Ok(0) => Self::Absent,
            Ok(time) => Self::At(time),
            Err(_) => Self::OutOfRange,
        })
    }
}

impl<'de> Deserialize<'de> for Enum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Spelled::deserialize(deserializer)? {
            Spelled::Absent => Self::Number(0),
            Spelled::Whole(number) => Self::Number(i64::try_from(number).unwrap_or(0)),
            Spelled::Fraction(number) => Self::Number(number as i64),
            Spelled::Text(text) => match text.parse() {
                Ok(number) => Self::Number(number),
                Err(_) => Self::Name(text.into_owned()),
            },
        })
    }
}
