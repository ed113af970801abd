//! Spans that a client hands over.

use serde::{Deserialize, Serialize};

/// Answer of `POST /api/v1/spans`, whose body is one span a line, as JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpansTaken {
    /// Spans that are in the store now.
    pub stored: u64,
    /// Spans that gave way to one of these with the same trace and span id.
    pub replaced: u64,
    /// Spans without ids or times, which can't be placed.
    pub left_out: u64,
}

impl std::ops::AddAssign for SpansTaken {
    fn add_assign(&mut self, other: Self) {
        self.stored += other.stored;
        self.replaced += other.replaced;
        self.left_out += other.left_out;
    }
}
