//! What is shown about a function where the pointer rests: on its definition, or on a call of it.

use flockscope_functions::{Edit, Evidence, Function, Tier};
use flockscope_model::rows::FunctionRow;
use flockscope_render::text::spark_line;

use crate::calls::Edge;
use crate::changes::Changes;
use crate::commands::OPEN_TRACE;
use crate::details::{Detail, Details, PARTS};
use crate::figures::{FunctionFigures, Key, Percentile};
use crate::lens::{edit_in_words, in_words, percentile};
use crate::markdown::{code, escaped};
use crate::words;

/// Rows of a table by class.
const MOST_CLASSES: usize = 8;

/// Callers and callees that are named.
const MOST_EDGES: usize = 5;

/// What is known beside the figures of a function.
pub(crate) struct Around<'a> {
    pub(crate) callers: Vec<Edge<'a>>,
    pub(crate) callees: Vec<Edge<'a>>,
    pub(crate) details: &'a Details,
    pub(crate) changes: &'a Changes,
    /// Whether the editor follows links to commands.
    pub(crate) has_links: bool,
    /// Whether the function is another one now than when its latest span was made.
    pub(crate) edit: Edit,
}

/// Markdown about a function whose spans were seen.
pub(crate) fn markdown(
    function: &Function<'_>,
    figures: &FunctionFigures<'_>,
    around: &Around<'_>,
    now: i64,
) -> String {
    let mut out = format!(
        "**{}** · {}",
        escaped(&function.qualified_name),
        words::counted(figures.calls, "call", "calls")
    );
    if figures.errors > 0 {
        out += &format!(
            ", {} ({})",
            words::counted(figures.errors, "error", "errors"),
            words::share(figures.errors, figures.calls)
        );
    }
    out += "\n\n| | p50 | p95 | p99 | slowest | in all |\n|---|---|---|---|---|---|\n";
    let cells = |p50: Percentile, p95: Percentile, p99: Percentile, slowest: f64, total: f64| {
        format!(
            "{} | {} | {} | {} | {} |\n",
            percentile(p50),
            percentile(p95),
            percentile(p99),
            words::duration(slowest),
            words::duration(total)
        )
    };
    out += "| duration | ";
    out += &cells(
        figures.percentile(|row| row.p50_ms),
        figures.percentile(|row| row.p95_ms),
        figures.percentile(|row| row.p99_ms),
        figures.slowest.slowest_ms,
        figures.total_ms,
    );
    let is_inherited = figures
        .rows
        .iter()
        .any(|row| row.class.as_deref() != function.class && row.class.is_some());
    if figures.rows.len() > 1 || is_inherited {
        let mut rows = figures.rows.clone();
        rows.sort_by(|one, other| other.total_ms.total_cmp(&one.total_ms));
        for row in rows.iter().take(MOST_CLASSES) {
            out += &format!(
                "| {} ({}) | ",
                code(row.class.as_deref().unwrap_or(&row.name)),
                words::counted(row.calls, "call", "calls")
            );
            let exact = Percentile::Exact;
            out += &cells(
                exact(row.p50_ms),
                exact(row.p95_ms),
                exact(row.p99_ms),
                row.slowest_ms,
                row.total_ms,
            );
        }
        if rows.len() > MOST_CLASSES {
            out += &format!("| and {} more | | | | | |\n", rows.len() - MOST_CLASSES);
        }
    }
    if figures.later_calls > 0 {
        out += &format!(
            "\n*p50, p95 and p99 do not have the {} yet.*\n",
            words::counted(figures.later_calls, "latest call", "latest calls")
        );
    }
    out += &format!(
        "\n- latest: {}, {}, trace {}\n- slowest: {}, trace {}\n",
        words::duration(figures.last.last_ms),
        words::ago(figures.last.last_time, now),
        trace(&figures.last.last_trace_id, around.has_links),
        words::duration(figures.slowest.slowest_ms),
        trace(&figures.slowest.slowest_trace_id, around.has_links),
    );
    if let Some(row) = figures.last_error
        && let Some(time) = row.last_error_time
    {
        let what = match (&row.last_error_type, &row.last_error_message) {
            (Some(kind), Some(message)) => format!("**{}** {}", escaped(kind), escaped(message)),
            (Some(kind), None) => format!("**{}**", escaped(kind)),
            (None, Some(message)) => escaped(message),
            (None, None) => "without words".to_owned(),
        };
        out += &format!(
            "- latest error: {what}, {}, trace {}\n",
            words::ago(time, now),
            trace(row.last_error_trace_id.as_deref().unwrap_or_default(), around.has_links),
        );
    }
    for (title, edges) in [("called by", &around.callers), ("calls", &around.callees)] {
        if edges.is_empty() {
            continue;
        }
        let named = edges.iter().take(MOST_EDGES).map(|edge| {
            let figures = format!(
                "{}, p95 {}",
                words::count(edge.row.calls),
                words::duration(edge.row.p95_ms)
            );
            format!("{} ({figures})", code(edge.name))
        });
        out += &format!("- {title}: {}", named.collect::<Vec<_>>().join(", "));
        if edges.len() > MOST_EDGES {
            out += &format!(" and {} more", edges.len() - MOST_EDGES);
        }
        out.push('\n');
    }
    let (input, output) = figures.tokens();
    if input + output > 0 {
        out += &format!("- tokens: {} in, {} out\n", words::count(input), words::count(output));
    }
    if figures.cost() > 0.0 {
        out += &format!("- cost: {:.4}\n", figures.cost());
    }
    out += &beside(figures, around);
    match edit_in_words(around.edit) {
        "" => {}
        words => out += &format!("- the latest call was {words}\n"),
    }
    out += &format!("\n*{}*", certainty(figures));
    out
}

/// A trace's id; as a link that opens it where the editor follows such.
/// <https://code.visualstudio.com/api/extension-guides/command#command-uris>
fn trace(id: &str, has_links: bool) -> String {
    // Whatever else stands in an id must not become part of an address.
    if has_links && !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
        format!("[{}](command:{OPEN_TRACE}?%5B%22{id}%22%5D)", code(id))
    } else {
        code(id)
    }
}

/// Self time, the last hour, what changed, and what the latest call got and gave.
fn beside(figures: &FunctionFigures<'_>, around: &Around<'_>) -> String {
    let mut out = String::new();
    let found: Vec<(&FunctionRow, &Detail)> = figures
        .rows
        .iter()
        .filter_map(|row| Some((*row, around.details.of(&Key::from(*row))?)))
        .collect();
    let self_ms: f64 = found.iter().map(|(_, detail)| detail.self_ms).sum();
    if self_ms > 0.0 {
        let share = around.details.share(self_ms) * 100.0;
        let of = if around.details.is_part {
            "the newest spans"
        } else {
            "all spans"
        };
        out += &format!(
            "- self time: {}, {share:.1} % of that of {of}\n",
            words::duration(self_ms)
        );
    }
    let hours = found.iter().filter_map(|(_, detail)| detail.last_hour.as_ref());
    let hour = hours.fold([0.0; PARTS], |mut sum: [f64; PARTS], parts| {
        for (most, part) in sum.iter_mut().zip(parts) {
            *most = most.max(*part);
        }
        sum
    });
    if hour.iter().any(|part| *part > 0.0) {
        let line = spark_line(&hour, PARTS).replace(' ', "·");
        let most = hour.iter().copied().fold(0.0, f64::max);
        out += &format!(
            "- last hour: {} median durations up to {}\n",
            code(&line),
            words::duration(most)
        );
    }
    for row in &figures.rows {
        let change = around.changes.of(&Key::from(*row));
        if let Some(words) = change.and_then(|change| in_words(change, &around.changes.before)) {
            let class = match figures.rows.as_slice() {
                [_] => String::new(),
                _ => format!("{}: ", code(row.class.as_deref().unwrap_or(&row.name))),
            };
            out += &format!("- change: {class}{}\n", escaped(&words));
        }
    }
    let latest = found.iter().find(|(row, _)| std::ptr::eq(*row, figures.last));
    let values = latest.map_or(&[][..], |(_, detail)| detail.values.as_slice());
    for (title, prefix) in [("last inputs", "input."), ("last output", "output.")] {
        let of_kind = values
            .iter()
            .filter_map(|(name, text)| Some((name.strip_prefix(prefix)?, text)));
        let named: Vec<String> = of_kind
            .map(|(name, text)| format!("{} {}", escaped(name), code(text)))
            .collect();
        if !named.is_empty() {
            out += &format!("- {title}: {}\n", named.join(", "));
        }
    }
    out
}

/// How sure it is that the spans are the function's, and why.
fn certainty(figures: &FunctionFigures<'_>) -> String {
    let why = match figures.evidence {
        Evidence::Code => "the spans name the place in the code",
        Evidence::Classes => "the spans name module, class and function",
        Evidence::Module => "the spans name module and function",
        Evidence::Nesting => "told apart from its base by which one calls the other",
        Evidence::Literal => "the spans bear the name that is written here",
        Evidence::Inside => "the spans are made inside of it",
        Evidence::Name => "the spans bear the name of class and function",
    };
    match &figures.tier {
        Tier::Exact => format!("exact: {why}"),
        Tier::Inferred => format!("inferred: {why}"),
        Tier::Ambiguous(candidates) => format!(
            "ambiguous: {why}, and {} functions fit; the figures are of all of them",
            candidates.len()
        ),
    }
}
