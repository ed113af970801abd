//! What stands after `FROM` and `JOIN`.

use std::ops::Range;

use super::{ClauseKind, Tree};
use crate::lexer::TokenKind;

/// A table, or what stands in its place.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) kind: SourceKind,
    /// The token of its alias.
    pub(crate) alias: Option<usize>,
    /// `AS t(a, b)`.
    pub(crate) column_names: Vec<String>,
    /// Columns that the join makes one of: of `USING (…)`.
    pub(crate) using: Vec<String>,
    pub(crate) natural: bool,
    pub(crate) lateral: bool,
    pub(crate) tokens: Range<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum SourceKind {
    /// A name, with the token of its last part.
    Table(usize),
    /// A table function or macro, with the token of its name.
    Function(usize),
    /// A query in brackets.
    Query(usize),
    /// A file, `VALUES` or anything else whose columns are not known.
    Unknown,
}

const JOIN: &[&str] = &[
    "natural",
    "asof",
    "positional",
    "cross",
    "left",
    "right",
    "full",
    "inner",
    "semi",
    "anti",
    "outer",
    "join",
];

pub(super) fn read(tree: &Tree<'_>, select: usize) -> Vec<Source> {
    let mut sources = Vec::new();
    let clauses = tree
        .selects
        .get(select)
        .map(|select| select.clauses.as_slice())
        .unwrap_or_default();
    for clause in clauses {
        if matches!(clause.kind, ClauseKind::From | ClauseKind::Into | ClauseKind::Pivot) {
            let before = sources.len();
            read_list(tree, clause.content.clone(), &mut sources, 0);
            // `INSERT INTO t (a, b)` calls nothing.
            for source in sources.iter_mut().skip(before) {
                if let (ClauseKind::Into, SourceKind::Function(name)) = (clause.kind, &source.kind) {
                    source.kind = SourceKind::Table(*name);
                }
            }
        }
    }
    if let Some(first) = tree.selects.get(select).map(|select| select.tokens.start)
        && tree.is(first, "update")
    {
        let end = clauses.first().map_or(tree.tokens.len(), |clause| clause.keyword);
        read_list(tree, first + 1..end, &mut sources, 0);
    }
    sources
}

fn read_list(tree: &Tree<'_>, range: Range<usize>, sources: &mut Vec<Source>, depth: usize) {
    let mut at = range.start;
    let mut natural = false;
    while at < range.end {
        if tree.kind(at) == Some(TokenKind::Comma) || tree.is_any(at, JOIN) {
            natural |= tree.is(at, "natural");
            at += 1;
            continue;
        }
        if tree.is(at, "on") {
            // The condition reaches to the next join.
            while at < range.end && tree.kind(at) != Some(TokenKind::Comma) && !starts_join(tree, at) {
                at = tree.after(at);
            }
            continue;
        }
        if tree.is(at, "using") && tree.is_open(at + 1) {
            if let Some(last) = sources.last_mut() {
                last.using = tree.content(at + 1).filter_map(|token| tree.name(token)).collect();
            }
            at = tree.after(at + 1);
            continue;
        }
        let next = read_one(tree, at, range.end, natural, sources, depth);
        natural = false;
        at = next.max(at + 1);
    }
}

/// Whether a join begins here; `left(x, 1)` in a condition is none.
pub(crate) fn starts_join(tree: &Tree<'_>, at: usize) -> bool {
    tree.is_any(at, JOIN) && !tree.is_open(at + 1)
}

fn read_one(
    tree: &Tree<'_>,
    start: usize,
    end: usize,
    natural: bool,
    sources: &mut Vec<Source>,
    depth: usize,
) -> usize {
    let mut at = start;
    let lateral = tree.is(at, "lateral");
    at += usize::from(lateral);
    // `alias: table`
    let mut alias = None;
    if tree.plain_name(at).is_some() && tree.kind(at + 1) == Some(TokenKind::Colon) {
        alias = Some(at);
        at += 2;
    }
    let kind = if tree.is_open(at) {
        let open = at;
        at = tree.after(at);
        match tree.query_in(open) {
            Some(query) => SourceKind::Query(query),
            None if depth < super::DEEPEST => {
                let before = sources.len();
                read_list(tree, tree.content(open), sources, depth + 1);
                if sources.len() > before && !tree.is(at, "as") && tree.plain_name(at).is_none() {
                    return at;
                }
                SourceKind::Unknown
            }
            None => SourceKind::Unknown,
        }
    } else if tree.plain_name(at).is_some() && at < end {
        let mut last = at;
        while tree.kind(last + 1) == Some(TokenKind::Dot) && tree.name(last + 2).is_some() && last + 2 < end {
            last += 2;
        }
        at = last + 1;
        if tree.is_open(at) && tree.sign(at, "(") {
            at = tree.after(at);
            SourceKind::Function(last)
        } else {
            SourceKind::Table(last)
        }
    } else {
        at += 1;
        SourceKind::Unknown
    };
    let mut column_names = Vec::new();
    if tree.is(at, "with") && tree.is(at + 1, "ordinality") {
        at += 2;
    }
    let marked = tree.is(at, "as") && at < end;
    at += usize::from(marked);
    let named = at < end
        && if marked {
            tree.plain_name(at).is_some()
        } else {
            tree.plain_name(at).is_some() && !tree.is_any(at, NO_ALIAS) && !tree.is_any(at, JOIN)
        };
    if named {
        alias = Some(at);
        at += 1;
        if tree.is_open(at) && tree.sign(at, "(") && at < end {
            column_names = tree.content(at).filter_map(|token| tree.name(token)).collect();
            at = tree.after(at);
        }
    }
    sources.push(Source {
        kind,
        alias,
        column_names,
        using: Vec::new(),
        natural,
        lateral,
        tokens: start..at.min(end).max(start + 1),
    });
    // `PIVOT (…)`, `TABLESAMPLE …`: the columns are other ones then.
    while at < end && tree.is_any(at, &["pivot", "unpivot", "tablesample"]) {
        if let Some(last) = sources.last_mut()
            && !tree.is(at, "tablesample")
        {
            last.kind = SourceKind::Unknown;
        }
        at += 1;
        while at < end && !starts_join(tree, at) && tree.kind(at) != Some(TokenKind::Comma) {
            at = tree.after(at);
        }
    }
    at
}

/// Words that follow a table and are not its alias, although they are not reserved.
const NO_ALIAS: &[&str] = &[
    "set",
    "values",
    "tablesample",
    "on",
    "using",
    "pivot",
    "unpivot",
    "at",
    "for",
    "add",
];
