//! Behind a call: which part of the time of its function it took.

use std::collections::HashMap;

use async_lsp::lsp_types::{InlayHint, InlayHintLabel, InlayHintParams, InlayHintTooltip};
use flockscope_functions::{Callee, FunctionId};

use crate::calls::{Edge, span_names};
use crate::positions::{offset, position};
use crate::server::Server;
use crate::words;

/// What is known of a function that calls others.
struct Caller<'a> {
    name: String,
    total_ms: f64,
    callees: Vec<Edge<'a>>,
}

impl Server {
    pub(crate) fn inlay_hints(&mut self, params: &InlayHintParams) -> Option<Vec<InlayHint>> {
        let preferences = &self.preferences.inlay_hints;
        if !preferences.enabled {
            return None;
        }
        let least_share = preferences.least_share;
        let url = &params.text_document.uri;
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let at = |position| {
            let offset = offset(&document.text, &document.lines, position, self.encoding);
            u32::try_from(offset).unwrap_or(u32::MAX)
        };
        let shown = at(params.range.start)..at(params.range.end);
        let callees = self.workspace.callees_of_functions(&path, shown.clone());
        // Spans do not say from which line they were called.
        let mut places: HashMap<_, usize> = HashMap::new();
        for callee in &callees {
            *places.entry((callee.caller, &callee.candidates)).or_default() += 1;
        }
        let mut callers: HashMap<FunctionId, Option<Caller<'_>>> = HashMap::new();
        let mut hints = Vec::new();
        let is_shown = |callee: &&Callee| shown.contains(&callee.range.start);
        for callee in callees.iter().filter(is_shown) {
            let Some(caller) = callee.caller else { continue };
            let caller = callers.entry(caller).or_insert_with(|| self.caller(caller));
            let Some(caller) = caller else { continue };
            let Some((calls, ms, p95)) = self.observed(caller, callee) else {
                continue;
            };
            let share = ms / caller.total_ms;
            if share < least_share || !share.is_finite() {
                continue;
            }
            let places = places.get(&(callee.caller, &callee.candidates)).copied().unwrap_or(1);
            let all = if places > 1 {
                format!(" in {places} places")
            } else {
                String::new()
            };
            hints.push(InlayHint {
                position: position(&document.lines, callee.range.end, self.encoding),
                label: InlayHintLabel::String(format!("{:.0} %{all}", share * 100.0)),
                kind: None,
                text_edits: None,
                tooltip: Some(InlayHintTooltip::String(format!(
                    "{:.1} % of the time of {}: {}, p95 {}, {} in all{}",
                    share * 100.0,
                    caller.name,
                    words::counted(calls, "call", "calls"),
                    words::duration(p95),
                    words::duration(ms),
                    if share > 1.0 { "; they ran side by side" } else { "" }
                ))),
                padding_left: Some(true),
                padding_right: Some(true),
                data: None,
            });
        }
        Some(hints)
    }

    fn caller(&self, id: FunctionId) -> Option<Caller<'_>> {
        let names = span_names(id, &self.figures, &self.matches);
        Some(Caller {
            name: self.workspace.function(id)?.qualified_name,
            total_ms: self.edges.total_ms(&names),
            callees: self.edges.callees(&names),
        })
    }

    /// Number, time and 95th percentile of the calls that were seen from a function to what is called here. Where it is
    /// not worked out which function is meant, all that bear the name are asked for: the edges tell them apart.
    fn observed(&self, caller: &Caller<'_>, callee: &Callee) -> Option<(i64, f64, f64)> {
        let mut names: Vec<&str> = Vec::new();
        for candidate in &callee.candidates {
            names.extend(span_names(*candidate, &self.figures, &self.matches));
        }
        let edges = caller.callees.iter().filter(|edge| names.contains(&edge.name));
        let sum = edges.fold((0, 0.0, 0.0), |(calls, ms, p95), edge| {
            let row = edge.row;
            (
                calls + row.calls,
                ms + row.avg_ms * row.calls as f64,
                f64::max(p95, row.p95_ms),
            )
        });
        (sum.0 > 0).then_some(sum)
    }
}
