//! What hovering over a word says.

use crate::support::{catalog, cursor};
use flockscope_sql::hover;

#[track_caller]
fn check(fixture: &str, word: &str, parts: &[&str]) {
    let (text, offset) = cursor(fixture);
    let found = hover(catalog(), &text, offset).unwrap_or_else(|| panic!("nothing for {fixture}"));
    assert_eq!(&text[found.range.clone()], word, "{fixture}");
    for part in parts {
        assert!(found.markdown.contains(part), "{part:?} is not in {}", found.markdown);
    }
}

#[test]
fn a_column_says_its_type_meaning_and_what_was_found_in_it() {
    check(
        "SELECT stat$0us_code FROM spans",
        "status_code",
        &["VARCHAR", "OK, ERROR or UNSET", "- `ERROR` × 40", "3 distinct"],
    );
    check(
        "SELECT s.$0parent_id FROM spans s",
        "parent_id",
        &["NULL on roots", "2.8 % NULL"],
    );
    check(
        "SELECT p95$0_ms FROM red()",
        "p95_ms",
        &["DOUBLE", "95th percentile", "`red`"],
    );
    check(
        "SELECT wh$0o FROM (SELECT service AS who FROM spans)",
        "who",
        &["alias of `service`"],
    );
}

#[test]
fn a_key_and_a_value_say_how_often_they_occur() {
    check(
        "SELECT attributes->>'agent$0.name' FROM spans",
        "'agent.name'",
        &["6489 spans", "VARCHAR", "`intake` × 61"],
    );
    check(
        "SELECT 1 FROM spans WHERE status_code = 'ERR$0OR'",
        "'ERROR'",
        &["40 of 6797 spans (0.6 %)"],
    );
    check(
        "SELECT 1 FROM spans WHERE attributes->>'agent.name' = 'int$0ake'",
        "'intake'",
        &["61 of 6489"],
    );
    check(
        "FROM red(group_by := 'ser$0vice')",
        "'service'",
        &["group_by", "VARCHAR"],
    );
}

#[test]
fn functions_analyses_tables_and_common_table_expressions_are_explained() {
    check(
        "SELECT quantile$0_cont(duration_ms, 0.5) FROM spans",
        "quantile_cont",
        &["interpolated quantile"],
    );
    check(
        "FROM re$0d()",
        "red",
        &["Rate, errors and durations", "group_by", "`p95_ms` DOUBLE"],
    );
    check(
        "SELECT 1 FROM sp$0ans",
        "spans",
        &["One row a span", "`duration_ms` DOUBLE"],
    );
    check(
        "WITH a AS (SELECT service, count(*) AS n FROM spans) SELECT n FROM $0a",
        "a",
        &["common table expression", "`n` BIGINT", "`service` VARCHAR"],
    );
    check("SELECT $0x.name FROM spans x", "x", &["alias of `spans`"]);
}

#[test]
fn there_is_nothing_to_say_of_keywords_comments_and_unknown_names() {
    for fixture in [
        "SEL$0ECT 1",
        "SELECT 1 -- ser$0vice",
        "SELECT unk$0nown FROM spans",
        "SELECT 'te$0xt'",
        "$0",
        "SELECT 1 $0 ",
    ] {
        let (text, offset) = cursor(fixture);
        assert_eq!(hover(catalog(), &text, offset), None, "{fixture}");
    }
}

#[test]
fn what_came_from_a_trace_stays_code() {
    let mut contents = flockscope_sql::catalog::Contents::clone(catalog());
    let keys = &mut contents.attribute_keys;
    let name = keys.iter_mut().find(|key| key.key == "agent.name").expect("the key");
    name.values[0].text = "``` <img src=x> ``\n# title".into();
    let catalog = flockscope_sql::Catalog::new(contents);
    let text = "SELECT attributes->>'agent.name' FROM spans";
    let markdown = hover(&catalog, text, 25).expect("a hover").markdown;
    assert!(
        markdown.contains("- ```` ``` <img src=x> `` # title ```` × "),
        "{markdown}"
    );
}
