//! What goes wrong: exit codes and messages.

use std::fs;

use crate::program::Project;

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_near() {
    let project = Project::empty();
    project.run(&["tracess"]).failed_with(2, "traces");
    project.run(&["red", "--formt", "json"]).failed_with(2, "--format");
    project.run(&["red", "--format", "jsn"]).failed_with(2, "json");
    project
        .run(&["sql", "SELECT 1", "--format", "svg"])
        .failed_with(2, "possible values: text, json, csv, html, arrow");
    project
        .run(&["red", "--since", "yesterday"])
        .failed_with(2, "15m, 2h, 7d");
    project
        .run(&["red", "--since", "1700000000"])
        .failed_with(2, "19 digits");
    project.run(&["red", "--step", "0s"]).failed_with(2, "more than 0");
    project.run(&["sql"]).failed_with(2, "QUERY");
    project.run(&["generate", "--spans", "10"]).failed_with(2, "--into");
    project
        .run(&["generate", "--spans", "10", "--into", "x.duckdb", "--error-rate", "7"])
        .failed_with(2, "from 0 to 1");
}

#[test]
fn without_traces_it_says_what_was_looked_for_and_what_to_do() {
    let project = Project::empty();
    let outcome = project.run(&["red"]).failed_with(1, ".flock/traces.duckdb");
    assert!(
        outcome.err.starts_with("error: ") && outcome.err.trim_end().lines().count() == 1,
        "{}",
        outcome.err
    );
    assert!(
        outcome.err.contains("FLOCK_AUTO_TRACE=true") && outcome.err.contains("--db"),
        "{}",
        outcome.err
    );
    assert!(!project.path(".flockscope").exists(), "a search leaves nothing behind");
}

#[test]
fn a_path_that_is_nothing_or_no_trace_file_is_a_clear_error() {
    let project = Project::empty();
    project
        .run(&["red", "--db", "missing.duckdb"])
        .failed_with(1, "missing.duckdb: no such file");
    fs::write(project.path("notes.txt"), "only some text").expect("a file");
    project
        .run(&["red", "--db", "notes.txt"])
        .failed_with(1, "text that is not JSON");
    fs::create_dir(project.path("folder")).expect("a folder");
    project
        .run(&["red", "--db", "folder"])
        .failed_with(1, "without any *.parquet");
    let mut header = vec![0_u8; 20_000];
    header[8..12].copy_from_slice(b"DUCK");
    fs::write(project.path("broken.duckdb"), header).expect("a file");
    let outcome = project.run(&["red", "--db", "broken.duckdb"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.err);
    assert!(outcome.err.contains("broken.duckdb"), "{}", outcome.err);
}

#[test]
fn an_empty_store_ends_with_3_and_still_gives_valid_json() {
    let project = Project::empty();
    project
        .run(&["generate", "--spans", "0", "--into", "empty.duckdb"])
        .succeeded();
    for command in [
        "red",
        "deps",
        "traces",
        "exceptions",
        "critical",
        "operations",
        "attributes",
    ] {
        let outcome = project
            .run(&[command, "--db", "empty.duckdb", "--format", "json"])
            .failed_with(3, "holds no spans yet");
        assert_eq!(outcome.out, "[]\n", "{command}");
        project
            .run(&[command, "--db", "empty.duckdb"])
            .failed_with(3, "holds no spans yet");
    }
    project
        .run(&["timeline", "--db", "empty.duckdb"])
        .failed_with(3, "holds no spans yet");
    project
        .run(&["stats", "--db", "empty.duckdb"])
        .failed_with(3, "holds no spans yet");
    let counted = project.json(&[
        "sql",
        "SELECT count(*) AS n FROM spans",
        "--db",
        "empty.duckdb",
        "--format",
        "json",
    ]);
    assert_eq!(counted[0]["n"], 0);
}

#[test]
fn a_trace_that_is_not_there_ends_with_3_and_an_ambiguous_one_with_2() {
    let project = Project::with_sample();
    project
        .run(&["timeline", "nothex"])
        .failed_with(3, "no trace begins with nothex");
    let outcome = project
        .run(&["timeline", "0"])
        .failed_with(2, "several traces begin with 0");
    assert!(
        outcome.err.contains("00217e559b361e663550c898d5fe164c") || outcome.err.contains('…'),
        "{}",
        outcome.err
    );
    project
        .run(&["timeline", "latest", "--until", "2020-01-01"])
        .failed_with(3, "no trace starts in this time");
    project
        .run(&["attributes", "no.such.key"])
        .failed_with(3, "no span carries the attribute no.such.key");
    project
        .run(&["analyses", "redd"])
        .failed_with(3, "there are: attribute_keys");
}

#[test]
fn quiet_leaves_only_errors_on_stderr() {
    let project = Project::with_sample();
    let noisy = project
        .run(&["sql", "FROM spans", "--rows", "3", "--format", "csv"])
        .succeeded();
    assert!(noisy.err.contains("3 rows shown, there are more"), "{}", noisy.err);
    let quiet = project
        .run(&["sql", "FROM spans", "--rows", "3", "--format", "csv", "--quiet"])
        .succeeded();
    assert_eq!(quiet.err, "");
    assert_eq!(quiet.out, noisy.out);
}

#[test]
fn every_command_has_help_with_an_example() {
    let project = Project::empty();
    let help = project.run(&["--help"]).succeeded().out;
    let commands = help
        .split("Commands:")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .expect("a list of commands");
    let mut seen = 0;
    for command in commands
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
    {
        let help = project.run(&[command, "--help"]).succeeded().out;
        assert!(help.contains(&format!("  flockscope {command}")), "{command}: {help}");
        seen += 1;
    }
    assert!(seen >= 15, "{commands}");
    assert!(
        help.contains("Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 nothing found"),
        "{help}"
    );
}
