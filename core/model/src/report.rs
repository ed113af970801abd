//! What happened while spans were read: how many, what was mended, what was left out and why.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Why a span was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// No trace id, or one of zeros.
    NoTraceId,
    /// No span id, or one of zeros.
    NoSpanId,
    /// No start time, or one before the epoch.
    NoStartTime,
    /// A time that does not fit 64 bits of nanoseconds (after the year 2262).
    TimeOutOfRange,
    /// A record of the file that could not be read at all.
    Unreadable,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTraceId => "no trace id",
            Self::NoSpanId => "no span id",
            Self::NoStartTime => "no start time",
            Self::TimeOutOfRange => "a time after the year 2262",
            Self::Unreadable => "an unreadable record",
        })
    }
}

/// What was mended on a span that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// The end was before the start: the end was set to the start.
    NegativeDuration,
    /// The span named itself as its parent: it became a root.
    OwnParent,
    /// The span had no name: it is called `(no name)`.
    NoName,
    /// Attributes, events, links or resource were not the JSON they should be: the text is kept under
    /// `flockscope.invalid_json`.
    InvalidJson,
    /// Bytes that are not UTF-8 were replaced by U+FFFD.
    InvalidUtf8,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NegativeDuration => "end before start: end set to start",
            Self::OwnParent => "own parent: made a root",
            Self::NoName => "no name: called (no name)",
            Self::InvalidJson => "invalid JSON: kept as text",
            Self::InvalidUtf8 => "invalid UTF-8: replaced by U+FFFD",
        })
    }
}

/// The tally of one reading. Nothing is left out without standing here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadReport {
    /// Spans found, kept or not.
    pub read: u64,
    /// Spans left out, by reason.
    pub skipped: BTreeMap<SkipReason, u64>,
    /// Spans kept but mended, by repair.
    pub repaired: BTreeMap<Repair, u64>,
    /// Where the first few faults are, in words (`line 7: …`); at most [`ReadReport::MOST_NOTES`].
    pub notes: Vec<String>,
}

impl ReadReport {
    /// Faults told one by one; the rest are only counted.
    pub const MOST_NOTES: usize = 20;

    /// Counts a span that was left out, and where it was.
    pub fn skip(&mut self, reason: SkipReason, place: impl fmt::Display) {
        *self.skipped.entry(reason).or_default() += 1;
        self.note(format!("{place}: {reason}"));
    }

    /// Counts a repair.
    pub fn repair(&mut self, repair: Repair) {
        *self.repaired.entry(repair).or_default() += 1;
    }

    /// Keeps a note, as long as there are few.
    pub fn note(&mut self, note: String) {
        if self.notes.len() < Self::MOST_NOTES {
            self.notes.push(note);
        }
    }

    /// Spans left out, for all reasons.
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// Adds another reading to this one.
    pub fn add(&mut self, other: ReadReport) {
        self.read += other.read;
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        for (repair, count) in other.repaired {
            *self.repaired.entry(repair).or_default() += count;
        }
        for note in other.notes {
            self.note(note);
        }
    }
}
