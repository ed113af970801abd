//! The line above a traced function.

use flockscope_functions::{Function, Tier};

use crate::figures::{FunctionFigures, Percentile};
use crate::words;

/// Most characters of an error's message.
const MOST_MESSAGE: usize = 60;

/// What stands above a function whose spans were seen: figures, and if it has failed what went wrong last.
pub(crate) fn titles(figures: &FunctionFigures<'_>, now: i64) -> Vec<String> {
    let certainty = match &figures.tier {
        Tier::Exact => "",
        Tier::Inferred => "≈ ",
        Tier::Ambiguous(_) => "? ",
    };
    let mut title = format!(
        "{certainty}{}, {} · p95 {} · {}",
        words::duration(figures.last.last_ms),
        words::ago(figures.last.last_time, now),
        percentile(figures.percentile(|row| row.p95_ms)),
        words::counted(figures.calls, "call", "calls"),
    );
    if figures.errors > 0 {
        title += &format!(" · {} errors", words::share(figures.errors, figures.calls));
    }
    if let Tier::Ambiguous(candidates) = &figures.tier {
        title += &format!(" · may be those of {} functions", candidates.len());
    }
    let mut titles = vec![title];
    if let Some(row) = figures.last_error
        && let Some(time) = row.last_error_time
    {
        let what = match (&row.last_error_type, &row.last_error_message) {
            (Some(kind), Some(message)) => format!("{kind}: {message}"),
            (Some(text), None) | (None, Some(text)) => text.clone(),
            (None, None) => "an error without words".to_owned(),
        };
        titles.push(format!("✗ {}, {}", one_line(&what), words::ago(time, now)));
    }
    titles
}

/// What stands above a function that is traced, and whose spans were not seen.
pub(crate) const NEVER: &str = "traced, never seen";

/// Whether a function gets a line at all: its calls are spans, or spans say that they are its calls.
pub(crate) fn is_wanted(function: &Function<'_>, figures: Option<&FunctionFigures<'_>>) -> bool {
    figures.is_some()
        || function
            .traced
            .as_ref()
            .is_some_and(flockscope_functions::Traced::is_whole)
}

/// A percentile in words.
pub(crate) fn percentile(percentile: Percentile) -> String {
    match percentile {
        Percentile::Exact(ms) => words::duration(ms),
        Percentile::AtMost(ms) => format!("≤ {}", words::duration(ms)),
    }
}

fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(MOST_MESSAGE)
        .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
        .collect();
    if text.chars().nth(MOST_MESSAGE).is_some() {
        line.push('…');
    }
    line
}
