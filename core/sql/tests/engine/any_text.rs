//! Whatever the text and wherever the cursor: no panic, and no answer outside what it replaces.

use crate::support::catalog;
use flockscope_sql::{
    complete, folds, format, highlights, hover, lint, literal_at, literals, queries, references, rename, signature,
    statements, symbols,
};
use proptest::prelude::*;

/// Pieces that the engine looks at, put together at random: far deeper than random letters.
fn sql() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "SELECT ",
        "FROM ",
        "WHERE ",
        "spans ",
        "service",
        "attributes",
        "->>",
        "->",
        "'",
        "''",
        "\"",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        ";",
        ":",
        "::",
        ":=",
        "WITH ",
        "a AS ",
        "UNION ",
        "ALL ",
        "GROUP BY ",
        "ORDER BY ",
        "HAVING ",
        "QUALIFY ",
        "JOIN ",
        "LEFT ",
        "ASOF ",
        "NATURAL ",
        "ON ",
        "USING ",
        "red(",
        "timeline('",
        "lambda x ",
        "for x in ",
        "CASE ",
        "WHEN ",
        "THEN ",
        "END ",
        "*",
        "EXCLUDE ",
        "PIVOT ",
        "VALUES ",
        "--",
        "/*",
        "*/",
        "\n",
        "\r\n",
        "$$",
        "$x$",
        "E'",
        "\\",
        "1",
        "1.5e",
        "ü",
        "🐦",
        "\u{a0}",
        "é",
        "IN ",
        "NOT ",
        "LIKE ",
        "IS ",
        "DISTINCT ",
        "AS ",
        "t ",
        "t.",
        "created_at ",
        "now() ",
        "- ",
        "INSERT INTO ",
        "UPDATE ",
        "SET ",
        "CREATE TABLE ",
        "INTERVAL ",
        "json_extract(",
        "'$.a.b'",
        "'agent.name'",
        "count(",
        "OVER ",
        "FILTER ",
        "LATERAL ",
        "RECURSIVE ",
        "LIMIT ",
        "?",
        "$1",
        "struct_pack(",
    ]);
    prop::collection::vec(
        prop_oneof![20 => pieces.prop_map(str::to_owned), 1 => any::<String>()],
        0..40,
    )
    .prop_map(|pieces| pieces.concat())
}

fn within(text: &str, range: &std::ops::Range<usize>) -> bool {
    range.start <= range.end
        && text.is_char_boundary(range.start)
        && text.is_char_boundary(range.end)
        && range.end <= text.len()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_is_too_strange(text in sql(), place in 0.0..1.0_f64) {
        let offset = (text.len() as f64 * place) as usize;
        let found = complete(catalog(), &text, offset);
        let mut cursor = offset;
        while !text.is_char_boundary(cursor) {
            cursor -= 1;
        }
        prop_assert!(within(&text, &found.replace));
        prop_assert!(found.replace.start <= cursor && cursor <= found.replace.end);
        for item in &found.items {
            prop_assert!(!item.label.is_empty() && !item.insert.is_empty());
        }
        if let Some(found) = hover(catalog(), &text, offset) {
            prop_assert!(within(&text, &found.range));
        }
        if let Some(found) = signature(catalog(), &text, offset) {
            prop_assert!(found.parameters.iter().all(|range| within(&found.label, range)));
            prop_assert!(found.active.is_none_or(|active| active < found.parameters.len()));
        }
        for found in lint(catalog(), &text) {
            prop_assert!(within(&text, &found.range));
            prop_assert!(found.fixes.iter().all(|fix| within(&text, &fix.range)));
        }
        for found in literals(catalog(), &text).iter().chain(&literal_at(catalog(), &text, offset)) {
            prop_assert!(within(&text, &found.range));
        }
        for found in queries(catalog(), &text) {
            prop_assert!(within(&text, &found.range));
        }
        for range in statements(&text).iter().chain(&folds(&text)) {
            prop_assert!(within(&text, range));
        }
        for symbol in symbols(&text) {
            prop_assert!(within(&text, &symbol.range) && within(&text, &symbol.selection));
            prop_assert!(symbol.children.iter().all(|child| within(&text, &child.range)));
        }
        prop_assert!(highlights(&text).iter().all(|(range, _)| within(&text, range)));
        if let Some(found) = references(catalog(), &text, offset) {
            prop_assert!(found.all.contains(&found.definition));
            prop_assert!(rename(catalog(), &text, offset, "new name").is_some_and(|edits| edits.len() == found.all.len()));
        }
        format(&text);
    }
}
