//! Which statements are queries of the traces.

use crate::support::catalog;
use flockscope_sql::{About, queries};

fn about(text: &str) -> Vec<About> {
    queries(catalog(), text).into_iter().map(|query| query.about).collect()
}

#[test]
fn what_a_query_reads_says_whose_it_is() {
    for text in [
        "SELECT * FROM spans",
        "from SPANS s join users u on true",
        "FROM red(group_by := 'service')",
        "SELECT 1 FROM spanz",
        "WITH a AS (SELECT 1 FROM spans) FROM a",
        "(SELECT 1 FROM spans)",
        "EXPLAIN SELECT 1 FROM spans",
        "SELECT (SELECT count(*) FROM spans)",
        "SELECT 10 % (s), a %(b) FROM spans",
        "SELECT {'a': name}, list[1:2], x::INT FROM spans",
    ] {
        assert_eq!(about(text), [About::Traces], "{text}");
    }
    for text in [
        "SELECT 1",
        "SELECT 1 FORM spans",
        "FROM range(10)",
        "WITH a AS (SELECT 1) FROM a",
    ] {
        assert_eq!(about(text), [About::Nothing], "{text}");
    }
    for text in [
        "SELECT * FROM users",
        "FROM the document, take",
        "SELECT * FROM get_report(1)",
    ] {
        assert_eq!(about(text), [About::Other], "{text}");
    }
}

#[test]
fn statements_that_change_something_or_need_parameters_are_no_queries() {
    for text in [
        "INSERT INTO spans SELECT 1",
        "CREATE TABLE a AS SELECT 1 FROM spans",
        "WITH a AS (SELECT 1) INSERT INTO spans FROM a",
        "EXPLAIN ANALYZE DELETE FROM spans",
        "SELECT 1 FROM spans WHERE name = ?",
        "SELECT 1 FROM spans WHERE name = $1",
        "SELECT 1 FROM spans WHERE name = $name AND 1",
        "SELECT 1 FROM spans WHERE name = :name",
        "SELECT 1 FROM spans WHERE name IN (:name)",
        "SELECT 1 FROM spans WHERE name = %s",
        "SELECT 1 FROM spans WHERE name = %(name)s AND 1",
        "-- SELECT 1 FROM spans",
    ] {
        assert_eq!(about(text), [], "{text}");
    }
    let follow: Vec<bool> = queries(catalog(), "SELECT 1; CREATE TABLE a (b INT); SELECT 2")
        .iter()
        .map(|query| query.follows_others)
        .collect();
    assert_eq!(follow, [false, true]);
}

#[test]
fn a_query_stands_where_it_stands() {
    let text = " -- a\nSELECT 1 FROM spans -- b\n;\n\nFROM 'é' ;";
    let ranges: Vec<&str> = queries(catalog(), text)
        .into_iter()
        .map(|query| &text[query.range])
        .collect();
    assert_eq!(ranges, ["SELECT 1 FROM spans", "FROM 'é'"]);
}
