//! Questions of our own that no analysis answers, asked as SQL.

use std::time::Duration;

use flockscope_store::{Limits, Window};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::traces::Traces;

/// Bytes that an answer of ours may take.
const MOST_BYTES: usize = 64 << 20;

/// The rows of an answer.
pub(crate) struct Found<T> {
    pub(crate) rows: Vec<T>,
    /// Whether there were more than fit.
    pub(crate) cut: bool,
}

/// Runs a query whose rows are wanted as values. It may take longer than a user's own.
pub(crate) fn rows<T: DeserializeOwned>(traces: &Traces, sql: &str) -> Result<Found<T>, Failure> {
    let limits = Limits {
        rows: 1_000_000,
        bytes: MOST_BYTES,
        time: Duration::from_secs(600),
        ..Limits::default()
    };
    let answer = traces.sql(sql, &limits)?;
    let mut rows = Vec::new();
    for batch in &answer.batches {
        let part: Vec<T> = serde_arrow::from_record_batch(batch)
            .map_err(|error| Failure::Failed(format!("an answer could not be read: {error}")))?;
        rows.extend(part);
    }
    Ok(Found { rows, cut: answer.cut })
}

/// The call of `traces()` for a window.
pub(crate) fn traces_in(window: Window) -> String {
    format!("traces({})", window.arguments())
}
