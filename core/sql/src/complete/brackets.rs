//! Inside of brackets: arguments, lists, types, a query of its own.

use super::clauses::{ends_operand, expression, keywords, relations, scored, types};
use super::joins::shared_columns;
use super::starts::statement_starts;
use super::{Candidate, ItemKind, expressions, words};
use crate::cursor::Cursor;
use crate::lexer::TokenKind;
use crate::scope::Scopes;
use crate::syntax::ClauseKind;

/// What can be written in a bracket that is no query of its own.
pub(super) fn in_bracket(
    cursor: &Cursor<'_>,
    scopes: &Scopes<'_>,
    select: usize,
    kind: ClauseKind,
    open: usize,
) -> Vec<Candidate> {
    let tree = &cursor.tree;
    let previous = cursor.previous().unwrap_or(open);
    let function = open.wrapping_sub(1);
    if tree.is(function, "using") || tree.is_any(function, &["exclude", "replace", "rename", "except"]) {
        return shared_columns(cursor, scopes, select, tree.is(function, "using"));
    }
    if tree.is(function, "filter") {
        if previous == open {
            return keywords(&["WHERE"]);
        }
        return expression(cursor, scopes, select, ClauseKind::Where, previous);
    }
    let over = tree.is(function, "over") || (tree.is(function, "as") && kind == ClauseKind::Window);
    if over && !ends_operand(tree, previous) && previous == open {
        return keywords(&["PARTITION BY", "ORDER BY"]);
    }
    if tree.sign(previous, "::") || (tree.is(previous, "as") && tree.is_any(function, &["cast", "try_cast"])) {
        return types();
    }
    if tree.is_any(function, &["extract"]) && previous == open {
        return keywords(words::DATE_PARTS);
    }
    // A bracket in place of a table.
    let is_source = kind == ClauseKind::From
        && (function == usize::MAX
            || tree.kind(function) == Some(TokenKind::Comma)
            || tree.is_any(function, &["from", "join", "lateral"]));
    if is_source && previous == open {
        let mut found = keywords(&["SELECT", "FROM", "WITH", "VALUES"]);
        relations(scopes, select, &mut found);
        return found;
    }
    if tree.is_any(function, &["as", "materialized"]) && kind == ClauseKind::With && previous == open {
        return statement_starts(scopes)
            .into_iter()
            .filter(|candidate| ["SELECT", "FROM", "WITH", "VALUES"].contains(&candidate.item.label.as_str()))
            .collect();
    }
    let ended = ends_operand(tree, previous);
    let mut found = Vec::new();
    if let Some(table) = tree.name(function).and_then(|name| scopes.catalog.table_macro(&name)) {
        if !ended {
            let given = tree.text.get(tree.bytes(open + 1..cursor.before)).unwrap_or("");
            let named = tree.sign(previous, ":=") || tree.sign(previous, "=>");
            for (parameter, place) in table.parameters.iter().zip(0..) {
                if named || given.contains(&format!("{} :=", parameter.name)) || (place == 0 && parameter.required) {
                    continue;
                }
                let insert = if parameter.words.is_empty() {
                    format!("{} := $0", parameter.name)
                } else {
                    format!("{} := '$1'$0", parameter.name)
                };
                found.push(
                    Candidate::new(ItemKind::Parameter, parameter.name.clone(), 1_000 - place)
                        .snippet(insert)
                        .detail(parameter.data_type.clone())
                        .doc(parameter.doc.clone()),
                );
            }
            if named {
                let name = previous.checked_sub(1).and_then(|at| tree.name(at)).unwrap_or_default();
                for word in table
                    .parameters
                    .iter()
                    .filter(|parameter| parameter.name == name)
                    .flat_map(|p| &p.words)
                {
                    found.push(Candidate::new(ItemKind::Value, crate::keywords::literal(word), 1_000));
                }
                found.extend(expressions::values(cursor, scopes, select, ClauseKind::Where));
            }
        }
        return found;
    }
    if ended {
        let inner_kind = if kind == ClauseKind::From {
            ClauseKind::Where
        } else {
            kind
        };
        found.extend(expressions::operators(cursor, scopes, inner_kind));
        let ordered = tree
            .top_level(tree.content(open))
            .any(|token| token < cursor.before && tree.is(token, "order"));
        if ordered {
            found.extend(scored(&[("DESC", 960), ("ASC", 940), ("NULLS LAST", 800)], 0));
        }
        if over {
            found.extend(scored(
                &[("ORDER BY", 970), ("ROWS BETWEEN", 800), ("RANGE BETWEEN", 790)],
                0,
            ));
        } else {
            found.push(Candidate::new(ItemKind::Keyword, "ORDER BY", 610));
        }
        if tree.is_any(function, &["cast", "try_cast"]) {
            found.push(Candidate::new(ItemKind::Keyword, "AS", 990));
        }
        return found;
    }
    // Inside a bracket of another clause a value is wanted, whatever the clause.
    let inner_kind = match kind {
        ClauseKind::From | ClauseKind::With | ClauseKind::Sample => ClauseKind::Where,
        kind => kind,
    };
    found.extend(expressions::values(cursor, scopes, select, inner_kind));
    found
}
