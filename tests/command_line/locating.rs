//! Which traces are meant: by path, by project, and where their store is.

use std::fs;

use crate::program::{Project, unpacked};

#[test]
fn a_project_is_found_from_below_and_its_store_lies_beside_its_traces() {
    let project = Project::with_sample();
    let below = project.path("src/deep");
    fs::create_dir_all(&below).expect("a folder");
    let output = project
        .command(&["stats", "--format", "json"])
        .current_dir(&below)
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(project.path(".flockscope/store.duckdb").is_file());
    assert_eq!(
        fs::read_to_string(project.path(".flockscope/.gitignore")).expect("a file"),
        "*\n"
    );
    // Once Flock's file is gone, the store still answers.
    fs::remove_dir_all(project.path(".flock")).expect("removed");
    assert_eq!(project.json(&["stats", "--format", "json"])["spans"], 6797);
}

#[test]
fn all_ways_to_name_a_project_are_the_same() {
    let project = Project::with_sample();
    for db in [".", ".flock", ".flock/traces.duckdb"] {
        assert_eq!(
            project.json(&["stats", "--db", db, "--format", "json"])["spans"],
            6797,
            "{db}"
        );
    }
    for db in [".flockscope", ".flockscope/store.duckdb"] {
        assert_eq!(
            project.json(&["stats", "--db", db, "--format", "json"])["spans"],
            6797,
            "{db}"
        );
    }
    assert!(!project.cache().join("flockscope/stores").exists());
}

#[test]
fn a_loose_file_has_its_store_in_the_cache_and_is_never_changed() {
    let project = Project::empty();
    let file = project.path("copy of traces.db");
    let content = unpacked("traces.duckdb.gz");
    fs::write(&file, &content).expect("a file");
    for _ in 0..2 {
        let stats = project.json(&["stats", "--db", "copy of traces.db", "--format", "json"]);
        assert_eq!(stats["spans"], 6797);
        let store = stats["store"].as_str().expect("a path");
        assert!(store.starts_with(&*project.cache().to_string_lossy()), "{store}");
    }
    assert!(fs::read(&file).expect("the file") == content, "the file was changed");
    let left: Vec<_> = fs::read_dir(project.path(""))
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(left, ["copy of traces.db"]);
}

#[test]
fn another_file_under_the_same_name_does_not_mix_with_the_first() {
    let project = Project::empty();
    let file = project.path("traces.duckdb");
    fs::write(&file, unpacked("traces.duckdb.gz")).expect("a file");
    assert_eq!(
        project.json(&["stats", "--db", "traces.duckdb", "--format", "json"])["spans"],
        6797
    );
    fs::write(&file, unpacked("sources/flock-2.0.0.duckdb.gz")).expect("a file");
    let fewer = project.json(&["stats", "--db", "traces.duckdb", "--format", "json"])["spans"]
        .as_i64()
        .expect("a count");
    assert!(fewer > 0 && fewer < 1000, "{fewer} spans");
}

#[test]
fn files_of_older_duckdbs_are_read_too() {
    let project = Project::empty();
    fs::write(project.path("old.duckdb"), unpacked("traces-storage64.duckdb.gz")).expect("a file");
    assert_eq!(
        project.json(&["stats", "--db", "old.duckdb", "--format", "json"])["spans"],
        6797
    );
}

#[test]
fn otlp_and_parquet_are_answered_from_without_a_store_left_behind() {
    let project = Project::empty();
    fs::write(project.path("collector.jsonl"), unpacked("sources/flock.otlp.jsonl.gz")).expect("a file");
    let found = project.json(&["red", "--db", "collector.jsonl", "--format", "json"]);
    assert!(found.as_array().is_some_and(|rows| !rows.is_empty()));
    assert!(!project.path(".flockscope").exists() && !project.path("collector.jsonl.d").exists());
}
