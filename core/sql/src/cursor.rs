//! The statement around the cursor, and what stands before it.

use std::ops::Range;

use crate::lexer::{self, Token, TokenKind};
use crate::statement;
use crate::syntax::Tree;

/// A place in a text.
#[derive(Debug)]
pub(crate) struct Cursor<'t> {
    pub(crate) tree: Tree<'t>,
    pub(crate) offset: usize,
    /// The name, keyword or string that the cursor stands in or at the end of.
    pub(crate) at: Option<usize>,
    /// The first token that is not wholly before the cursor; `at` where there is one.
    pub(crate) before: usize,
    pub(crate) in_comment: bool,
}

impl<'t> Cursor<'t> {
    /// An offset that is no boundary of a character is taken as the one before it.
    pub(crate) fn new(text: &'t str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let range = statement::around(text, offset);
        let tokens = lexer::lex(text, range.start, range.end, Some(offset));
        let in_comment = tokens.iter().any(|token| {
            let line = text.get(token.range()).is_some_and(|text| text.starts_with("--"));
            token.kind == TokenKind::Comment
                && token.start < offset
                && (offset < token.end || (offset == token.end && (line || !token.closed)))
        });
        let tree = Tree::new(text, statement::significant(&tokens));
        let at = tree.tokens.iter().position(|token| holds(token, offset));
        let before = at.unwrap_or_else(|| tree.tokens.partition_point(|token| token.end <= offset));
        Self {
            tree,
            offset,
            at,
            before,
            in_comment,
        }
    }

    /// The token before the cursor and before what is being typed.
    pub(crate) fn previous(&self) -> Option<usize> {
        self.before.checked_sub(1)
    }

    /// What an answer replaces.
    pub(crate) fn replaced(&self) -> Range<usize> {
        self.at
            .and_then(|at| self.tree.tokens.get(at))
            .map_or(self.offset..self.offset, Token::range)
    }

    /// The part of the word that stands before the cursor.
    pub(crate) fn typed(&self) -> &'t str {
        self.tree.text.get(self.replaced().start..self.offset).unwrap_or("")
    }

    pub(crate) fn kind(&self) -> Option<TokenKind> {
        self.tree.kind(self.at?)
    }
}

fn holds(token: &Token, offset: usize) -> bool {
    if token.start >= offset {
        return false;
    }
    match token.kind {
        TokenKind::Word | TokenKind::Number | TokenKind::Placeholder => offset <= token.end,
        TokenKind::QuotedName | TokenKind::Text => offset < token.end || (offset == token.end && !token.closed),
        _ => false,
    }
}
