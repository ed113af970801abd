//! What joins two tables: conditions, and the columns that both have.

use super::{Candidate, ItemKind, expressions};
use crate::cursor::Cursor;
use crate::keywords::quoted_name;
use crate::scope::Scopes;

/// Columns that both sides of a join have, and a span's parent.
pub(super) fn join_conditions(scopes: &Scopes<'_>, select: usize, cursor: &Cursor<'_>) -> Vec<Candidate> {
    let tree = scopes.tree;
    let Some(scope) = tree.selects.get(select) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    // The table that is being joined, and those before it.
    let before = scope
        .sources
        .iter()
        .filter(|source| source.tokens.start < cursor.before)
        .count();
    let sources = scopes.sources(select);
    let Some((joined, earlier)) = sources
        .get(..before.min(sources.len()))
        .and_then(|own| own.split_last())
    else {
        return found;
    };
    let Some(right) = &joined.name else {
        return found;
    };
    for left_source in earlier.iter().rev() {
        let Some(left) = &left_source.name else {
            continue;
        };
        let has =
            |columns: &crate::scope::Columns<'_>, name: &str| columns.list.iter().any(|column| column.name == name);
        let mut push = |condition: String, score| {
            found.push(Candidate::new(ItemKind::Join, condition, score));
        };
        let (l, r) = (quoted_name(left), quoted_name(right));
        let trees = [&left_source.columns, &joined.columns];
        let both = |name: &str| trees.iter().all(|columns| has(columns, name));
        if both("trace_id") && both("span_id") && both("parent_id") {
            push(
                format!("{r}.trace_id = {l}.trace_id AND {r}.parent_id = {l}.span_id"),
                1_050,
            );
            push(
                format!("{r}.trace_id = {l}.trace_id AND {r}.span_id = {l}.parent_id"),
                1_045,
            );
        }
        for (place, column) in joined.columns.list.iter().enumerate() {
            if both(&column.name) {
                let name = quoted_name(&column.name);
                let key = i32::from(column.name.ends_with("_id")) * 30;
                let place = i32::try_from(place.min(40)).unwrap_or(0);
                push(format!("{r}.{name} = {l}.{name}"), 1_000 + key - place);
            }
        }
    }
    found
}

/// Columns of the first table of a select; `shared`: those that all its tables have, as `USING` wants.
pub(super) fn shared_columns(cursor: &Cursor<'_>, scopes: &Scopes<'_>, select: usize, shared: bool) -> Vec<Candidate> {
    let mut sources = scopes.sources(select).to_vec();
    if sources.is_empty() {
        sources = expressions::likely_sources(scopes, select);
        sources.truncate(1);
    }
    let mut own = sources.iter().filter(|source| !source.outer);
    let tree = &cursor.tree;
    let mut found = Vec::new();
    let first = own.next();
    let Some(first) = first else {
        return found;
    };
    let rest: Vec<_> = own.collect();
    for (place, column) in first.columns.list.iter().enumerate() {
        let everywhere = |source: &&crate::scope::ScopeSource<'_>| {
            source
                .columns
                .list
                .iter()
                .any(|other| other.name.eq_ignore_ascii_case(&column.name))
        };
        let given = cursor
            .previous()
            .is_some_and(|previous| tree.name(previous).is_some_and(|name| name == column.name));
        if !given && (!shared || rest.iter().any(everywhere)) {
            let mut candidate = expressions::column_candidate(column, place, first.columns.list.len(), None);
            if shared && column.name.ends_with("_id") {
                candidate.score += 50;
            }
            found.push(candidate);
        }
    }
    found
}
