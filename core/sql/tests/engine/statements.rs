//! Where a text's statements are.

use crate::support::catalog;
use flockscope_sql::{complete, lint, statements, tokens};

#[test]
fn statements_end_at_semicolons_outside_strings_and_comments() {
    // The same list as DuckDB's own `extract_statements` gives for this text.
    let text =
        "select 1;; /* ; */ -- ;\n select ';', $$;$$, $x$ ; $$ $x$, \"a;b\"; \n-- end ;\r select E'\\';', 'it''s;'";
    let found: Vec<&str> = statements(text).into_iter().map(|range| &text[range]).collect();
    assert_eq!(
        found,
        [
            "select 1",
            "select ';', $$;$$, $x$ ; $$ $x$, \"a;b\"",
            "select E'\\';', 'it''s;'"
        ]
    );
    assert!(statements(" ; -- nothing\n /* at all").is_empty());
    assert_eq!(statements("SELECT 'open; SELECT 2").first(), Some(&(0..22)));
    assert_eq!(statements("a/* b /* c */ ; */d;e"), [0..19, 20..21]);
}

#[test]
fn tokens_cover_the_text() {
    let text = "SELECT größe, x->>'a', .5e-3::INT[1:2] FROM \"t\"\"u\" WHERE a!~~*'🐦' AND b:=$1 /* x";
    let mut at = 0;
    for token in tokens(text) {
        assert_eq!(token.start, at);
        at = token.end;
    }
    assert_eq!(at, text.len());
    let texts: Vec<&str> = tokens(text).iter().map(|token| &text[token.range()]).collect();
    for expected in [
        "größe",
        "->>",
        ".5e-3",
        "::",
        "\"t\"\"u\"",
        "!~~*",
        "'🐦'",
        ":=",
        "$1",
        "/* x",
    ] {
        assert!(texts.contains(&expected), "{expected}: {texts:?}");
    }
}

#[test]
fn a_megabyte_of_other_statements_changes_nothing() {
    let filler = "SELECT service, 'größe; it''s', $$;$$ FROM spans WHERE name = \"x\" -- ;\r\n;\r\n".repeat(14_000);
    assert!(filler.len() > 1_000_000);
    let statement = "SELECT dur FROM spans";
    let text = format!("{filler}{statement};{filler}");
    let offset = filler.len() + "SELECT dur".len();
    let found = complete(catalog(), &text, offset);
    assert_eq!(found.replace, offset - 3..offset);
    let alone = complete(catalog(), statement, "SELECT dur".len());
    assert_eq!(found.items, alone.items);
    assert_eq!(statements(&text).len(), 28_001);
}

#[test]
fn one_statement_of_a_megabyte_is_answered_too() {
    let list = "service, ".repeat(120_000);
    let text = format!("SELECT {list} dur FROM spans");
    let offset = text.len() - " FROM spans".len();
    assert_eq!(complete(catalog(), &text, offset).items[0].label, "duration_ms");
    let nested = format!("SELECT {}{}", "(".repeat(100_000), "SELECT ".repeat(1_000));
    complete(catalog(), &nested, nested.len());
    let nested = "SELECT (".repeat(50_000);
    complete(catalog(), &nested, nested.len());
    let chain: String = (1..3_000)
        .map(|n| format!(", c{n} AS (SELECT *, * FROM c{})", n - 1))
        .collect();
    let text = format!("WITH c0 AS (FROM spans){chain} SELECT  FROM c2999");
    complete(catalog(), &text, text.len() - " FROM c2999".len());
}

#[test]
fn long_lists_are_linted_in_one_pass() {
    let values = "'agent.nmae', ".repeat(20_000);
    for (before, after) in [
        ("SELECT list_value(", "1)"),
        ("SELECT 1 FROM spans WHERE service IN (", "'x')"),
        ("SELECT json_object(", "1) FROM spans"),
    ] {
        assert_eq!(lint(catalog(), &format!("{before}{values}{after}")), []);
    }
    let cases = "WHEN 'a' THEN 'b' ".repeat(50_000);
    assert_eq!(
        lint(catalog(), &format!("SELECT CASE service {cases} END FROM spans")),
        []
    );
}
