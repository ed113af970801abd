//! The analyses as typed calls. Each is one call of the table macro of the same name.

use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, DependencyRow, ExceptionRow, OperationRow, RedRow,
    StatisticsRow, TimelineRow, TraceRow,
};
use serde::de::DeserializeOwned;

use crate::schema::quoted;
use crate::{Store, StoreError};

/// A stretch of time, in nanoseconds since the epoch. The default is all of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// From here on, inclusive.
    pub since: Option<i64>,
    /// Up to here, exclusive.
    pub until: Option<i64>,
}

impl Window {
    fn arguments(self) -> String {
        format!("since := {}, until := {}", literal(self.since), literal(self.until))
    }
}

/// What RED groups by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// Service and operation.
    #[default]
    Operation,
    /// Service.
    Service,
    /// Agent.
    Agent,
    /// Module.
    Module,
    /// Deployment environment.
    Environment,
    /// Service version.
    Version,
}

impl GroupBy {
    /// The macro's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Service => "service",
            Self::Agent => "agent",
            Self::Module => "module",
            Self::Environment => "environment",
            Self::Version => "version",
        }
    }
}

/// What the nodes of the dependency graph are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Level {
    /// Agents.
    #[default]
    Agent,
    /// Services.
    Service,
    /// Operations, by full name.
    Operation,
}

impl Level {
    /// The macro's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Service => "service",
            Self::Operation => "operation",
        }
    }
}

impl Store {
    /// Traces that start in the window, newest first, at most so many.
    pub fn traces(&self, window: Window, most: Option<u64>) -> Result<Vec<TraceRow>, StoreError> {
        let most = most.map(|most| most.min(i64::MAX as u64) as i64);
        self.rows(&format!(
            "FROM traces({}, most := {})",
            window.arguments(),
            literal(most)
        ))
    }

    /// The spans of one trace as a tree. Empty for a trace that is not there.
    pub fn timeline(&self, trace_id: &str) -> Result<Vec<TimelineRow>, StoreError> {
        self.rows(&format!("FROM timeline({})", quoted(trace_id)))
    }

    /// Rate, errors and durations; with a `step` in nanoseconds as a time series.
    pub fn red(&self, group_by: GroupBy, window: Window, step: Option<i64>) -> Result<Vec<RedRow>, StoreError> {
        self.rows(&format!(
            "FROM red(group_by := '{}', {}, step := {})",
            group_by.as_str(),
            window.arguments(),
            literal(step)
        ))
    }

    /// Who called whom.
    pub fn dependencies(&self, level: Level, window: Window) -> Result<Vec<DependencyRow>, StoreError> {
        self.rows(&format!(
            "FROM dependencies(level := '{}', {})",
            level.as_str(),
            window.arguments()
        ))
    }

    /// Where the critical paths of the window's traces spend their time.
    pub fn critical_path(&self, window: Window) -> Result<Vec<CriticalPathRow>, StoreError> {
        self.rows(&format!("FROM critical_path({})", window.arguments()))
    }

    /// Exceptions by type and operation.
    pub fn exceptions(&self, window: Window) -> Result<Vec<ExceptionRow>, StoreError> {
        self.rows(&format!("FROM exceptions({})", window.arguments()))
    }

    /// Every traced function that was seen.
    pub fn operations(&self, window: Window) -> Result<Vec<OperationRow>, StoreError> {
        self.rows(&format!("FROM operations({})", window.arguments()))
    }

    /// Every attribute key.
    pub fn attribute_keys(&self, window: Window) -> Result<Vec<AttributeKeyRow>, StoreError> {
        self.rows(&format!("FROM attribute_keys({})", window.arguments()))
    }

    /// The most frequent values of an attribute, at most so many.
    pub fn attribute_values(&self, key: &str, window: Window, most: u64) -> Result<Vec<AttributeValueRow>, StoreError> {
        self.rows(&format!(
            "FROM attribute_values({}, {}) LIMIT {most}",
            quoted(key),
            window.arguments()
        ))
    }

    /// What the store holds.
    pub fn statistics(&self) -> Result<StatisticsRow, StoreError> {
        Ok(self.rows("FROM statistics()")?.pop().unwrap_or_default())
    }

    /// The ids of the traces whose id begins with a text, newest first, at most `most`.
    pub fn traces_like(&self, beginning: &str, most: u64) -> Result<Vec<String>, StoreError> {
        let connection = self.reader()?;
        let ids = connection
            .prepare(&format!(
                "SELECT trace_id FROM trace_bounds() WHERE starts_with(trace_id, ?)
                 ORDER BY first_start DESC, trace_id LIMIT {most}"
            ))?
            .query_map([beginning], |row| row.get(0))?
            .collect::<duckdb::Result<_>>()?;
        Ok(ids)
    }

    fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, StoreError> {
        // Files of the archive that the query may read stay until it has ended.
        let _lease = self.archive_files.lease();
        let mut rows = Vec::new();
        let outcome = self.database()?.query(self.connection_setup(), sql, |batch| {
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

fn literal(value: Option<i64>) -> String {
    value.map_or_else(|| "NULL".into(), |value| value.to_string())
}
