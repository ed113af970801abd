//! Which statements a text has, and which one the cursor is in.

use std::ops::Range;

use crate::lexer::{self, Token, TokenKind};

/// Where each statement of a text stands, without its semicolon and the blanks and comments around it. Empty statements
/// are left out.
pub fn statements(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    loop {
        let end = boundary(text, start, None);
        let mut first = None;
        let mut last = start;
        let mut at = start;
        // From the front, because comments can't be told from code backwards.
        while let Some(token) = lexer::next(text.get(..end).unwrap_or(text), at, None) {
            if !matches!(token.kind, TokenKind::Whitespace | TokenKind::Comment) {
                first = first.or(Some(token.start));
                last = token.end;
            }
            at = token.end;
        }
        if let Some(first) = first {
            found.push(first..last);
        }
        if end >= text.len() {
            return found;
        }
        start = end + 1;
    }
}

/// The span between two semicolons that the cursor is in; the semicolon at its end is not part of it.
pub(crate) fn around(text: &str, cursor: usize) -> Range<usize> {
    let mut start = 0;
    loop {
        let end = boundary(text, start, Some(cursor));
        if end >= text.len() || cursor <= end {
            return start..end;
        }
        start = end + 1;
    }
}

/// The place of the next semicolon that ends a statement, or the text's end. It looks at the few bytes that can begin
/// something else only: a text of a megabyte is read in about a millisecond.
fn boundary(text: &str, start: usize, cursor: Option<usize>) -> usize {
    let bytes = text.as_bytes();
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b';' => return at,
            b'\'' | b'"' => {
                let escapes = byte == b'\'' && has_prefix(bytes, start, at);
                let first = if escapes { at - 1 } else { at };
                lexer::quoted_end(text, first, at, escapes, cursor).0
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => bytes
                .get(at..)
                .and_then(|rest| rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')))
                .map_or(bytes.len(), |length| at + length),
            b'/' if bytes.get(at + 1) == Some(&b'*') => lexer::block_comment_end(bytes, at).0,
            b'$' if !in_word(bytes, start, at) => match text.get(at..).and_then(lexer::dollar_tag) {
                Some(tag) => lexer::dollar_end(text, at, tag).0,
                None => at + 1,
            },
            _ => at + 1,
        };
    }
    bytes.len()
}

fn in_word(bytes: &[u8], start: usize, at: usize) -> bool {
    at > start
        && bytes
            .get(at - 1)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || *byte >= 0x80)
}

/// Whether the quote has the `E` before it that makes backslashes count.
fn has_prefix(bytes: &[u8], start: usize, quote: usize) -> bool {
    quote > start && matches!(bytes.get(quote - 1), Some(b'e' | b'E')) && !in_word(bytes, start, quote - 1)
}

/// What a word of code is, kept apart from the blanks and comments between.
pub(crate) fn significant(tokens: &[Token]) -> Vec<Token> {
    tokens
        .iter()
        .filter(|token| {
            !matches!(
                token.kind,
                TokenKind::Whitespace | TokenKind::Comment | TokenKind::Semicolon
            )
        })
        .copied()
        .collect()
}
