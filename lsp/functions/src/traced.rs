//! Why the calls of a function make spans.

use serde::{Deserialize, Serialize};

/// Why the calls of a function make spans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traced {
    /// It is a public method of a class that Flock traces.
    Metaclass {
        /// The class that it has the metaclass from: its own, or the nearest base that says so.
        from: String,
        /// Whether `@traced_and_logged` is on it too, which makes two spans of every call.
        twice: bool,
    },
    /// `@traced_and_logged`.
    Decorator,
    /// A decorator, attribute or annotation of OpenTelemetry or `tracing`, with the span's name.
    Span(String),
    /// It makes spans of these names inside.
    Inside(Vec<String>),
}

impl Traced {
    /// Whether every call of the function is a span.
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Inside(_))
    }
}
