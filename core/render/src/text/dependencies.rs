//! Who called whom, as a tree.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use flockscope_model::rows::DependencyRow;

use super::Style;
use super::paint::{Ink, Paint, pad};
use crate::figures;
use crate::visible;

/// Edges that are drawn at most.
const MOST_EDGES: usize = 500;

/// An edge at its place in the tree.
struct Branch<'a> {
    row: &'a DependencyRow,
    /// Whether the branch of each depth above is the last one of its caller, itself included.
    lasts: Vec<bool>,
    note: &'static str,
}

/// The dependency graph as a tree from the callers that nobody calls: every edge is one line, and what a node calls is
/// drawn where the node first appears.
pub fn dependencies(rows: &[DependencyRow], style: &Style) -> String {
    let paint = Paint::new(style);
    let all = style.columns();
    let mut drawn: Vec<&DependencyRow> = rows.iter().collect();
    drawn.sort_by_key(|row| std::cmp::Reverse(row.calls));
    drawn.truncate(MOST_EDGES);
    let trees = trees(&drawn);
    // Figures stand below each other, at the right.
    let figures: HashMap<*const DependencyRow, Vec<String>> = drawn
        .iter()
        .map(|row| (std::ptr::from_ref(*row), figures_of(row, &paint)))
        .collect();
    let mut widths = [0; 5];
    for figures in figures.values() {
        for (width, figure) in widths.iter_mut().zip(figures) {
            *width = visible::width(figure).max(*width);
        }
    }
    // The last figures go first where there is no room.
    let mut columns = widths.len();
    while columns > 0 && widths[..columns].iter().map(|width| width + 2).sum::<usize>() > all * 2 / 3 {
        columns -= 1;
    }
    let figures_width: usize = widths[..columns].iter().map(|width| width + 2).sum();
    let longest = trees
        .iter()
        .flat_map(|(_, branches)| branches)
        .map(|branch| branch.lasts.len() * 3 + 4 + visible::width(&paint.clean(&branch.row.to)) + branch.note.len())
        .max()
        .unwrap_or(0);
    let names = longest.min(all - figures_width);
    let mut out = String::new();
    for (root, branches) in &trees {
        let name = paint.fit(root, all - 2);
        let _ = writeln!(out, "{} {}", paint.sign(root), paint.ink(Ink::Bold, &name));
        for branch in branches {
            let prefix = prefix(branch, style.unicode, names);
            let room = names.saturating_sub(visible::width(&prefix) + 2);
            let name = paint.fit(&branch.row.to, room);
            let note = paint.fit(branch.note, room - visible::width(&name).min(room));
            let blanks = " ".repeat(room - (visible::width(&name) + visible::width(&note)).min(room));
            let _ = write!(
                out,
                "{}{} {name}{}{blanks}",
                paint.ink(Ink::Faint, &prefix),
                paint.sign(&branch.row.to),
                paint.ink(Ink::Faint, &note),
            );
            let cells = &figures[&std::ptr::from_ref(branch.row)];
            for (place, figure) in cells.iter().take(columns).enumerate() {
                let ink = if place == 1 && branch.row.errors > 0 {
                    Ink::Error
                } else {
                    Ink::Plain
                };
                let _ = write!(out, "  {}", paint.ink(ink, &pad(figure.clone(), widths[place], true)));
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
    }
    let edges = figures::counted(rows.len() as i64, "edge");
    let foot = if drawn.len() < rows.len() {
        format!(
            "{} of {edges}, those with the most calls",
            figures::count(drawn.len() as i64)
        )
    } else {
        edges
    };
    let _ = writeln!(out, "{}", paint.ink(Ink::Faint, &paint.fit(&foot, all)));
    out
}

fn figures_of(row: &DependencyRow, paint: &Paint) -> Vec<String> {
    let errors = match row.errors {
        0 => String::new(),
        errors => format!(
            "{} {} ({})",
            if paint.unicode() { "✗" } else { "!" },
            figures::counted(errors, "error"),
            figures::percent(row.error_rate)
        ),
    };
    vec![
        figures::counted(row.calls, "call"),
        errors,
        paint
            .own(&format!("p50 {}", figures::duration(row.p50_ms)))
            .into_owned(),
        paint
            .own(&format!("p95 {}", figures::duration(row.p95_ms)))
            .into_owned(),
        paint
            .own(&format!("p99 {}", figures::duration(row.p99_ms)))
            .into_owned(),
    ]
}

/// Trunks and the turn to a name. Deep in the tree, a depth in figures stands for the trunks.
fn prefix(branch: &Branch<'_>, unicode: bool, names: usize) -> String {
    let (trunk, turn, last_turn) = if unicode {
        ("│  ", "├→ ", "└→ ")
    } else {
        ("|  ", "|> ", "`> ")
    };
    let Some((last, above)) = branch.lasts.split_last() else {
        return String::new();
    };
    let turn = if *last { last_turn } else { turn };
    if branch.lasts.len() * 3 > names / 2 {
        return format!("{}:{turn}", branch.lasts.len());
    }
    let trunks: String = above.iter().map(|&last| if last { "   " } else { trunk }).collect();
    trunks + turn
}

/// Walks the graph from the callers that nobody calls, then from what is left (cycles), the busiest caller first.
fn trees<'a>(rows: &[&'a DependencyRow]) -> Vec<(&'a str, Vec<Branch<'a>>)> {
    let mut calls: HashMap<&str, Vec<&DependencyRow>> = HashMap::new();
    let mut callers: Vec<&str> = Vec::new();
    for row in rows {
        let of_caller = calls.entry(&row.from).or_default();
        if of_caller.is_empty() {
            callers.push(&row.from);
        }
        of_caller.push(row);
    }
    let called: HashSet<&str> = rows
        .iter()
        .filter(|row| row.from != row.to)
        .map(|row| row.to.as_str())
        .collect();
    let (roots, rest): (Vec<&str>, Vec<&str>) = callers.iter().partition(|caller| !called.contains(*caller));
    let mut opened: HashSet<&str> = HashSet::new();
    let mut trees = Vec::new();
    for root in roots.into_iter().chain(rest) {
        if !opened.insert(root) {
            continue;
        }
        let mut branches: Vec<Branch<'a>> = Vec::new();
        let mut todo: Vec<(&'a DependencyRow, Vec<bool>)> = Vec::new();
        let push = |todo: &mut Vec<(&'a DependencyRow, Vec<bool>)>, node: &str, above: &[bool]| {
            let Some(edges) = calls.get(node) else { return };
            for (place, row) in edges.iter().enumerate().rev() {
                let mut lasts = above.to_vec();
                lasts.push(place + 1 == edges.len());
                todo.push((row, lasts));
            }
        };
        push(&mut todo, root, &[]);
        while let Some((row, lasts)) = todo.pop() {
            let to = row.to.as_str();
            let note = if row.from == row.to {
                " (itself)"
            } else if calls.contains_key(to) && !opened.insert(to) {
                " (drawn above)"
            } else {
                push(&mut todo, to, &lasts);
                ""
            };
            branches.push(Branch { row, lasts, note });
        }
        trees.push((root, branches));
    }
    trees
}
