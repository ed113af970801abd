//! Text for a terminal. Lines never exceed the width of the [`Style`]; nothing from a trace can steer the terminal.

mod dependencies;
mod finished;
mod paint;
mod table;
mod timeline;

use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, ExceptionRow, OperationRow, RedRow, StatisticsRow, TraceRow,
};

pub use dependencies::dependencies;
pub use finished::finished;
pub use table::table;
pub use timeline::timeline;

use crate::tables;

/// How text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether to write colours and bold type (SGR sequences, 256 colours).
    pub colour: bool,
    /// Columns of the terminal. Less than 30 counts as 30.
    pub width: usize,
    /// Whether to write anything but ASCII. Without it, other letters become escapes.
    pub unicode: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            colour: false,
            width: 100,
            unicode: true,
        }
    }
}

impl Style {
    fn columns(&self) -> usize {
        self.width.max(30)
    }
}

/// Figures as a line of small columns, the highest for the greatest; at most `columns` of them, neighbours summed. A
/// figure of 0 is a blank.
pub fn spark_line(figures: &[f64], columns: usize) -> String {
    paint::Paint::new(&Style::default()).spark(figures, columns)
}

/// Rate, errors and durations; `series`, the same groups over time, adds a spark line to each row.
pub fn red(rows: &[RedRow], series: &[RedRow], style: &Style) -> String {
    table(&tables::red(rows, series), style)
}

/// The list of traces.
pub fn traces(rows: &[TraceRow], style: &Style) -> String {
    table(&tables::traces(rows), style)
}

/// Where the critical paths of many traces spent their time.
pub fn critical_path(rows: &[CriticalPathRow], style: &Style) -> String {
    table(&tables::critical_path(rows), style)
}

/// Exceptions, each kind a row; the stack trace of the latest below the table where there is one row alone.
pub fn exceptions(rows: &[ExceptionRow], style: &Style) -> String {
    let mut out = table(&tables::exceptions(rows), style);
    if let [
        ExceptionRow {
            stacktrace: Some(stack),
            ..
        },
    ] = rows
    {
        let paint = paint::Paint::new(style);
        for line in crate::visible::lines(stack).lines() {
            out.push_str(&paint.fit(line, style.columns()));
            out.push('\n');
        }
    }
    out
}

/// Traced functions.
pub fn operations(rows: &[OperationRow], style: &Style) -> String {
    table(&tables::operations(rows), style)
}

/// Attribute keys.
pub fn attribute_keys(rows: &[AttributeKeyRow], style: &Style) -> String {
    table(&tables::attribute_keys(rows), style)
}

/// Values of one attribute.
pub fn attribute_values(rows: &[AttributeValueRow], style: &Style) -> String {
    table(&tables::attribute_values(rows), style)
}

/// What a store holds.
pub fn statistics(row: &StatisticsRow, style: &Style) -> String {
    table(&tables::statistics(row), style)
}

/// The answer of a SQL query; see [`tables::answer`].
pub fn answer(columns: &[String], rows: &[Vec<Option<String>>], total: Option<u64>, style: &Style) -> String {
    table(&tables::answer(columns, rows, total), style)
}
