//! What the core process says by itself.

use serde::{Deserialize, Serialize};

/// One server-sent event of `/api/v1/events`, as JSON in its `data`; the SSE event name is the value of `kind`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// Spans were stored and can be queried.
    SpansStored {
        /// Number of spans.
        spans: u64,
        /// Trace ids they belong to, at most [`Event::MOST_NAMES`] of them.
        traces: Vec<String>,
        /// Operations they are calls of, at most [`Event::MOST_NAMES`] of them.
        operations: Vec<ChangedOperation>,
        /// Whether there were more traces or operations than are named.
        more: bool,
        /// Earliest end of a span, in nanoseconds since the epoch.
        #[serde(default)]
        earliest_end: i64,
        /// Latest end of a span, in nanoseconds since the epoch.
        latest_end: i64,
    },
    /// All spans, or the oldest, were removed.
    SpansRemoved {
        /// Number of spans.
        spans: u64,
    },
    /// The listener was too slow, and so many events are lost to it; what it holds must be asked for again.
    Missed {
        /// Number of events.
        events: u64,
    },
    /// The process ends.
    Stopping,
}

impl Event {
    /// Most traces and most operations that an event names.
    pub const MOST_NAMES: usize = 200;

    /// The word of `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SpansStored { .. } => "spans_stored",
            Self::SpansRemoved { .. } => "spans_removed",
            Self::Missed { .. } => "missed",
            Self::Stopping => "stopping",
        }
    }
}

/// An operation that was called.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangedOperation {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Calls in this event.
    pub calls: u64,
    /// Those with status ERROR.
    pub errors: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_is_the_kind_in_its_json() {
        let events = [
            Event::SpansStored {
                spans: 1,
                traces: vec!["a".into()],
                operations: Vec::new(),
                more: false,
                earliest_end: 4,
                latest_end: 5,
            },
            Event::SpansRemoved { spans: 2 },
            Event::Missed { events: 3 },
            Event::Stopping,
        ];
        for event in events {
            let json = serde_json::to_value(&event).expect("JSON");
            assert_eq!(json["kind"], event.kind());
            assert_eq!(serde_json::from_value::<Event>(json).expect("an event"), event);
        }
    }
}
