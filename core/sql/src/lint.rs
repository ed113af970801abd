//! Mistakes that DuckDB does not see, because the answer is only NULL or wrong.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use crate::catalog::Catalog;
use crate::complete::{Place, json_column, literal_at, place};
use crate::keywords::literal;
use crate::lexer::{self, TokenKind};
use crate::scope::{Operand, Scopes, key_path};
use crate::statement;
use crate::syntax::Tree;

/// A mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    /// Where, in bytes.
    pub range: Range<usize>,
    /// How bad.
    pub severity: Severity,
    /// Which kind, as a word that does not change: `unknown-attribute`, `unquoted-path`, `local-time`,
    /// `renamed-attribute`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// Ways to mend it, the best first.
    pub fixes: Vec<Fix>,
    /// The JSON column and the key in it that no span has, as far as the catalog knows. A catalog may not know all of them:
    /// whoever can look for the key elsewhere does so before he says it.
    pub unknown_key: Option<(String, String)>,
}

/// How bad a [`Lint`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The answer is not what was meant.
    Warning,
    /// It may be meant.
    Information,
}

/// A change that mends a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What it does, for a menu.
    pub title: String,
    /// What it replaces, in bytes.
    pub range: Range<usize>,
    /// The new text.
    pub text: String,
}

/// Attributes that OpenTelemetry renamed, old name → new.
static RENAMED: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    include_str!("../data/renamed.jsonl")
        .lines()
        .filter_map(|line| serde_json::from_str::<(String, String)>(line).ok())
        .collect()
});

/// Every mistake in a text, in its order. Keys are only called unknown when the catalog knows keys of their column.
pub fn lint(catalog: &Catalog, text: &str) -> Vec<Lint> {
    let mut found = Vec::new();
    for range in statement::statements(text) {
        let tokens = lexer::lex(text, range.start, range.end, None);
        let tree = Tree::new(text, statement::significant(&tokens));
        let scopes = Scopes::new(catalog, &tree);
        for token in 0..tree.tokens.len() {
            match tree.kind(token) {
                Some(TokenKind::Text) => found.extend(key(&scopes, token)),
                Some(TokenKind::Word | TokenKind::QuotedName) => found.extend(local_time(&scopes, token)),
                _ => {}
            }
        }
    }
    found
}

fn key(scopes: &Scopes<'_>, token: usize) -> Option<Lint> {
    let arrow = token.checked_sub(1)?;
    let text = literal_at(scopes, token)?;
    let Place::Key { column, path } = place(scopes, token)? else {
        return None;
    };
    let name = json_column(&column)?;
    // Below a value there are keys that nobody knows.
    if !path.is_empty() || name.eq_ignore_ascii_case("events") || (scopes.tree.is(arrow, "in")) {
        return None;
    }
    let range = scopes.tree.tokens.get(token)?.range();
    let steps = key_path(&text);
    let known = |key: &str| scopes.catalog.keys_of(name).any(|known| known.key == key);
    let any_known = scopes.catalog.keys_of(name).next().is_some();
    let fix = |title: String, key: &str| Fix {
        title,
        range: range.clone(),
        text: literal(key),
    };
    let lint = |severity, code, message, fixes| {
        Some(Lint {
            range: range.clone(),
            severity,
            code,
            message,
            fixes,
            unknown_key: None,
        })
    };
    if steps.len() > 1 {
        let joined = steps.join(".");
        let first_known = steps.first().is_some_and(|first| known(first));
        let unquoted = text.starts_with("$.") && !text.contains(['"', '[']);
        if unquoted && (known(&joined) || !any_known) && !first_known {
            return lint(
                Severity::Warning,
                "unquoted-path",
                format!(
                    "`{text}` looks for `{}` inside `{}` and finds NULL: the key is `{joined}`, dots included",
                    steps[1..].join("."),
                    steps[0]
                ),
                vec![fix(format!("Read the key '{joined}'"), &joined)],
            );
        }
        return None;
    }
    let key = steps.first()?;
    if let Some(new) = RENAMED.get(key).filter(|new| known(new) || !known(key)) {
        return lint(
            Severity::Warning,
            "renamed-attribute",
            format!("OpenTelemetry renamed `{key}` to `{new}`"),
            vec![fix(format!("Use '{new}'"), new)],
        );
    }
    if !any_known || known(key) || key.is_empty() {
        return None;
    }
    let mut near: Vec<(f64, &str)> = scopes
        .catalog
        .keys_of(name)
        .map(|known| (strsim::jaro_winkler(&known.key, key), known.key.as_str()))
        .filter(|(likeness, _)| *likeness > 0.8)
        .collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let message = match near.first() {
        Some((_, nearest)) => format!("No span has `{key}` in its {name}; the nearest key is `{nearest}`"),
        None => format!("No span has `{key}` in its {name}"),
    };
    let fixes = near
        .iter()
        .take(3)
        .map(|(_, key)| fix(format!("Use '{key}'"), key))
        .collect();
    let unknown_key = Some((name.to_owned(), key.clone()));
    let found = lint(Severity::Warning, "unknown-attribute", message, fixes)?;
    Some(Lint { unknown_key, ..found })
}

/// `created_at` beside something that is in UTC.
fn local_time(scopes: &Scopes<'_>, token: usize) -> Option<Lint> {
    const COMPARES: &[&str] = &["=", "<", ">", "<=", ">=", "<>", "!=", "-"];
    let tree = scopes.tree;
    if !tree.name(token)?.eq_ignore_ascii_case("created_at") || tree.sign(token + 1, "(") {
        return None;
    }
    let select = tree.select_at(token + 1)?;
    let qualified = token >= 2 && tree.kind(token - 1) == Some(TokenKind::Dot);
    let start = if qualified { token - 2 } else { token };
    let Operand::Column(column) = scopes.operand(select, start..token + 1) else {
        return None;
    };
    column
        .base
        .filter(|base| base.column.name == "created_at" && base.column.data_type == "TIMESTAMP")?;
    let compares = |at: usize| COMPARES.iter().any(|sign| tree.sign(at, sign)) || tree.is(at, "between");
    let right = compares(token + 1).then(|| {
        let end = (token + 2..tree.tokens.len())
            .find(|at| ends_operand_of(tree, *at, token) && !(tree.is(token + 1, "between") && tree.is(*at, "and")))
            .unwrap_or(tree.tokens.len());
        token + 2..end
    });
    let left = start.checked_sub(1).filter(|before| compares(*before)).map(|operator| {
        let first = (0..operator)
            .rev()
            .find(|at| ends_operand_of(tree, *at, token))
            .map_or(0, |at| at + 1);
        first..operator
    });
    let utc = |range: Range<usize>| range.clone().any(|at| is_utc(tree, at));
    if !right.into_iter().chain(left).any(utc) {
        return None;
    }
    let range = tree.bytes(start..token + 1);
    let qualifier = if qualified {
        format!("{}.", tree.text_of(start))
    } else {
        String::new()
    };
    Some(Lint {
        range: range.clone(),
        severity: Severity::Warning,
        code: "local-time",
        message: "created_at is the local time of the process that wrote the span, not UTC; use start_time".into(),
        fixes: vec![Fix {
            title: "Use make_timestamp_ns(start_time)".into(),
            range,
            text: format!("make_timestamp_ns({qualifier}start_time)"),
        }],
        unknown_key: None,
    })
}

fn ends_operand_of(tree: &Tree<'_>, at: usize, token: usize) -> bool {
    const ENDS: &[&str] = &[
        "and", "or", "where", "select", "from", "group", "order", "having", "on", "limit", "when", "then", "else",
        "end", "by", "as", "qualify", "not",
    ];
    tree.parent.get(at) == tree.parent.get(token) && (tree.is_any(at, ENDS) || tree.kind(at) == Some(TokenKind::Comma))
}

fn is_utc(tree: &Tree<'_>, at: usize) -> bool {
    const SOURCES: &[&str] = &[
        "start_time",
        "end_time",
        "now",
        "current_timestamp",
        "get_current_timestamp",
        "transaction_timestamp",
        "make_timestamp",
        "make_timestamp_ns",
        "make_timestamp_ms",
        "to_timestamp",
        "epoch_ms",
        "timestamptz",
        "bucket_time",
    ];
    if tree.is_any(at, SOURCES) {
        return true;
    }
    let text = tree.text_of(at);
    let inner = text.trim_matches('\'');
    let zoned =
        inner.ends_with(['Z', 'z']) || inner.ends_with("+00") || inner.ends_with("+00:00") || inner.ends_with("UTC");
    tree.kind(at) == Some(TokenKind::Text) && zoned && inner.starts_with(|c: char| c.is_ascii_digit())
}
