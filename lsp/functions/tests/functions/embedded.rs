//! SQL inside the strings of Python.

use std::path::Path;

use flockscope_functions::{SqlString, Workspace, sql_strings};
use proptest::prelude::*;

/// The SQL at the mark `¦` of a text.
fn sql_at(marked: &str) -> Option<SqlString> {
    let path = Path::new("/project/query.py");
    let at = u32::try_from(marked.find('¦').expect("a mark")).expect("short");
    let text = marked.replace('¦', "");
    let mut workspace = Workspace::new(Path::new("/project"));
    workspace.update(path, &text);
    let found = workspace.sql_at(path, at)?;
    let range = found.range.start as usize..found.range.end as usize;
    assert_eq!(found.sql.len(), range.len(), "byte by byte");
    assert!(text.get(range).is_some(), "whole characters");
    Some(found)
}

fn sql(marked: &str) -> Option<String> {
    sql_at(marked).map(|found| found.sql)
}

#[test]
fn arguments_of_calls_that_run_sql_are_sql() {
    assert_eq!(sql("connection.execute('SELECT ¦1')").as_deref(), Some("SELECT 1"));
    assert_eq!(
        sql("duckdb.sql(\"\"\"\nFROM ¦spans\n\"\"\")").as_deref(),
        Some("\nFROM spans\n")
    );
    assert_eq!(sql("await db.query(r\"¦\", 1)").as_deref(), Some(""));
    assert_eq!(sql("sql('SELECT a ' 'FROM ¦b')").as_deref(), Some("FROM b"));
    assert_eq!(sql("db.execute(('x¦'))").as_deref(), Some("x"));
    for other in [
        "print('SELECT ¦1')",
        "x = 'SELECT ¦1'",
        "db.execute(1, 'SELECT ¦1')",
        "db.execute(a='¦')",
        "¦db.execute('')",
    ] {
        assert_eq!(sql(other), None, "{other}");
    }
}

#[test]
fn a_comment_marks_a_string_as_sql() {
    assert_eq!(sql("QUERY = 'SELECT ¦1'  # sql").as_deref(), Some("SELECT 1"));
    assert_eq!(sql("# SQL\nQUERY = 'SELECT ¦1'").as_deref(), Some("SELECT 1"));
    assert_eq!(sql("# sql is nice\nQUERY = 'SELECT ¦1'"), None);
}

#[test]
fn what_is_no_sql_is_masked_byte_by_byte() {
    assert_eq!(
        sql("db.execute(f\"SELECT {näme!r} FROM t WHERE a = \\\"x\\\" AND b\\n¦\")").as_deref(),
        Some("SELECT _________ FROM t WHERE a =  \"x \" AND b  ")
    );
    assert_eq!(sql("db.execute(f'{a¦}')"), None, "that is Python");
    assert_eq!(
        sql("db.execute(f\"SELECT {{'a': {b}}}¦\")").as_deref(),
        Some("SELECT  {'a': ___ }")
    );
    assert_eq!(
        sql("db.execute('SELECT ¦é🐦\\u00e9')").as_deref(),
        Some("SELECT é🐦      ")
    );
}

#[test]
fn a_string_whose_quotes_are_not_closed_yet_is_sql_to_the_end_of_its_line() {
    for (typed, expected) in [
        ("db.execute(\"SELECT ¦", "SELECT "),
        ("db.execute('SELECT ¦)", "SELECT "),
        ("db.execute('SELECT ¦a FROM b)\n", "SELECT a FROM b"),
        (
            "def f():\n    rows = db.execute(\n        f\"SELECT {x} ¦\n    )\n\ndef g(): ...\n",
            "SELECT ___ ",
        ),
        ("db.execute(\"\"\"\nSELECT 'a'\nFROM ¦", "\nSELECT 'a'\nFROM "),
        ("# sql\nQUERY = \"SELECT 'ä' ¦", "SELECT 'ä' "),
    ] {
        assert_eq!(sql(typed).as_deref(), Some(expected), "{typed}");
    }
    // Far down in a file.
    let below = format!("{}db.execute(\"SELECT ¦", "x = f(1)\n".repeat(200));
    assert_eq!(sql(&below).as_deref(), Some("SELECT "));
    for other in [
        "print(\"SELECT ¦",
        "db.execute(1, 'SELECT ¦",
        "db.execute('a', (¦",
        "db.execute(f'{a¦",
        "db.execute(# '¦",
    ] {
        assert_eq!(sql(other), None, "{other}");
    }
}

#[test]
fn what_is_put_in_is_written_as_the_quotes_want_it() {
    let single = sql_at("db.execute('¦')").expect("SQL");
    assert_eq!(single.written("a->>'b\\c'\nd"), "a->>\\'b\\\\c\\' d");
    let triple = sql_at("db.execute(\"\"\"¦\"\"\")").expect("SQL");
    assert_eq!(triple.written("a->>'b'\nd"), "a->>'b'\nd");
    let formatted = sql_at("db.execute(f\"¦\")").expect("SQL");
    assert_eq!(formatted.written("{'a': 1}"), "{{'a': 1}}");
    let raw = sql_at("db.execute(r\"¦\")").expect("SQL");
    assert_eq!(raw.written("'\\d'"), "'\\d'");
}

#[test]
fn all_strings_of_a_text_are_found_in_its_order_with_their_holes() {
    let text = "QUERY = 'FROM a'  # sql\ndb.execute(f\"FROM {b} WHERE {c!r}\", 'no')\n# sql\nx = ['FROM d', f('no')]\n\
                df = sql (\n  # why\n  'FROM e '\n  'WHERE f')\nprint('no')\ny = 'FROM {}'.format(1)  # sql\nprequery('no')";
    let found = sql_strings(text);
    let shown: Vec<(&str, bool)> = found.iter().map(|found| (found.sql.as_str(), found.is_whole)).collect();
    assert_eq!(
        shown,
        [
            ("FROM a", true),
            ("FROM ___ WHERE _____", true),
            ("FROM d", true),
            ("no", true),
            ("FROM e ", false),
            ("WHERE f", false),
            ("FROM {}", false),
        ]
    );
    assert_eq!(found[1].holes, [5..8, 15..20]);
    for string in &found {
        let at = string.range.start as usize;
        assert_eq!(string.sql.len(), string.range.len());
        assert!(matches!(text.as_bytes()[at - 1], b'\'' | b'"'));
    }
    // As a file of the workspace, and each of them where the cursor stands in it.
    let path = Path::new("/project/query.py");
    let mut workspace = Workspace::new(Path::new("/project"));
    workspace.update(path, text);
    assert_eq!(workspace.sql_strings(path), found);
    for string in &found {
        assert_eq!(workspace.sql_at(path, string.range.start).as_ref(), Some(string));
    }
    assert_eq!(sql_strings(&"db.execute('SELECT 1')\n".repeat(5_000)).len(), 400);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_is_taken(text in "[a-z(){}'\"\\\\#éf\n ]{0,60}", at in 0..80_u32) {
        let path = Path::new("/project/query.py");
        let text = format!("db.execute(f\"{text}");
        let mut workspace = Workspace::new(Path::new("/project"));
        workspace.update(path, &text);
        for found in workspace.sql_strings(path) {
            prop_assert_eq!(found.sql.len(), found.range.len());
            prop_assert!(found.holes.iter().all(|hole| hole.start <= hole.end && hole.end <= found.sql.len()));
        }
        if let Some(found) = workspace.sql_at(path, at) {
            prop_assert_eq!(found.sql.len(), (found.range.end - found.range.start) as usize);
            prop_assert!(found.range.start <= at && at <= found.range.end);
        }
    }
}
