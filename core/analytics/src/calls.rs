//! The analyses as typed calls: the SQL that asks, and the type of the rows that answer. Whoever holds a store runs them
//! there; a client sends the same text to the process that does.

use std::marker::PhantomData;

use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, DependencyRow, ExceptionRow, FunctionRow, OperationRow,
    RedRow, StatisticsRow, TimelineRow, TraceRow,
};
use serde::{Deserialize, Serialize};

/// One question: SQL whose answer has rows of the type `T`.
#[derive(Debug, PartialEq, Eq)]
pub struct Call<T> {
    sql: String,
    rows: PhantomData<fn() -> T>,
}

// Derived, it would ask for rows that can be cloned.
impl<T> Clone for Call<T> {
    fn clone(&self) -> Self {
        Self::new(self.sql.clone())
    }
}

impl<T> Call<T> {
    /// The statement. It only reads.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// A question of the caller's own, whose answer has rows like these.
    pub fn own(sql: String) -> Self {
        Self::new(sql)
    }

    fn new(sql: String) -> Self {
        Self { sql, rows: PhantomData }
    }
}

/// A stretch of time, in nanoseconds since the epoch. The default is all of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// From here on, inclusive.
    pub since: Option<i64>,
    /// Up to here, exclusive.
    pub until: Option<i64>,
}

impl Window {
    /// The arguments of an analysis that takes a window, in SQL.
    pub fn arguments(self) -> String {
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

/// The name of one trace, as [`traces_like`] answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceId {
    /// Trace id.
    pub trace_id: String,
}

/// Traces that start in the window, newest first, at most so many.
pub fn traces(window: Window, most: Option<u64>) -> Call<TraceRow> {
    let most = most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    Call::new(format!(
        "FROM traces({}, most := {})",
        window.arguments(),
        literal(most)
    ))
}

/// The spans of one trace as a tree. Empty for a trace that is not there.
pub fn timeline(trace_id: &str) -> Call<TimelineRow> {
    Call::new(format!("FROM timeline({})", quoted(trace_id)))
}

/// Rate, errors and durations; with a `step` in nanoseconds as a time series.
pub fn red(group_by: GroupBy, window: Window, step: Option<i64>) -> Call<RedRow> {
    Call::new(format!(
        "FROM red(group_by := '{}', {}, step := {})",
        group_by.as_str(),
        window.arguments(),
        literal(step)
    ))
}

/// Who called whom.
pub fn dependencies(level: Level, window: Window) -> Call<DependencyRow> {
    Call::new(format!(
        "FROM dependencies(level := '{}', {})",
        level.as_str(),
        window.arguments()
    ))
}

/// Where the critical paths of the window's traces spend their time.
pub fn critical_path(window: Window) -> Call<CriticalPathRow> {
    Call::new(format!("FROM critical_path({})", window.arguments()))
}

/// Exceptions by type and operation.
pub fn exceptions(window: Window) -> Call<ExceptionRow> {
    Call::new(format!("FROM exceptions({})", window.arguments()))
}

/// Every traced function that was seen.
pub fn operations(window: Window) -> Call<OperationRow> {
    Call::new(format!("FROM operations({})", window.arguments()))
}

/// What an editor shows at every traced function.
pub fn functions(window: Window) -> Call<FunctionRow> {
    Call::new(format!("FROM functions({})", window.arguments()))
}

/// Every attribute key.
pub fn attribute_keys(window: Window) -> Call<AttributeKeyRow> {
    Call::new(format!("FROM attribute_keys({})", window.arguments()))
}

/// The most frequent values of an attribute, at most so many.
pub fn attribute_values(key: &str, window: Window, most: u64) -> Call<AttributeValueRow> {
    Call::new(format!(
        "FROM attribute_values({}, {}) LIMIT {most}",
        quoted(key),
        window.arguments()
    ))
}

/// What the store holds: one row.
pub fn statistics() -> Call<StatisticsRow> {
    Call::new("FROM statistics()".into())
}

/// The ids of the traces whose id begins with a text, newest first, at most `most`.
pub fn traces_like(beginning: &str, most: u64) -> Call<TraceId> {
    Call::new(format!(
        "SELECT trace_id FROM trace_bounds() WHERE starts_with(trace_id, {}) \
         ORDER BY first_start DESC, trace_id LIMIT {most}",
        quoted(beginning)
    ))
}

fn literal(value: Option<i64>) -> String {
    value.map_or_else(|| "NULL".into(), |value| value.to_string())
}

/// A text as an SQL literal.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text_whatever_is_in_it() {
        let hostile = "x'); DROP TABLE spans; --";
        assert_eq!(timeline(hostile).sql(), "FROM timeline('x''); DROP TABLE spans; --')");
        assert_eq!(
            attribute_values("it's", Window::default(), 3).sql(),
            "FROM attribute_values('it''s', since := NULL, until := NULL) LIMIT 3"
        );
        assert!(traces_like("'", 1).sql().contains("starts_with(trace_id, '''')"));
    }

    #[test]
    fn what_is_left_open_is_null() {
        let window = Window {
            since: Some(-5),
            until: None,
        };
        assert_eq!(
            traces(window, Some(u64::MAX)).sql(),
            "FROM traces(since := -5, until := NULL, most := 9223372036854775807)"
        );
        assert_eq!(
            red(GroupBy::Agent, Window::default(), Some(60)).sql(),
            "FROM red(group_by := 'agent', since := NULL, until := NULL, step := 60)"
        );
    }
}
