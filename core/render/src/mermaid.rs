//! Mermaid text of the dependency graph, which GitHub, JupyterLab and many editors draw.

use std::fmt::Write as _;

use flockscope_model::rows::DependencyRow;

use crate::figures;
use crate::graph::{Graph, shown_words};
use crate::visible;

const MOST_CHARACTERS: usize = 80;

/// A `flowchart LR`: a node a name, an arrow an edge with its calls and errors; arrows with errors are dotted.
/// At most 60 nodes and 100 edges, the busiest; a comment says how many there are.
pub fn dependencies(rows: &[DependencyRow]) -> String {
    let graph = Graph::of(rows);
    let mut out = String::from("flowchart LR\n");
    if graph.edges.len() < rows.len() {
        let _ = writeln!(out, "  %% {}", shown_words(graph.edges.len(), rows.len()));
    }
    for (node, name) in graph.names.iter().enumerate() {
        let _ = writeln!(out, "  n{node}[\"{}\"]", label(name));
    }
    for edge in &graph.edges {
        let (arrow, errors) = match edge.row.errors {
            0 => ("-->", String::new()),
            errors => ("-.->", format!(", ✗ {}", figures::counted(errors, "error"))),
        };
        let words = format!(
            "{}{errors}, p95 {}",
            figures::counted(edge.row.calls, "call"),
            figures::duration(edge.row.p95_ms)
        );
        let _ = writeln!(out, "  n{} {arrow}|\"{}\"| n{}", edge.from, label(&words), edge.to);
    }
    out
}

/// A text inside double quotes. Whatever could end the quotes, begin markup or Markdown, or be read as a directive is
/// written as a character code, `#35;`. <https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters>
fn label(text: &str) -> String {
    let text = visible::shorten(text, MOST_CHARACTERS);
    let mut out = String::with_capacity(text.len());
    for c in visible::line(&text).chars() {
        if c.is_alphanumeric() || !c.is_ascii() || matches!(c, ' ' | '.' | ',' | '_' | '-') {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    // A label of nothing is a syntax error.
    if out.trim().is_empty() { "#32;".into() } else { out }
}
