//! Everywhere outside strings and dotted names: what may come next follows from the clause and the token before.

use super::brackets::in_bracket;
use super::joins::join_conditions;
use super::starts::{call_snippet, statement_starts};
use super::{Candidate, ItemKind, expressions, words};
use crate::cursor::Cursor;
use crate::keywords::{is_reserved, quoted_name};
use crate::lexer::TokenKind;
use crate::scope::Scopes;
use crate::syntax::{Clause, ClauseKind, Tree, starts_join};

pub(super) fn candidates(cursor: &Cursor<'_>, scopes: &Scopes<'_>) -> Vec<Candidate> {
    let tree = &cursor.tree;
    let Some(previous) = cursor.previous() else {
        return statement_starts(scopes);
    };
    let Some(select) = tree.select_at(cursor.before) else {
        return Vec::new();
    };
    if let Some(words) = continued(cursor, previous) {
        return words;
    }
    let bracket = tree.bracket_at(cursor.before);
    let query = tree.selects.get(select).map_or(0, |select| select.query);
    let own_bracket = tree.queries.get(query).and_then(|query| query.bracket);
    let clause = tree.clause_at(select, cursor.before);
    let kind = clause.map_or(ClauseKind::Sample, |clause| clause.kind);
    if let Some(open) = bracket.filter(|bracket| Some(*bracket) != own_bracket) {
        return in_bracket(cursor, scopes, select, kind, open);
    }
    let Some(clause) = clause else {
        return if tree.is_open(previous) || tree.is_any(previous, &["explain", "analyze", "as"]) {
            statement_starts(scopes)
        } else {
            loose(cursor, scopes, select, previous)
        };
    };
    let at_start = previous < clause.content.start;
    match clause.kind {
        ClauseKind::With => with(cursor, previous, at_start),
        ClauseKind::Combine => keywords(&["SELECT", "FROM", "ALL", "BY NAME"]),
        ClauseKind::From | ClauseKind::Into | ClauseKind::Pivot => from(cursor, scopes, select, clause, previous),
        ClauseKind::Limit | ClauseKind::Offset | ClauseKind::Sample => {
            if at_start {
                return Vec::new();
            }
            next_clauses(cursor, select, clause.kind)
        }
        ClauseKind::Window => Vec::new(),
        _ => expression(cursor, scopes, select, clause.kind, previous),
    }
}

pub(super) fn keywords(words: &[&str]) -> Vec<Candidate> {
    let scored = words.iter().zip(0..);
    scored
        .map(|(word, place)| Candidate::new(ItemKind::Keyword, *word, 950 - 5 * place))
        .collect()
}

/// The rest of `GROUP BY`, `IS NOT NULL` and the like.
fn continued(cursor: &Cursor<'_>, previous: usize) -> Option<Vec<Candidate>> {
    let tree = &cursor.tree;
    if tree.kind(previous) != Some(TokenKind::Word) {
        return None;
    }
    let before = previous.checked_sub(1).map_or("", |before| tree.text_of(before));
    let words = words::continuation(&[before, tree.text_of(previous)])?;
    Some(keywords(words))
}

fn with(cursor: &Cursor<'_>, previous: usize, at_start: bool) -> Vec<Candidate> {
    let tree = &cursor.tree;
    if at_start {
        return keywords(&["RECURSIVE"]);
    }
    if tree.is(previous, "as") {
        return keywords(&["MATERIALIZED", "NOT MATERIALIZED"]);
    }
    if tree.is_close(previous) {
        let defined = tree.opening_of(previous).is_some_and(|open| {
            open > 0 && !tree.is(open.wrapping_sub(2), "with") && tree.is_any(open - 1, &["as", "materialized"])
        });
        return keywords(if defined { &["SELECT", "FROM"] } else { &["AS"] });
    }
    if tree.plain_name(previous).is_some() {
        return keywords(&["AS"]);
    }
    Vec::new()
}

/// Whether a table is wanted before the token `before` of a `FROM` clause.
pub(super) fn wants_relation(tree: &Tree<'_>, clause: &Clause, before: usize) -> bool {
    let Some(previous) = before.checked_sub(1) else {
        return false;
    };
    previous < clause.content.start
        || tree.kind(previous) == Some(TokenKind::Comma)
        || tree.is_any(previous, &["join", "from", "lateral"])
        || (tree.kind(previous) == Some(TokenKind::Colon))
}

/// Tables, common table expressions and analyses.
pub(super) fn relations(scopes: &Scopes<'_>, select: usize, found: &mut Vec<Candidate>) {
    let tree = scopes.tree;
    let query = tree.selects.get(select).map_or(0, |select| select.query);
    for (place, (owner, index)) in scopes.ctes(query).into_iter().enumerate() {
        let Some(name) = tree
            .queries
            .get(owner)
            .and_then(|query| query.ctes.get(index))
            .and_then(|cte| tree.name(cte.name))
        else {
            continue;
        };
        let columns = scopes.cte_columns(owner, index);
        let names: Vec<&str> = columns.list.iter().map(|column| column.name.as_str()).collect();
        let score = 980 + i32::try_from(place.min(15)).unwrap_or(0);
        found.push(
            Candidate::new(ItemKind::Cte, name.clone(), score)
                .insert(quoted_name(&name))
                .detail(expressions::shortened(&names.join(", "))),
        );
    }
    for (relation, place) in scopes.catalog.relations.iter().zip(0..) {
        found.push(
            Candidate::new(
                ItemKind::Relation,
                relation.name.clone(),
                970 - 10 * i32::min(place, 20),
            )
            .insert(quoted_name(&relation.name))
            .detail(format!("{} columns", relation.columns.len()))
            .doc(relation.doc.clone()),
        );
    }
    for (table, place) in scopes.catalog.macros.iter().zip(0..) {
        found.push(
            Candidate::new(ItemKind::Macro, table.name.clone(), 900 - i32::min(place, 100))
                .snippet(format!("{}$0", call_snippet(table)))
                .detail("analysis")
                .doc(table.summary.clone()),
        );
    }
}

fn from(cursor: &Cursor<'_>, scopes: &Scopes<'_>, select: usize, clause: &Clause, previous: usize) -> Vec<Candidate> {
    let tree = &cursor.tree;
    if wants_relation(tree, clause, cursor.before) {
        let mut found = Vec::new();
        relations(scopes, select, &mut found);
        if cursor.at.is_some_and(|at| tree.sign(at + 1, "(")) {
            for candidate in &mut found {
                let called = candidate.item.kind == ItemKind::Macro;
                candidate.score += if called { 300 } else { 0 };
                if called {
                    candidate.item.insert.clone_from(&candidate.item.label);
                    candidate.item.is_snippet = false;
                }
            }
        }
        for function in scopes.catalog.all_functions() {
            if function.kind == crate::catalog::FunctionKind::Table {
                let score = words::function(&function.name).unwrap_or(300) - 100;
                found.push(expressions::function_candidate(function, score, false));
            }
        }
        found.push(Candidate::new(ItemKind::Keyword, "LATERAL", 500));
        return found;
    }
    // The condition of a join, or what follows a table.
    let last = tree
        .top_level(clause.content.start..cursor.before)
        .filter(|token| {
            tree.is_any(*token, &["on", "using"])
                || tree.kind(*token) == Some(TokenKind::Comma)
                || starts_join(tree, *token)
        })
        .last();
    match last {
        Some(on) if tree.is(on, "on") => {
            if ends_operand(tree, previous) {
                let mut found = expressions::operators(cursor, scopes, ClauseKind::From);
                found.extend(scored(words::JOINS, 0));
                found.extend(next_clauses(cursor, select, ClauseKind::From));
                return found;
            }
            let mut found = expressions::values(cursor, scopes, select, ClauseKind::Where);
            if previous == on {
                found.extend(join_conditions(scopes, select, cursor));
            }
            found
        }
        Some(using) if clause.kind == ClauseKind::Pivot && tree.is(using, "using") && !ends_operand(tree, previous) => {
            expressions::values(cursor, scopes, select, ClauseKind::Select)
        }
        _ if tree.is(previous, "as") => Vec::new(),
        _ => {
            let mut found = scored(words::JOINS, 0);
            found.extend(next_clauses(cursor, select, ClauseKind::From));
            found.push(Candidate::new(ItemKind::Keyword, "AS", 700));
            if tree.kind(previous) != Some(TokenKind::Comma) && last.is_some() {
                found.push(Candidate::new(ItemKind::Keyword, "ON", 960));
                found.push(Candidate::new(ItemKind::Keyword, "USING", 950).snippet("USING ($0)"));
            }
            found
        }
    }
}

pub(super) fn scored(words: &[(&str, i32)], more: i32) -> Vec<Candidate> {
    words
        .iter()
        .map(|(word, score)| Candidate::new(ItemKind::Keyword, *word, score + more))
        .collect()
}

/// Clauses that may follow, in the order in which they are written, without those that are there.
fn next_clauses(cursor: &Cursor<'_>, select: usize, kind: ClauseKind) -> Vec<Candidate> {
    const ORDER: &[(ClauseKind, &str)] = &[
        (ClauseKind::Select, "SELECT"),
        (ClauseKind::From, "FROM"),
        (ClauseKind::Where, "WHERE"),
        (ClauseKind::GroupBy, "GROUP BY"),
        (ClauseKind::Having, "HAVING"),
        (ClauseKind::Window, "WINDOW"),
        (ClauseKind::Qualify, "QUALIFY"),
        (ClauseKind::OrderBy, "ORDER BY"),
        (ClauseKind::Limit, "LIMIT"),
        (ClauseKind::Offset, "OFFSET"),
    ];
    let clauses = cursor
        .tree
        .selects
        .get(select)
        .map(|select| select.clauses.as_slice())
        .unwrap_or_default();
    // The word at the cursor may be a clause already, and is still being written.
    let others = clauses.iter().filter(|clause| Some(clause.keyword) != cursor.at);
    let has = |kind| others.clone().any(|clause| clause.kind == kind);
    let from_first = has(ClauseKind::From) && !has(ClauseKind::Select);
    let here = ORDER.iter().position(|(clause, _)| *clause == kind).unwrap_or(0);
    let mut found = Vec::new();
    for (place, (clause, word)) in ORDER.iter().enumerate() {
        let later = place > here || (*clause == ClauseKind::Select && from_first && kind == ClauseKind::From);
        if has(*clause) || !later {
            continue;
        }
        let near = i32::try_from(place.saturating_sub(here)).unwrap_or(0);
        let score = match clause {
            ClauseKind::Having | ClauseKind::Qualify if !has(ClauseKind::GroupBy) => 600,
            ClauseKind::Window => 400,
            ClauseKind::Offset => 500,
            ClauseKind::Select => 905,
            _ => 930 - 4 * near,
        };
        found.push(Candidate::new(ItemKind::Keyword, *word, score));
    }
    for (word, score) in [
        ("UNION ALL", 520),
        ("UNION", 515),
        ("EXCEPT", 505),
        ("INTERSECT", 503),
        ("UNION BY NAME", 400),
    ] {
        found.push(Candidate::new(ItemKind::Keyword, word, score));
    }
    found
}

/// Whether a value ends with a token, so that an operator is wanted and not another value.
pub(super) fn ends_operand(tree: &Tree<'_>, token: usize) -> bool {
    match tree.kind(token) {
        Some(TokenKind::Word) => {
            let word = tree.text_of(token);
            let operator = [
                "like", "ilike", "is", "glob", "similar", "by", "distinct", "between", "escape", "collate", "if", "set",
            ];
            tree.is_any(token, &["end", "null", "true", "false", "all", "desc", "asc"])
                || (!is_reserved(word) && !tree.is_any(token, &operator))
        }
        Some(
            TokenKind::QuotedName | TokenKind::Text | TokenKind::Number | TokenKind::Placeholder | TokenKind::Close,
        ) => true,
        Some(TokenKind::Operator) if tree.sign(token, "*") => token
            .checked_sub(1)
            .is_some_and(|before| !ends_operand(tree, before) || tree.kind(before) == Some(TokenKind::Dot)),
        _ => false,
    }
}

pub(super) fn expression(
    cursor: &Cursor<'_>,
    scopes: &Scopes<'_>,
    select: usize,
    kind: ClauseKind,
    previous: usize,
) -> Vec<Candidate> {
    let tree = &cursor.tree;
    if tree.sign(previous, "::") {
        return types();
    }
    if tree.is(previous, "as") && kind == ClauseKind::Select {
        return Vec::new();
    }
    if !ends_operand(tree, previous) {
        let mut found = expressions::values(cursor, scopes, select, kind);
        if tree.is(previous, "select") {
            found.push(Candidate::new(ItemKind::Keyword, "DISTINCT", 860));
            found.push(Candidate::new(ItemKind::Keyword, "*", 920));
        }
        if tree.is(previous, "by") {
            found.push(Candidate::new(ItemKind::Keyword, "ALL", 925));
            if kind == ClauseKind::GroupBy {
                found.push(Candidate::new(ItemKind::Keyword, "ROLLUP", 500).snippet("ROLLUP ($0)"));
                found.push(Candidate::new(ItemKind::Keyword, "CUBE", 490).snippet("CUBE ($0)"));
                found.push(Candidate::new(ItemKind::Keyword, "GROUPING SETS", 480).snippet("GROUPING SETS ($0)"));
            }
        }
        return found;
    }
    let mut found = expressions::operators(cursor, scopes, kind);
    found.extend(next_clauses(cursor, select, kind));
    match kind {
        ClauseKind::Select => {
            found.push(Candidate::new(ItemKind::Keyword, "AS", 920));
            if tree.sign(previous, "*") {
                found.push(Candidate::new(ItemKind::Keyword, "EXCLUDE", 910).snippet("EXCLUDE ($0)"));
                found.push(Candidate::new(ItemKind::Keyword, "REPLACE", 900).snippet("REPLACE ($1 AS $0)"));
                found.push(Candidate::new(ItemKind::Keyword, "RENAME", 890).snippet("RENAME ($1 AS $0)"));
            }
        }
        ClauseKind::OrderBy => {
            found.extend(scored(
                &[("DESC", 960), ("ASC", 940), ("NULLS LAST", 800), ("NULLS FIRST", 790)],
                0,
            ));
        }
        _ => {}
    }
    found
}

pub(super) fn types() -> Vec<Candidate> {
    let scored = words::TYPES.iter().zip(0..);
    scored
        .map(|(name, place)| Candidate::new(ItemKind::Type, *name, 950 - place))
        .collect()
}

/// Statements that are no queries: `UPDATE`, `CREATE TABLE …`, and text that is no SQL yet.
fn loose(cursor: &Cursor<'_>, scopes: &Scopes<'_>, select: usize, previous: usize) -> Vec<Candidate> {
    let tree = &cursor.tree;
    let mut found = Vec::new();
    if tree.is_any(
        previous,
        &[
            "update",
            "describe",
            "summarize",
            "table",
            "view",
            "show",
            "pivot",
            "unpivot",
        ],
    ) {
        relations(scopes, select, &mut found);
        if tree.is_any(previous, &["describe", "summarize"]) {
            found.extend(keywords(&["SELECT", "FROM"]));
        }
        return found;
    }
    if tree.is(previous, "call") {
        relations(scopes, select, &mut found);
        found.retain(|candidate| candidate.item.kind == ItemKind::Macro);
        return found;
    }
    found.extend(scored(
        &[
            ("SET", 900),
            ("AS", 890),
            ("WHERE", 880),
            ("FROM", 870),
            ("SELECT", 860),
        ],
        0,
    ));
    found
}
