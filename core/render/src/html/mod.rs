//! HTML fragments that read well everywhere: in a page of their own, in a live notebook, in one reopened untrusted, in
//! an export.
//!
//! What follows from that: no script, no `<style>`, no `<svg>`, no class that means anything; only inline styles with
//! plain values, since JupyterLab's sanitiser drops the rest. Text takes the colour of its surroundings, so light and
//! dark both work.

mod dependencies;
mod page;
mod table;
mod timeline;

use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, ExceptionRow, OperationRow, RedRow, StatisticsRow, TraceRow,
};
use maud::{Markup, html};

pub use dependencies::dependencies;
pub use page::page;
pub use table::table;
pub use timeline::timeline;

use crate::{colour, figures, tables, visible};

/// A grey that can be seen on light and dark, for lines and the ground of bars.
const GREY: &str = "#87878740";

/// Rate, errors and durations; `series`, the same groups over time, adds a spark line to each row.
pub fn red(rows: &[RedRow], series: &[RedRow]) -> String {
    table(&tables::red(rows, series))
}

/// The list of traces.
pub fn traces(rows: &[TraceRow]) -> String {
    table(&tables::traces(rows))
}

/// Where the critical paths of many traces spent their time.
pub fn critical_path(rows: &[CriticalPathRow]) -> String {
    table(&tables::critical_path(rows))
}

/// Exceptions, each kind a row, with the latest stack trace of each below.
pub fn exceptions(rows: &[ExceptionRow]) -> String {
    let stacks = html! {
        @for row in rows {
            @if let Some(stack) = &row.stacktrace {
                details {
                    summary { "Stack trace of " (visible::line(&row.exception_type)) " in " (visible::line(&row.service)) "." (visible::line(&row.operation)) }
                    (preformatted(stack))
                }
            }
        }
    };
    table(&tables::exceptions(rows)) + &stacks.into_string()
}

/// Traced functions.
pub fn operations(rows: &[OperationRow]) -> String {
    table(&tables::operations(rows))
}

/// Attribute keys.
pub fn attribute_keys(rows: &[AttributeKeyRow]) -> String {
    table(&tables::attribute_keys(rows))
}

/// Values of one attribute.
pub fn attribute_values(rows: &[AttributeValueRow]) -> String {
    table(&tables::attribute_values(rows))
}

/// What a store holds.
pub fn statistics(row: &StatisticsRow) -> String {
    table(&tables::statistics(row))
}

/// The answer of a SQL query; see [`tables::answer`].
pub fn answer(columns: &[String], rows: &[Vec<Option<String>>], total: Option<u64>) -> String {
    table(&tables::answer(columns, rows, total))
}

/// The sign of a service, in its colour.
fn sign(service: &str) -> Markup {
    let mark = colour::mark(service);
    html! { span style={ "color:" (mark.colour.hex) } { (mark.sign) } }
}

/// Words about an error. The sign has the colour of errors; the words keep that of their surroundings, since no red is
/// easy to read on both light and dark.
fn error(text: &str) -> Markup {
    html! { strong { span style={ "color:" (colour::ERROR.hex) } { "✗" } " " (visible::line(text)) } }
}

/// Text of several lines, such as a stack trace, cut at 20,000 characters.
fn preformatted(text: &str) -> Markup {
    let text = visible::shorten(text, 20_000);
    html! { pre style="white-space:pre-wrap;overflow:auto;max-height:24em;margin:4px 0 4px 24px;font-size:12px" { (visible::lines(&text)) } }
}

/// A share as a percentage of CSS, to a hundredth.
fn css_percent(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let percent = format!("{:.2}", share * 100.0);
    format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// A bar of a share, with its percentage beside it.
fn share_bar(share: f64) -> Markup {
    html! {
        div style="display:flex;align-items:center;gap:6px" {
            div style={ "width:60px;height:10px;background-color:" (GREY) } {
                div style={ "height:10px;background-color:#5f87af;width:" (css_percent(share)) } {}
            }
            span { (figures::percent(share)) }
        }
    }
}

/// A line of small columns, the highest for the greatest figure.
fn spark(series: &[f64]) -> Markup {
    let buckets = crate::spark::buckets(series, 40);
    let greatest = buckets.iter().copied().fold(0.0, f64::max);
    html! {
        div style="display:flex;align-items:flex-end;height:18px;gap:1px" title={ "greatest: " (figures::decimal(greatest, 0)) } {
            @for figure in &buckets {
                div style={ "width:3px;background-color:#5f87af;height:" (css_percent(figures::share(*figure, greatest))) } {}
            }
        }
    }
}
