//! A trace as nested details with bars.

use flockscope_model::rows::TimelineRow;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::{GREY, css_percent, error, preformatted, sign};
use crate::colour;
use crate::figures;
use crate::timeline::{Content, Folded, Line, Plan, SpanDetails, TimelineOptions, error_text, is_error, place, plan};
use crate::visible;

/// Details inside details: browsers give up on deep nesting. Deeper spans are drawn at this level, with their depth in
/// figures.
const DEEPEST: usize = 30;

/// Levels are opened from the top as long as no more than so many lines are in sight.
const OPEN_LINES: usize = 120;

/// The triangle of details stands in a margin of its own, so that it does not shift the bars.
const SUMMARY: &str = "list-style-position:outside;margin-left:20px";

/// Ground of the bars.
const GROUND: &str = "#87878714";

/// Attributes and events shown of one span, and characters of one value.
const MOST_ENTRIES: usize = 100;
const MOST_CHARACTERS: usize = 2000;

/// The timeline of one trace, as a fragment: rows of `timeline(trace)` in their order.
///
/// A line a span, with its bar; spans with others below them open and close. Errors, repairs and what
/// [`TimelineOptions::details`] holds are shown below their span.
pub fn timeline(rows: &[TimelineRow], options: &TimelineOptions) -> String {
    let plan = plan(rows, options);
    let view = View {
        open_depth: open_depth(&plan),
        plan: &plan,
        options,
    };
    let forest = forest(&plan.lines);
    let trace = rows.first().map_or("", |row| &row.trace_id);
    html! {
        div style="font-size:13px;line-height:1.5" {
            div style="margin:0 0 6px" {
                strong { (visible::line(plan.title())) }
                span style="opacity:0.75" {
                    @for fact in plan.facts() { " · " (fact) }
                    @if !trace.is_empty() { " · trace " code { (visible::line(trace)) } }
                }
            }
            @if !rows.is_empty() {
                div style={ "display:flex;font-size:11px;border-bottom:1px solid #878787;padding-left:20px" } {
                    div style="width:42%" { "span" }
                    div style="width:40%;display:flex;justify-content:space-between" {
                        span { "0" } span { (figures::duration(plan.duration_ms / 2.0)) } span { (figures::duration(plan.duration_ms)) }
                    }
                    div style="width:9%;text-align:right" { "duration" }
                    div style="width:9%;text-align:right" { "self" }
                }
            }
            @for node in &forest { (view.node(node)) }
            div style="font-size:12px;opacity:0.75;margin:6px 0" {
                (plan.shown_words())
                @if rows.iter().any(|row| row.critical) { " · ┃ critical path" }
            }
        }
    }
    .into_string()
}

/// A line and those below it.
struct Node<'a> {
    line: &'a Line,
    below: Vec<Node<'a>>,
}

/// The lines as trees no deeper than [`DEEPEST`].
fn forest(lines: &[Line]) -> Vec<Node<'_>> {
    let mut roots: Vec<Node<'_>> = Vec::new();
    // The open path, from a root down; closed nodes move into their parent.
    let mut path: Vec<Node<'_>> = Vec::new();
    for line in lines {
        close(&mut path, &mut roots, line.depth.min(DEEPEST));
        path.push(Node {
            line,
            below: Vec::new(),
        });
    }
    close(&mut path, &mut roots, 0);
    roots
}

/// Closes the open path down to `depth`.
fn close<'a>(path: &mut Vec<Node<'a>>, roots: &mut Vec<Node<'a>>, depth: usize) {
    while path.len() > depth {
        let Some(node) = path.pop() else { break };
        match path.last_mut() {
            Some(parent) => parent.below.push(node),
            None => roots.push(node),
        }
    }
}

/// The depth above which details are open.
fn open_depth(plan: &Plan<'_>) -> usize {
    let mut of_depth: Vec<usize> = Vec::new();
    for line in &plan.lines {
        let depth = line.depth.min(DEEPEST);
        if of_depth.len() <= depth {
            of_depth.resize(depth + 1, 0);
        }
        of_depth[depth] += 1;
    }
    let mut in_sight = 0;
    for (depth, lines) in of_depth.iter().enumerate() {
        in_sight += lines;
        if in_sight > OPEN_LINES {
            return depth.saturating_sub(1).max(1);
        }
    }
    of_depth.len()
}

struct View<'a> {
    open_depth: usize,
    plan: &'a Plan<'a>,
    options: &'a TimelineOptions,
}

impl View<'_> {
    fn node(&self, node: &Node<'_>) -> Markup {
        let depth = node.line.depth;
        match &node.line.content {
            Content::Folded(folded) => html! {
                div style="padding-left:20px" { (self.folded(folded, depth)) }
            },
            Content::Span(index) => {
                let row = &self.plan.rows[*index];
                let recorded = self
                    .options
                    .details
                    .get(&row.span_id)
                    .map(Recorded::of)
                    .filter(|it| !it.is_empty());
                let open = depth < self.open_depth || holds_error(node, self.plan);
                html! {
                    @match (node.below.is_empty(), recorded) {
                        (true, None) => {
                            div style="padding-left:20px" { (self.span(row, depth)) }
                            (notes(row, depth))
                        }
                        (true, Some(recorded)) => {
                            details {
                                summary style=(SUMMARY) { (self.span(row, depth)) }
                                div style={ "padding-left:" (below(depth)) } { (recorded.draw()) }
                            }
                            (notes(row, depth))
                        }
                        (false, recorded) => {
                            details open[open] {
                                summary style=(SUMMARY) { (self.span(row, depth)) }
                                (notes(row, depth))
                                @if let Some(recorded) = recorded {
                                    details style={ "font-size:11px;line-height:1.2;padding-left:" (below(depth)) } {
                                        summary style="opacity:0.75" { (recorded.words()) }
                                        (recorded.draw())
                                    }
                                }
                                @for below in &node.below { (self.node(below)) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn span(&self, row: &TimelineRow, depth: usize) -> Markup {
        let failed = is_error(row);
        let colour = if failed {
            colour::ERROR
        } else {
            colour::mark(&row.service).colour
        };
        let end = row.offset_ms + row.duration_ms;
        let title = format!(
            "{} · starts at {} · takes {} · self {} · span {}",
            row.status_code,
            figures::duration(row.offset_ms),
            figures::duration(row.duration_ms),
            figures::duration(row.self_ms),
            visible::shorten(&row.span_id, 64),
        );
        html! {
            div style="display:flex" title=(visible::line(&title)) {
                (name_cell(depth, row.critical, html! {
                    @if depth > DEEPEST { span style="opacity:0.6" { (depth) ": " } }
                    (sign(&row.service)) " "
                    @if failed { (error(&visible::shorten(&row.name, 200))) } @else { (visible::line(&visible::shorten(&row.name, 200))) }
                    @if let Some(agent) = &row.agent {
                        span style="opacity:0.75" { " [" (visible::line(&visible::shorten(agent, 100))) "]" }
                    }
                    @if row.event_count > 0 {
                        span style="opacity:0.75" { " · " (figures::counted(row.event_count, "event")) }
                    }
                }))
                (self.bar(row.offset_ms, end, colour.hex, failed))
                div style="width:9%;text-align:right;white-space:nowrap" { (figures::duration(row.duration_ms)) }
                div style="width:9%;text-align:right;white-space:nowrap;opacity:0.75" { (figures::duration(row.self_ms)) }
            }
        }
    }

    fn folded(&self, folded: &Folded, depth: usize) -> Markup {
        html! {
            div style="display:flex" title=(visible::line(&folded.words())) {
                (name_cell(depth, folded.critical, html! {
                    @if folded.errors > 0 { (error(&format!("… {}", folded.words()))) }
                    @else { span style="opacity:0.75" { "… " (visible::line(&folded.words())) } }
                }))
                (self.bar(folded.start_ms, folded.end_ms, GREY, false))
            }
        }
    }

    fn bar(&self, start_ms: f64, end_ms: f64, colour: &str, failed: bool) -> Markup {
        let (start, end) = place(start_ms, end_ms, self.plan.duration_ms);
        // A sliver at the right end still has to be inside.
        let width = (end - start).max(0.003);
        let left = start.min(1.0 - width);
        let border = if failed { ";border:1px solid #878787" } else { "" };
        html! {
            div style={ "width:40%;position:relative;background-color:" (GROUND) } {
                div style={ "position:absolute;top:5px;height:9px;left:" (css_percent(left)) ";width:" (css_percent(width)) ";background-color:" (colour) (border) } {}
            }
        }
    }
}

/// What is said below a span: its error and its repair.
fn notes(row: &TimelineRow, depth: usize) -> Markup {
    let error_text = error_text(row);
    html! {
        @if error_text.is_some() || row.repair.is_some() {
            div style={ "font-size:12px;padding-left:" (below(depth)) } {
                @if let Some(text) = &error_text {
                    @if is_error(row) { (error(&format!("ERROR {}", visible::shorten(text, MOST_CHARACTERS)))) }
                    @else { "exception " (visible::line(&visible::shorten(text, MOST_CHARACTERS))) }
                }
                @if let Some(repair) = &row.repair { div { "repaired: " (visible::line(repair)) } }
            }
        }
    }
}

/// Where that stands which is said below a span: under its name.
fn below(depth: usize) -> String {
    format!("{}px", 32 + depth.min(DEEPEST) * 12)
}

/// The cell of a name, indented; its padding is inside, so that the bars of all lines begin at the same place.
fn name_cell(depth: usize, critical: bool, name: Markup) -> Markup {
    html! {
        div style="width:42%;overflow:hidden" {
            div style={ "display:flex;white-space:nowrap;padding-left:" (depth.min(DEEPEST) * 12) "px" } {
                // A blank that does not break keeps the line's height where there is no sign.
                strong style="flex:0 0 12px" { @if critical { "┃" } @else { "\u{a0}" } }
                div style="overflow:hidden;text-overflow:ellipsis" { (name) }
            }
        }
    }
}

/// Whether an error is somewhere below.
fn holds_error(node: &Node<'_>, plan: &Plan<'_>) -> bool {
    node.below.iter().any(|below| {
        let here = match &below.line.content {
            Content::Span(index) => is_error(&plan.rows[*index]),
            Content::Folded(folded) => folded.errors > 0,
        };
        here || holds_error(below, plan)
    })
}

/// Attributes and events of a span.
struct Recorded {
    attributes: Map<String, Value>,
    events: Vec<Value>,
}

impl Recorded {
    /// What is not the JSON that it should be counts as nothing recorded: the store keeps only sound JSON.
    fn of(details: &SpanDetails) -> Self {
        Self {
            attributes: serde_json::from_str(&details.attributes).unwrap_or_default(),
            events: serde_json::from_str(&details.events).unwrap_or_default(),
        }
    }

    fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.events.is_empty()
    }

    fn words(&self) -> String {
        let counts = [(self.attributes.len(), "attribute"), (self.events.len(), "event")];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        counts
            .map(|(count, one)| figures::counted(*count as i64, one))
            .collect::<Vec<_>>()
            .join(" · ")
    }

    fn draw(&self) -> Markup {
        html! {
            (entries(&self.attributes))
            @for event in self.events.iter().take(MOST_ENTRIES) {
                div style="margin:6px 0 0;font-size:12px" {
                    "event " strong { (visible::line(event["name"].as_str().unwrap_or("(no name)"))) }
                    @if let Some(time) = event["timestamp"].as_i64() { " " (figures::time(time)) " UTC" }
                }
                @if let Some(object) = event["attributes"].as_object() { (entries(object)) }
            }
            (left_out(self.events.len()))
        }
    }
}

fn entries(object: &Map<String, Value>) -> Markup {
    html! {
        table style="border-collapse:collapse;font-size:12px;text-align:left" {
            tbody {
                @for (key, value) in object.iter().take(MOST_ENTRIES) {
                    tr {
                        td style={ "vertical-align:top;white-space:nowrap;padding:1px 10px 1px 0;border-bottom:1px solid " (GREY) } { (visible::line(&visible::shorten(key, 200))) }
                        td style={ "border-bottom:1px solid " (GREY) } { (value_of(value)) }
                    }
                }
            }
        }
        (left_out(object.len()))
    }
}

fn left_out(entries: usize) -> Markup {
    html! {
        @if entries > MOST_ENTRIES { div { (figures::count(MOST_ENTRIES as i64)) " of " (figures::count(entries as i64)) " shown" } }
    }
}

fn value_of(value: &Value) -> Markup {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let shown = visible::shorten(&text, MOST_CHARACTERS);
    html! {
        @if text.contains('\n') {
            (preformatted(&shown))
        } @else {
            span style="word-wrap:break-word" { (visible::line(&shown)) }
        }
        @if shown.len() < text.len() { span style="opacity:0.6" { " (" (figures::count(text.chars().count() as i64)) " characters)" } }
    }
}
