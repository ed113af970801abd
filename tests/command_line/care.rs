//! Archive, backup, restore, doctor, and how long traces are kept.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::flock_writer::{flock_file, write_span_at};
use crate::program::Project;

const DAY: i64 = 86_400_000_000_000;

/// The same rows, but for the last digits of figures: sums of floating-point numbers depend on their order.
fn rounded(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(rounded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        Value::Number(number) if number.is_f64() => format!("{:.9e}", number.as_f64().unwrap_or(f64::NAN)).into(),
        other => other,
    }
}

/// A project whose store holds three days of spans of January 2024.
fn project_of_january() -> Project {
    let project = Project::empty();
    let made = [
        "generate",
        "--spans",
        "3000",
        "--shape",
        "lean",
        "--start",
        "2024-01-10",
        "--over",
        "3d",
    ];
    project
        .run(&[&made[..], &["--into", "made.duckdb"]].concat())
        .succeeded();
    project.run(&["import", "made.duckdb"]).succeeded();
    project
}

#[test]
fn an_archive_changes_no_figure() {
    let project = project_of_january();
    let figures = || {
        let commands = [
            &["red"][..],
            &["deps", "--level", "service"],
            &["traces", "-n", "5000"],
            &["critical"],
            &["exceptions"],
        ];
        commands.map(|command| rounded(project.json(&[command, &["--format", "json"]].concat())))
    };
    let before = figures();
    let days = project.json(&["archive", "--older-than", "7d", "--format", "json"]);
    let days = days.as_array().expect("an array");
    let names: Vec<&str> = days.iter().filter_map(|day| day["day"].as_str()).collect();
    assert_eq!(&names[..3], ["2024-01-10", "2024-01-11", "2024-01-12"]);
    assert_eq!(days.iter().filter_map(|day| day["spans"].as_u64()).sum::<u64>(), 3000);
    let file = days[0]["file"].as_str().expect("a name");
    assert!(project.path(".flockscope/store.duckdb.d/archive").join(file).is_file());
    assert!(figures() == before, "a figure changed");
    let nothing = project.run(&["archive", "--older-than", "7d"]).succeeded().out;
    assert!(nothing.starts_with("Nothing to archive"), "{nothing}");
    project.run(&["archive"]).failed_with(2, "--older-than");
}

#[test]
#[cfg(unix)]
fn an_archive_is_read_too_while_watch_holds_the_store() {
    use crate::watcher::Watching;

    let project = project_of_january();
    let before = rounded(project.json(&["red", "--format", "json"]));
    project.run(&["archive", "--older-than", "7d"]).succeeded();
    let watching = Watching::start(&project, &[]);
    let outcome = project.run(&["red", "--format", "json"]).succeeded();
    assert!(outcome.err.contains("reading a copy of"), "{}", outcome.err);
    let found = serde_json::from_str(&outcome.out).expect("JSON");
    assert!(rounded(found) == before, "a figure changed");
    project
        .run(&["archive", "--older-than", "7d"])
        .failed_with(1, "another process holds the store");
    assert_eq!(watching.end("-INT").0, Some(0));
}

#[test]
fn a_backup_restores_what_was_there() {
    let project = project_of_january();
    let red = |db: &str| rounded(project.json(&["red", "--db", db, "--format", "json"]));
    let before = red(".flockscope");
    project.run(&["archive", "--older-than", "7d"]).succeeded();
    let manifest = project.json(&["backup", "saved", "--format", "json"]);
    assert_eq!(manifest["archived_spans"], 3000);
    project.run(&["backup", "saved"]).failed_with(1, "exists already");

    project
        .run(&[
            "generate",
            "--spans",
            "500",
            "--seed",
            "9",
            "--into",
            ".flockscope/store.duckdb",
        ])
        .succeeded();
    assert!(red(".flockscope") != before, "nothing was added");
    project.run(&["restore", "saved"]).failed_with(1, "add --replace");
    let restored = project.json(&["restore", "saved", "--replace", "--format", "json"]);
    assert_eq!(restored["spans"], 3000);
    assert!(red(".flockscope") == before, "a figure changed");
    let kept = restored["kept"].as_str().expect("a path");
    assert_eq!(
        project.json(&["stats", "--db", kept, "--format", "json"])["spans"],
        3500
    );

    project
        .run(&["restore", "saved", "--into", "elsewhere.duckdb"])
        .succeeded();
    assert!(red("elsewhere.duckdb") == before, "a figure changed");
    let file = project.path("saved/store.duckdb");
    let mut content = fs::read(&file).expect("a file");
    content[9000] ^= 1;
    fs::write(&file, content).expect("written");
    project
        .run(&["restore", "saved", "--into", "never.duckdb"])
        .failed_with(1, "not a sound backup");
    assert!(!project.path("never.duckdb").exists());
}

#[test]
fn a_damaged_store_is_found_and_what_can_be_read_is_saved() {
    let project = Project::empty();
    project
        .run(&["generate", "--spans", "4000", "--into", "store.duckdb"])
        .succeeded();
    assert!(
        project
            .run(&["doctor", "--deep", "--db", "store.duckdb"])
            .succeeded()
            .out
            .contains("sound, 4,000 spans")
    );

    let file = project.path("store.duckdb");
    let mut content = fs::read(&file).expect("a file");
    let middle = content.len() / 2;
    content[middle..middle + 4096].fill(0xAA);
    fs::write(&file, content).expect("written");
    let outcome = project
        .run(&["doctor", "--deep", "--db", "store.duckdb"])
        .failed_with(4, "");
    assert!(
        outcome.out.contains("✗ damaged:") && outcome.out.contains("restore"),
        "{}",
        outcome.out
    );
    let report = project
        .run(&["doctor", "--deep", "--db", "store.duckdb", "--format", "json"])
        .failed_with(4, "");
    let report: Value = serde_json::from_str(&report.out).expect("JSON");
    assert_eq!(report["findings"][0]["severity"], "error");

    let rescued = project.json(&[
        "doctor",
        "--db",
        "store.duckdb",
        "--rescue",
        "saved.duckdb",
        "--format",
        "json",
    ]);
    let count = |name: &str| rescued[name].as_u64().expect("a count");
    assert!(
        count("spans") <= 4000 && count("spans") + count("lost_rows") >= 4000,
        "{rescued}"
    );
    let query = "SELECT count(*) AS n FROM spans";
    let saved = project.json(&["sql", query, "--db", "saved.duckdb", "--format", "json"]);
    assert_eq!(saved[0]["n"], rescued["spans"]);
}

#[test]
fn a_project_keeps_its_traces_as_long_as_its_settings_say() {
    let project = Project::empty();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_nanos() as i64;
    write_span_at(&flock_file(&project), 1, now - 100 * DAY);
    write_span_at(&flock_file(&project), 2, now - DAY);
    let spans = || project.json(&["stats", "--format", "json"])["spans"].clone();
    assert_eq!(spans(), 2);

    fs::write(project.path(".env"), "FLOCK_TRACE_TTL_DAYS=soon\n").expect("a file");
    let outcome = project
        .run(&["stats"])
        .failed_with(1, "FLOCK_TRACE_TTL_DAYS is \"soon\"");
    assert!(outcome.err.contains("a whole number of days"), "{}", outcome.err);
    fs::write(project.path(".env"), "OTHER=1\nFLOCK_TRACE_TTL_DAYS=30\n").expect("a file");
    let outcome = project.run(&["stats"]).succeeded();
    assert!(
        outcome
            .err
            .contains("1 spans of 1 traces were older than FLOCK_TRACE_TTL_DAYS"),
        "{}",
        outcome.err
    );
    assert_eq!(spans(), 1);
    // Flock's own file is Flock's.
    fs::remove_file(project.path(".env")).expect("removed");
    project.run(&["import", ".flock/traces.duckdb"]).succeeded();
    assert_eq!(spans(), 2);
    // The environment is above the file.
    fs::write(project.path(".env"), "FLOCK_TRACE_TTL_DAYS=30\n").expect("a file");
    let output = project
        .command(&["stats"])
        .env("FLOCK_TRACE_TTL_DAYS", "365")
        .output()
        .expect("the program runs");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("spans "));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("older than"));
}

#[test]
fn what_is_no_store_is_not_cared_for() {
    let project = Project::empty();
    fs::write(
        project.path("collector.jsonl"),
        crate::program::unpacked("sources/flock.otlp.jsonl.gz"),
    )
    .expect("a file");
    project
        .run(&["backup", "saved", "--db", "collector.jsonl"])
        .failed_with(2, "flockscope import puts it into one");
    project
        .run(&["doctor", "--db", "collector.jsonl"])
        .failed_with(2, "is not a store");
    write_span_at(&flock_file(&project), 1, DAY);
    project.run(&["doctor"]).failed_with(3, "has no store yet");
}
