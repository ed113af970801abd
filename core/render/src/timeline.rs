//! What of a trace is worth a line: the tree of its spans, with runs of small calls folded and the rest bounded. Text,
//! HTML and SVG all draw the same lines.

use std::collections::{BTreeMap, BinaryHeap, HashMap};

use flockscope_model::rows::TimelineRow;

use crate::figures;

/// A run of at least so many small calls becomes one line.
const RUN: usize = 4;

/// A call is small below this share of the trace's duration.
const SMALL: f64 = 0.005;

/// Operations that the line of a folded run names.
const NAMED_OPERATIONS: usize = 3;

/// What a timeline shows.
#[derive(Debug, Clone, PartialEq)]
pub struct TimelineOptions {
    /// Fold runs of small calls: at least four siblings in a row that called nothing, did not fail, were not mended
    /// and took less than 0.5 % of the trace.
    pub fold: bool,
    /// Lines of spans at most. Beyond it, errors are kept first, then the critical path, then the longest spans, each
    /// with the spans above it; lines of folded spans say what was left out.
    pub max_rows: usize,
    /// Attributes and events by span id, shown by [`html`](crate::html::timeline) below their span.
    pub details: HashMap<String, SpanDetails>,
}

impl Default for TimelineOptions {
    fn default() -> Self {
        Self {
            fold: true,
            max_rows: 1000,
            details: HashMap::new(),
        }
    }
}

impl TimelineOptions {
    /// Every span a line of its own, however many.
    pub fn all() -> Self {
        Self {
            fold: false,
            max_rows: usize::MAX,
            ..Self::default()
        }
    }
}

/// What a span recorded, as the store holds it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpanDetails {
    /// JSON object.
    pub attributes: String,
    /// JSON array of `{name, timestamp, attributes}`, timestamps in nanoseconds since the epoch.
    pub events: String,
}

/// The lines of a trace.
pub(crate) struct Plan<'a> {
    pub(crate) rows: &'a [TimelineRow],
    pub(crate) lines: Vec<Line>,
    /// Spans that have a line of their own.
    pub(crate) shown: usize,
    pub(crate) errors: usize,
    /// From the start of the trace to its latest end.
    pub(crate) duration_ms: f64,
}

/// One line, at its place in the tree.
pub(crate) struct Line {
    pub(crate) depth: usize,
    /// Whether it is the last line below its parent.
    pub(crate) last: bool,
    /// Whether lines follow that are below it.
    pub(crate) open: bool,
    pub(crate) content: Content,
}

pub(crate) enum Content {
    /// Index of the span's row.
    Span(usize),
    Folded(Folded),
}

/// Neighbours that have no line of their own, with everything below them.
pub(crate) struct Folded {
    pub(crate) spans: usize,
    pub(crate) errors: usize,
    pub(crate) critical: bool,
    /// Sum of the durations of the neighbours, not of what is below them.
    pub(crate) total_ms: f64,
    pub(crate) start_ms: f64,
    pub(crate) end_ms: f64,
    /// Operations by number of spans, most first.
    pub(crate) operations: Vec<(String, usize)>,
    /// Whether the line above shows the first span of the same run.
    pub(crate) more: bool,
}

impl Folded {
    /// `12 more on_initialize (0.3 ms)`, `18 spans (12 ms): on_a ×9, on_b ×6, 3 others`; without the leading `…`.
    pub(crate) fn words(&self) -> String {
        let total = figures::duration(self.total_ms);
        let errors = match self.errors {
            0 => String::new(),
            errors => format!(", {}", figures::counted(errors as i64, "error")),
        };
        let spans = figures::count(self.spans as i64);
        if let [(operation, _)] = &self.operations[..] {
            let more = if self.more { "more" } else { "×" };
            return format!("{spans} {more} {operation} ({total}{errors})");
        }
        let mut named: Vec<String> = Vec::new();
        for (operation, spans) in self.operations.iter().take(NAMED_OPERATIONS) {
            named.push(format!("{operation} ×{}", figures::count(*spans as i64)));
        }
        let others: usize = self
            .operations
            .iter()
            .skip(NAMED_OPERATIONS)
            .map(|(_, spans)| spans)
            .sum();
        if others > 0 {
            named.push(format!("{} others", figures::count(others as i64)));
        }
        format!("{spans} spans ({total}{errors}): {}", named.join(", "))
    }
}

/// How much a reader wants to see a span; ordered by its fields.
#[derive(Clone, Copy, PartialEq, PartialOrd, Default)]
struct Weight {
    error: bool,
    critical: bool,
    duration_ms: f64,
}

/// The tree as indices into the rows, which are in the order of the tree.
struct Tree {
    depth: Vec<usize>,
    /// Index after the last span below each one.
    end: Vec<usize>,
}

impl Tree {
    /// A span hangs below the nearest one above it of lesser depth, so depths that skip a level do no harm.
    fn of(rows: &[TimelineRow]) -> Self {
        let mut depth = Vec::with_capacity(rows.len());
        let mut end = vec![rows.len(); rows.len()];
        let mut above: Vec<usize> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            while above.last().is_some_and(|&last: &usize| rows[last].depth >= row.depth) {
                if let Some(closed) = above.pop() {
                    end[closed] = index;
                }
            }
            depth.push(above.len());
            above.push(index);
        }
        Self { depth, end }
    }

    /// The spans directly between `from` and `to`: roots, or the children of the span before `from`.
    fn siblings(&self, from: usize, to: usize) -> impl Iterator<Item = usize> + '_ {
        let mut next = from;
        std::iter::from_fn(move || {
            (next < to).then(|| {
                let index = next;
                next = self.end[index];
                index
            })
        })
    }

    fn is_leaf(&self, index: usize) -> bool {
        self.end[index] == index + 1
    }
}

pub(crate) fn is_error(row: &TimelineRow) -> bool {
    row.status_code == "ERROR"
}

/// Text of a span's error: its status text, else its exception.
pub(crate) fn error_text(row: &TimelineRow) -> Option<String> {
    if let Some(text) = row.status_description.as_deref().filter(|text| !text.is_empty()) {
        return is_error(row).then(|| text.to_owned());
    }
    match (&row.exception_type, &row.exception_message) {
        (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

/// Start and end of a span within its trace, as shares from 0 to 1.
pub(crate) fn place(start_ms: f64, end_ms: f64, trace_ms: f64) -> (f64, f64) {
    let start = figures::share(start_ms, trace_ms);
    (start, figures::share(end_ms, trace_ms).max(start))
}

pub(crate) fn plan<'a>(rows: &'a [TimelineRow], options: &TimelineOptions) -> Plan<'a> {
    let tree = Tree::of(rows);
    let duration_ms = rows
        .iter()
        .map(|row| finite(row.offset_ms) + finite(row.duration_ms))
        .fold(0.0, f64::max);
    let mut hidden = vec![false; rows.len()];
    let mut run_more = vec![false; rows.len()];
    if options.fold {
        fold_small(rows, &tree, duration_ms * SMALL, &mut hidden, &mut run_more);
    }
    if hidden.iter().filter(|hidden| !**hidden).count() > options.max_rows {
        hide_beyond(rows, &tree, options.max_rows, &mut hidden);
    }
    let lines = lines(rows, &tree, &hidden, &run_more);
    Plan {
        rows,
        shown: hidden.iter().filter(|hidden| !**hidden).count(),
        errors: rows.iter().filter(|row| is_error(row)).count(),
        duration_ms,
        lines,
    }
}

/// Hides runs of small calls. Where all of a run are the same operation, its first stays and stands for the others.
fn fold_small(rows: &[TimelineRow], tree: &Tree, small_ms: f64, hidden: &mut [bool], run_more: &mut [bool]) {
    let is_small = |index: usize| {
        let row = &rows[index];
        tree.is_leaf(index)
            && !is_error(row)
            && row.exception_type.is_none()
            && row.repair.is_none()
            && finite(row.duration_ms) < small_ms
    };
    // A run never holds a span with children, so it is contiguous in the rows and of one depth.
    let mut start = 0;
    while start < rows.len() {
        let mut end = start;
        while end < rows.len() && tree.depth[end] == tree.depth[start] && is_small(end) {
            end += 1;
        }
        if end - start >= RUN {
            let one_operation = rows[start..end]
                .iter()
                .all(|row| row.operation == rows[start].operation);
            let first = start + usize::from(one_operation);
            hidden[first..end].fill(true);
            run_more[first] = one_operation;
        }
        start = end.max(start + 1);
    }
}

/// Keeps the `most` weightiest spans of those not hidden yet, from the roots down: a span is kept only with all above it.
fn hide_beyond(rows: &[TimelineRow], tree: &Tree, most: usize, hidden: &mut [bool]) {
    let mut weight: Vec<Weight> = rows
        .iter()
        .map(|row| Weight {
            error: is_error(row),
            critical: row.critical,
            duration_ms: finite(row.duration_ms),
        })
        .collect();
    // Children come after their parent: from the end, each hands its weight up.
    let mut above: Vec<usize> = Vec::new();
    let mut parent = Vec::with_capacity(rows.len());
    for (index, &depth) in tree.depth.iter().enumerate() {
        above.truncate(depth);
        parent.push(above.last().copied());
        above.push(index);
    }
    for index in (0..rows.len()).rev() {
        if let Some(parent) = parent[index]
            && weight[index] > weight[parent]
        {
            weight[parent] = weight[index];
        }
    }
    let mut queue: BinaryHeap<Candidate> = BinaryHeap::new();
    let candidate = |index: usize| Candidate {
        weight: weight[index],
        index,
    };
    queue.extend(
        tree.siblings(0, rows.len())
            .filter(|&root| !hidden[root])
            .map(candidate),
    );
    let mut kept = vec![false; rows.len()];
    for _ in 0..most {
        let Some(Candidate { index, .. }) = queue.pop() else {
            break;
        };
        kept[index] = true;
        queue.extend(
            tree.siblings(index + 1, tree.end[index])
                .filter(|&child| !hidden[child])
                .map(candidate),
        );
    }
    for (hidden, kept) in hidden.iter_mut().zip(kept) {
        *hidden = !kept;
    }
}

#[derive(PartialEq)]
struct Candidate {
    weight: Weight,
    index: usize,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let weights = self
            .weight
            .partial_cmp(&other.weight)
            .unwrap_or(std::cmp::Ordering::Equal);
        // Of equal weights the earlier span first, so that the choice is the same every time.
        weights.then(other.index.cmp(&self.index))
    }
}

fn lines(rows: &[TimelineRow], tree: &Tree, hidden: &[bool], run_more: &[bool]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut index = 0;
    while index < rows.len() {
        let depth = tree.depth[index];
        if !hidden[index] {
            lines.push(Line {
                depth,
                last: false,
                open: false,
                content: Content::Span(index),
            });
            index += 1;
            continue;
        }
        let start = index;
        // A hidden span takes everything below it along; hidden neighbours of the same parent join.
        index = tree.end[index];
        while index < rows.len() && hidden[index] && tree.depth[index] == depth {
            index = tree.end[index];
        }
        lines.push(Line {
            depth,
            last: false,
            open: false,
            content: Content::Folded(folded(rows, tree, start, index, run_more[start] && !hidden[start - 1])),
        });
    }
    // From the end: a line is the last of its parent unless a later one of the same depth came with none above between.
    let mut later: Vec<bool> = Vec::new();
    let mut below = 0;
    for line in lines.iter_mut().rev() {
        later.resize(line.depth + 1, false);
        line.last = !later[line.depth];
        later[line.depth] = true;
        line.open = below > line.depth;
        below = line.depth;
    }
    lines
}

fn folded(rows: &[TimelineRow], tree: &Tree, start: usize, end: usize, more: bool) -> Folded {
    let all = &rows[start..end];
    let mut operations: BTreeMap<&str, usize> = BTreeMap::new();
    for row in all {
        *operations.entry(&row.operation).or_default() += 1;
    }
    let mut operations: Vec<(String, usize)> = operations.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
    operations.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    Folded {
        spans: all.len(),
        errors: all.iter().filter(|row| is_error(row)).count(),
        critical: all.iter().any(|row| row.critical),
        total_ms: tree
            .siblings(start, end)
            .map(|index| finite(rows[index].duration_ms))
            .sum(),
        start_ms: all
            .iter()
            .map(|row| finite(row.offset_ms))
            .fold(f64::INFINITY, f64::min),
        end_ms: all
            .iter()
            .map(|row| finite(row.offset_ms) + finite(row.duration_ms))
            .fold(0.0, f64::max),
        operations,
        more,
    }
}

impl Plan<'_> {
    /// `45 of 77 spans shown, 32 folded`; `All 77 spans shown`.
    pub(crate) fn shown_words(&self) -> String {
        let all = self.rows.len();
        if self.shown == all {
            return match all {
                0 => "No spans".into(),
                1 => "1 of 1 span shown".into(),
                _ => format!("{0} of {0} spans shown", figures::count(all as i64)),
            };
        }
        format!(
            "{} of {} shown, {} folded into {}",
            figures::count(self.shown as i64),
            figures::counted(all as i64, "span"),
            figures::count((all - self.shown) as i64),
            figures::counted(
                self.lines
                    .iter()
                    .filter(|line| matches!(line.content, Content::Folded(_)))
                    .count() as i64,
                "line"
            )
        )
    }

    /// Name of the trace's first span.
    pub(crate) fn title(&self) -> &str {
        self.rows.first().map_or("(empty trace)", |row| &row.name)
    }

    /// Duration, spans, errors and agents of the whole trace.
    pub(crate) fn facts(&self) -> Vec<String> {
        let mut agents: Vec<&str> = self.rows.iter().filter_map(|row| row.agent.as_deref()).collect();
        agents.sort_unstable();
        agents.dedup();
        let mut facts = vec![
            figures::duration(self.duration_ms),
            figures::counted(self.rows.len() as i64, "span"),
        ];
        if self.errors > 0 {
            facts.push(figures::counted(self.errors as i64, "error"));
        }
        if !agents.is_empty() {
            facts.push(figures::counted(agents.len() as i64, "agent"));
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(depth: i64, operation: &str, duration_ms: f64) -> TimelineRow {
        TimelineRow {
            depth,
            operation: operation.into(),
            status_code: "OK".into(),
            duration_ms,
            ..TimelineRow::default()
        }
    }

    /// The lines in words: the depth, then an operation or what is folded.
    fn words(rows: &[TimelineRow], options: &TimelineOptions) -> Vec<String> {
        let plan = plan(rows, options);
        let word = |line: &Line| match &line.content {
            Content::Span(index) => format!("{} {}", line.depth, rows[*index].operation),
            Content::Folded(folded) => format!("{} … {}", line.depth, folded.words()),
        };
        plan.lines.iter().map(word).collect()
    }

    #[test]
    fn a_run_of_one_operation_keeps_its_first() {
        let mut rows = vec![row(0, "root", 1000.0)];
        rows.extend((0..13).map(|_| row(1, "on_initialize", 0.025)));
        assert_eq!(
            words(&rows, &TimelineOptions::default()),
            ["0 root", "1 on_initialize", "1 … 12 more on_initialize (0.30 ms)"]
        );
    }

    #[test]
    fn a_run_of_several_operations_is_summed_up() {
        let mut rows = vec![row(0, "root", 1000.0)];
        rows.extend(["a", "b", "a", "c", "d", "e"].map(|operation| row(1, operation, 1.0)));
        assert_eq!(
            words(&rows, &TimelineOptions::default()),
            ["0 root", "1 … 6 spans (6.00 ms): a ×2, b ×1, c ×1, 2 others"]
        );
    }

    #[test]
    fn three_calls_are_no_run_and_what_matters_ends_one() {
        let mut rows = vec![
            row(0, "root", 1000.0),
            row(1, "a", 1.0),
            row(1, "a", 1.0),
            row(1, "a", 1.0),
        ];
        assert_eq!(words(&rows, &TimelineOptions::default()).len(), 4);
        for change in [
            |row: &mut TimelineRow| row.status_code = "ERROR".into(),
            |row: &mut TimelineRow| row.duration_ms = 6.0,
            |row: &mut TimelineRow| row.repair = Some("cycle".into()),
        ] {
            rows.truncate(4);
            rows.push(row(1, "a", 1.0));
            change(&mut rows[4]);
            assert_eq!(words(&rows, &TimelineOptions::default()).len(), 5);
        }
    }

    #[test]
    fn beyond_the_bound_errors_come_first_with_all_above_them() {
        let mut rows = vec![row(0, "root", 100.0)];
        for place in 0..5 {
            rows.push(row(1, "branch", 10.0 + f64::from(place)));
            rows.push(row(2, "leaf", 5.0));
        }
        rows[4].status_code = "ERROR".into();
        let options = TimelineOptions {
            max_rows: 4,
            ..TimelineOptions::default()
        };
        assert_eq!(
            words(&rows, &options),
            [
                "0 root",
                "1 … 2 spans (10.0 ms): branch ×1, leaf ×1",
                "1 branch",
                "2 leaf",
                "1 … 4 spans (25.0 ms): branch ×2, leaf ×2",
                "1 branch",
                "2 … 1 × leaf (5.00 ms)"
            ]
        );
    }

    proptest! {
        #[test]
        fn every_span_is_in_exactly_one_line(
            depths in prop::collection::vec((0..5_i64, 0..3_usize, any::<bool>()), 0..60),
            max_rows in 0..60_usize,
            fold in any::<bool>(),
        ) {
            let rows: Vec<TimelineRow> = depths
                .iter()
                .map(|&(depth, operation, error)| TimelineRow {
                    status_code: if error { "ERROR" } else { "OK" }.into(),
                    ..row(depth, ["a", "b", "c"][operation], 0.001 + operation as f64 * 10.0)
                })
                .collect();
            let plan = plan(&rows, &TimelineOptions { fold, max_rows, ..TimelineOptions::default() });
            let spans: usize = plan.lines.iter().map(|line| match &line.content {
                Content::Span(_) => 1,
                Content::Folded(folded) => folded.spans,
            }).sum();
            prop_assert_eq!(spans, rows.len());
            prop_assert!(plan.shown <= max_rows);
            // A line hangs below a line one level higher, so that the tree can be drawn.
            let mut above = 0;
            for line in &plan.lines {
                prop_assert!(line.depth <= above, "{} below {}", line.depth, above);
                above = line.depth + 1;
            }
        }
    }
}
