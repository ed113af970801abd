//! The line above a traced function.

use flockscope_functions::{Edit, Function, Tier};
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::changes::Change;
use crate::figures::{FunctionFigures, Percentile};
use crate::words;

/// Most characters of an error's message.
const MOST_MESSAGE: usize = 60;

/// A change of less than this is none.
const LEAST_CHANGE: f64 = 0.1;

/// What stands between the parts of a template.
const BETWEEN: &str = " · ";

/// How the line is made up: text, with names in braces for what is known. Of its parts, between ` · `, those fall away of
/// which nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(String);

impl Default for Template {
    fn default() -> Self {
        Self("{latest}, {age} · p95 {p95} · {calls} · {errors} · {change} · {edited}".into())
    }
}

/// What can be written in a template.
const NAMES: [&str; 13] = [
    "latest", "age", "p50", "p95", "p99", "slowest", "total", "calls", "errors", "change", "edited", "tokens", "cost",
];

impl Template {
    fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split(BETWEEN)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut rest = text.as_str();
        while let Some((_, from)) = rest.split_once('{') {
            let name = from.split_once('}').map(|(name, _)| name);
            match name {
                Some(name) if NAMES.contains(&name) => {}
                _ => {
                    return Err(D::Error::custom(format!(
                        "`{{{}}}` is unknown; there are {}",
                        name.unwrap_or(from),
                        NAMES.join(", ")
                    )));
                }
            }
            rest = from;
        }
        Ok(Self(text))
    }
}

/// What is known of a function now, for its line.
pub(crate) struct Facts<'a> {
    pub(crate) figures: &'a FunctionFigures<'a>,
    /// Its figures now and before, and what before is. None where several classes have some: of percentiles there is no
    /// sum.
    pub(crate) change: Option<(&'a Change, &'a str)>,
    /// Whether the function is another one now than when its latest span was made.
    pub(crate) edit: Edit,
    /// Nanoseconds since the epoch.
    pub(crate) now: i64,
}

impl Facts<'_> {
    /// What a name stands for; empty where nothing is known.
    fn value(&self, name: &str) -> String {
        let figures = self.figures;
        match name {
            "latest" => words::duration(figures.last.last_ms),
            "age" => words::ago(figures.last.last_time, self.now),
            "p50" => percentile(figures.percentile(|row| row.p50_ms)),
            "p95" => percentile(figures.percentile(|row| row.p95_ms)),
            "p99" => percentile(figures.percentile(|row| row.p99_ms)),
            "slowest" => words::duration(figures.slowest.slowest_ms),
            "total" => words::duration(figures.total_ms),
            "calls" => words::counted(figures.calls, "call", "calls"),
            "errors" if figures.errors > 0 => format!("{} errors", words::share(figures.errors, figures.calls)),
            "change" => self
                .change
                .and_then(|(change, before)| in_words(change, before))
                .unwrap_or_default(),
            "edited" => edit_in_words(self.edit).to_owned(),
            "tokens" => match figures.tokens() {
                (0, 0) => String::new(),
                (input, output) => format!("{} + {} tokens", words::count(input), words::count(output)),
            },
            "cost" if figures.cost() > 0.0 => format!("{:.4}", figures.cost()),
            _ => String::new(),
        }
    }

    /// A part of a template with what its names stand for; none if it has names and nothing is known of any.
    fn part(&self, part: &str) -> Option<String> {
        let mut out = String::new();
        let (mut has_names, mut is_known) = (false, false);
        let mut rest = part;
        while let Some((before, from)) = rest.split_once('{') {
            let (name, after) = from.split_once('}').unwrap_or((from, ""));
            let value = self.value(name);
            has_names = true;
            is_known |= !value.is_empty();
            out += before;
            out += &value;
            rest = after;
        }
        out += rest;
        (is_known || !has_names).then_some(out)
    }
}

/// What stands above a function whose spans were seen: figures, and if it has failed what went wrong last.
pub(crate) fn titles(facts: &Facts<'_>, template: &Template) -> Vec<String> {
    let figures = facts.figures;
    let certainty = match &figures.tier {
        Tier::Exact => "",
        Tier::Inferred => "≈ ",
        Tier::Ambiguous(_) => "? ",
    };
    let parts: Vec<String> = template.parts().filter_map(|part| facts.part(part)).collect();
    let mut title = format!("{certainty}{}", parts.join(BETWEEN));
    if let Tier::Ambiguous(candidates) = &figures.tier {
        title += &format!("{BETWEEN}may be those of {} functions", candidates.len());
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
        titles.push(format!("✗ {}, {}", one_line(&what), words::ago(time, facts.now)));
    }
    titles
}

/// What is said of figures that are of an older text of the function; empty where they are not, or nobody knows.
pub(crate) fn edit_in_words(edit: Edit) -> &'static str {
    match edit {
        Edit::Since { .. } => "before your edit",
        Edit::Perhaps => "perhaps before your edit",
        Edit::Unchanged | Edit::Unknown => "",
    }
}

/// What stands above a function that is traced, and whose spans were not seen.
pub(crate) const NEVER: &str = "traced, never seen";

/// The same before it is known whether any were.
pub(crate) const TRACED: &str = "traced";

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

/// A change in words: `p95 ▲ 35 %, errors 0 % → 12 % since version 1.1`; none where next to nothing changed.
pub(crate) fn in_words(change: &Change, before: &str) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(ratio) = change.p95_ratio() {
        if ratio >= 2.0 {
            parts.push(format!("p95 ▲ × {ratio:.1}"));
        } else if ratio >= 1.0 + LEAST_CHANGE {
            parts.push(format!("p95 ▲ {:.0} %", (ratio - 1.0) * 100.0));
        } else if ratio <= 1.0 - LEAST_CHANGE {
            parts.push(format!("p95 ▼ {:.0} %", (1.0 - ratio) * 100.0));
        }
    }
    if let Some((now, then)) = change.error_rates()
        && (now - then).abs() >= LEAST_CHANGE / 2.0
    {
        parts.push(format!(
            "errors {} → {}",
            words::share(change.errors_before, change.calls_before),
            words::share(change.errors, change.calls)
        ));
    }
    (!parts.is_empty()).then(|| format!("{} since {before}", parts.join(", ")))
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

#[cfg(test)]
mod tests {
    use flockscope_functions::Evidence;

    use super::*;
    use crate::figures::tests::row;

    fn titles_of(template: &str, change: Option<(&Change, &str)>) -> Vec<String> {
        let mut row = row("m", "A", "run", 20, 1_000_000_000);
        row.errors = 1;
        row.last_error_time = Some(1_000_000_000);
        row.last_error_message = Some("line one\nline two ".repeat(20));
        let figures = FunctionFigures::new(vec![&row], 0, (Tier::Exact, Evidence::Classes)).expect("a row");
        let facts = Facts {
            figures: &figures,
            change,
            edit: Edit::Unchanged,
            now: 6_000_000_000,
        };
        titles(&facts, &Template(template.into()))
    }

    #[test]
    fn parts_of_which_nothing_is_known_fall_away() {
        let titles = titles_of(&Template::default().0, None);
        assert_eq!(titles[0], "3.00 ms, 5 s ago · p95 5.00 ms · 20 calls · 5.0 % errors");
        assert!(titles[1].starts_with("✗ line one line two line one") && titles[1].ends_with("…, 5 s ago"));
        assert_eq!(
            titles_of("run {calls} in {total} · {tokens} · end", None)[0],
            "run 20 calls in 40.0 ms · end"
        );
    }

    #[test]
    fn a_change_is_told_when_it_is_one() {
        let mut change = Change {
            calls: 20,
            calls_before: 40,
            errors: 5,
            errors_before: 2,
            p95_ms: Some(13.5),
            p95_before_ms: Some(10.0),
        };
        let told = |change: &Change| in_words(change, "version 1.1");
        assert_eq!(
            told(&change).as_deref(),
            Some("p95 ▲ 35 %, errors 5.0 % → 25 % since version 1.1")
        );
        assert!(
            titles_of("{latest} · {change}", Some((&change, "the day before")))[0].ends_with("since the day before")
        );
        change.errors = 1;
        change.p95_ms = Some(25.0);
        assert_eq!(told(&change).as_deref(), Some("p95 ▲ × 2.5 since version 1.1"));
        change.p95_ms = Some(8.0);
        assert_eq!(told(&change).as_deref(), Some("p95 ▼ 20 % since version 1.1"));
        change.p95_ms = Some(10.5);
        assert_eq!(told(&change), None);
    }
}
