//! Laying SQL out anew, and colouring it.

use flockscope_sql::{HighlightKind, format, highlights};

#[test]
fn a_query_is_laid_out() {
    let formatted =
        format("select service, count(*) as n from spans where status_code = 'ERROR' group by all").expect("SQL");
    assert!(formatted.lines().count() > 3, "{formatted}");
    assert!(formatted.contains("count(*)"), "{formatted}");
}

#[test]
fn nothing_of_duckdbs_grammar_is_broken() {
    for text in [
        "SELECT attributes->>'agent.name', x::INTEGER[] FROM spans",
        "FROM red(group_by := 'service') SELECT * EXCLUDE (calls)",
        "SELECT list_filter(a, lambda x : x > 1), [y for y in b if y <> 2], {'a': 1}",
        "SELECT $$it's; fine$$, E'a\\'b', 'größe' -- a comment",
        "SELECT a // b, c ** 2, d ^@ 'x', e !~~ 'y', f <=> g FROM t ASOF JOIN u ON t.x >= u.x",
        "SELECT 1 QUALIFY row_number() OVER (PARTITION BY a ORDER BY b DESC NULLS LAST) = 1",
        "PIVOT spans ON service USING count(*)",
        "SELECT /* a /* nested */ comment */ 1;;SELECT 2",
    ] {
        // What the formatter would change is left as it is; blanks are all that may differ.
        if let Some(formatted) = format(text) {
            let plain = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(plain(&formatted), plain(text));
            assert_eq!(
                format(&formatted).as_deref(),
                Some(formatted.as_str()),
                "not stable: {formatted}"
            );
        }
    }
}

#[test]
fn nearly_every_real_analysis_can_be_laid_out() {
    let statements = include_str!("../data/statements.txt").replace(['‹', '›'], "");
    let refused: Vec<&str> = statements
        .lines()
        .filter(|statement| format(statement).is_none())
        .collect();
    assert!(refused.len() <= 3, "{refused:#?}");
}

#[test]
fn what_is_not_finished_is_left_alone() {
    // The third made the formatter panic, the last would take gigabytes.
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    for text in [
        "SELECT 'open",
        "SELECT (1",
        "CREATE TABLE [CREATE TABLE \"SELECT ]SELECT",
        "SELECT (1]",
        &deep,
    ] {
        assert_eq!(format(text), None);
    }
}

#[test]
fn tokens_are_coloured_by_what_they_are() {
    let text = "SELECT count(*), größe FROM \"my table\" WHERE a = 'x' -- end";
    let found: Vec<(&str, HighlightKind)> = highlights(text)
        .into_iter()
        .map(|(range, kind)| (&text[range], kind))
        .collect();
    for expected in [
        ("SELECT", HighlightKind::Keyword),
        ("count", HighlightKind::Function),
        ("größe", HighlightKind::Name),
        ("\"my table\"", HighlightKind::Table),
        ("'x'", HighlightKind::Text),
        ("-- end", HighlightKind::Comment),
    ] {
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
}
