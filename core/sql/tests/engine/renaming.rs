//! References, renaming, symbols and folds.

use crate::support::{catalog, cursor};
use flockscope_sql::{SymbolKind, folds, references, rename, symbols};

#[track_caller]
fn check(fixture: &str, name: &str, expected: &str) {
    let (text, offset) = cursor(fixture);
    let mut edits = rename(catalog(), &text, offset, name).unwrap_or_else(|| panic!("nothing to rename in {fixture}"));
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut renamed = text;
    for (range, new) in edits {
        renamed.replace_range(range, &new);
    }
    assert_eq!(renamed, expected);
}

#[test]
fn a_common_table_expression_is_renamed_everywhere() {
    check(
        "WITH slow AS (SELECT 1 AS x), b AS (FROM slow) SELECT slow.x FROM sl$0ow JOIN b ON slow.x = b.x WHERE 'slow' = ''",
        "fast one",
        "WITH \"fast one\" AS (SELECT 1 AS x), b AS (FROM \"fast one\") SELECT \"fast one\".x FROM \"fast one\" JOIN b ON \"fast one\".x = b.x WHERE 'slow' = ''",
    );
}

#[test]
fn an_alias_of_a_table_is_renamed_where_it_is_seen() {
    check(
        "SELECT s.name, (SELECT s.span_id) FROM spans $0s WHERE s.service = 's'",
        "t",
        "SELECT t.name, (SELECT t.span_id) FROM spans t WHERE t.service = 's'",
    );
    check(
        "SELECT $0s.name FROM spans s; SELECT s.name FROM spans s",
        "t",
        "SELECT t.name FROM spans t; SELECT s.name FROM spans s",
    );
}

#[test]
fn an_alias_of_a_column_is_renamed_inside_and_outside_its_query() {
    check(
        "WITH a AS (SELECT count(*) AS n FROM spans ORDER BY n) SELECT n, a.n FROM a WHERE $0n > 1",
        "calls",
        "WITH a AS (SELECT count(*) AS calls FROM spans ORDER BY calls) SELECT calls, a.calls FROM a WHERE calls > 1",
    );
}

#[test]
fn a_renamed_column_is_followed_through_the_queries_that_pass_it_on() {
    check(
        "WITH a AS (SELECT count(*) AS $0n FROM spans), b AS (SELECT n FROM a), c AS (SELECT * FROM b) SELECT c.n FROM c",
        "calls",
        "WITH a AS (SELECT count(*) AS calls FROM spans), b AS (SELECT calls FROM a), c AS (SELECT * FROM b) SELECT c.calls FROM c",
    );
}

#[test]
fn what_the_statement_does_not_name_is_not_renamed() {
    for fixture in [
        "SELECT ser$0vice FROM spans",
        "SELECT 1 FROM sp$0ans",
        "SEL$0ECT 1",
        "SELECT 'a$0'",
        "$0",
    ] {
        let (text, offset) = cursor(fixture);
        assert_eq!(references(catalog(), &text, offset), None, "{fixture}");
    }
    assert_eq!(rename(catalog(), "SELECT s.name FROM spans s", 7, " "), None);
}

#[test]
fn statements_and_common_table_expressions_are_symbols() {
    let text = "SELECT 1;\nWITH a AS (\n  SELECT 2\n), b AS (SELECT 3)\nSELECT * FROM a";
    let found = symbols(text);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].name, "SELECT 1");
    let names: Vec<_> = found[1]
        .children
        .iter()
        .map(|cte| (cte.name.as_str(), cte.kind))
        .collect();
    assert_eq!(names, [("a", SymbolKind::Cte), ("b", SymbolKind::Cte)]);
    assert_eq!(&text[found[1].children[0].range.clone()], "a AS (\n  SELECT 2\n)");
    assert!(
        found
            .iter()
            .all(|symbol| symbol.range.contains(&symbol.selection.start))
    );
}

#[test]
fn what_takes_several_lines_is_folded() {
    let text = "SELECT (1,\n2), (3);\n/* a\nb */ SELECT 4;";
    let found: Vec<&str> = folds(text).into_iter().map(|range| &text[range]).collect();
    assert_eq!(found, ["SELECT (1,\n2), (3)", "(1,\n2)", "/* a\nb */"]);
}
