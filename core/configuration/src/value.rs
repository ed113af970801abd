//! The text of a value, read and written.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use regex::RegexBuilder;

use crate::kind::{MOST_DAYS, MOST_ITEMS};
use crate::network::{address, headers, is_host, is_origin, url};
use crate::secret::HIDDEN;
use crate::{Item, Kind, Secret, Setting, settings};

/// Most memory that one compiled regular expression may take.
const MOST_PATTERN: usize = 1 << 20;

/// A value that is as its setting allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Empty,
    Boolean(bool),
    /// Also days and bytes.
    Number(u64),
    Duration(Duration),
    /// Also patterns.
    List(Vec<String>),
    Address(SocketAddr),
    /// Also choices and URLs.
    Text(String),
    Path(PathBuf),
    Secret(Secret),
    Headers(Vec<(String, Secret)>),
}

/// Why a text is not allowed, where there is more to say than what is allowed. It holds nothing of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) Option<String>);

impl Refused {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self(Some(reason.into()))
    }
}

impl Setting {
    /// Reads the text of a value. White space around it does not count.
    pub(crate) fn read(&self, text: &str) -> Result<Value, Refused> {
        let text = text.trim();
        if text.is_empty() && self.empty.is_some() {
            return Ok(Value::Empty);
        }
        self.kind.read(text)
    }
}

impl Kind {
    /// Reads a value that is not empty, without white space around it.
    pub(crate) fn read(self, text: &str) -> Result<Value, Refused> {
        match self {
            Self::Boolean => match text.to_ascii_lowercase().as_str() {
                // What Flock takes for true, and its opposites.
                "true" | "1" | "yes" | "on" => Some(Value::Boolean(true)),
                "false" | "0" | "no" | "off" => Some(Value::Boolean(false)),
                _ => None,
            }
            .ok_or_else(Refused::default),
            Self::Integer { least, most } => number(text, least, most),
            Self::Days => number(text, 1, MOST_DAYS),
            Self::Size { least, most } => match ByteSize::from_str(text) {
                // The largest of all stands for any size that is beyond it.
                Ok(ByteSize(bytes)) if (least..=most.unwrap_or(u64::MAX - 1)).contains(&bytes) => {
                    Ok(Value::Number(bytes))
                }
                _ => Err(Refused::default()),
            },
            Self::Duration { least, most } => match humantime::parse_duration(text) {
                Ok(duration) if (least..=most).contains(&duration) => Ok(Value::Duration(duration)),
                Err(humantime::DurationError::UnknownUnit { unit, .. }) if unit.is_empty() => {
                    Err(Refused::because("it has no unit"))
                }
                _ => Err(Refused::default()),
            },
            Self::List { item } => list(text, item).map(Value::List),
            Self::Patterns => patterns(text).map(Value::List),
            Self::Address => address(text).map(Value::Address).ok_or_else(Refused::default),
            Self::Choice { words } => match words.contains(&text) {
                true => Ok(Value::Text(text.into())),
                false => Err(Refused::default()),
            },
            Self::Path { .. } => one_line(text).map(|path| Value::Path(path.into())),
            Self::Url { must_be_private } => url(text, must_be_private).map(Value::Text),
            Self::Text => one_line(text).map(Value::Text),
            Self::Secret { least } => match text.len() {
                length if length < least => Err(Refused::because(format!("it has {length}"))),
                _ => Ok(Value::Secret(Secret::new(text))),
            },
            Self::Headers => headers(text).map(Value::Headers),
        }
    }
}

fn number(text: &str, least: u64, most: u64) -> Result<Value, Refused> {
    // The parser of the standard library would also take a plus sign.
    let is_number = text.bytes().all(|digit| digit.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_number && (least..=most).contains(&number) => Ok(Value::Number(number)),
        _ => Err(Refused::default()),
    }
}

fn one_line(text: &str) -> Result<String, Refused> {
    match text.is_empty() || text.contains(char::is_control) {
        true => Err(Refused::default()),
        false => Ok(text.into()),
    }
}

/// Flock itself reads JSON arrays only; a list with commas is what people write.
fn list(text: &str, item: Item) -> Result<Vec<String>, Refused> {
    let items: Vec<String> = if text.starts_with('[') {
        serde_json::from_str(text).map_err(|_| Refused::because("it is no JSON array of strings"))?
    } else {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        // One more than is allowed says enough.
        items.take(MOST_ITEMS + 1).map(str::to_owned).collect()
    };
    if items.len() > MOST_ITEMS {
        return Err(Refused::because("it has more"));
    }
    // Only an empty array says clearly that nothing is meant, which for services means to drop all spans.
    if items.is_empty() && !text.starts_with('[') {
        return Err(Refused::because("it has none"));
    }
    let fits = |text: &str| match item {
        Item::Name => true,
        Item::Origin => is_origin(text),
        Item::Host => is_host(text),
    };
    match items.iter().find(|item| !fits(item)) {
        Some(wrong) => Err(Refused::because(format!("{} is none", shown(wrong)))),
        None => Ok(items),
    }
}

fn patterns(text: &str) -> Result<Vec<String>, Refused> {
    // `[a-z]` is no JSON, so it is an expression.
    let patterns = serde_json::from_str(text).unwrap_or_else(|_| vec![text.to_owned()]);
    if patterns.len() > MOST_ITEMS {
        return Err(Refused::because("there are more"));
    }
    for pattern in &patterns {
        let compiled = RegexBuilder::new(pattern).size_limit(MOST_PATTERN).build();
        let reason = match compiled {
            Ok(expression) if expression.is_match("") => "matches the empty text",
            Ok(_) => continue,
            Err(regex::Error::CompiledTooBig(_)) => "is too large",
            Err(_) => "is no regular expression",
        };
        return Err(Refused::because(format!("{} {reason}", shown(pattern))));
    }
    Ok(patterns)
}

/// Most characters of a value that a message shows.
const MOST_SHOWN: usize = 100;

/// A text for a message: quoted, escaped, not too long, and without a password.
pub(crate) fn shown(text: &str) -> String {
    let Some(text) = without_password(text) else {
        return "an address with a user name that is not shown".into();
    };
    match text.char_indices().nth(MOST_SHOWN) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// The text, unless it looks like an address with a user name, and thus perhaps a password.
pub(crate) fn without_password(text: &str) -> Option<&str> {
    let holds_password = text.split_once("//").is_some_and(|(_, rest)| rest.contains('@'));
    (!holds_password).then_some(text)
}

impl Value {
    /// The value as text, which reads as the same value again; a secret is hidden.
    pub(crate) fn text(&self, kind: Kind) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Boolean(yes) => yes.to_string(),
            Self::Number(bytes) if matches!(kind, Kind::Size { .. }) => size_text(*bytes),
            Self::Number(number) => number.to_string(),
            Self::Duration(duration) => duration_text(*duration),
            Self::List(items) => list_text(items, matches!(kind, Kind::Patterns)),
            Self::Address(address) => address.to_string(),
            Self::Text(text) => text.clone(),
            Self::Path(path) => path.display().to_string(),
            Self::Secret(_) => HIDDEN.into(),
            Self::Headers(headers) => {
                let headers = headers.iter().map(|(name, _)| format!("{name}={HIDDEN}"));
                headers.collect::<Vec<_>>().join(",")
            }
        }
    }

    /// The word of a choice, the text of an URL; empty for any other value.
    pub(crate) fn as_text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// Makes a relative path begin at a folder, or at the working directory.
    pub(crate) fn in_folder(self, folder: Option<&Path>) -> Self {
        match self {
            Self::Path(path) => {
                let path = folder.map_or_else(|| path.clone(), |folder| folder.join(&path));
                Self::Path(std::path::absolute(&path).unwrap_or(path))
            }
            value => value,
        }
    }
}

/// A list with commas where that says it, else a JSON array. An expression alone may hold commas.
fn list_text(items: &[String], of_patterns: bool) -> String {
    let is_plain = |item: &String| {
        !item.is_empty() && item.trim() == item && !item.starts_with('[') && (of_patterns || !item.contains(','))
    };
    match items {
        [] => "[]".into(),
        [_, _, ..] if of_patterns => serde_json::json!(items).to_string(),
        items if items.iter().all(is_plain) => items.join(","),
        items => serde_json::json!(items).to_string(),
    }
}

/// Bytes with the largest unit that says them exactly.
pub(crate) fn size_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 8] = [
        (1 << 40, "TiB"),
        (1_000_000_000_000, "TB"),
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "KB"),
    ];
    let unit = UNITS.iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
}

pub(crate) fn duration_text(duration: Duration) -> String {
    match duration {
        Duration::ZERO => "0".into(),
        duration => humantime::format_duration(duration).to_string(),
    }
}

/// The values of all settings.
#[derive(Debug, Clone)]
pub(crate) struct Values(BTreeMap<&'static str, Value>);

impl Values {
    pub(crate) fn defaults() -> Self {
        let default = |setting: &Setting| (setting.key, setting.read(setting.default).unwrap_or(Value::Empty));
        Self(settings().iter().map(default).collect())
    }

    pub(crate) fn set(&mut self, key: &'static str, value: Value) {
        self.0.insert(key, value);
    }

    pub(crate) fn value(&self, key: &str) -> &Value {
        self.0.get(key).unwrap_or(&Value::Empty)
    }

    pub(crate) fn get<T: FromValue>(&self, key: &str) -> T {
        T::from_value(self.value(key))
    }
}

/// What a field of the configuration makes of a value. A value of another kind than the setting of the field has, which
/// the table rules out, becomes nothing, zero, or the like.
pub(crate) trait FromValue {
    fn from_value(value: &Value) -> Self;
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Self {
        (*value != Value::Empty).then(|| T::from_value(value))
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Self {
        *value == Value::Boolean(true)
    }
}

impl FromValue for u64 {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Number(number) => *number,
            _ => 0,
        }
    }
}

impl FromValue for u32 {
    fn from_value(value: &Value) -> Self {
        Self::try_from(u64::from_value(value)).unwrap_or(Self::MAX)
    }
}

impl FromValue for usize {
    fn from_value(value: &Value) -> Self {
        Self::try_from(u64::from_value(value)).unwrap_or(Self::MAX)
    }
}

impl FromValue for Duration {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Duration(duration) => *duration,
            _ => Self::ZERO,
        }
    }
}

impl FromValue for SocketAddr {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Address(address) => *address,
            _ => (Ipv4Addr::LOCALHOST, 0).into(),
        }
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Self {
        value.as_text().to_owned()
    }
}

impl FromValue for PathBuf {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Path(path) => path.clone(),
            _ => Self::new(),
        }
    }
}

impl FromValue for Secret {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Secret(secret) => secret.clone(),
            _ => Self::new(""),
        }
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::List(items) => items.clone(),
            _ => Self::new(),
        }
    }
}

impl FromValue for Vec<(String, Secret)> {
    fn from_value(value: &Value) -> Self {
        match value {
            Value::Headers(headers) => headers.clone(),
            _ => Self::new(),
        }
    }
}
