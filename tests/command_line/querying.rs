//! A user's own SQL: its forms, its limits, what is refused.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::program::{Outcome, Project};

#[test]
fn an_answer_is_an_array_of_objects_with_json_types() {
    let project = Project::with_sample();
    let found = project.json(&[
        "sql",
        "SELECT 1 AS n, 2.5::DOUBLE AS x, 'a\"b' AS t, NULL::INTEGER AS nothing, true AS yes, [1, 2] AS list,
                {'k': 'v'} AS s, DATE '2026-11-23' AS d, 170141183460469231731687303715884105727::HUGEINT AS huge, 1 AS n",
        "--format",
        "json",
    ]);
    let row = &found[0];
    assert_eq!(row["n"], 1);
    assert_eq!(row["x"], 2.5);
    assert_eq!(row["t"], "a\"b");
    assert_eq!(row["nothing"], json!(null));
    assert_eq!(row["yes"], true);
    assert_eq!(row["list"], json!([1, 2]));
    assert_eq!(row["s"], json!({"k": "v"}));
    assert_eq!(row["d"], "2026-11-23");
    let names: Vec<&String> = row.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 10, "{names:?}");
}

#[test]
fn no_rows_are_an_empty_array() {
    let project = Project::with_sample();
    assert_eq!(
        project.json(&["sql", "FROM spans WHERE false", "--format", "json"]),
        json!([])
    );
}

#[test]
fn every_type_of_duckdb_can_be_written_in_every_form() {
    let project = Project::with_sample();
    let query = "SELECT INTERVAL 3 DAY AS i, MAP {1: 'a'} AS m, 'x'::BLOB AS b, uuid() AS u, TIME '10:00' AS t,
                 TIMESTAMP '2026-11-23 10:00' AS ts, 1.25::DECIMAL(10, 2) AS dec, 'on'::ENUM('on', 'off') AS e,
                 union_value(num := 1) AS un, 'nan'::DOUBLE AS nan";
    for format in ["text", "json", "csv", "html", "arrow"] {
        project.run(&["sql", query, "--format", format]).succeeded();
    }
    let row = &project.json(&["sql", query, "--format", "json"])[0];
    assert_eq!(row["nan"], json!(null), "JSON has no such number");
}

#[test]
fn the_analyses_can_be_called() {
    let project = Project::with_sample();
    let agents = project.json(&[
        "sql",
        "SELECT agent, calls FROM red(group_by := 'agent') ORDER BY agent",
        "--format",
        "json",
    ]);
    let names: Vec<&str> = agents
        .as_array()
        .expect("an array")
        .iter()
        .filter_map(|row| row["agent"].as_str())
        .collect();
    assert_eq!(names, ["archivist", "intake", "researcher", "responder", "risk"]);
}

#[test]
fn anything_but_one_read_only_statement_is_refused() {
    let project = Project::with_sample();
    let target = project.path("stolen.csv");
    let copy = format!("COPY spans TO '{}'", target.display());
    for query in [
        format!("SELECT 1; {copy}"),
        "DELETE FROM stored_spans".into(),
        "DROP VIEW spans".into(),
        "ATTACH 'other.duckdb'".into(),
        "SET memory_limit = '100GB'".into(),
        "EXPLAIN ANALYZE DELETE FROM stored_spans".into(),
        String::new(),
    ] {
        project
            .run(&["sql", &query])
            .failed_with(1, "only one read-only statement is allowed");
    }
    // DuckDB itself refuses to touch the file, before it is asked what the statement is.
    assert_eq!(project.run(&["sql", &copy]).code, Some(1));
    fs::write(project.path("secret.csv"), "a,b\n1,2\n").expect("a file");
    let secret = project.path("secret.csv");
    let outcome = project.run(&["sql", &format!("FROM read_csv('{}')", secret.display())]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.out);
    assert!(!target.exists());
    assert_eq!(
        project.json(&["sql", "SELECT count(*) AS n FROM spans", "--format", "json"])[0]["n"],
        6797
    );
    // What a list of forbidden words would refuse.
    project
        .run(&[
            "sql",
            "WITH x AS (SELECT created_at FROM spans) SELECT max(created_at) AS updated FROM x",
        ])
        .succeeded();
}

#[test]
fn rows_and_time_have_limits_that_are_said() {
    let project = Project::with_sample();
    let outcome = project
        .run(&["sql", "FROM range(20000)", "--format", "csv"])
        .succeeded();
    assert_eq!(outcome.out.lines().count(), 10_001);
    assert!(
        outcome.err.contains("10,000 rows shown, there are more"),
        "{}",
        outcome.err
    );
    let whole = project
        .run(&["sql", "FROM range(10000)", "--format", "csv"])
        .succeeded();
    assert_eq!((whole.out.lines().count(), whole.err.as_str()), (10_001, ""));
    let endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b";
    project
        .run(&["sql", endless, "--time", "300ms"])
        .failed_with(1, "ran longer than 0.3 s");
}

#[test]
fn a_query_comes_from_an_argument_a_file_or_stdin() {
    let project = Project::with_sample();
    let query = "SELECT count(*) AS n FROM spans";
    let expected = project.run(&["sql", query, "--format", "csv"]).succeeded().out;
    assert_eq!(expected, "n\n6797\n");
    fs::write(project.path("query.sql"), format!("-- how many\n{query};\n")).expect("a file");
    assert_eq!(
        project
            .run(&["sql", "--file", "query.sql", "--format", "csv"])
            .succeeded()
            .out,
        expected
    );
    project
        .run(&["sql", "--file", "missing.sql"])
        .failed_with(1, "missing.sql");

    let mut child = project
        .command(&["sql", "-", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child
        .stdin
        .take()
        .expect("stdin")
        .write_all(query.as_bytes())
        .expect("written");
    assert_eq!(
        Outcome::of(child.wait_with_output().expect("an end")).succeeded().out,
        expected
    );
}

#[test]
fn a_time_with_a_zone_is_shown_in_every_form() {
    let project = Project::with_sample();
    for (format, words) in [
        ("text", "2001-09-09T01:46:40"),
        ("json", "2001-09-09T01:46:40"),
        ("csv", "2001-09-09T01:46:40"),
    ] {
        let answer = project
            .run(&["sql", "SELECT to_timestamp(1000000000) AS time", "--format", format])
            .succeeded()
            .out;
        assert!(answer.contains(words), "{format}: {answer}");
    }
}

#[test]
fn an_error_in_the_sql_is_told_in_duckdbs_words() {
    let project = Project::with_sample();
    project
        .run(&["sql", "SELECT servce FROM spans"])
        .failed_with(1, "service");
    project.run(&["sql", "SELEC 1"]).failed_with(1, "syntax error");
}
