//! The forms of an answer: text and its colours, CSV, HTML, SVG, Arrow.

use std::io::Cursor;
use std::process::Stdio;

use arrow_ipc::reader::StreamReader;
use flockscope_store::arrow::array::AsArray;
use flockscope_store::arrow::datatypes::Int64Type;

use crate::program::{Outcome, Project, expected};

#[test]
fn the_timeline_of_a_trace_shows_its_agents_and_its_errors() {
    let project = Project::with_sample();
    let expected = expected("traces");
    let trace = expected
        .as_array()
        .expect("an array")
        .iter()
        .find(|row| row["errors"].as_i64() > Some(0) && row["agents"].as_array().is_some_and(|agents| agents.len() > 3))
        .expect("a trace with several agents and an error");
    let id = trace["trace_id"].as_str().expect("an id");
    let timeline = |id: &str| {
        let output = project
            .command(&["timeline", id, "--all"])
            .env("COLUMNS", "240")
            .output()
            .expect("the program runs");
        Outcome::of(output).succeeded().out
    };
    let text = timeline(id);
    for agent in trace["agents"].as_array().expect("agents") {
        let agent = agent.as_str().expect("a name");
        assert!(text.contains(&format!("[{agent}]")), "{agent} is not in {text}");
    }
    assert!(text.contains("ERROR"), "{text}");
    assert!(text.contains(trace["root_name"].as_str().expect("a name")));
    // One line a span, beside the two of the head, those of errors and the foot.
    assert!(text.lines().count() as i64 > trace["spans"].as_i64().expect("a count"));
    assert_eq!(timeline(&id[..12]), text);
}

#[test]
fn latest_and_slowest_are_what_they_say() {
    let project = Project::with_sample();
    let expected = expected("traces");
    let traces = expected.as_array().expect("an array");
    let by = |key: fn(&serde_json::Value) -> f64| {
        traces
            .iter()
            .max_by(|one, other| key(one).total_cmp(&key(other)))
            .expect("a trace")["trace_id"]
            .clone()
    };
    for (word, id) in [
        ("latest", by(|row| row["start_time"].as_f64().expect("a time"))),
        ("slowest", by(|row| row["duration_ms"].as_f64().expect("a duration"))),
    ] {
        let rows = project.json(&["timeline", word, "--format", "json"]);
        assert_eq!(rows[0]["trace_id"], id, "{word}");
    }
}

#[test]
fn colours_are_written_only_where_they_are_wanted() {
    let project = Project::with_sample();
    let coloured = |arguments: &[&str], environment: &[(&str, &str)]| {
        let output = project
            .command(arguments)
            .envs(environment.iter().copied())
            .output()
            .expect("the program runs");
        Outcome::of(output).succeeded().out.contains('\u{1b}')
    };
    assert!(!coloured(&["deps"], &[]), "a pipe is no terminal");
    assert!(
        coloured(&["deps", "--colour", "always"], &[("NO_COLOR", "1")]),
        "the option wins"
    );
    assert!(coloured(&["deps"], &[("CLICOLOR_FORCE", "1")]));
    assert!(
        !coloured(&["deps"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
        "https://no-color.org"
    );
    assert!(!coloured(&["deps", "--colour", "never"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn text_keeps_to_the_columns_it_is_given() {
    let project = Project::with_sample();
    for columns in ["60", "80", "120"] {
        for arguments in [
            &["red"][..],
            &["traces"],
            &["exceptions"],
            &["timeline", "slowest"],
            &["operations"],
        ] {
            let output = project
                .command(arguments)
                .env("COLUMNS", columns)
                .output()
                .expect("the program runs");
            let text = Outcome::of(output).succeeded().out;
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(
                widest <= columns.parse().expect("a number"),
                "{arguments:?} at {columns}: {widest}"
            );
        }
    }
}

#[test]
fn csv_has_a_line_of_names_and_a_line_a_row() {
    let project = Project::with_sample();
    let text = project.run(&["red", "--format", "csv"]).succeeded().out;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "service,operation,calls,errors,error_rate,rate_per_s,avg_ms,p50_ms,p90_ms,p95_ms,p99_ms,max_ms"
    );
    assert_eq!(lines.len(), 106);
    assert!(
        lines[1].starts_with("Agent,execute,232,12,0.05172413793"),
        "{}",
        lines[1]
    );
}

#[test]
fn arrow_is_a_stream_that_others_read() {
    let project = Project::with_sample();
    let read = |arguments: &[&str]| -> i64 {
        let outcome = project.run(arguments).succeeded();
        let reader = StreamReader::try_new(Cursor::new(outcome.bytes), None).expect("a stream");
        let batches: Vec<_> = reader.map(|batch| batch.expect("a batch")).collect();
        batches
            .iter()
            .map(|batch| {
                let calls = batch
                    .column_by_name("calls")
                    .expect("a column")
                    .as_primitive::<Int64Type>();
                calls.iter().flatten().sum::<i64>()
            })
            .sum()
    };
    assert_eq!(read(&["red", "--format", "arrow"]), 6797);
    assert_eq!(
        read(&["sql", "SELECT count(*) AS calls FROM spans", "--format", "arrow"]),
        6797
    );
}

#[test]
fn pages_and_pictures_stand_alone_and_run_nothing() {
    let project = Project::with_sample();
    for arguments in [
        &["red"][..],
        &["timeline", "slowest"],
        &["deps"],
        &["exceptions"],
        &["sql", "SELECT '<script>' AS x"],
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--format", "html", "--output", "page.html"]);
        let outcome = project.run(&arguments).succeeded();
        assert_eq!(outcome.out, "", "a file was named");
        let page = std::fs::read_to_string(project.path("page.html")).expect("a page");
        assert!(
            page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"),
            "{arguments:?}"
        );
        let page = page.to_lowercase();
        for forbidden in [
            "<script",
            "<link",
            "<img",
            "<iframe",
            " src=",
            " onload=",
            " onclick=",
            "@import",
            "url(",
        ] {
            assert!(!page.contains(forbidden), "{arguments:?}: {forbidden}");
        }
    }
    for arguments in [&["red"][..], &["timeline", "slowest"], &["deps"]] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--format", "svg"]);
        let picture = project.run(&arguments).succeeded().out;
        assert!(
            picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"),
            "{arguments:?}"
        );
        assert!(!picture.contains("<script"), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = Project::with_sample();
    let mut child = project
        .command(&["sql", "SELECT * FROM spans", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let outcome = Outcome::of(child.wait_with_output().expect("an end"));
    assert_eq!((outcome.code, outcome.err.as_str()), (Some(0), ""));
}

#[test]
fn the_demo_tells_the_whole_story_and_its_commands_work() {
    let project = Project::empty();
    let story = project.run(&["demo"]).succeeded().out;
    for part in [
        "6,797 spans",
        "Agent.execute [intake]",
        "ERROR",
        "ResearchEngine",
        "→",
        "critical path",
    ] {
        assert!(story.contains(part), "{part} is not in {story}");
    }
    let commands: Vec<&str> = story
        .lines()
        .filter_map(|line| line.strip_prefix("   flockscope "))
        .collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands
        .iter()
        .filter(|command| command.contains("--db") && !command.contains('"'))
    {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        project.run(&arguments).succeeded();
    }
    let again = project.run(&["demo"]).succeeded().out;
    assert_eq!(again, story);
}

#[test]
fn completions_and_the_manual_name_every_command() {
    let project = Project::empty();
    for arguments in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
    ] {
        let text = project.run(arguments).succeeded().out;
        for command in ["timeline", "watch", "deps", "import"] {
            assert!(text.contains(command), "{arguments:?}: {command}");
        }
    }
}
