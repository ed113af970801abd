//! The analyses for callers that may not take all there is: with an end to rows and time, and a way to stop them.

use std::time::Duration;

use flockscope_analytics::calls::Call;
use serde::de::DeserializeOwned;

use crate::memory::is_shortage;
use crate::stop::{Ended, StopSignal};
use crate::store::is_disk_full;
use crate::{Store, StoreError};

/// What a call may take.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Most rows of the answer.
    pub rows: usize,
    /// Time until it is interrupted.
    pub time: Duration,
    /// Stops it.
    pub stop: StopSignal,
}

/// The first rows of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FirstRows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether there are more.
    pub cut: bool,
}

impl Store {
    /// Runs a call within bounds.
    pub fn ask_within<T: DeserializeOwned>(&self, call: &Call<T>, bounds: &Bounds) -> Result<FirstRows<T>, StoreError> {
        self.rows_within(call.sql(), bounds)
    }

    /// Runs a query of our own within bounds.
    pub(crate) fn rows_within<T: DeserializeOwned>(
        &self,
        sql: &str,
        bounds: &Bounds,
    ) -> Result<FirstRows<T>, StoreError> {
        // Files of the archive that the query may read stay until it has ended.
        let _lease = self.archive_files.lease();
        let sql = format!(
            "FROM ({sql}) LIMIT {}",
            bounds.rows.saturating_add(1).min(i64::MAX as usize)
        );
        let (mut rows, mut given_way) = (Vec::new(), false);
        loop {
            if bounds.stop.is_stopped() {
                return Err(StoreError::Cancelled);
            }
            let watch = Some((&bounds.stop, bounds.time));
            let database = self.database()?;
            let _memory = self.use_memory(&database)?;
            let (outcome, ended) = database.query_watched(self.connection_setup(), &sql, watch, |batch| {
                rows.extend(serde_arrow::from_record_batch::<Vec<T>>(&batch)?);
                Ok(())
            });
            match outcome {
                Ok(()) => break,
                Err(StoreError::Database(error)) => {
                    let error = self.ended_error(error, ended, bounds.time);
                    if given_way || !matches!(error, StoreError::OutOfMemory { .. }) || !self.users_give_way() {
                        return Err(error);
                    }
                    given_way = true;
                    rows.clear();
                }
                Err(error) => return Err(error),
            }
        }
        let cut = rows.len() > bounds.rows;
        rows.truncate(bounds.rows);
        Ok(FirstRows { rows, cut })
    }

    /// What the failure of a query means that was watched.
    pub(crate) fn ended_error(&self, error: duckdb::Error, ended: Option<Ended>, time: Duration) -> StoreError {
        let message = match &error {
            duckdb::Error::DuckDBFailure(_, Some(message)) => message.clone(),
            other => other.to_string(),
        };
        let stopped = self.note_failure(&message);
        match ended {
            Some(Ended::ByTime) => StoreError::TimedOut(time),
            Some(Ended::BySignal) => StoreError::Cancelled,
            Some(Ended::GivenWay) => StoreError::OutOfMemory {
                limit: self.settings.memory_limit.clone(),
                message: "the store itself needed the memory that this query held".into(),
            },
            None if stopped => StoreError::Stopped { message },
            None if is_shortage(&message) => StoreError::OutOfMemory {
                limit: self.settings.memory_limit.clone(),
                message,
            },
            // It wanted more than memory and disk have.
            None if is_disk_full(&message) => StoreError::OutOfMemory {
                limit: self.settings.memory_limit.clone(),
                message: "there is no room left on the disk for what it can't hold in memory".into(),
            },
            None => StoreError::Database(error),
        }
    }
}
