//! The shape of one statement: brackets, queries, their clauses and what they read from. It accepts any text: what it
//! does not know becomes part of an expression.

mod brackets;
mod sources;

use std::ops::Range;

use crate::lexer::{Token, TokenKind};

pub(crate) use sources::{Source, SourceKind, starts_join};

/// Queries within queries deeper than this are not looked into.
const DEEPEST: usize = 40;

/// One statement. Every index into it is the index of a token that is neither blank nor comment.
#[derive(Debug)]
pub(crate) struct Tree<'t> {
    pub(crate) text: &'t str,
    pub(crate) tokens: Vec<Token>,
    /// For each token the bracket that it stands in; for a closing one that of its opening one.
    pub(crate) parent: Vec<Option<usize>>,
    /// For each opening bracket where its content ends.
    pub(crate) content_end: Vec<usize>,
    pub(crate) queries: Vec<Query>,
    pub(crate) selects: Vec<Select>,
    /// For each opening bracket with a query inside, that query.
    query_in: Vec<Option<usize>>,
}

/// `WITH …`, then one or more selects between `UNION` and the like.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) bracket: Option<usize>,
    /// The select that it is part of.
    pub(crate) outer: Option<usize>,
    pub(crate) ctes: Vec<Cte>,
    pub(crate) selects: Vec<usize>,
}

/// A common table expression.
#[derive(Debug)]
pub(crate) struct Cte {
    pub(crate) name: usize,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Option<usize>,
}

/// One `SELECT … FROM …`, in either order.
#[derive(Debug)]
pub(crate) struct Select {
    pub(crate) query: usize,
    pub(crate) tokens: Range<usize>,
    pub(crate) clauses: Vec<Clause>,
    pub(crate) sources: Vec<Source>,
}

/// A clause: its keyword, and what follows until the next clause.
#[derive(Debug, Clone)]
pub(crate) struct Clause {
    pub(crate) kind: ClauseKind,
    pub(crate) keyword: usize,
    pub(crate) content: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClauseKind {
    With,
    Select,
    From,
    Where,
    GroupBy,
    Having,
    Qualify,
    Window,
    OrderBy,
    Limit,
    Offset,
    Sample,
    Values,
    Set,
    Into,
    Pivot,
    Combine,
}

impl<'t> Tree<'t> {
    pub(crate) fn new(text: &'t str, tokens: Vec<Token>) -> Self {
        let (parent, content_end) = brackets::matched(text, &tokens);
        let count = tokens.len();
        let mut tree = Self {
            text,
            query_in: vec![None; count],
            tokens,
            parent,
            content_end,
            queries: Vec::new(),
            selects: Vec::new(),
        };
        tree.read_query(0..count, None, None, 0);
        for select in 0..tree.selects.len() {
            let sources = sources::read(&tree, select);
            tree.selects[select].sources = sources;
        }
        tree
    }

    /// The text of a token; empty where there is none.
    pub(crate) fn text_of(&self, token: usize) -> &'t str {
        self.tokens
            .get(token)
            .and_then(|token| self.text.get(token.range()))
            .unwrap_or("")
    }

    pub(crate) fn kind(&self, token: usize) -> Option<TokenKind> {
        self.tokens.get(token).map(|token| token.kind)
    }

    /// Whether a token is this keyword.
    pub(crate) fn is(&self, token: usize, keyword: &str) -> bool {
        self.kind(token) == Some(TokenKind::Word) && self.text_of(token).eq_ignore_ascii_case(keyword)
    }

    pub(crate) fn is_any(&self, token: usize, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(token, keyword))
    }

    /// Whether a token is this sign.
    pub(crate) fn sign(&self, token: usize, sign: &str) -> bool {
        self.text_of(token) == sign
            && !matches!(
                self.kind(token),
                Some(TokenKind::Word | TokenKind::Text | TokenKind::QuotedName)
            )
    }

    /// The name that a token is, without its quotes.
    pub(crate) fn name(&self, token: usize) -> Option<String> {
        match self.kind(token)? {
            TokenKind::Word => Some(self.text_of(token).to_owned()),
            TokenKind::QuotedName => {
                let text = self.text_of(token);
                let inner = text.strip_prefix('"').unwrap_or(text);
                Some(inner.strip_suffix('"').unwrap_or(inner).replace("\"\"", "\""))
            }
            _ => None,
        }
    }

    /// A name that is no reserved word.
    pub(crate) fn plain_name(&self, token: usize) -> Option<String> {
        if self.kind(token) == Some(TokenKind::Word) && crate::keywords::is_reserved(self.text_of(token)) {
            return None;
        }
        self.name(token)
    }

    pub(crate) fn is_open(&self, token: usize) -> bool {
        self.kind(token) == Some(TokenKind::Open)
    }

    pub(crate) fn is_close(&self, token: usize) -> bool {
        self.kind(token) == Some(TokenKind::Close)
    }

    /// The token after this one; after an opening bracket the one after its closing one.
    pub(crate) fn after(&self, token: usize) -> usize {
        if !self.is_open(token) {
            return token + 1;
        }
        let end = self.content_end.get(token).copied().unwrap_or(token + 1);
        if self.is_close(end) && self.parent.get(end) == self.parent.get(token) {
            end + 1
        } else {
            end.max(token + 1)
        }
    }

    /// The opening bracket of a closing one.
    pub(crate) fn opening_of(&self, close: usize) -> Option<usize> {
        (0..close)
            .rev()
            .find(|open| self.is_open(*open) && self.content_end.get(*open) == Some(&close))
    }

    /// What stands inside a bracket.
    pub(crate) fn content(&self, open: usize) -> Range<usize> {
        let end = self.content_end.get(open).copied().unwrap_or(open + 1);
        open + 1..end.max(open + 1)
    }

    /// The tokens of a range that stand in no bracket of it.
    pub(crate) fn top_level(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let mut at = range.start;
        std::iter::from_fn(move || {
            (at < range.end).then(|| {
                let token = at;
                at = self.after(at);
                token
            })
        })
    }

    /// A range cut at its commas.
    pub(crate) fn parts(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let mut parts = Vec::new();
        let mut start = range.start;
        for token in self.top_level(range.clone()) {
            if self.kind(token) == Some(TokenKind::Comma) {
                parts.push(start..token);
                start = token + 1;
            }
        }
        if start < range.end {
            parts.push(start..range.end);
        }
        parts
    }

    pub(crate) fn query_in(&self, open: usize) -> Option<usize> {
        self.query_in.get(open).copied().flatten()
    }

    /// The bytes from a range's first token to its last.
    pub(crate) fn bytes(&self, range: Range<usize>) -> Range<usize> {
        let start = self.tokens.get(range.start).map(|token| token.start);
        let end = range
            .end
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map(|token| token.end);
        match (start, end) {
            (Some(start), Some(end)) if start <= end => start..end,
            _ => 0..0,
        }
    }

    /// The innermost bracket that is open before the token `before`.
    pub(crate) fn bracket_at(&self, before: usize) -> Option<usize> {
        let last = before.checked_sub(1)?;
        let mut bracket = if self.is_open(last) {
            Some(last)
        } else {
            self.parent.get(last).copied().flatten()
        };
        while let Some(open) = bracket {
            if self.content_end.get(open).is_some_and(|end| *end >= before) {
                return bracket;
            }
            bracket = self.parent.get(open).copied().flatten();
        }
        None
    }

    /// The select whose text the place before the token `before` belongs to.
    pub(crate) fn select_at(&self, before: usize) -> Option<usize> {
        let mut bracket = self.bracket_at(before);
        loop {
            let query = match bracket {
                None => self.queries.first(),
                Some(open) => self.query_in(open).and_then(|query| self.queries.get(query)),
            };
            if let Some(query) = query {
                let last = query.selects.iter().rev();
                return last
                    .copied()
                    .find(|select| self.selects.get(*select).is_some_and(|s| s.tokens.start < before))
                    .or_else(|| query.selects.first().copied());
            }
            bracket = self.parent.get(bracket?).copied().flatten();
        }
    }

    /// The clause of a select that the place before the token `before` belongs to.
    pub(crate) fn clause_at(&self, select: usize, before: usize) -> Option<&Clause> {
        let clauses = &self.selects.get(select)?.clauses;
        clauses.iter().rev().find(|clause| clause.keyword < before)
    }

    fn starts_query(&self, token: usize) -> bool {
        const FIRST: &[&str] = &[
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
        ];
        self.is_any(token, FIRST) || (self.is_open(token) && self.is_any(token + 1, &FIRST[..3]))
    }

    fn read_query(&mut self, range: Range<usize>, bracket: Option<usize>, outer: Option<usize>, depth: usize) -> usize {
        let query = self.queries.len();
        self.queries.push(Query {
            bracket,
            outer,
            ctes: Vec::new(),
            selects: Vec::new(),
        });
        self.begin_select(query, range.start);
        let mut at = range.start;
        while at < range.end {
            if self.is_open(at) && depth < DEEPEST && !self.content(at).is_empty() && self.starts_query(at + 1) {
                let content = self.content(at);
                let select = self.queries[query].selects.last().copied();
                let inner = self.read_query(content, Some(at), select, depth + 1);
                self.query_in[at] = Some(inner);
                at = self.after(at);
                continue;
            }
            if self.parent[at] == bracket
                && self.kind(at) == Some(TokenKind::Word)
                && let Some((kind, length)) = self.clause_keyword(at)
            {
                let content = at + length;
                self.enter_clause(query, kind, at, content);
                at = content;
                continue;
            }
            at += 1;
        }
        self.end_select(query, range.end);
        self.read_ctes(query);
        query
    }

    fn clause_keyword(&self, at: usize) -> Option<(ClauseKind, usize)> {
        use ClauseKind::*;
        let before = at.wrapping_sub(1);
        let word = self.text_of(at).to_ascii_lowercase();
        let by = |kind| self.is(at + 1, "by").then_some((kind, 2));
        match word.as_str() {
            "with" if !self.is_any(at + 1, &["ordinality", "ties", "time", "no", "data"]) => Some((With, 1)),
            "select" => Some((Select, 1)),
            "from" if !self.is(before, "distinct") || !self.is_any(at.wrapping_sub(2), &["is", "not"]) => {
                Some((From, 1))
            }
            "where" => Some((Where, 1)),
            "group" => by(GroupBy),
            "order" => by(OrderBy),
            "having" => Some((Having, 1)),
            "qualify" => Some((Qualify, 1)),
            "window" => Some((Window, 1)),
            "limit" => Some((Limit, 1)),
            "offset" => Some((Offset, 1)),
            "using" if self.is(at + 1, "sample") => Some((Sample, 2)),
            "values" if !self.sign(before, ".") => Some((Values, 1)),
            "set" if !self.is(before, "offset") => Some((Set, 1)),
            "into" => Some((Into, 1)),
            "pivot" | "unpivot" if self.starts_statement(at) => Some((Pivot, 1)),
            "describe" | "summarize" if self.starts_statement(at) && !self.starts_query(at + 1) => Some((From, 1)),
            "union" | "intersect" => Some((Combine, 1)),
            "except" if !self.sign(before, "*") => Some((Combine, 1)),
            _ => None,
        }
    }

    fn starts_statement(&self, at: usize) -> bool {
        at == 0 || self.is_open(at - 1)
    }

    fn enter_clause(&mut self, query: usize, kind: ClauseKind, keyword: usize, content: usize) {
        let Some(select) = self.queries[query].selects.last().copied() else {
            return;
        };
        self.close_clause(select, keyword);
        let has = |tree: &Self, kind| {
            tree.selects[select]
                .clauses
                .iter()
                .position(|clause| clause.kind == kind)
        };
        match kind {
            ClauseKind::Combine => {
                self.end_select(query, keyword);
                self.begin_select(query, keyword);
            }
            // Two statements without a semicolon between them.
            ClauseKind::Select if has(self, ClauseKind::Select).is_some() => {
                self.end_select(query, keyword);
                self.begin_select(query, keyword);
            }
            ClauseKind::From => {
                let first = has(self, ClauseKind::From);
                let second = has(self, ClauseKind::Select);
                if let (Some(from), Some(selected)) = (first, second) {
                    let start = self.selects[select].clauses[selected].keyword;
                    if from < selected {
                        let moved = self.selects[select].clauses.split_off(selected);
                        self.end_select(query, start);
                        self.begin_select(query, start);
                        if let Some(next) = self.queries[query].selects.last().copied() {
                            self.selects[next].clauses = moved;
                        }
                    }
                }
            }
            _ => {}
        }
        if let Some(select) = self.queries[query].selects.last().copied() {
            let end = self.tokens.len();
            self.selects[select].clauses.push(Clause {
                kind,
                keyword,
                content: content..end,
            });
        }
    }

    fn begin_select(&mut self, query: usize, start: usize) {
        let select = self.selects.len();
        self.selects.push(Select {
            query,
            tokens: start..start,
            clauses: Vec::new(),
            sources: Vec::new(),
        });
        self.queries[query].selects.push(select);
    }

    fn close_clause(&mut self, select: usize, end: usize) {
        if let Some(clause) = self.selects[select].clauses.last_mut() {
            clause.content.end = end.max(clause.content.start);
        }
    }

    fn end_select(&mut self, query: usize, end: usize) {
        if let Some(select) = self.queries[query].selects.last().copied() {
            self.close_clause(select, end);
            let tokens = &mut self.selects[select].tokens;
            tokens.end = end.max(tokens.start);
        }
    }

    /// `name [(columns)] AS [NOT MATERIALIZED] (query)`, separated by commas.
    fn read_ctes(&mut self, query: usize) {
        let Some(with) = self.queries[query]
            .selects
            .iter()
            .flat_map(|select| &self.selects[*select].clauses)
            .find(|clause| clause.kind == ClauseKind::With)
            .cloned()
        else {
            return;
        };
        let mut ctes = Vec::new();
        for part in self.parts(with.content) {
            let name = part.start + usize::from(self.is(part.start, "recursive"));
            if self.name(name).is_none() || name >= part.end {
                continue;
            }
            let mut columns = Vec::new();
            let mut inner = None;
            let mut defined = false;
            for token in self.top_level(name + 1..part.end) {
                defined |= self.is(token, "as");
                if self.is_open(token) && defined {
                    inner = inner.or(self.query_in(token));
                } else if self.is_open(token) && token == name + 1 {
                    columns = self.content(token).filter_map(|token| self.name(token)).collect();
                }
            }
            ctes.push(Cte {
                name,
                columns,
                query: inner,
            });
        }
        self.queries[query].ctes = ctes;
    }
}
