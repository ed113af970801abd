//! The parts of a text: symbols and what can be folded.

use std::ops::Range;

use crate::keywords::is_reserved;
use crate::lexer::{self, TokenKind};
use crate::statement;
use crate::syntax::Tree;

/// A statement or a common table expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// What it is called: the beginning of a statement, the name of an expression.
    pub name: String,
    /// What it is.
    pub kind: SymbolKind,
    /// All of it, in bytes.
    pub range: Range<usize>,
    /// The part of it to show, in bytes.
    pub selection: Range<usize>,
    /// What is inside it.
    pub children: Vec<Symbol>,
}

/// What a [`Symbol`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SymbolKind {
    /// A statement.
    Statement,
    /// A common table expression.
    Cte,
}

/// The statements of a text, with the common table expressions in them.
pub fn symbols(text: &str) -> Vec<Symbol> {
    statement::statements(text)
        .into_iter()
        .map(|range| {
            let tokens = lexer::lex(text, range.start, range.end, None);
            let tree = Tree::new(text, statement::significant(&tokens));
            let children = tree
                .queries
                .iter()
                .flat_map(|query| &query.ctes)
                .filter_map(|cte| {
                    let selection = tree.tokens.get(cte.name)?.range();
                    let inner = cte.query.and_then(|query| tree.queries.get(query)?.bracket);
                    let end = inner.and_then(|open| tree.tokens.get(tree.after(open).checked_sub(1)?));
                    Some(Symbol {
                        name: tree.name(cte.name)?,
                        kind: SymbolKind::Cte,
                        range: selection.start..end.map_or(selection.end, |end| end.end.max(selection.end)),
                        selection,
                        children: Vec::new(),
                    })
                })
                .collect();
            let whole = text.get(range.clone()).unwrap_or("");
            let line = whole.lines().next().unwrap_or("");
            let name: String = whole
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .chars()
                .take(60)
                .collect();
            Symbol {
                name,
                kind: SymbolKind::Statement,
                selection: range.start..range.start + line.len(),
                range,
                children,
            }
        })
        .collect()
}

/// Whatever takes more than one line and can be folded, in bytes: statements, brackets, comments.
pub fn folds(text: &str) -> Vec<Range<usize>> {
    let lines = |range: &Range<usize>| text.get(range.clone()).is_some_and(|text| text.contains(['\n', '\r']));
    let mut found: Vec<Range<usize>> = statement::statements(text).into_iter().filter(lines).collect();
    let mut open = Vec::new();
    for token in lexer::tokens(text) {
        match token.kind {
            TokenKind::Open => open.push(token.start),
            TokenKind::Close => {
                if let Some(start) = open.pop() {
                    found.push(start..token.end);
                }
            }
            TokenKind::Comment => found.push(token.range()),
            TokenKind::Semicolon => open.clear(),
            _ => {}
        }
    }
    found.retain(lines);
    found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    found.dedup();
    found
}

/// What a token is, for colouring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HighlightKind {
    /// A reserved word, or another one in its place.
    Keyword,
    /// A function or analysis that is called.
    Function,
    /// A table or common table expression.
    Table,
    /// A column, alias or other name.
    Name,
    /// A string.
    Text,
    /// A number.
    Number,
    /// A comment.
    Comment,
    /// An operator.
    Operator,
    /// A parameter of a prepared statement.
    Parameter,
}

/// What each token of a text is, for colouring, in order; blanks and punctuation are left out.
pub fn highlights(text: &str) -> Vec<(Range<usize>, HighlightKind)> {
    const WORDS: &[&str] = &[
        "by",
        "over",
        "partition",
        "filter",
        "join",
        "left",
        "right",
        "full",
        "inner",
        "outer",
        "cross",
        "asof",
        "semi",
        "anti",
        "natural",
        "positional",
        "like",
        "ilike",
        "between",
        "is",
        "nulls",
        "first",
        "last",
        "recursive",
        "materialized",
        "exclude",
        "replace",
        "view",
        "macro",
        "insert",
        "update",
        "delete",
        "set",
        "values",
        "explain",
        "summarize",
        "copy",
        "attach",
        "use",
        "interval",
        "rows",
        "range",
        "preceding",
        "following",
        "sample",
        "within",
    ];
    let mut found = Vec::new();
    let mut expects_table = false;
    let tokens = lexer::tokens(text);
    for (place, token) in tokens.iter().enumerate() {
        let kind = match token.kind {
            TokenKind::Comment => HighlightKind::Comment,
            TokenKind::Text => HighlightKind::Text,
            TokenKind::Number => HighlightKind::Number,
            TokenKind::Placeholder => HighlightKind::Parameter,
            TokenKind::Operator => HighlightKind::Operator,
            TokenKind::Word | TokenKind::QuotedName => {
                let word = text.get(token.range()).unwrap_or("").to_ascii_lowercase();
                let mut rest = tokens.iter().skip(place + 1);
                let called = rest.next().is_some_and(|next| text.get(next.range()) == Some("("));
                let plain = token.kind == TokenKind::Word;
                if plain && (is_reserved(&word) || (!called && WORDS.contains(&word.as_str()))) {
                    expects_table = matches!(word.as_str(), "from" | "join" | "into" | "update");
                    HighlightKind::Keyword
                } else if called {
                    expects_table = false;
                    HighlightKind::Function
                } else if std::mem::take(&mut expects_table) {
                    HighlightKind::Table
                } else {
                    HighlightKind::Name
                }
            }
            _ => continue,
        };
        found.push((token.range(), kind));
    }
    found
}
