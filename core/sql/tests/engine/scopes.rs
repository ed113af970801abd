//! Which names are offered where.

use crate::support::{accept, check, completions, labels};

#[test]
fn only_what_is_read_from_has_columns() {
    check(
        "SELECT $0 FROM trace_times",
        &["trace_id", "min_start", "max_start", "-service", "-duration_ms"],
    );
    check("SELECT sel$0 FROM red()", &["-self_ms"]);
    check("SELECT $0 FROM traces()", &["+root_name", "-span_id", "-parent_id"]);
    check(
        "FROM timeline('x') SELECT $0",
        &["+self_ms", "+critical_ms", "-attributes"],
    );
    check("SELECT $0 FROM nowhere", &["-service"]);
}

#[test]
fn an_alias_and_a_bare_table_name_lead_to_their_columns() {
    check("SELECT s.$0 FROM spans s", &["service", "+trace_id", "-count", "-FROM"]);
    check("SELECT spans.$0 FROM spans", &["+duration_ms"]);
    check(
        "SELECT t.$0 FROM spans s JOIN trace_times t ON true",
        &["trace_id", "min_start", "max_start", "-service"],
    );
    check("SELECT x.$0 FROM spans s", &["-service"]);
    check("SELECT a.$0 FROM a: red()", &["+p95_ms", "-trace_id"]);
    check("SELECT \"My Alias\".$0 FROM spans \"My Alias\"", &["+service"]);
    check("SELECT \"serv$0 FROM spans", &["service"]);
}

#[test]
fn common_table_expressions_and_derived_tables_have_the_columns_of_their_queries() {
    let with = "WITH a AS (SELECT service AS s, count(*) AS n, avg(duration_ms) FROM spans GROUP BY ALL)";
    check(
        &format!("{with} SELECT $0 FROM a"),
        &["s", "n", "+avg(duration_ms)", "-service"],
    );
    check(&format!("{with} SELECT a.$0 FROM a"), &["s", "n"]);
    check(
        &format!("{with}, b AS (SELECT *, n * 2 AS m FROM a) SELECT $0 FROM b"),
        &["s", "n", "+m"],
    );
    check(
        "WITH a(x, y) AS (SELECT service, name FROM spans) SELECT $0 FROM a",
        &["x", "y", "-service"],
    );
    check(
        "SELECT $0 FROM (SELECT * EXCLUDE (service) FROM trace_times) t",
        &["trace_id", "min_start"],
    );
    check("SELECT $0 FROM (FROM red() SELECT calls AS c)", &["c", "-calls"]);
    check(
        "WITH RECURSIVE r AS (SELECT span_id AS id FROM spans UNION ALL SELECT $0 FROM r) FROM r",
        &["id"],
    );
    check(
        "WITH a AS (SELECT 1 AS one), b AS (SELECT $0 FROM a) SELECT 1",
        &["one"],
    );
    // One that comes later is not known yet.
    check("WITH a AS (SELECT * FROM $0), b AS (SELECT 1) SELECT 1", &["-b"]);
    check("WITH a AS (SELECT 1), b AS (SELECT * FROM $0) SELECT 1", &["+a"]);
}

#[test]
fn a_column_that_two_tables_have_is_written_with_its_table() {
    let joined = labels("SELECT $0 FROM spans s JOIN trace_times t ON s.trace_id = t.trace_id");
    assert!(
        joined.contains(&"s.trace_id".into()) && joined.contains(&"t.trace_id".into()),
        "{joined:?}"
    );
    assert!(!joined.contains(&"trace_id".into()), "{joined:?}");
    assert!(joined.contains(&"min_start".into()), "{joined:?}");
}

#[test]
fn using_and_natural_joins_make_one_column_of_two() {
    check(
        "SELECT $0 FROM spans s JOIN trace_times t USING (trace_id)",
        &["+trace_id", "-s.trace_id", "-t.trace_id"],
    );
    check(
        "SELECT $0 FROM spans s NATURAL JOIN trace_times t",
        &["+trace_id", "-t.trace_id"],
    );
    check(
        "SELECT 1 FROM spans s JOIN trace_times t USING ($0)",
        &["trace_id", "-service", "-min_start"],
    );
}

#[test]
fn a_join_is_offered_its_condition() {
    check(
        "SELECT 1 FROM spans c JOIN spans p ON $0",
        &["p.trace_id = c.trace_id AND p.parent_id = c.span_id"],
    );
    check(
        "SELECT 1 FROM spans c JOIN trace_times t ON $0 WHERE true",
        &["t.trace_id = c.trace_id"],
    );
}

#[test]
fn aliases_of_the_list_are_known_later() {
    check(
        "SELECT duration_ms / 1000 AS seconds FROM spans ORDER BY $0",
        &["seconds"],
    );
    check(
        "SELECT duration_ms / 1000 AS seconds FROM spans WHERE sec$0",
        &["seconds"],
    );
    check("SELECT duration_ms / 1000 AS seconds, sec$0 FROM spans", &["seconds"]);
    check("SELECT sec$0, duration_ms / 1000 AS seconds FROM spans", &["-seconds"]);
}

#[test]
fn a_subquery_sees_the_query_around_it_and_a_derived_table_does_not() {
    check(
        "SELECT (SELECT max($0) FROM trace_times t WHERE true) FROM red() r",
        &["+min_start", "+calls"],
    );
    check(
        "SELECT 1 FROM red() r JOIN (SELECT $0 FROM trace_times) t ON true",
        &["+min_start", "-calls"],
    );
}

#[test]
fn fields_of_a_struct_follow_its_column() {
    check(
        "SELECT s.$0 FROM (SELECT {'kind': 'x', 'the size': 2} AS s)",
        &["kind", "the size"],
    );
    assert_eq!(
        accept(
            "SELECT s.th$0 FROM (SELECT {'kind': 'x', 'the size': 2} AS s)",
            "the size"
        ),
        "SELECT s.\"the size\" FROM (SELECT {'kind': 'x', 'the size': 2} AS s)"
    );
}

#[test]
fn parameters_of_lambdas_and_variables_of_lists_are_known_inside() {
    check(
        "SELECT list_transform(services, lambda part, place: $0) FROM traces()",
        &["part", "place"],
    );
    check("SELECT [len($0) for part in services if true] FROM traces()", &["part"]);
    check(
        "SELECT list_transform(services, lambda part: 1), $0 FROM traces()",
        &["-part"],
    );
}

#[test]
fn names_that_need_quotes_get_them() {
    assert_eq!(
        accept("SELECT fr$0 FROM dependencies()", "from"),
        "SELECT \"from\" FROM dependencies()"
    );
    assert_eq!(
        accept("SELECT \"fr$0\" FROM dependencies()", "from"),
        "SELECT \"from\" FROM dependencies()"
    );
    assert_eq!(
        accept("SELECT d.$0 FROM dependencies() d", "to"),
        "SELECT d.\"to\" FROM dependencies() d"
    );
}

#[test]
fn the_whole_word_at_the_cursor_is_replaced() {
    assert_eq!(
        accept("SELECT dur$0ation FROM spans", "duration_ms"),
        "SELECT duration_ms FROM spans"
    );
    assert_eq!(accept("SELECT $0 FROM spans", "service"), "SELECT service FROM spans");
    assert_eq!(
        accept("SELECT ser$0vice, größe FROM spans", "service_name"),
        "SELECT service_name, größe FROM spans"
    );
}

#[test]
fn clauses_follow_each_other_in_their_order() {
    check(
        "SELECT service FROM spans $0",
        &["+WHERE", "+GROUP BY", "+ORDER BY", "+JOIN", "-SELECT", "-FROM", "-AND"],
    );
    check(
        "SELECT service FROM spans WHERE true GROUP BY service $0",
        &["+HAVING", "+ORDER BY", "-WHERE", "-JOIN"],
    );
    check(
        "SELECT service FROM spans WHERE service $0",
        &["+IN", "+LIKE", "+IS NULL"],
    );
    check("SELECT service $0 FROM spans", &["+AS", "-FROM"]);
    check("FROM spans $0", &["+SELECT", "+WHERE"]);
    // DuckDB reads no SELECT there.
    check("FROM spans WHERE true $0", &["-SELECT", "+ORDER BY"]);
    check("SELECT 1 FROM spans GROUP $0", &["BY"]);
    check("SELECT 1 FROM spans WHERE name IS $0", &["NOT NULL", "NULL"]);
    check("SELECT CAST(name AS $0", &["VARCHAR", "-service"]);
    check("SELECT name::$0 FROM spans", &["VARCHAR", "-service"]);
    check("$0", &["SELECT", "FROM", "WITH"]);
    check("SELECT 1; $0", &["SELECT", "FROM", "WITH"]);
    check("WITH a AS (SELECT 1) $0", &["SELECT", "FROM"]);
}

#[test]
fn nothing_is_offered_where_a_new_name_or_a_number_is_given() {
    for fixture in [
        "SELECT service AS $0 FROM spans",
        "SELECT service AS s$0 FROM spans",
        "SELECT 12$0 FROM spans",
        "SELECT 1 -- ser$0",
        "SELECT /* ser$0 */ 1",
        "SELECT $1$0",
        "SELECT 1 FROM spans LIMIT $0",
        "SELECT 'some text$0'",
        "SELECT $$service$0$$",
    ] {
        // A placeholder of SQL looks like the cursor's mark.
        let fixture = fixture.replacen("$1$0", "?$0", 1);
        assert!(
            completions(&fixture).items.is_empty(),
            "{fixture}: {:?}",
            labels(&fixture)
        );
    }
}

#[test]
fn an_open_bracket_does_not_hide_the_rest_of_the_statement() {
    check("SELECT count($0 FROM spans WHERE true", &["+service", "+DISTINCT"]);
    check("SELECT count( FROM spans WHERE $0", &["+service", "+duration_ms"]);
    check("SELECT max(dur$0 FROM spans s JOIN red() r ON true", &["duration_ms"]);
    check(
        "SELECT * FROM (SELECT trace_id, count( FROM trace_times) t WHERE t.$0",
        &["trace_id"],
    );
}

#[test]
fn a_statement_without_a_semicolon_does_not_mix_with_the_next() {
    check(
        "SELECT $0 FROM trace_times\n\nSELECT service FROM spans",
        &["trace_id", "-service"],
    );
    check(
        "SELECT service FROM spans\n\nSELECT $0 FROM trace_times",
        &["trace_id", "-service"],
    );
}

#[test]
fn arguments_of_an_analysis_are_named() {
    check("FROM red($0)", &["group_by", "since", "until", "step"]);
    check(
        "FROM red(group_by := 'agent', $0)",
        &["since", "until", "step", "-group_by"],
    );
    assert_eq!(accept("FROM red(gr$0)", "group_by"), "FROM red(group_by := '$1'$0)");
    assert_eq!(accept("FROM tim$0", "timeline"), "FROM timeline('${1:trace}')$0");
    assert_eq!(accept("FROM tim$0('x')", "timeline"), "FROM timeline('x')");
}

#[test]
fn windows_and_filters_know_their_words() {
    check("SELECT count(*) FILTER ($0) FROM spans", &["WHERE"]);
    check(
        "SELECT sum(duration_ms) OVER ($0) FROM spans",
        &["PARTITION BY", "ORDER BY"],
    );
    check(
        "SELECT sum(duration_ms) OVER (PARTITION BY $0) FROM spans",
        &["+service"],
    );
    check("FROM spans QUALIFY ro$0", &["row_number"]);
    check("SELECT CASE WHEN true $0 FROM spans", &["THEN"]);
}

#[test]
fn other_statements_know_their_tables_and_columns() {
    check("PIVOT sp$0", &["spans"]);
    check("PIVOT spans ON sta$0", &["status_code"]);
    check("PIVOT spans ON service USING co$0", &["count"]);
    check("INSERT INTO trace_times (m$0", &["+min_start", "+max_start"]);
    check("DESCRIBE sp$0", &["spans"]);
    check("UPDATE trace_times SET m$0", &["+min_start"]);
    check("DELETE FROM trace_times WHERE min$0", &["min_start"]);
    check("EXPLAIN ANALYZE SELECT $0 FROM trace_times", &["trace_id", "-service"]);
    check("CREATE TABLE x AS SELECT mi$0 FROM trace_times", &["min_start"]);
    check("COPY (SELECT mi$0 FROM trace_times) TO 'x.csv'", &["min_start"]);
}

#[test]
fn line_ends_and_letters_of_any_kind_keep_the_places_right() {
    for (fixture, expected) in [
        (
            "SELECT '🐦', größe.ser$0\r\nFROM spans größe\r\n",
            "SELECT '🐦', größe.service\r\nFROM spans größe\r\n",
        ),
        (
            "-- é\r\nSELECT 1 FROM spans WHERE 'ü' = '🐦'\r\n  AND ser$0 = 'é'",
            "-- é\r\nSELECT 1 FROM spans WHERE 'ü' = '🐦'\r\n  AND service = 'é'",
        ),
        (
            "WITH größe AS (SELECT service FROM spans) SELECT ser$0 FROM GRÖSSE, größe",
            "WITH größe AS (SELECT service FROM spans) SELECT service FROM GRÖSSE, größe",
        ),
    ] {
        assert_eq!(accept(fixture, "service"), expected);
    }
}

#[test]
fn an_open_quote_does_not_swallow_what_follows() {
    for (fixture, expected) in [
        (
            "SELECT 1 FROM spans WHERE service = 'Ag$0\r\nGROUP BY ALL",
            "SELECT 1 FROM spans WHERE service = 'Agent'\r\nGROUP BY ALL",
        ),
        (
            "SELECT 1 FROM spans WHERE service = 'Ag$0 AND name = 'x' -- it's",
            "SELECT 1 FROM spans WHERE service = 'Agent' AND name = 'x' -- it's",
        ),
        (
            "SELECT 1 FROM spans WHERE service = 'Ag$0'; SELECT 'x'",
            "SELECT 1 FROM spans WHERE service = 'Agent'; SELECT 'x'",
        ),
        (
            "SELECT 1 FROM spans WHERE service = '$0'",
            "SELECT 1 FROM spans WHERE service = 'Agent'",
        ),
        (
            "SELECT 1 FROM spans WHERE service IN ('Flock', 'Ag$0)",
            "SELECT 1 FROM spans WHERE service IN ('Flock', 'Agent')",
        ),
    ] {
        assert_eq!(accept(fixture, "'Agent'"), expected);
    }
}
