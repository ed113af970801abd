//! The analyses as methods of a store. Each runs one of the calls that `flockscope_analytics::calls` writes.

use flockscope_analytics::calls::{self, Call, GroupBy, Level, Window};
use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, DependencyRow, ExceptionRow, FunctionRow, OperationRow,
    RedRow, StatisticsRow, TimelineRow, TraceRow,
};
use serde::de::DeserializeOwned;

use crate::{Store, StoreError};

impl Store {
    /// Traces that start in the window, newest first, at most so many.
    pub fn traces(&self, window: Window, most: Option<u64>) -> Result<Vec<TraceRow>, StoreError> {
        self.ask(&calls::traces(window, most))
    }

    /// The spans of one trace as a tree. Empty for a trace that is not there.
    pub fn timeline(&self, trace_id: &str) -> Result<Vec<TimelineRow>, StoreError> {
        self.ask(&calls::timeline(trace_id))
    }

    /// Rate, errors and durations; with a `step` in nanoseconds as a time series.
    pub fn red(&self, group_by: GroupBy, window: Window, step: Option<i64>) -> Result<Vec<RedRow>, StoreError> {
        self.ask(&calls::red(group_by, window, step))
    }

    /// Who called whom.
    pub fn dependencies(&self, level: Level, window: Window) -> Result<Vec<DependencyRow>, StoreError> {
        self.ask(&calls::dependencies(level, window))
    }

    /// Where the critical paths of the window's traces spend their time.
    pub fn critical_path(&self, window: Window) -> Result<Vec<CriticalPathRow>, StoreError> {
        self.ask(&calls::critical_path(window))
    }

    /// Exceptions by type and operation.
    pub fn exceptions(&self, window: Window) -> Result<Vec<ExceptionRow>, StoreError> {
        self.ask(&calls::exceptions(window))
    }

    /// Every traced function that was seen.
    pub fn operations(&self, window: Window) -> Result<Vec<OperationRow>, StoreError> {
        self.ask(&calls::operations(window))
    }

    /// What an editor shows at every traced function.
    pub fn functions(&self, window: Window) -> Result<Vec<FunctionRow>, StoreError> {
        self.ask(&calls::functions(window))
    }

    /// Every attribute key.
    pub fn attribute_keys(&self, window: Window) -> Result<Vec<AttributeKeyRow>, StoreError> {
        self.ask(&calls::attribute_keys(window))
    }

    /// The most frequent values of an attribute, at most so many.
    pub fn attribute_values(&self, key: &str, window: Window, most: u64) -> Result<Vec<AttributeValueRow>, StoreError> {
        self.ask(&calls::attribute_values(key, window, most))
    }

    /// What the store holds.
    pub fn statistics(&self) -> Result<StatisticsRow, StoreError> {
        Ok(self.ask(&calls::statistics())?.pop().unwrap_or_default())
    }

    /// The ids of the traces whose id begins with a text, newest first, at most `most`.
    pub fn traces_like(&self, beginning: &str, most: u64) -> Result<Vec<String>, StoreError> {
        let found = self.ask(&calls::traces_like(beginning, most))?;
        Ok(found.into_iter().map(|found| found.trace_id).collect())
    }

    /// Runs a call. It is one of our own: no limits are set on it.
    pub fn ask<T: DeserializeOwned>(&self, call: &Call<T>) -> Result<Vec<T>, StoreError> {
        let sql = call.sql();
        // Files of the archive that the query may read stay until it has ended.
        let _lease = self.archive_files.lease();
        let database = self.database()?;
        let _memory = self.use_memory(&database)?;
        let mut rows = Vec::new();
        let outcome = database.query(self.connection_setup(), sql, |batch| {
            rows.extend(serde_arrow::from_record_batch::<Vec<T>>(&batch)?);
            Ok(())
        });
        match outcome {
            Ok(()) => Ok(rows),
            Err(StoreError::Database(error)) => Err(self.read_error(error)),
            Err(error) => Err(error),
        }
    }
}
