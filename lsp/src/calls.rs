//! Who called a function and whom it called, as observed at run time.

use std::collections::{BTreeMap, HashMap};

use async_lsp::lsp_types::{CallHierarchyIncomingCall, CallHierarchyItem, CallHierarchyOutgoingCall, SymbolKind, Url};
use flockscope_analytics::calls::{Call, Level, Window};
use flockscope_client::{ClientError, Connection};
use flockscope_functions::{FunctionId, Matches};
use flockscope_model::rows::DependencyRow;
use line_index::LineIndex;
use serde::Deserialize;

use crate::figures::Figures;
use crate::nesting::{self, Nestings};
use crate::newest::start_of;
use crate::positions::range;
use crate::server::Server;
use crate::words;

/// Newest spans that edges are made of.
const MOST_SPANS: u32 = 200_000;

/// The edges between operations, by the names of their spans.
#[derive(Debug, Default)]
pub(crate) struct Edges {
    rows: Vec<DependencyRow>,
    /// The time of all spans of a name, among those that the edges are made of.
    total_ms: HashMap<String, f64>,
}

/// Asks the store.
pub(crate) async fn read(connection: &Connection) -> Result<(Edges, Nestings), ClientError> {
    let start = start_of(MOST_SPANS);
    let since = connection
        .ask(&Call::<Start>::own(format!("SELECT {start}::BIGINT AS since")))
        .await?;
    let since = since.first().map_or(0, |start| start.since);
    let window = Window {
        since: Some(since),
        until: None,
    };
    let rows = connection.dependencies(Level::Operation, window).await?;
    let totals = Call::<Total>::own(format!(
        "SELECT name, sum(duration_ms) AS total_ms FROM spans WHERE start_time >= {since} GROUP BY name"
    ));
    let totals = connection.ask(&totals).await?.into_iter();
    let totals = totals.map(|total| (total.name, total.total_ms)).collect();
    let nestings = nesting::read(connection, &rows).await?;
    Ok((Edges::new(rows, totals), nestings))
}

#[derive(Debug, Deserialize)]
struct Start {
    since: i64,
}

#[derive(Debug, Deserialize)]
struct Total {
    name: String,
    total_ms: f64,
}

/// Calls from or to one other operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edge<'a> {
    /// The other one's span name.
    pub(crate) name: &'a str,
    pub(crate) row: &'a DependencyRow,
}

impl Edges {
    fn new(mut rows: Vec<DependencyRow>, total_ms: HashMap<String, f64>) -> Self {
        rows.sort_by(|one, other| other.calls.cmp(&one.calls).then_with(|| one.from.cmp(&other.from)));
        Self { rows, total_ms }
    }

    /// The time of all spans of these names.
    pub(crate) fn total_ms(&self, names: &[&str]) -> f64 {
        names.iter().filter_map(|name| self.total_ms.get(*name)).sum()
    }

    /// Who called operations of these names, most calls first. Calls among them are left out.
    pub(crate) fn callers<'a>(&'a self, names: &[&str]) -> Vec<Edge<'a>> {
        let found = self.rows.iter().filter(|row| names.contains(&row.to.as_str()));
        found
            .filter(|row| !names.contains(&row.from.as_str()))
            .map(|row| Edge { name: &row.from, row })
            .collect()
    }

    /// Whom operations of these names called, most calls first. Calls among them are left out.
    pub(crate) fn callees<'a>(&'a self, names: &[&str]) -> Vec<Edge<'a>> {
        let found = self.rows.iter().filter(|row| names.contains(&row.from.as_str()));
        found
            .filter(|row| !names.contains(&row.to.as_str()))
            .map(|row| Edge { name: &row.to, row })
            .collect()
    }
}

/// The names of a function's spans.
pub(crate) fn span_names<'a>(function: FunctionId, figures: &'a Figures, matches: &Matches) -> Vec<&'a str> {
    let found = figures.of(function, matches);
    let rows = found.into_iter().flat_map(|figures| figures.rows);
    let mut names: Vec<&str> = rows.map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Server {
    /// The function that is meant at a place, for the next two questions.
    pub(crate) fn call_hierarchy(
        &mut self,
        url: &Url,
        at: async_lsp::lsp_types::Position,
    ) -> Option<Vec<CallHierarchyItem>> {
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let offset = crate::positions::offset(&document.text, &document.lines, at, self.encoding);
        let (ids, _) = self.meant(&path, u32::try_from(offset).ok()?)?;
        let items: Vec<CallHierarchyItem> = ids.iter().filter_map(|id| self.call_item(*id, None)).collect();
        (!items.is_empty()).then_some(items)
    }

    pub(crate) fn incoming_calls(&mut self, item: &CallHierarchyItem) -> Option<Vec<CallHierarchyIncomingCall>> {
        let names = self.names_of(item)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let items = self.other_ends(&self.edges.callers(&names));
        Some(
            items
                .into_iter()
                .map(|from| CallHierarchyIncomingCall {
                    from,
                    from_ranges: Vec::new(),
                })
                .collect(),
        )
    }

    pub(crate) fn outgoing_calls(&mut self, item: &CallHierarchyItem) -> Option<Vec<CallHierarchyOutgoingCall>> {
        let names = self.names_of(item)?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let items = self.other_ends(&self.edges.callees(&names));
        Some(
            items
                .into_iter()
                .map(|to| CallHierarchyOutgoingCall {
                    to,
                    from_ranges: Vec::new(),
                })
                .collect(),
        )
    }

    fn names_of(&self, item: &CallHierarchyItem) -> Option<Vec<String>> {
        let function: FunctionId = serde_json::from_str(item.data.as_ref()?.as_str()?).ok()?;
        let names = span_names(function, &self.figures, &self.matches);
        Some(names.into_iter().map(str::to_owned).collect())
    }

    /// The functions at the other ends of edges, each once, with the figures of the calls. Operations of no known function
    /// have no place to go to, and are left out.
    fn other_ends(&self, edges: &[Edge<'_>]) -> Vec<CallHierarchyItem> {
        let mut sums: BTreeMap<FunctionId, (i64, f64)> = BTreeMap::new();
        let mut order = Vec::new();
        for edge in edges {
            let mut functions: Vec<FunctionId> = Vec::new();
            for observed in self.figures.of_name(edge.name) {
                functions.extend(self.matches.functions_of(observed).iter().map(|found| found.function));
            }
            functions.sort_unstable();
            functions.dedup();
            for function in functions {
                let sum = sums.entry(function).or_insert_with(|| {
                    order.push(function);
                    (0, 0.0)
                });
                sum.0 += edge.row.calls;
                sum.1 = f64::max(sum.1, edge.row.p95_ms);
            }
        }
        let item = |function: &FunctionId| {
            let (calls, p95) = sums.get(function)?;
            let detail = format!(
                "{}, p95 {}",
                words::counted(*calls, "call", "calls"),
                words::duration(*p95)
            );
            self.call_item(*function, Some(detail))
        };
        order.iter().filter_map(item).collect()
    }

    fn call_item(&self, id: FunctionId, detail: Option<String>) -> Option<CallHierarchyItem> {
        let function = self.workspace.function(id)?;
        let uri = Url::from_file_path(function.path).ok()?;
        // Of a file that is not open the text is read: positions count its characters.
        let lines = match self.documents.get(&uri) {
            Some(document) => document.lines.clone(),
            None => LineIndex::new(&std::fs::read_to_string(function.path).ok()?),
        };
        let definition = function.definition;
        let detail = detail.or_else(|| {
            let figures = self.figures.of(id, &self.matches)?;
            Some(words::counted(figures.calls, "call", "calls"))
        });
        Some(CallHierarchyItem {
            name: function.qualified_name.clone(),
            kind: match function.class {
                Some(_) => SymbolKind::METHOD,
                None => SymbolKind::FUNCTION,
            },
            tags: None,
            detail,
            range: range(&lines, &definition.range, self.encoding),
            selection_range: range(&lines, &definition.name_range, self.encoding),
            uri,
            data: serde_json::to_string(&id).ok().map(serde_json::Value::String),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(from: &str, to: &str, calls: i64) -> DependencyRow {
        DependencyRow {
            from: from.into(),
            to: to.into(),
            calls,
            ..DependencyRow::default()
        }
    }

    #[test]
    fn the_most_calls_come_first_and_calls_among_themselves_do_not_count() {
        let rows = vec![
            row("Flock.run", "Agent.execute", 2),
            row("main", "Agent.execute", 5),
            row("Agent.execute", "Engine.evaluate", 7),
            row("Agent.execute", "Agent.execute", 9),
        ];
        let edges = Edges::new(rows, HashMap::from([("main".into(), 5.0), ("Flock.run".into(), 2.0)]));
        assert_eq!(edges.total_ms(&["main", "Flock.run", "nobody"]), 7.0);
        let names = |edges: Vec<Edge<'_>>| edges.iter().map(|edge| edge.name.to_owned()).collect::<Vec<_>>();
        assert_eq!(names(edges.callers(&["Agent.execute"])), ["main", "Flock.run"]);
        assert_eq!(names(edges.callees(&["Agent.execute"])), ["Engine.evaluate"]);
        assert_eq!(names(edges.callees(&["Engine.evaluate"])), Vec::<String>::new());
    }
}
