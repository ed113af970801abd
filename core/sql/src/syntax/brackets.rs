//! Which bracket closes which, in a text where some are missing.

use crate::lexer::{Token, TokenKind};

/// For each token the bracket it stands in, and for each opening bracket the index at which its content ends: that of
/// its closing one, or of the first token that can't be inside it any more.
pub(super) fn matched(text: &str, tokens: &[Token]) -> (Vec<Option<usize>>, Vec<usize>) {
    let text_of = |token: usize| {
        tokens
            .get(token)
            .and_then(|token| text.get(token.range()))
            .unwrap_or("")
    };
    let is = |token: usize, keywords: &[&str]| {
        let text = text_of(token);
        keywords.iter().any(|keyword| text.eq_ignore_ascii_case(keyword))
    };
    let may_be_called = |token: usize| {
        tokens.get(token).is_some_and(|token| token.kind == TokenKind::Word)
            && !crate::keywords::is_reserved(text_of(token))
    };
    let mut parent = vec![None; tokens.len()];
    let mut content_end: Vec<usize> = (1..=tokens.len()).collect();
    let mut open: Vec<usize> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::Open => {
                parent[at] = open.last().copied();
                open.push(at);
            }
            TokenKind::Close => {
                let opening = match text_of(at) {
                    ")" => "(",
                    "]" => "[",
                    _ => "{",
                };
                if let Some(position) = open.iter().rposition(|open| text_of(*open) == opening) {
                    for unclosed in open.split_off(position) {
                        content_end[unclosed] = at;
                    }
                }
                parent[at] = open.last().copied();
            }
            TokenKind::Word => {
                // A clause can't stand inside an expression: `count( FROM spans` lacks its closing bracket.
                let clause = is(at, &["from", "where", "having", "qualify"])
                    || (is(at, &["group"]) && is(at + 1, &["by"]))
                    || (is(at, &["select"]) && !is(at.wrapping_sub(1), &["(", "all", "union", "except", "intersect"]));
                while let Some(&bracket) = open.last() {
                    if !clause || may_hold_clauses(&is, &may_be_called, bracket, at) {
                        break;
                    }
                    content_end[bracket] = at;
                    open.pop();
                }
                parent[at] = open.last().copied();
            }
            _ => parent[at] = open.last().copied(),
        }
    }
    for unclosed in open {
        content_end[unclosed] = tokens.len();
    }
    (parent, content_end)
}

fn may_hold_clauses(
    is: &impl Fn(usize, &[&str]) -> bool,
    may_be_called: &impl Fn(usize) -> bool,
    bracket: usize,
    clause: usize,
) -> bool {
    const QUERY: &[&str] = &[
        "select",
        "from",
        "with",
        "values",
        "pivot",
        "unpivot",
        "describe",
        "summarize",
        "insert",
        "update",
        "delete",
        "(",
    ];
    let function = bracket.wrapping_sub(1);
    let first = bracket + 1;
    let inner_from = is(function, &["extract", "substring", "trim", "overlay", "position"]);
    // `count( FROM spans` lacks a bracket; `exists(FROM spans)` and `IN (FROM spans)` do not.
    let called = may_be_called(function) && !is(function, &["exists", "materialized"]);
    let compared = is(clause, &["from"]) && is(clause.wrapping_sub(1), &["distinct"]);
    is(bracket, &["("])
        && (first == clause && is(clause, &["from", "select"]) && !(called && is(clause, &["from"]))
            || (first != clause && is(first, QUERY))
            || (is(clause, &["from"]) && inner_from)
            || (is(clause, &["where"]) && is(function, &["filter"]))
            || (is(clause, &["group"]) && is(function, &["pivot"])))
        || compared
}
