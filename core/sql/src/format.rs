//! SQL laid out anew.

use sqlformat::{Dialect, FormatOptions, Indent, QueryParams};

use crate::lexer::{self, TokenKind};

/// Longer texts are not laid out.
const LONGEST: usize = 1_000_000;
/// Each bracket indents its lines: without a bound, the answer would grow with its square.
const DEEPEST: usize = 50;

/// The text laid out anew. `None` when that would change more than blanks: what the formatter does not know of DuckDB
/// it could break, so the tokens are compared. `None` as well for a text that is not finished yet.
pub fn format(text: &str) -> Option<String> {
    if text.len() > LONGEST || !is_finished(text) {
        return None;
    }
    let options = FormatOptions {
        indent: Indent::Spaces(2),
        uppercase: None,
        lines_between_queries: 2,
        dialect: Dialect::PostgreSql,
        max_inline_block: 60,
        max_inline_arguments: Some(100),
        max_inline_top_level: Some(60),
        ..FormatOptions::default()
    };
    // It panics on some texts that are no SQL.
    let formatted = std::panic::catch_unwind(|| sqlformat::format(text, &QueryParams::None, &options)).ok()?;
    let formatted = match text.ends_with('\n') {
        true => format!("{}\n", formatted.trim_end()),
        false => formatted,
    };
    (essence(text) == essence(&formatted)).then_some(formatted)
}

/// Whether every bracket and literal is closed.
fn is_finished(text: &str) -> bool {
    let mut open = Vec::new();
    for token in lexer::tokens(text) {
        let sign = text.get(token.range()).unwrap_or("");
        match token.kind {
            TokenKind::Open => open.push(sign),
            TokenKind::Close => {
                let fits = matches!(
                    (open.pop(), sign),
                    (Some("("), ")") | (Some("["), "]") | (Some("{"), "}")
                );
                if !fits {
                    return false;
                }
            }
            TokenKind::Semicolon if !open.is_empty() => return false,
            _ => {}
        }
        if !token.closed || open.len() > DEEPEST {
            return false;
        }
    }
    open.is_empty()
}

/// Everything but blanks.
fn essence(text: &str) -> Vec<(TokenKind, &str)> {
    lexer::tokens(text)
        .into_iter()
        .filter(|token| token.kind != TokenKind::Whitespace)
        .map(|token| (token.kind, text.get(token.range()).unwrap_or("").trim_end()))
        .collect()
}
