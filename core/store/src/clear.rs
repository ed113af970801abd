//! Removing everything.

use serde::Serialize;

use crate::{Store, StoreError};

/// What a clearing removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cleared {
    /// Spans that are gone, those of the archive included.
    pub spans: u64,
    /// Their traces.
    pub traces: u64,
}

impl Store {
    /// Removes every span, those of the archive too, all or none. How far sources were read is kept, so that what was
    /// removed does not come again from a file that is followed.
    pub fn clear(&self) -> Result<Cleared, StoreError> {
        let _care = self.care();
        let traces: u64 = self
            .reader()?
            .query_row("SELECT count(DISTINCT trace_id) FROM trace_times", [], |row| row.get(0))?;
        // No span starts at the last nanosecond of all: the year is 2262.
        let spans = self.remove_before(i64::MAX)?;
        Ok(Cleared { spans, traces })
    }
}
