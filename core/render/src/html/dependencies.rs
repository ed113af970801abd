//! The dependency graph as boxes in layers, with every edge as a row of a table below.

use std::collections::BTreeMap;

use flockscope_model::rows::DependencyRow;
use maud::html;

use super::{GREY, error, sign, table};
use crate::figures;
use crate::graph::{self, Graph};
use crate::tables;
use crate::visible;

/// Calls that a box lists.
const LISTED: usize = 12;

/// Who called whom: callers at the left, the called at the right of them, each box with its calls; below, the edges
/// with all their figures.
pub fn dependencies(rows: &[DependencyRow]) -> String {
    let graph = Graph::of(rows);
    let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (node, layer) in graph.layers().into_iter().enumerate() {
        layers.entry(layer).or_default().push(node);
    }
    let boxes = html! {
        div style="display:flex;gap:28px;align-items:center;overflow:auto;padding:8px 0;font-size:13px" {
            @for nodes in layers.values() {
                div style="display:flex;flex-direction:column;gap:10px" {
                    @for &node in nodes {
                        div style={ "border:1px solid #878787;border-left:4px solid " (crate::colour::mark(graph.names[node]).colour.hex) ";padding:5px 10px;white-space:nowrap" } {
                            div { (sign(graph.names[node])) " " strong { (visible::line(&visible::shorten(graph.names[node], 60))) } }
                            @for edge in graph.edges.iter().filter(|edge| edge.from == node).take(LISTED) {
                                div style="font-size:12px" {
                                    @if edge.to == node { "↺ itself" } @else { "→ " (visible::line(&visible::shorten(graph.names[edge.to], 60))) }
                                    span style="opacity:0.75" { " " (figures::counted(edge.row.calls, "call")) " · p95 " (figures::duration(edge.row.p95_ms)) }
                                    @if edge.row.errors > 0 { " " (error(&figures::counted(edge.row.errors, "error"))) }
                                }
                            }
                            @let calls = graph.edges.iter().filter(|edge| edge.from == node).count();
                            @if calls > LISTED { div style={ "font-size:12px;border-top:1px solid " (GREY) } { (LISTED) " of " (calls) " edges" } }
                        }
                    }
                }
            }
        }
        @if graph.edges.len() < rows.len() {
            div style="font-size:12px;opacity:0.75" { "The boxes show " (graph::shown_words(graph.edges.len(), rows.len())) "." }
        }
    };
    boxes.into_string() + &table(&tables::dependencies(rows))
}
