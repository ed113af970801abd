//! What a value may be.

use std::time::Duration;

use serde::Serialize;

use crate::value::{duration_text, size_text};

/// Most days that something may be kept: a hundred years.
pub(crate) const MOST_DAYS: u64 = 36_500;

/// Most entries of a list.
pub(crate) const MOST_ITEMS: usize = 1000;

/// What kind of value a setting takes, and within which limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// Yes or no, in the words that Flock takes.
    Boolean,
    /// A whole number.
    Integer {
        /// Least that is allowed.
        least: u64,
        /// Most that is allowed.
        most: u64,
    },
    /// A whole number of days, from 1 to 36,500.
    Days,
    /// A number of bytes, with a unit such as `MB` (10⁶ bytes) or `MiB` (2²⁰).
    Size {
        /// Fewest bytes.
        least: u64,
        /// Most bytes; `None`: no bound.
        most: Option<u64>,
    },
    /// A length of time, with its unit.
    Duration {
        /// Shortest; zero also means that `0` may be written without a unit.
        least: Duration,
        /// Longest.
        most: Duration,
    },
    /// Several texts: `a,b`, a JSON array of strings, or in `flockscope.toml` an array.
    List {
        /// What each of them is.
        item: Item,
    },
    /// Regular expressions: a JSON array of strings, or one expression, since a comma may be part of it.
    Patterns,
    /// An IP address and a port.
    Address,
    /// One of a few words.
    Choice {
        /// The words.
        words: &'static [&'static str],
    },
    /// A file or folder. A relative path in a file counts from the folder of that file, any other from the working
    /// directory.
    Path {
        /// What must be there.
        place: Place,
    },
    /// An `http` or `https` address without user name or password.
    Url {
        /// Whether `http` is allowed for this machine only.
        must_be_private: bool,
    },
    /// Any text of one line.
    Text,
    /// Text that is never shown.
    Secret {
        /// Fewest bytes.
        least: usize,
    },
    /// Headers of requests, whose values are never shown: `name=value,…` with percent-encoded values (as in
    /// `OTEL_EXPORTER_OTLP_HEADERS`), or a JSON object; in `flockscope.toml` a table.
    Headers,
}

/// What a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// Names of services, operations, attributes: any text.
    Name,
    /// Origins of web pages, as a browser sends them (RFC 6454): `https://example.org:8443`.
    Origin,
    /// Names of hosts, with or without a port.
    Host,
}

/// What must be at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// Nothing yet, or a file.
    MayBeMissing,
}

impl Kind {
    /// Whether a value must not be shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Headers)
    }

    /// What is allowed, in words that follow "must be".
    pub(crate) fn allowed(self) -> String {
        match self {
            Self::Boolean => "true or false (or 1, yes, on; 0, no, off)".into(),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Days => format!("a whole number of days from 1 to {MOST_DAYS}"),
            Self::Size { least, most: None } => {
                format!("a size of at least {}, such as 500MB or 2GiB", size_text(least))
            }
            Self::Size {
                least,
                most: Some(most),
            } => format!(
                "a size from {} to {}, with its unit (MB: 10⁶ bytes, MiB: 2²⁰)",
                size_text(least),
                size_text(most)
            ),
            Self::Duration {
                least: Duration::ZERO,
                most,
            } => format!(
                "0, or a time of at most {}, such as 500ms, 10s or 1min",
                duration_text(most)
            ),
            Self::Duration { least, most } => format!(
                "a time from {} to {}, such as 500ms, 10s or 1min",
                duration_text(least),
                duration_text(most)
            ),
            Self::List { item } => {
                let items = match item {
                    Item::Name => "names",
                    Item::Origin => "origins such as https://example.org or http://localhost:3000",
                    Item::Host => "hosts such as traces.example.org or 10.0.0.5:4319",
                };
                format!("{items}, at most {MOST_ITEMS}: a list with commas, or an array of strings")
            }
            Self::Patterns => format!("a regular expression, or an array of them, at most {MOST_ITEMS}"),
            Self::Address => {
                "an IP address and a port, such as 127.0.0.1:4319 or [::1]:4319; port 0 takes any free one".into()
            }
            Self::Choice { words } => format!("one of {}", words.join(", ")),
            Self::Path { place: Place::File } => "the path of a file".into(),
            Self::Path { place: Place::Folder } => "the path of a folder".into(),
            Self::Path {
                place: Place::MayBeMissing,
            } => "the path of a file, which need not exist yet".into(),
            Self::Url { must_be_private: false } => {
                "an address such as https://collector.example.org:4317, without user name or password".into()
            }
            Self::Url { must_be_private: true } => "an https address (http for this machine only), without user name \
                                                   or password"
                .into(),
            Self::Text => "a text of one line".into(),
            Self::Secret { least } => format!("a secret of at least {least} bytes"),
            Self::Headers => {
                "headers as name=value with commas between them (values percent-encoded), or a JSON object \
                              of strings"
                    .into()
            }
        }
    }
}
