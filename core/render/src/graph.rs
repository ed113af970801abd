//! The dependency graph: its nodes, its busiest edges, and where a drawing puts them.

use std::collections::HashMap;

use flockscope_model::rows::DependencyRow;
use rust_sugiyama::configure::Config;

use crate::figures;

/// Nodes and edges that a drawing holds at most: beyond it nobody reads it, and the layout takes its time.
const MOST_NODES: usize = 60;
const MOST_EDGES: usize = 100;

/// The busiest edges and their nodes.
pub(crate) struct Graph<'a> {
    pub(crate) names: Vec<&'a str>,
    pub(crate) edges: Vec<Edge<'a>>,
}

pub(crate) struct Edge<'a> {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) row: &'a DependencyRow,
}

/// `100 of 340 edges, those with the most calls`.
pub(crate) fn shown_words(shown: usize, all: usize) -> String {
    format!(
        "{} of {}, those with the most calls",
        figures::count(shown as i64),
        figures::counted(all as i64, "edge")
    )
}

impl<'a> Graph<'a> {
    pub(crate) fn of(rows: &'a [DependencyRow]) -> Self {
        let mut by_calls: Vec<&DependencyRow> = rows.iter().collect();
        by_calls.sort_by_key(|row| std::cmp::Reverse(row.calls));
        let mut graph = Self {
            names: Vec::new(),
            edges: Vec::new(),
        };
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for row in by_calls {
            if graph.edges.len() == MOST_EDGES {
                break;
            }
            let unknown = [&row.from, &row.to]
                .iter()
                .filter(|name| !numbers.contains_key(name.as_str()))
                .count();
            if graph.names.len() + unknown > MOST_NODES {
                continue;
            }
            let mut number = |name: &'a str| {
                *numbers.entry(name).or_insert_with(|| {
                    graph.names.push(name);
                    graph.names.len() - 1
                })
            };
            let (from, to) = (number(&row.from), number(&row.to));
            graph.edges.push(Edge { from, to, row });
        }
        graph
    }

    /// For each edge, whether it closes a cycle: without these and the self edges the graph has none.
    fn closes_cycle(&self) -> Vec<bool> {
        let mut out: Vec<Vec<usize>> = vec![Vec::new(); self.names.len()];
        let mut called = vec![false; self.names.len()];
        for (number, edge) in self.edges.iter().enumerate() {
            out[edge.from].push(number);
            called[edge.to] |= edge.from != edge.to;
        }
        // Depth first from the nodes that nobody calls: what leads back into the open path closes a cycle.
        let mut closes = vec![false; self.edges.len()];
        let mut state = vec![0_u8; self.names.len()];
        let (roots, rest): (Vec<usize>, Vec<usize>) = (0..self.names.len()).partition(|&node| !called[node]);
        for root in roots.into_iter().chain(rest) {
            if state[root] != 0 {
                continue;
            }
            state[root] = 1;
            let mut path = vec![(root, 0)];
            while let Some((node, next)) = path.last_mut() {
                let Some(&number) = out[*node].get(*next) else {
                    state[*node] = 2;
                    path.pop();
                    continue;
                };
                *next += 1;
                let to = self.edges[number].to;
                match state[to] {
                    0 => {
                        state[to] = 1;
                        path.push((to, 0));
                    }
                    1 => closes[number] = true,
                    _ => {}
                }
            }
        }
        closes
    }

    /// The layer of each node: one more than that of its lowest caller, edges that close a cycle left aside.
    pub(crate) fn layers(&self) -> Vec<usize> {
        self.layers_without(&self.closes_cycle())
    }

    fn layers_without(&self, closes: &[bool]) -> Vec<usize> {
        let mut layers = vec![0; self.names.len()];
        // With n nodes the longest way has n - 1 edges, so this ends; the graph is small.
        for _ in 0..self.names.len() {
            let mut changed = false;
            for (edge, _) in self.edges.iter().zip(closes).filter(|(_, closes)| !**closes) {
                if layers[edge.to] <= layers[edge.from] {
                    layers[edge.to] = layers[edge.from] + 1;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        layers
    }
}

/// Where a node, or a label of an edge, stands: its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Picks one axis of a vertex: the middle of its place and its size.
type MiddleAndSize = fn((f64, f64), (f64, f64)) -> (f64, f64);

/// A drawing from left to right.
pub(crate) struct Layout {
    pub(crate) nodes: Vec<Place>,
    /// For each edge the points it passes, without its ends; none for a self edge. The middle one is its label's place.
    pub(crate) ways: Vec<Vec<Place>>,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Layers by `rust-sugiyama`, which is given a graph it can't fail on: cycles are broken before (with cycles it panics
/// or does not end), self edges are left out (their loops are drawn beside the node), the size is bounded, and each edge
/// is a chain of points, one a layer, of which the middle one has the size of the label, so that no label covers
/// anything. `sizes` and `labels` are width and height of nodes and of labels.
pub(crate) fn layout(graph: &Graph<'_>, sizes: &[(f64, f64)], labels: &[(f64, f64)]) -> Layout {
    let closes = graph.closes_cycle();
    let layers = graph.layers_without(&closes);
    // The library draws from top to bottom: x and y, width and height change places.
    let mut vertices: Vec<(u32, (f64, f64))> = Vec::new();
    let mut links: Vec<(u32, u32)> = Vec::new();
    let add = |vertices: &mut Vec<(u32, (f64, f64))>, (width, height): (f64, f64)| {
        let number = vertices.len() as u32;
        vertices.push((number, (height, width)));
        number
    };
    for &size in sizes {
        add(&mut vertices, size);
    }
    let mut chains: Vec<Vec<u32>> = Vec::with_capacity(graph.edges.len());
    for ((edge, closes), &label) in graph.edges.iter().zip(&closes).zip(labels) {
        if edge.from == edge.to {
            chains.push(Vec::new());
            continue;
        }
        let (first, last) = if *closes {
            (edge.to, edge.from)
        } else {
            (edge.from, edge.to)
        };
        // Labels have layers of their own between those of the nodes.
        let points = 2 * layers[last].saturating_sub(layers[first]).max(1) - 1;
        let mut chain: Vec<u32> = (0..points)
            .map(|point| add(&mut vertices, if point == points / 2 { label } else { (1.0, 12.0) }))
            .collect();
        let mut from = first as u32;
        for &point in &chain {
            links.push((from, point));
            from = point;
        }
        links.push((from, last as u32));
        if *closes {
            chain.reverse();
        }
        chains.push(chain);
    }
    let config = Config {
        vertex_spacing: 14.0,
        ..Config::default()
    };
    let mut places = vec![Place { x: 0.0, y: 0.0 }; vertices.len()];
    let (mut width, mut below) = (0.0_f64, 0.0_f64);
    // Each connected part is laid out by itself; they stand below each other.
    for (part, ..) in rust_sugiyama::from_vertices_and_edges(&vertices, &links, &config) {
        let bounds_of = |value: MiddleAndSize| {
            let bounds = part.iter().map(|&(vertex, place)| value(place, vertices[vertex].1));
            bounds.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (middle, size)| {
                (low.min(middle - size / 2.0), high.max(middle + size / 2.0))
            })
        };
        let (left, right) = bounds_of(|place, size| (place.1, size.1));
        let (top, bottom) = bounds_of(|place, size| (place.0, size.0));
        for &(vertex, (down, along)) in &part {
            places[vertex] = Place {
                x: along - left,
                y: down - top + below,
            };
        }
        width = width.max(right - left);
        below += bottom - top + 24.0;
    }
    Layout {
        nodes: places[..sizes.len()].to_vec(),
        ways: chains
            .into_iter()
            .map(|chain| chain.into_iter().map(|point| places[point as usize]).collect())
            .collect(),
        width,
        height: (below - 24.0).max(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(from: usize, to: usize, calls: i64) -> DependencyRow {
        DependencyRow {
            from: format!("n{from}"),
            to: format!("n{to}"),
            calls,
            ..DependencyRow::default()
        }
    }

    /// Lays a graph out and checks that boxes and labels stand inside and don't cover each other.
    fn check(rows: &[DependencyRow]) -> Result<(), TestCaseError> {
        let graph = Graph::of(rows);
        let sizes = vec![(100.0, 30.0); graph.names.len()];
        let labels = vec![(90.0, 20.0); graph.edges.len()];
        let layout = layout(&graph, &sizes, &labels);
        let labels = graph
            .edges
            .iter()
            .zip(&layout.ways)
            .filter(|(edge, _)| edge.from != edge.to);
        let boxes: Vec<(Place, f64, f64)> = layout
            .nodes
            .iter()
            .map(|&place| (place, 50.0, 15.0))
            .chain(labels.map(|(_, way)| (way[way.len() / 2], 45.0, 10.0)))
            .collect();
        for (number, (one, half_width, half_height)) in boxes.iter().enumerate() {
            prop_assert!(
                one.x - half_width >= -0.01 && one.x + half_width <= layout.width + 0.01,
                "{one:?}"
            );
            prop_assert!(
                one.y - half_height >= -0.01 && one.y + half_height <= layout.height + 0.01,
                "{one:?}"
            );
            for (other, other_width, other_height) in &boxes[..number] {
                let apart = (one.x - other.x).abs() >= half_width + other_width - 0.01
                    || (one.y - other.y).abs() >= half_height + other_height - 0.01;
                prop_assert!(apart, "{one:?} covers {other:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn callers_stand_left_of_the_called() {
        let rows = [row(0, 1, 5), row(1, 2, 4), row(2, 0, 1), row(2, 2, 1)];
        let graph = Graph::of(&rows);
        assert_eq!(graph.layers(), [0, 1, 2]);
        let layout = layout(&graph, &[(100.0, 30.0); 3], &[(80.0, 20.0); 4]);
        assert!(layout.nodes[0].x < layout.nodes[1].x && layout.nodes[1].x < layout.nodes[2].x);
        // The edge that closes the cycle runs back past the label of the middle; a self edge has no way.
        assert!(
            layout.ways[2]
                .first()
                .is_some_and(|first| first.x > layout.ways[2][layout.ways[2].len() - 1].x)
        );
        assert!(layout.ways[3].is_empty());
    }

    #[test]
    fn a_large_graph_is_bounded_to_its_busiest_edges() {
        let rows: Vec<DependencyRow> = (0..5000)
            .map(|n| row(n * 7919 % 500, n * 104_729 % 500, n as i64))
            .collect();
        let graph = Graph::of(&rows);
        assert!(graph.names.len() <= MOST_NODES && graph.edges.len() <= MOST_EDGES);
        assert_eq!(graph.edges[0].row.calls, 4999);
        check(&rows).expect("a layout");
    }

    #[test]
    fn the_densest_graph_that_is_drawn_ends() {
        let rows: Vec<DependencyRow> = (0..14)
            .flat_map(|from| (0..14).map(move |to| row(from, to, 1)))
            .collect();
        check(&rows).expect("a layout");
        let chain: Vec<DependencyRow> = (0..59)
            .map(|n| row(n, n + 1, 1))
            .chain((0..41).map(|n| row(n, 59, 1)))
            .collect();
        check(&chain).expect("a layout");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_graph_has_a_layout(edges in prop::collection::vec((0..9_usize, 0..9_usize, 0..5_i64), 0..25)) {
            let rows: Vec<DependencyRow> = edges.iter().map(|&(from, to, calls)| row(from, to, calls)).collect();
            check(&rows)?;
        }
    }
}
