//! The dependency graph, drawn in layers from left to right.

use std::fmt::Write as _;

use flockscope_model::rows::DependencyRow;
use maud::{Markup, html};

use super::{Ink, LETTER, document, fit, number, text_width, words};
use crate::colour;
use crate::figures;
use crate::graph::{self, Edge, Graph, Place, layout};
use crate::visible;

const MARGIN: f64 = 16.0;
const BOX_HEIGHT: f64 = 30.0;
const MOST_NAME: f64 = 220.0;
/// Free room at both sides of a box, for the turns of the edges.
const TURN: f64 = 16.0;
const LINE: f64 = 14.0;
/// Height of the loops of self edges above their box.
const LOOP: f64 = 26.0;

/// Who called whom: boxes for nodes, an arrow an edge, wider with more calls, dashed and marked where calls failed,
/// with calls, errors and the 95th percentile at it. At most 60 nodes and 100 edges, and said how many there are.
pub fn dependencies(rows: &[DependencyRow]) -> String {
    let graph = Graph::of(rows);
    let labels: Vec<Vec<(String, Ink)>> = graph.edges.iter().map(label).collect();
    let label_sizes: Vec<(f64, f64)> = labels.iter().map(|lines| label_size(lines)).collect();
    let loops: Vec<usize> = (0..graph.names.len())
        .map(|node| {
            graph
                .edges
                .iter()
                .filter(|edge| edge.from == node && edge.to == node)
                .count()
        })
        .collect();
    let names: Vec<String> = graph.names.iter().map(|name| fit(name, MOST_NAME)).collect();
    let boxes: Vec<f64> = names.iter().map(|name| text_width(name) + 38.0).collect();
    // A loop and its label stand above the box: the node is given that room on both sides, as places are middles.
    let sizes: Vec<(f64, f64)> = (0..graph.names.len())
        .map(|node| {
            let label = graph
                .edges
                .iter()
                .zip(&label_sizes)
                .filter(|(edge, _)| edge.from == node && edge.to == node)
                .map(|(_, size)| *size)
                .fold((0.0_f64, 0.0_f64), |most, size| (most.0.max(size.0), most.1 + size.1));
            let above = if loops[node] > 0 { LOOP + label.1 } else { 0.0 };
            (boxes[node].max(label.0) + 2.0 * TURN, BOX_HEIGHT + 2.0 * above)
        })
        .collect();
    let layout = layout(&graph, &sizes, &label_sizes);
    let most_calls = graph.edges.iter().map(|edge| edge.row.calls).max().unwrap_or(0);
    let (width, height) = (
        (layout.width + 2.0 * MARGIN).max(420.0),
        layout.height + 2.0 * MARGIN + 24.0,
    );
    let at = |place: Place| Place {
        x: place.x + MARGIN,
        y: place.y + MARGIN,
    };
    let mut looped = vec![0; graph.names.len()];
    let body = html! {
        @for ((edge, way), lines) in graph.edges.iter().zip(&layout.ways).zip(&labels) {
            @let pen = Pen::of(edge, most_calls);
            @if edge.from == edge.to {
                (self_edge(at(layout.nodes[edge.from]), boxes[edge.from], &pen, lines, &mut looped[edge.from]))
            } @else {
                (arrow(
                    (at(layout.nodes[edge.from]), boxes[edge.from]),
                    (at(layout.nodes[edge.to]), boxes[edge.to]),
                    &way.iter().map(|&place| at(place)).collect::<Vec<_>>(), &pen, lines, edge,
                ))
            }
        }
        @for (node, name) in names.iter().enumerate() {
            (node_box(at(layout.nodes[node]), boxes[node], name, graph.names[node]))
        }
        (words(MARGIN, height - 10.0, &foot(graph.edges.len(), rows.len()), Ink::Faint, "start"))
    };
    let title = format!(
        "Dependencies: {}, {}",
        figures::counted(graph.names.len() as i64, "node"),
        foot(graph.edges.len(), rows.len())
    );
    document(&title, width, height, &body)
}

fn foot(shown: usize, all: usize) -> String {
    if shown < all {
        graph::shown_words(shown, all)
    } else {
        figures::counted(all as i64, "edge")
    }
}

/// Calls and 95th percentile; errors on a line of their own.
fn label(edge: &Edge<'_>) -> Vec<(String, Ink)> {
    let row = edge.row;
    let mut lines = vec![(
        format!(
            "{} · p95 {}",
            figures::counted(row.calls, "call"),
            figures::duration(row.p95_ms)
        ),
        Ink::Faint,
    )];
    if row.errors > 0 {
        let errors = figures::counted(row.errors, "error");
        lines.push((format!("✗ {errors} ({})", figures::percent(row.error_rate)), Ink::Error));
    }
    lines
}

fn label_size(lines: &[(String, Ink)]) -> (f64, f64) {
    // Labels are set at 11 pixels.
    let widest = lines.iter().map(|(text, _)| text_width(text)).fold(0.0, f64::max) * 11.0 / 12.0;
    (widest + LETTER, LINE * lines.len() as f64 + 6.0)
}

/// How an edge is drawn.
struct Pen {
    width: f64,
    colour: &'static str,
    dash: Option<&'static str>,
}

impl Pen {
    fn of(edge: &Edge<'_>, most_calls: i64) -> Self {
        // Calls differ by orders of magnitude: the width grows with their logarithm.
        let share = figures::share(
            (edge.row.calls.max(0) as f64).ln_1p(),
            (most_calls.max(1) as f64).ln_1p(),
        );
        let failed = edge.row.errors > 0;
        Self {
            width: 1.0 + 3.5 * share,
            colour: if failed { colour::ERROR.hex } else { "#878787" },
            dash: failed.then_some("7 4"),
        }
    }

    fn path(&self, d: &str, title: &str) -> Markup {
        html! {
            path d=(d) fill="none" stroke=(self.colour) stroke-width=(number(self.width)) stroke-dasharray=[self.dash] {
                title { (title) }
            }
        }
    }

    /// An arrow head that points along `(dx, dy)`, of length 1, at `tip`.
    fn head(&self, tip: Place, dx: f64, dy: f64) -> Markup {
        let size = 6.0 + self.width;
        let (back_x, back_y) = (tip.x - dx * size, tip.y - dy * size);
        let (side_x, side_y) = (-dy * size * 0.5, dx * size * 0.5);
        let points = [
            (tip.x, tip.y),
            (back_x + side_x, back_y + side_y),
            (back_x - side_x, back_y - side_y),
        ]
        .map(|(x, y)| format!("{},{}", number(x), number(y)));
        html! { polygon points=(points.join(" ")) fill=(self.colour) {} }
    }
}

/// The arrow of an edge between two boxes, each given by its middle and its width.
fn arrow(
    (from, from_width): (Place, f64),
    (to, to_width): (Place, f64),
    way: &[Place],
    pen: &Pen,
    lines: &[(String, Ink)],
    edge: &Edge<'_>,
) -> Markup {
    // To the right as a rule; an edge that closes a cycle runs to the left.
    let right = if to.x >= from.x { 1.0 } else { -1.0 };
    let start = Place {
        x: from.x + right * from_width / 2.0,
        y: from.y,
    };
    let tip = Place {
        x: to.x - right * to_width / 2.0,
        y: to.y,
    };
    let end = Place {
        x: tip.x - right * 6.0,
        y: tip.y,
    };
    let mut d = format!("M{} {}", number(start.x), number(start.y));
    let mut last = start;
    let (label_width, label_height) = label_size(lines);
    for (place, &point) in way.iter().chain([&end]).enumerate() {
        let is_label = place == way.len() / 2 && place < way.len();
        // The edge underlines its label.
        let (before, after, y) = if is_label {
            let reach = right * label_width / 2.0;
            (point.x - reach, point.x + reach, point.y + label_height / 2.0)
        } else {
            (point.x, point.x, point.y)
        };
        let middle = number((last.x + before) / 2.0);
        let _ = write!(
            d,
            " C{middle} {} {middle} {} {} {}",
            number(last.y),
            number(y),
            number(before),
            number(y)
        );
        if is_label {
            let _ = write!(d, " H{}", number(after));
        }
        last = Place { x: after, y };
    }
    let title = format!(
        "{} → {}: {}",
        visible::line(&visible::shorten(&edge.row.from, 200)),
        visible::line(&visible::shorten(&edge.row.to, 200)),
        lines
            .iter()
            .map(|(text, _)| text.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    );
    html! {
        (pen.path(&d, &title))
        (pen.head(tip, right, 0.0))
        @if let Some(&middle) = way.get(way.len() / 2) { (label_at(middle, lines)) }
    }
}

/// The lines of a label, around their middle.
fn label_at(middle: Place, lines: &[(String, Ink)]) -> Markup {
    let (_, height) = label_size(lines);
    html! {
        g font-size="11" {
            @for (place, (text, ink)) in lines.iter().enumerate() {
                (words(middle.x, middle.y - height / 2.0 + LINE * (place as f64 + 1.0) - 4.0, text, *ink, "middle"))
            }
        }
    }
}

/// A loop above the box.
fn self_edge(node: Place, width: f64, pen: &Pen, lines: &[(String, Ink)], looped: &mut usize) -> Markup {
    let top = node.y - BOX_HEIGHT / 2.0;
    let half = (width / 4.0).min(24.0);
    let (_, height) = label_size(lines);
    let lift = LOOP + *looped as f64 * (height + 4.0);
    *looped += 1;
    let tip = Place {
        x: node.x - half,
        y: top,
    };
    let d = format!(
        "M{} {} C{} {} {} {} {} {}",
        number(node.x + half),
        number(top),
        number(node.x + half),
        number(top - lift),
        number(node.x - half),
        number(top - lift),
        number(tip.x),
        number(tip.y - 6.0)
    );
    html! {
        (pen.path(&d, "itself"))
        (pen.head(tip, 0.0, 1.0))
        (label_at(Place { x: node.x, y: top - lift * 0.75 - height / 2.0 }, lines))
    }
}

fn node_box(middle: Place, width: f64, name: &str, whole: &str) -> Markup {
    let mark = colour::mark(whole);
    let (left, top) = (middle.x - width / 2.0, middle.y - BOX_HEIGHT / 2.0);
    html! {
        g {
            title { (visible::line(&visible::shorten(whole, 400))) }
            rect class="box" x=(number(left)) y=(number(top)) width=(number(width)) height=(number(BOX_HEIGHT)) rx="5" fill="#f6f8fa" stroke=(mark.colour.hex) stroke-width="2" {}
            text x=(number(left + 10.0)) y=(number(middle.y + 4.0)) fill=(mark.colour.hex) { (mark.sign) }
            (words(left + 26.0, middle.y + 4.0, name, Ink::Plain, "start"))
        }
    }
}
