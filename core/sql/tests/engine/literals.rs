//! Values that a query names, and the columns that they are compared with.

use crate::support::{catalog, cursor};
use flockscope_sql::{literal_at, literals};

/// Column (with its key), value, and the text at the range.
fn found(text: &str) -> Vec<(String, String, String)> {
    literals(catalog(), text)
        .into_iter()
        .map(|literal| {
            let column = match literal.key {
                Some(key) => format!("{}.{key}", literal.column),
                None => literal.column,
            };
            (column, literal.value, text[literal.range].to_owned())
        })
        .collect()
}

fn rows(expected: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |text: &str| text.to_owned();
    expected
        .iter()
        .map(|(column, value, text)| (own(column), own(value), own(text)))
        .collect()
}

#[test]
fn literals_are_found_with_the_columns_they_are_compared_with() {
    let text = "-- service = 'no'\nSELECT 'no' FROM spans s WHERE s.service = 'Agent' AND operation IN ('a', 'it''s 🐦')\n\
                AND name NOT LIKE 'Agent.%' OR \"class\" <> 'X' OR 'f' = s.function;\n\
                SELECT CASE module WHEN 'm' THEN 1 END FROM spans WHERE attributes->>'agent.name' = 'intake'";
    assert_eq!(
        found(text),
        rows(&[
            ("service", "Agent", "'Agent'"),
            ("operation", "a", "'a'"),
            ("operation", "it's 🐦", "'it''s 🐦'"),
            ("name", "Agent.%", "'Agent.%'"),
            ("class", "X", "'X'"),
            ("function", "f", "'f'"),
            ("module", "m", "'m'"),
            ("attributes.agent.name", "intake", "'intake'"),
        ])
    );
    let patterns: Vec<bool> = literals(catalog(), text).iter().map(|found| found.is_pattern).collect();
    assert_eq!(patterns.iter().position(|pattern| *pattern), Some(3));
    assert_eq!(patterns.iter().filter(|pattern| **pattern).count(), 1);
}

#[test]
fn a_column_is_followed_through_queries_that_call_it_otherwise() {
    assert_eq!(
        found(
            "WITH a AS (SELECT service AS who, count(*) AS service FROM spans GROUP BY ALL) FROM a WHERE who = 'Agent'"
        ),
        rows(&[("service", "Agent", "'Agent'")])
    );
    // What is called so and is none.
    for text in [
        "WITH a AS (SELECT upper(service) AS service FROM spans) FROM a WHERE service = 'Agent'",
        "SELECT 1 FROM other_table WHERE service = 'Agent'",
        "SELECT 1 FROM spans WHERE upper(service) = 'Agent'",
        "SELECT 1 FROM spans WHERE 'Agent' = service || 'x'",
        "SELECT 1 FROM spans WHERE 'Agent' = upper(service)",
        "FROM timeline('Agent')",
        "SELECT 1 FROM spans WHERE attributes->'a'->>'b' = 'x'",
    ] {
        assert_eq!(found(text), rows(&[]), "{text}");
    }
}

#[test]
fn the_literal_at_the_cursor_is_found_from_its_first_quote_to_its_last() {
    let at = |fixture: &str| {
        let (text, offset) = cursor(fixture);
        literal_at(catalog(), &text, offset).map(|found| (found.column, found.value))
    };
    let agent = Some(("service".to_owned(), "Agent".to_owned()));
    assert_eq!(at("SELECT 1 FROM spans WHERE service = $0'Agent' AND 1"), agent);
    assert_eq!(at("SELECT 1 FROM spans WHERE service = 'Ag$0ent' AND 1"), agent);
    assert_eq!(at("SELECT 1 FROM spans WHERE service = 'Agent$0' AND 1"), agent);
    assert_eq!(at("SELECT 1 FROM spans WHERE service = 'Agent' A$0ND 1"), None);
    assert_eq!(at("SELECT 1 FROM spans WHERE ser$0vice = 'Agent'"), None);
    assert_eq!(at("SELECT 1 FROM spans -- service = 'Ag$0ent'"), None);
}
