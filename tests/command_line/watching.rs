//! `watch`, while another process writes as Flock does.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::flock_writer::{flock_file, span_id, write_span};
use crate::program::Project;
use crate::watcher::Watching;

fn id_of(line: &str) -> String {
    let span: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    span["span_id"].as_str().expect("an id").to_owned()
}

/// One whose commands open the store themselves, and one whose commands ask the process that keeps the traces.
fn both_ways() -> [Project; 2] {
    [Project::empty(), Project::empty().with_process()]
}

#[test]
fn every_span_is_shown_once_soon_after_it_was_written() {
    for project in both_ways() {
        let watching = Watching::start(&project, &["--format", "json"]);
        let mut delays = Vec::new();
        for number in 0..25 {
            write_span(&flock_file(&project), number);
            let written = Instant::now();
            assert_eq!(id_of(&watching.next_line()), span_id(number));
            delays.push(written.elapsed());
        }
        delays.sort();
        assert!(delays[delays.len() / 2] < Duration::from_millis(500), "{delays:?}");
        let (code, rest) = watching.end("-TERM");
        assert_eq!((code, rest), (Some(0), Vec::new()));
        assert_eq!(project.json(&["stats", "--format", "json"])["spans"], 25);
    }
}

#[test]
fn a_line_of_json_has_the_documented_fields() {
    for project in both_ways() {
        let watching = Watching::start(&project, &["--format", "json"]);
        write_span(&flock_file(&project), 5);
        let span: Value = serde_json::from_str(&watching.next_line()).expect("JSON");
        let mut names: Vec<&str> = span
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        names.sort_unstable();
        let mut expected = [
            "trace_id",
            "span_id",
            "parent_id",
            "name",
            "service",
            "operation",
            "agent",
            "kind",
            "start_time",
            "end_time",
            "duration_ms",
            "status_code",
            "status_description",
            "attributes",
            "events",
            "links",
            "resource",
            "scope_name",
            "scope_version",
            "created_at",
            "repair",
        ];
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(
            (&span["status_code"], &span["agent"]),
            (&"ERROR".into(), &"intake".into())
        );
        assert_eq!(span["attributes"]["agent.name"], "intake");
        assert_eq!(span["duration_ms"], 0.5);
    }
}

#[test]
fn spans_written_just_before_the_end_are_still_shown() {
    let project = Project::empty();
    let watching = Watching::start(&project, &["--format", "json"]);
    for number in 0..5 {
        write_span(&flock_file(&project), number);
    }
    let (code, lines) = watching.end("-INT");
    assert_eq!(code, Some(0));
    let ids: Vec<String> = lines.iter().map(|line| id_of(line)).collect();
    assert_eq!(ids, (0..5).map(span_id).collect::<Vec<_>>());
}

#[test]
fn what_was_there_before_is_shown_only_when_asked_for() {
    for project in both_ways() {
        for number in 0..3 {
            write_span(&flock_file(&project), number);
        }
        let watching = Watching::start(&project, &["--format", "json"]);
        write_span(&flock_file(&project), 3);
        assert_eq!(id_of(&watching.next_line()), span_id(3));
        let (_, rest) = watching.end("-INT");
        assert_eq!(rest, Vec::<String>::new());

        let watching = Watching::start(&project, &["--format", "json", "--from-start"]);
        let ids: Vec<String> = (0..4).map(|_| id_of(&watching.next_line())).collect();
        assert_eq!(ids, (0..4).map(span_id).collect::<Vec<_>>());
    }
}

#[test]
fn more_than_one_answer_may_hold_is_shown_to_its_end() {
    let project = Project::with_sample().with_process();
    std::fs::write(project.path("flockscope.toml"), "[sql]\nanswer_size = \"1MiB\"\n").expect("a file");
    let watching = Watching::start(&project, &["--format", "json", "--from-start"]);
    let mut ids: Vec<String> = (0..6797).map(|_| id_of(&watching.next_line())).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6797);
    let (code, rest) = watching.end("-INT");
    assert_eq!((code, rest), (Some(0), Vec::new()));
}

#[test]
fn a_file_that_is_cleared_is_not_shown_again() {
    for project in both_ways() {
        let watching = Watching::start(&project, &["--format", "json"]);
        for number in 0..3 {
            write_span(&flock_file(&project), number);
            watching.next_line();
        }
        // The same spans in another file: their rows have moved.
        let other = project.path("other.duckdb");
        for number in [7, 0, 1, 2] {
            write_span(&other, number);
        }
        std::fs::rename(&other, flock_file(&project)).expect("renamed");
        assert_eq!(id_of(&watching.next_line()), span_id(7));
        let (_, rest) = watching.end("-INT");
        assert_eq!(rest, Vec::<String>::new());
    }
}

#[test]
fn text_has_a_line_a_span_and_marks_errors() {
    for project in both_ways() {
        let watching = Watching::start(&project, &[]);
        write_span(&flock_file(&project), 1);
        let line = watching.next_line();
        assert!(
            line.contains("Agent.execute [intake]") && line.contains("0.50 ms") && !line.contains("ERROR"),
            "{line}"
        );
        write_span(&flock_file(&project), 5);
        let line = watching.next_line();
        assert!(line.contains("✗") && line.contains("ERROR KeyError: 'x'"), "{line}");
    }
}

#[test]
fn other_commands_answer_while_watch_holds_the_store() {
    let project = Project::empty();
    let watching = Watching::start(&project, &["--format", "json"]);
    for number in 0..6 {
        write_span(&flock_file(&project), number);
        watching.next_line();
    }
    let outcome = project.run(&["red", "--format", "json"]).succeeded();
    assert!(outcome.err.contains("reading a copy of"), "{}", outcome.err);
    let rows: Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!((&rows[0]["calls"], &rows[0]["errors"]), (&6.into(), &2.into()));
    let (code, _) = watching.end("-INT");
    assert_eq!(code, Some(0));
    assert_eq!(project.run(&["red", "--format", "json"]).succeeded().out, outcome.out);
}

#[test]
fn two_watches_show_the_same() {
    let project = Project::empty();
    let first = Watching::start(&project, &["--format", "json"]);
    let second = Watching::start(&project, &["--format", "json"]);
    for number in 0..3 {
        write_span(&flock_file(&project), number);
        assert_eq!(first.next_line(), second.next_line());
    }
}

#[test]
fn only_a_flock_file_can_be_watched() {
    let project = Project::empty();
    project
        .run(&["generate", "--spans", "10", "--into", "store.duckdb"])
        .succeeded();
    project
        .run(&["watch", "--db", "store.duckdb"])
        .failed_with(1, "only a file that Flock writes can be watched");
}

#[test]
fn what_others_store_is_shown_and_the_end_of_the_process_is_the_end() {
    let project = Project::empty().with_process();
    let watching = Watching::start(&project, &["--format", "json"]);
    std::fs::write(
        project.path("collector.jsonl"),
        crate::program::unpacked("sources/flock.otlp.jsonl.gz"),
    )
    .expect("a file");
    let imported = project.json(&["import", "collector.jsonl", "--format", "json"]);
    let stored = imported[0]["stored"].as_u64().expect("a number");
    let mut ids: Vec<String> = (0..stored).map(|_| id_of(&watching.next_line())).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len() as u64, stored);
    let of_store = project.json(&[
        "sql",
        "SELECT DISTINCT span_id FROM spans ORDER BY ALL",
        "--format",
        "json",
        "--rows",
        "100000",
    ]);
    let of_store: Vec<&str> = of_store
        .as_array()
        .expect("rows")
        .iter()
        .filter_map(|row| row["span_id"].as_str())
        .collect();
    assert_eq!(ids, of_store);
    project.run(&["stop"]).succeeded();
    watching.wait_for_note("was told to end");
    assert_eq!(watching.wait(), Some(0));
}
