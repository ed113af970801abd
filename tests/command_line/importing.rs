//! Files into a store, and synthetic spans.

use std::fs;

use crate::program::{Project, unpacked};

#[test]
fn an_import_reports_what_it_read_and_a_second_one_replaces() {
    let project = Project::empty();
    fs::write(project.path("flock.duckdb"), unpacked("traces.duckdb.gz")).expect("a file");
    let first = project.json(&["import", "flock.duckdb", "--into", "all.duckdb", "--format", "json"]);
    assert_eq!(first[0]["read"], 6797);
    assert_eq!((&first[0]["stored"], &first[0]["replaced"]), (&6797.into(), &0.into()));
    let second = project
        .run(&["import", "flock.duckdb", "--into", "all.duckdb"])
        .succeeded()
        .out;
    assert!(
        second.contains("6,797 spans read, 6,797 stored, 6,797 of them in place of earlier ones"),
        "{second}"
    );
    assert_eq!(
        project.json(&["stats", "--db", "all.duckdb", "--format", "json"])["spans"],
        6797
    );
}

#[test]
fn what_was_left_out_and_mended_is_counted_and_said() {
    let project = Project::empty();
    let spans = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"spans":[
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"ok","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"},
        {"traceId":"","spanId":"eee19b7ec3c1b175","name":"no trace","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"},
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b176","name":"backwards","startTimeUnixNano":"1544712661000000000","endTimeUnixNano":"1544712660000000000"}
    ]}]}]}"#;
    fs::write(project.path("few.json"), spans.replace('\n', "")).expect("a file");
    let report = project.json(&["import", "few.json", "--into", "few.duckdb", "--format", "json"]);
    assert_eq!(
        (&report[0]["read"], &report[0]["stored"]),
        (&3.into(), &2.into()),
        "{report}"
    );
    assert_eq!(report[0]["skipped"]["no_trace_id"], 1, "{report}");
    assert_eq!(report[0]["repaired"]["negative_duration"], 1, "{report}");
    let text = project
        .run(&["import", "few.json", "--into", "few.duckdb"])
        .succeeded()
        .out;
    assert!(
        text.contains("1 left out: no trace id") && text.contains("1 mended: end before start"),
        "{text}"
    );
}

#[test]
fn an_import_goes_into_the_projects_own_store_by_default() {
    let project = Project::with_sample();
    let span = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"other.program","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000"}"#;
    let message = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    fs::write(project.path("other.jsonl"), message).expect("a file");
    project.run(&["import", "other.jsonl"]).succeeded();
    assert_eq!(project.json(&["stats", "--format", "json"])["spans"], 6798);
    project
        .run(&["import", ".flockscope/store.duckdb"])
        .failed_with(2, "is the store itself");
    project.run(&["import", "missing.json"]).failed_with(1, "missing.json");
}

#[test]
fn generated_spans_are_the_same_for_the_same_seed() {
    let project = Project::empty();
    let sum = "SELECT count(*) AS n, sum(duration_ms) AS ms, min(span_id) AS first FROM spans";
    let mut found = Vec::new();
    for (store, seed, shape) in [
        ("a.duckdb", "7", "lean"),
        ("b.duckdb", "7", "lean"),
        ("c.duckdb", "8", "lean"),
    ] {
        project
            .run(&[
                "generate", "--spans", "2500", "--seed", seed, "--shape", shape, "--into", store,
            ])
            .succeeded();
        found.push(project.json(&["sql", sum, "--db", store, "--format", "json"]));
    }
    assert_eq!(found[0][0]["n"], 2500);
    assert_eq!(found[0], found[1]);
    assert_ne!(found[0], found[2]);
}
