//! Text → tokens, without loss: the tokens of a text cover it from its first byte to its last.
//!
//! The rules are those of DuckDB: strings with doubled quotes, `E'…'` with backslashes, dollar quotes, nested block
//! comments, and every letter outside ASCII is part of a word.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Blanks and line ends.
    Whitespace,
    /// `-- …`, without its line end, or `/* … */`.
    Comment,
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A string of any kind.
    Text,
    /// A number.
    Number,
    /// `?`, `$1` or `$name`.
    Placeholder,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `:`
    Colon,
    /// `;`
    Semicolon,
    /// Any other sign or group of signs, such as `->>`.
    Operator,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// False for a string, quoted name or comment that has no end.
    pub closed: bool,
}

impl Token {
    /// Where it stands, in bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Every token of a text.
pub fn tokens(text: &str) -> Vec<Token> {
    lex(text, 0, text.len(), None)
}

/// The tokens of `text[start..end]`. A string or quoted name that the cursor stands in, and that was not closed yet,
/// ends where it plausibly ends instead of swallowing what follows.
pub(crate) fn lex(text: &str, start: usize, end: usize, cursor: Option<usize>) -> Vec<Token> {
    let text = text.get(..end).unwrap_or(text);
    let mut tokens = Vec::new();
    let mut at = start;
    while let Some(token) = next(text, at, cursor) {
        at = token.end;
        tokens.push(token);
    }
    tokens
}

/// Longest first.
const OPERATORS: &[&str] = &[
    "!~~*", "->>", "!~~", "!~*", "~~*", "~~~", "<=>", "<->", "::", ":=", "=>", "<=", ">=", "<>", "!=", "==", "->",
    "||", "//", "**", "^@", "&&", "@>", "<@", "<<", ">>", "~~", "~*", "!~",
];

/// The token that starts at a byte; `None` at the end of the text.
pub(crate) fn next(text: &str, start: usize, cursor: Option<usize>) -> Option<Token> {
    let rest = text.get(start..)?;
    let first = rest.chars().next()?;
    let bytes = text.as_bytes();
    let second = bytes.get(start + 1).copied().unwrap_or(0);
    let token = |kind, end, closed| {
        Some(Token {
            kind,
            start,
            end,
            closed,
        })
    };
    let whole = |kind, length: usize| token(kind, start + length, true);
    match first {
        '-' if second == b'-' => whole(TokenKind::Comment, rest.find(['\n', '\r']).unwrap_or(rest.len())),
        '/' if second == b'*' => {
            let (end, closed) = block_comment_end(bytes, start);
            token(TokenKind::Comment, end, closed)
        }
        '\'' => {
            let (end, closed) = quoted_end(text, start, start, false, cursor);
            token(TokenKind::Text, end, closed)
        }
        'e' | 'E' | 'x' | 'X' | 'b' | 'B' if second == b'\'' => {
            let (end, closed) = quoted_end(text, start, start + 1, matches!(first, 'e' | 'E'), cursor);
            token(TokenKind::Text, end, closed)
        }
        '"' => {
            let (end, closed) = quoted_end(text, start, start, false, cursor);
            token(TokenKind::QuotedName, end, closed)
        }
        '$' => match dollar_tag(rest) {
            Some(tag) => {
                let (end, closed) = dollar_end(text, start, tag);
                token(TokenKind::Text, end, closed)
            }
            None => whole(TokenKind::Placeholder, 1 + word_length(rest.get(1..).unwrap_or(""))),
        },
        '?' => whole(TokenKind::Placeholder, 1),
        '(' | '[' | '{' => whole(TokenKind::Open, 1),
        ')' | ']' | '}' => whole(TokenKind::Close, 1),
        ',' => whole(TokenKind::Comma, 1),
        ';' => whole(TokenKind::Semicolon, 1),
        '0'..='9' => whole(TokenKind::Number, number_length(rest)),
        '.' if second.is_ascii_digit() && !follows_name(bytes, start) => whole(TokenKind::Number, number_length(rest)),
        '.' => whole(TokenKind::Dot, 1),
        _ if first.is_whitespace() => whole(
            TokenKind::Whitespace,
            rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
        ),
        _ if is_word(first) => whole(TokenKind::Word, word_length(rest)),
        _ => match OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
            Some(operator) => whole(TokenKind::Operator, operator.len()),
            None if first == ':' => whole(TokenKind::Colon, 1),
            None => whole(TokenKind::Operator, first.len_utf8()),
        },
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || (!letter.is_ascii() && !letter.is_whitespace())
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !is_word(c) && c != '$').unwrap_or(text.len())
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut end = 0;
    let mut dot = false;
    while let Some(&byte) = bytes.get(end) {
        let exponent_sign = matches!(byte, b'+' | b'-')
            && matches!(bytes.get(end.wrapping_sub(1)), Some(b'e' | b'E'))
            && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
        let point = byte == b'.' && !dot;
        if !(byte.is_ascii_alphanumeric() || byte == b'_' || point || exponent_sign) {
            break;
        }
        dot |= point;
        end += 1;
    }
    end
}

/// Whether a dot belongs to the name, bracket or number before it: then digits after it are no number of their own.
fn follows_name(bytes: &[u8], start: usize) -> bool {
    start
        .checked_sub(1)
        .and_then(|before| bytes.get(before))
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'"' | b')' | b']') || *byte >= 0x80)
}

/// The opening `$tag$` of a dollar quote.
pub(crate) fn dollar_tag(text: &str) -> Option<&str> {
    let inner = text.get(1..)?;
    let length = inner.find(|c: char| !is_word(c)).unwrap_or(inner.len());
    if inner.as_bytes().get(length) != Some(&b'$') || inner.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.get(..length + 2)
}

pub(crate) fn dollar_end(text: &str, start: usize, tag: &str) -> (usize, bool) {
    let body = start + tag.len();
    match text.get(body..).and_then(|rest| rest.find(tag)) {
        Some(length) => (body + length + tag.len(), true),
        None => (text.len(), false),
    }
}

pub(crate) fn block_comment_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut depth = 1;
    let mut at = start + 2;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return (at, true);
                }
            }
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
    (bytes.len(), false)
}

/// The end of the string or quoted name whose quote stands at `open`; it begins at `start`, before its prefix.
pub(crate) fn quoted_end(text: &str, start: usize, open: usize, escapes: bool, cursor: Option<usize>) -> (usize, bool) {
    let (end, closed) = plain_end(text.as_bytes(), open, escapes);
    match cursor {
        Some(cursor) if open < cursor && (cursor < end || (!closed && cursor == end)) => {
            repaired(text, start, open, cursor).unwrap_or((end, closed))
        }
        _ => (end, closed),
    }
}

fn plain_end(bytes: &[u8], open: usize, escapes: bool) -> (usize, bool) {
    let quote = bytes[open];
    let mut at = open + 1;
    while at < bytes.len() {
        if bytes[at] == b'\\' && escapes {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return (at + 1, true);
        }
    }
    (bytes.len(), false)
}

/// Where a literal ends that is being typed: somebody wrote its first quote and not yet its last, so the next quote of
/// the text is another one's. It shows by the number of quotes that follow on the line, which is even then. `None` when
/// the literal is sound, or began on an earlier line.
fn repaired(text: &str, start: usize, open: usize, cursor: usize) -> Option<(usize, bool)> {
    let quote = char::from(*text.as_bytes().get(open)?);
    if text.get(start..cursor)?.contains(['\n', '\r']) {
        return None;
    }
    let rest = text.get(cursor..)?;
    let line = rest.get(..rest.find(['\n', '\r']).unwrap_or(rest.len()))?;
    // What a comment says at the end of the line does not count.
    let code = line.find("--").and_then(|comment| line.get(..comment)).unwrap_or(line);
    if code.matches(quote).count() % 2 == 1 {
        return None;
    }
    let word = line
        .find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')))
        .unwrap_or(line.len());
    Some((cursor + word, false))
}
