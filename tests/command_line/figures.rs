//! The figures of the JSON contracts, against those that were computed independently in Python.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{Project, expected};

/// Compares two lists of objects that are told apart by `keys`: names, order of the names, and every figure.
fn assert_same(found: &Value, expected: &Value, keys: &[&str], fields: &[&str]) {
    let by_key = |rows: &Value| -> BTreeMap<Vec<String>, Value> {
        let rows = rows.as_array().expect("an array");
        let key = |row: &Value| keys.iter().map(|key| row[*key].to_string()).collect();
        rows.iter().map(|row| (key(row), row.clone())).collect()
    };
    let (found_by_key, expected) = (by_key(found), by_key(expected));
    assert_eq!(
        found_by_key.len(),
        found.as_array().map_or(0, Vec::len),
        "a group comes twice"
    );
    assert_eq!(
        found_by_key.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (key, row) in &found_by_key {
        for field in fields {
            let (found, expected) = (&row[*field], &expected[key][*field]);
            let is_same = match (found.as_f64(), expected.as_f64()) {
                // The expected figures have nine decimals.
                (Some(found), Some(expected)) => (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
                _ => found == expected,
            };
            assert!(is_same, "{key:?} {field}: found {found}, expected {expected}");
        }
    }
}

/// The names of each object's fields in the order in which they are written, taken from the text.
fn field_names(json: &str) -> Vec<Vec<&str>> {
    let lines = json.lines().map(str::trim).filter(|line| line.starts_with('{'));
    let names = lines.map(|line| {
        line.split(",\"")
            .filter_map(|part| part.trim_start_matches("{\"").split("\":").next())
            .collect()
    });
    names.collect()
}

const FIGURES: [&str; 10] = [
    "calls",
    "errors",
    "error_rate",
    "rate_per_s",
    "avg_ms",
    "p50_ms",
    "p90_ms",
    "p95_ms",
    "p99_ms",
    "max_ms",
];

#[test]
fn red_by_operation_has_the_documented_fields_and_the_expected_figures() {
    let project = Project::with_sample();
    let outcome = project.run(&["red", "--format", "json"]).succeeded();
    let mut names = vec!["service", "operation"];
    names.extend(FIGURES);
    for found in field_names(&outcome.out) {
        assert_eq!(found, names);
    }
    let found: Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(found.as_array().map(Vec::len), Some(105));
    assert_same(
        &found,
        &expected("red")["operation"],
        &["service", "operation"],
        &FIGURES,
    );
}

#[test]
fn red_by_other_keys_agrees_too() {
    let project = Project::with_sample();
    for key in ["service", "agent", "module"] {
        let found = project.json(&["red", "--by", key, "--format", "json"]);
        assert_same(&found, &expected("red")[key], &[key], &FIGURES);
    }
}

#[test]
fn dependencies_have_the_documented_fields_and_the_expected_figures() {
    let project = Project::with_sample();
    let outcome = project
        .run(&["deps", "--level", "agent", "--format", "json"])
        .succeeded();
    for found in field_names(&outcome.out) {
        assert_eq!(found, ["from", "to", "calls", "errors", "p50_ms", "p95_ms", "p99_ms"]);
    }
    for level in ["agent", "service", "operation"] {
        let found = project.json(&["deps", "--level", level, "--format", "json"]);
        let fields = ["calls", "errors", "p50_ms", "p95_ms", "p99_ms"];
        assert_same(&found, &expected("dependencies")[level], &["from", "to"], &fields);
    }
}

#[test]
fn a_time_series_adds_up_to_the_whole() {
    let project = Project::with_sample();
    let series = project.json(&["red", "--by", "service", "--step", "5m", "--format", "json"]);
    let mut calls: BTreeMap<String, i64> = BTreeMap::new();
    for row in series.as_array().expect("an array") {
        assert_eq!(row["bucket_time"].as_i64().expect("a time") % 300_000_000_000, 0);
        *calls.entry(row["service"].to_string()).or_default() += row["calls"].as_i64().expect("a count");
    }
    let expected: BTreeMap<String, i64> = expected("red")["service"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|row| (row["service"].to_string(), row["calls"].as_i64().expect("a count")))
        .collect();
    assert_eq!(calls, expected);
}

#[test]
fn statistics_are_those_of_the_sample() {
    let found = Project::with_sample().json(&["stats", "--format", "json"]);
    for (name, figure) in expected("statistics").as_object().expect("an object") {
        assert_eq!(&found[name], figure, "{name}");
    }
    assert!(
        found["bytes"].as_u64().is_some_and(|bytes| bytes > 1_000_000),
        "{found}"
    );
}

#[test]
fn traces_and_their_windows_are_those_of_the_sample() {
    let project = Project::with_sample();
    let expected = expected("traces");
    let expected = expected.as_array().expect("an array");
    let ids = |rows: &[Value]| -> Vec<String> { rows.iter().map(|row| row["trace_id"].to_string()).collect() };
    let mut newest = expected.clone();
    newest.sort_by_key(|row| {
        (
            std::cmp::Reverse(row["start_time"].as_i64()),
            row["trace_id"].to_string(),
        )
    });

    let all = project.json(&["traces", "--limit", "1000", "--format", "json"]);
    assert_eq!(ids(all.as_array().expect("an array")), ids(&newest));

    let middle = newest[100]["start_time"].to_string();
    let later = project.json(&["traces", "--limit", "1000", "--since", &middle, "--format", "json"]);
    assert_eq!(ids(later.as_array().expect("an array")), ids(&newest[..=100]));
    let earlier = project.json(&["traces", "--limit", "1000", "--until", &middle, "--format", "json"]);
    assert_eq!(ids(earlier.as_array().expect("an array")), ids(&newest[101..]));

    let failed: Vec<Value> = newest.into_iter().filter(|row| row["errors"] != 0).collect();
    let found = project.json(&["traces", "--limit", "1000", "--errors", "--format", "json"]);
    assert_eq!(ids(found.as_array().expect("an array")), ids(&failed));
}

#[test]
fn the_other_lists_have_as_many_rows_as_expected() {
    let project = Project::with_sample();
    for (command, name) in [
        ("critical", "critical_path"),
        ("exceptions", "exceptions"),
        ("operations", "operations"),
        ("attributes", "attribute_keys"),
    ] {
        let found = project.json(&[command, "--format", "json"]);
        let rows = |value: &Value| value.as_array().map(Vec::len);
        assert_eq!(rows(&found), rows(&expected(name)), "{command}");
    }
    let found = project.json(&["attributes", "flock.workflow", "--format", "json"]);
    assert_eq!(found, expected("attribute_values")["flock.workflow"]);
}
