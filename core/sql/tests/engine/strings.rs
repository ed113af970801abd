//! Inside literals: keys, values, ids, arguments.

use crate::support::{accept, check, completions};

#[test]
fn keys_are_offered_after_an_arrow_most_frequent_first() {
    check(
        "SELECT attributes->>'$0' FROM spans",
        &["class", "function", "module", "output.value", "agent.name"],
    );
    check("SELECT attributes->'$0' FROM spans", &["class"]);
    check(
        "SELECT s.attributes->>'ag$0' FROM spans s",
        &["agent.name", "agent.description"],
    );
    check("SELECT json_extract_string(attributes, '$0') FROM spans", &["class"]);
    check("SELECT resource->>'$0' FROM spans", &["service.name", "-class"]);
    check("SELECT a->>'$0' FROM (SELECT attributes AS a FROM spans)", &["class"]);
    check("SELECT name->>'$0' FROM spans", &["-class"]);
    check("SELECT attributes->'input.ctx'->>'$0' FROM spans", &["-class"]);
}

#[test]
fn keys_are_those_of_the_spans_that_the_query_asks_for() {
    let all = "SELECT attributes->>'$0' FROM spans";
    check(all, &["+input.severity", "+agent.description", "+input.rng"]);
    // Counted by hand in attributes.txt: only RiskEngine has input.severity, only Agent agent.description.
    let agent = "SELECT attributes->>'$0' FROM spans WHERE service = 'Agent'";
    check(agent, &["+agent.description", "-input.severity", "-input.rng"]);
    check(
        "SELECT 1 FROM spans WHERE service = 'RiskEngine' AND attributes->>'$0",
        &["+input.severity", "-agent.description"],
    );
    check(
        "SELECT 1 FROM spans WHERE service IN ('RiskEngine', 'Agent') AND attributes->>'$0'",
        &["+input.severity", "+agent.description", "-input.rng"],
    );
    check(
        "SELECT 1 FROM spans WHERE name = 'RiskEngine.score' AND attributes->>'$0'",
        &["+input.severity", "-input.ctx"],
    );
    check(
        "WITH a AS (SELECT * FROM spans WHERE service = 'Agent') SELECT attributes->>'$0' FROM a",
        &["+agent.description", "-input.severity"],
    );
    // Where either may hold, or nobody has any key, all are offered.
    check(
        "SELECT attributes->>'$0' FROM spans WHERE service = 'Agent' OR name = 'int.make_ticket'",
        &["+input.severity"],
    );
    check(
        "SELECT attributes->>'$0' FROM spans WHERE service = 'Nobody'",
        &["+input.severity"],
    );
}

#[test]
fn the_whole_literal_is_replaced_and_dots_stay_as_they_are() {
    for (fixture, expected) in [
        (
            "SELECT attributes->>'agent.$0' FROM spans",
            "SELECT attributes->>'agent.name' FROM spans",
        ),
        (
            "SELECT attributes->>'agent$0.description' FROM spans",
            "SELECT attributes->>'agent.name' FROM spans",
        ),
        (
            "SELECT attributes->>'$0 FROM spans",
            "SELECT attributes->>'agent.name' FROM spans",
        ),
        (
            "SELECT attributes->>'ag$0 FROM spans WHERE name = 'x'",
            "SELECT attributes->>'agent.name' FROM spans WHERE name = 'x'",
        ),
        (
            "SELECT attributes->>'$.ag$0' FROM spans",
            "SELECT attributes->>'$.\"agent.name\"' FROM spans",
        ),
    ] {
        assert_eq!(accept(fixture, "agent.name"), expected);
    }
    assert_eq!(
        accept("SELECT events->>'$0' FROM spans", "exception.type"),
        "SELECT events->>'$[*].attributes.\"exception.type\"' FROM spans"
    );
    assert_eq!(
        accept("SELECT events->0->'attributes'->>'$0' FROM spans", "exception.type"),
        "SELECT events->0->'attributes'->>'exception.type' FROM spans"
    );
}

#[test]
fn the_filter_text_begins_where_the_replaced_text_begins() {
    let found = completions("SELECT attributes->>'agent.n$0' FROM spans");
    let (text, _) = crate::support::cursor("SELECT attributes->>'agent.n$0' FROM spans");
    assert_eq!(&text[found.replace.clone()], "'agent.n'");
    assert!(found.items.iter().all(|item| item.filter_text.starts_with('\'')));
    assert_eq!(found.items[0].filter_text, "'agent.name'");
}

#[test]
fn values_are_offered_by_how_often_they_occur() {
    // Counts of the sample: Agent 239, Flock 237; ERROR 40, UNSET 2.
    check(
        "SELECT 1 FROM spans WHERE status_code = '$0'",
        &["'OK'", "'ERROR'", "'UNSET'"],
    );
    check(
        "SELECT 1 FROM spans WHERE status_code IN ('OK', '$0",
        &["'OK'", "'ERROR'"],
    );
    check("SELECT 1 FROM spans WHERE status_code <> '$0'", &["'OK'"]);
    check(
        "SELECT 1 FROM spans WHERE service = '$0'",
        &["'BuiltinCollectionComponent'", "'DeduplicationComponent'"],
    );
    check(
        "SELECT 1 FROM spans s WHERE s.service NOT IN ('$0')",
        &["'BuiltinCollectionComponent'"],
    );
    check("SELECT 1 FROM spans WHERE name LIKE 'Ag$0'", &["'Agent.%'"]);
    check(
        "SELECT 1 FROM spans WHERE service IS DISTINCT FROM 'Fl$0'",
        &["'Flock'"],
    );
    check("SELECT CASE status_code WHEN '$0' THEN 1 END FROM spans", &["'OK'"]);
    check("SELECT 1 FROM operations() WHERE service = 'Ag$0'", &["'Agent'"]);
}

#[test]
fn operations_are_those_of_the_service_that_was_asked_for() {
    check(
        "SELECT 1 FROM spans WHERE service = 'RiskEngine' AND operation = '$0'",
        &["+'score'", "-'make_ticket'"],
    );
    check(
        "SELECT 1 FROM spans WHERE operation = 'score' AND service = '$0'",
        &["'RiskEngine'", "-'Flock'"],
    );
}

#[test]
fn values_of_an_attribute_follow_it() {
    // Counts of the sample: builtin_collection and deduplication 991 each, None 1893.
    check(
        "SELECT 1 FROM spans WHERE attributes->>'agent.name' = '$0'",
        &["'None'", "'builtin_collection'", "'deduplication'", "'circuit_breaker'"],
    );
    check(
        "SELECT 1 FROM spans WHERE (attributes->>'agent.name') IN ('audit', '$0')",
        &["'None'"],
    );
    check(
        "SELECT 1 FROM spans WHERE json_extract_string(attributes, 'agent.name') = 'in$0'",
        &["'intake'"],
    );
    check(
        "SELECT 1 FROM spans WHERE attributes->>'$.\"agent.name\"' = 'in$0'",
        &["'intake'"],
    );
    check(
        "SELECT 1 FROM (SELECT service AS who FROM spans) WHERE who = 'Fl$0'",
        &["'Flock'"],
    );
}

#[test]
fn traces_are_offered_newest_first_with_name_and_time() {
    let found = completions("SELECT 1 FROM spans WHERE trace_id = '$0'");
    assert_eq!(found.items[0].label, "'af67577d4838cba95c2864789520957c'");
    assert!(
        found.items[0].detail.starts_with("Flock.shutdown · 2026-"),
        "{}",
        found.items[0].detail
    );
    assert_eq!(found.items.len(), 12);
    check("FROM timeline('67$0", &["'67c72ccfa82b2a4263cf71a2f1ebd2d8'"]);
}

#[test]
fn arguments_of_an_analysis_take_their_words() {
    check("FROM red(group_by := '$0')", &["'operation'", "'service'", "'agent'"]);
    check("FROM red('$0')", &["'operation'"]);
    check(
        "FROM dependencies(level => '$0')",
        &["'agent'", "'service'", "'operation'"],
    );
    check("FROM attribute_values('ag$0')", &["'agent.name'"]);
    check("SELECT date_trunc('mi$0', now())", &["'minute'"]);
}

#[test]
fn quotes_in_a_value_are_doubled() {
    let mut contents = flockscope_sql::catalog::Contents::clone(crate::support::catalog());
    contents.attribute_keys = vec![flockscope_sql::catalog::AttributeKey {
        key: "it's".into(),
        column: "attributes".into(),
        values: vec![flockscope_sql::catalog::Value {
            text: "'); DROP".into(),
            count: 1,
        }],
        ..Default::default()
    }];
    let catalog = flockscope_sql::Catalog::new(contents);
    let text = "SELECT 1 FROM spans WHERE attributes->>'it''s' = '";
    let found = flockscope_sql::complete(&catalog, text, text.len());
    assert_eq!(found.items[0].insert, "'''); DROP'");
    let text = "SELECT attributes->>'";
    let found = flockscope_sql::complete(&catalog, text, text.len());
    assert_eq!(found.items[0].insert, "'it''s'");
}
