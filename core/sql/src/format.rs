//! SQL laid out anew.

use sqlformat::{Dialect, FormatOptions, Indent, QueryParams};

use crate::lexer::{self, TokenKind};

/// The text laid out anew. `None` when that would change more than blanks: what the formatter does not know of DuckDB
/// it could break, so the tokens are compared.
pub fn format(text: &str) -> Option<String> {
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
    let formatted = sqlformat::format(text, &QueryParams::None, &options);
    let formatted = match text.ends_with('\n') {
        true => format!("{}\n", formatted.trim_end()),
        false => formatted,
    };
    (essence(text) == essence(&formatted)).then_some(formatted)
}

/// Everything but blanks.
fn essence(text: &str) -> Vec<(TokenKind, &str)> {
    lexer::tokens(text)
        .into_iter()
        .filter(|token| token.kind != TokenKind::Whitespace)
        .map(|token| (token.kind, text.get(token.range()).unwrap_or("").trim_end()))
        .collect()
}
