//! After a dot: the columns of a table or alias, the fields of a struct, the tables of a schema.

use super::expressions::column_candidate;
use super::{Candidate, ItemKind};
use crate::cursor::Cursor;
use crate::keywords::quoted_name;
use crate::lexer::TokenKind;
use crate::scope::{ScopeColumn, Scopes, field, fields};
use crate::syntax::ClauseKind;

/// `None` where the cursor does not follow a dot.
pub(super) fn candidates(cursor: &Cursor<'_>, scopes: &Scopes<'_>) -> Option<Vec<Candidate>> {
    let tree = &cursor.tree;
    let mut dot = cursor.previous()?;
    if tree.kind(dot) != Some(TokenKind::Dot) {
        return None;
    }
    let mut path = Vec::new();
    while tree.kind(dot) == Some(TokenKind::Dot) && dot > 0 {
        let Some(name) = tree.name(dot - 1) else {
            break;
        };
        path.insert(0, name);
        if dot < 2 {
            break;
        }
        dot -= 2;
    }
    let mut found = Vec::new();
    let Some(select) = tree.select_at(cursor.before) else {
        return Some(found);
    };
    let after_call = path.is_empty();
    let relation_wanted = tree.clause_at(select, cursor.before).is_some_and(|clause| {
        clause.kind == ClauseKind::From && super::clauses::wants_relation(tree, clause, dot_start(cursor))
    });
    if relation_wanted {
        super::clauses::relations(scopes, select, &mut found);
        found.retain(|candidate| candidate.item.kind != ItemKind::Cte);
        return Some(found);
    }
    if after_call {
        return Some(found);
    }
    if let [name] = path.as_slice() {
        for source in scopes.sources(select).iter() {
            if source
                .name
                .as_deref()
                .is_some_and(|source| source.eq_ignore_ascii_case(name))
            {
                for (place, column) in source.columns.list.iter().enumerate() {
                    found.push(column_candidate(column, place, source.columns.list.len(), None));
                }
                if !source.columns.list.is_empty() {
                    found.push(Candidate::new(ItemKind::Keyword, "*", 400).detail("every column"));
                }
                return Some(found);
            }
        }
    }
    let nothing_read = tree.selects.get(select).is_some_and(|select| select.sources.is_empty());
    let outer_unread = || {
        let query = tree
            .selects
            .get(select)
            .and_then(|select| tree.queries.get(select.query));
        let outer = query
            .and_then(|query| query.outer)
            .and_then(|outer| tree.selects.get(outer));
        outer.is_some_and(|outer| outer.sources.is_empty())
    };
    let one_name = path.len() == 1 && scopes.column(select, None, &path[0]).is_none();
    if (nothing_read && scopes.sources(select).is_empty()) || (one_name && outer_unread()) {
        // An alias that is given its meaning later.
        for source in super::expressions::likely_sources(scopes, select) {
            for (place, column) in source.columns.list.iter().enumerate() {
                found.push(column_candidate(column, place, source.columns.list.len(), None));
            }
        }
        return Some(found);
    }
    // `column.field`, `table.column.field`, `column.field.field`
    let mut names = path.iter();
    let mut column: Option<ScopeColumn<'_>> = None;
    if let [table, name, ..] = path.as_slice() {
        column = scopes.column(select, Some(table), name);
        if column.is_some() {
            names.next();
        }
    }
    let first = names.next()?;
    let mut column = column.or_else(|| scopes.column(select, None, first));
    for name in names {
        column = column.and_then(|column| field(&column, name));
    }
    if let Some(column) = column {
        for (place, (name, data_type)) in fields(&column.data_type).into_iter().enumerate() {
            let score = 900 - i32::try_from(place).unwrap_or(0);
            let candidate = Candidate::new(ItemKind::Field, name.clone(), score);
            found.push(candidate.insert(quoted_name(&name)).detail(data_type));
        }
    }
    Some(found)
}

/// The first token of the name with dots that the cursor is in.
fn dot_start(cursor: &Cursor<'_>) -> usize {
    let mut at = cursor.before;
    while at >= 2 && cursor.tree.kind(at - 1) == Some(TokenKind::Dot) {
        at -= 2;
    }
    at
}
