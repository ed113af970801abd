//! Which statements of a text are queries of the traces: those that can be run, and that a database may be asked about.

use std::ops::Range;

use crate::catalog::Catalog;
use crate::lexer::{self, TokenKind};
use crate::scope::Scopes;
use crate::statement;
use crate::syntax::{Source, SourceKind, Tree};

/// Names that are as alike as this are one that was mistyped.
const NEAR: f64 = 0.85;

/// A statement that only reads, and that needs no parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// What it reads.
    pub about: About,
    /// Whether a statement before it may have made tables or functions, of which nothing is known.
    pub follows_others: bool,
}

/// What a [`Query`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum About {
    /// Tables or analyses of the store, or what is nearly called as they are.
    Traces,
    /// No table at all.
    Nothing,
    /// Tables that the store does not have, or files: it is meant for another database. To look at it DuckDB would have to
    /// open the files.
    Other,
}

/// The queries of a text, in its order. Other statements, and those with parameters such as `?`, `$1`, `:name` and `%s`,
/// are left out.
pub fn queries(catalog: &Catalog, text: &str) -> Vec<Query> {
    let mut found = Vec::new();
    let mut follows_others = false;
    for range in statement::statements(text) {
        let tokens = lexer::lex(text, range.start, range.end, None);
        let tree = Tree::new(text, statement::significant(&tokens));
        if !is_query(&tree) {
            follows_others = true;
            continue;
        }
        if has_parameters(&tree) {
            continue;
        }
        found.push(Query {
            about: about(&Scopes::new(catalog, &tree)),
            range,
            follows_others,
        });
    }
    found
}

fn is_query(tree: &Tree<'_>) -> bool {
    const FIRST: &[&str] = &[
        "select",
        "from",
        "with",
        "values",
        "describe",
        "summarize",
        "explain",
        "pivot",
        "unpivot",
        "show",
    ];
    const CHANGES: &[&str] = &["insert", "update", "delete", "merge", "create"];
    let first = (0..tree.tokens.len()).find(|token| !tree.is_open(*token));
    let explains = tree.is(0, "explain");
    first.is_some_and(|first| tree.is_any(first, FIRST))
        // What follows a WITH or an EXPLAIN.
        && !((explains || tree.is(0, "with"))
            && tree.top_level(1..tree.tokens.len()).any(|token| {
                tree.is_any(token, CHANGES) && (token == 1 || tree.is_close(token - 1) || tree.is(token - 1, "analyze"))
            }))
}

fn has_parameters(tree: &Tree<'_>) -> bool {
    (0..tree.tokens.len()).any(|token| {
        let Some(next) = tree.tokens.get(token + 1) else {
            return tree.kind(token) == Some(TokenKind::Placeholder);
        };
        let Some(this) = tree.tokens.get(token) else {
            return false;
        };
        let adjoins = this.end == next.start;
        let stands_alone = token == 0
            || tree
                .tokens
                .get(token - 1)
                .is_some_and(|before| before.end < this.start || tree.is_open(token - 1));
        match this.kind {
            TokenKind::Placeholder => true,
            TokenKind::Colon => adjoins && stands_alone && next.kind == TokenKind::Word,
            // `%s` and `%(name)s`, as Python's drivers have them.
            TokenKind::Operator if tree.sign(token, "%") && adjoins && stands_alone => {
                tree.is(token + 1, "s")
                    || (tree.is_open(token + 1)
                        && tree.is(tree.after(token + 1), "s")
                        && tree.tokens.get(tree.after(token + 1) - 1).map(|close| close.end)
                            == tree.tokens.get(tree.after(token + 1)).map(|letter| letter.start))
            }
            _ => false,
        }
    })
}

/// Whether it names a file in the place of a table, or calls a function that reads files or runs a text as SQL.
fn reads_files(tree: &Tree<'_>) -> bool {
    let names_file = |source: &Source| {
        matches!(source.kind, SourceKind::Unknown) && tree.kind(source.tokens.start) == Some(TokenKind::Text)
    };
    let calls_outside = |token: usize| {
        tree.sign(token + 1, "(")
            && tree.name(token).is_some_and(|name| {
                let name = name.to_ascii_lowercase();
                ["read_", "parquet_", "sniff_"]
                    .iter()
                    .any(|start| name.starts_with(start))
                    || name.ends_with("_scan")
                    || name.ends_with("_scan_dumb")
                    || matches!(name.as_str(), "glob" | "query" | "query_table")
                    || name.starts_with("json_execute")
                    || name.starts_with("json_serialize_plan")
            })
    };
    // `FROM "data.csv"` is a file where no table is called so.
    let looks_like_path = |source: &Source| match source.kind {
        SourceKind::Table(token) => {
            tree.kind(token) == Some(TokenKind::QuotedName)
                && tree.name(token).is_some_and(|name| name.contains(['.', '/', '*']))
        }
        _ => false,
    };
    let mut sources = tree.selects.iter().flat_map(|select| &select.sources);
    sources.any(|source| names_file(source) || looks_like_path(source)) || (0..tree.tokens.len()).any(calls_outside)
}

fn about(scopes: &Scopes<'_>) -> About {
    let tree = scopes.tree;
    let catalog = scopes.catalog;
    let mut found = About::Nothing;
    if reads_files(tree) {
        return About::Other;
    }
    for select in &tree.selects {
        for source in &select.sources {
            let token = match source.kind {
                SourceKind::Table(token) | SourceKind::Function(token) => token,
                SourceKind::Query(_) | SourceKind::Unknown => continue,
            };
            let Some(name) = tree.name(token) else { continue };
            let near =
                |known: &str| strsim::jaro_winkler(&known.to_ascii_lowercase(), &name.to_ascii_lowercase()) > NEAR;
            let ours = match source.kind {
                SourceKind::Function(_) => {
                    if catalog.table_macro(&name).is_none() && catalog.function(&name).is_some() {
                        continue;
                    }
                    catalog.macros.iter().any(|known| near(&known.name))
                }
                _ => {
                    let is_cte = scopes.ctes(select.query).into_iter().any(|(query, cte)| {
                        let cte = tree.queries.get(query).and_then(|query| query.ctes.get(cte));
                        cte.and_then(|cte| tree.name(cte.name))
                            .is_some_and(|known| known.eq_ignore_ascii_case(&name))
                    });
                    if is_cte {
                        continue;
                    }
                    catalog.relations.iter().any(|known| near(&known.name))
                }
            };
            if ours {
                return About::Traces;
            }
            found = About::Other;
        }
    }
    found
}
