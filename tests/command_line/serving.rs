//! `serve`, `status`, `stop`, `logs`, and the other commands while a process keeps the traces.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Outcome, Project};

/// A hung test is worse than a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

const ANY_PORTS: [&str; 6] = [
    "--address",
    "127.0.0.1:0",
    "--grpc-address",
    "127.0.0.1:0",
    "--http-address",
    "127.0.0.1:0",
];

/// A process that keeps the traces of a project, as a person starts it.
struct Serving {
    child: Child,
    /// What it said when it was ready.
    introduction: Vec<String>,
}

impl Serving {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let arguments: Vec<&str> = ["serve"].iter().chain(&ANY_PORTS).chain(arguments).copied().collect();
        let mut child = project
            .command(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut introduction = Vec::new();
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        // The last line, unless OTLP is off, says how spans are sent.
        for line in &mut lines {
            let line = line.expect("a line");
            let is_last = line.contains("OTEL_EXPORTER_OTLP_ENDPOINT");
            introduction.push(line);
            if is_last {
                break;
            }
        }
        if introduction.is_empty() {
            let outcome = Outcome::of(child.wait_with_output().expect("its end"));
            panic!("it ended: {}{}", outcome.out, outcome.err);
        }
        Self { child, introduction }
    }

    fn said(&self, beginning: &str) -> &str {
        let found = self
            .introduction
            .iter()
            .find_map(|line| line.trim().strip_prefix(beginning));
        found
            .unwrap_or_else(|| panic!("{beginning}: {:?}", self.introduction))
            .trim()
    }

    fn wait_for_its_end(mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a state") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that went well has ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Commands that only read, and what they answer must not hang on who opens the store. Sums are shown as text, which
/// rounds them: their last digits hang on the order in which the database adds.
const QUESTIONS: [&[&str]; 12] = [
    &["traces", "--format", "json"],
    &["traces", "--errors", "--search", "error", "--format", "json"],
    &["timeline", "slowest", "--format", "json"],
    &["timeline", "latest", "--format", "html"],
    &["red", "--by", "agent"],
    &["deps", "--level", "service"],
    &["critical"],
    &["exceptions", "--format", "json"],
    &["operations"],
    &["attributes", "--format", "json"],
    &["attributes", "output.type", "--limit", "5"],
    &[
        "sql",
        "SELECT service, count(*) AS n FROM spans GROUP BY ALL ORDER BY ALL",
        "--format",
        "csv",
    ],
];

#[test]
fn the_answers_are_the_same_with_and_without_a_process() {
    let project = Project::with_sample();
    let without: Vec<Outcome> = QUESTIONS
        .iter()
        .map(|question| project.run(question).succeeded())
        .collect();
    let stats = project.json(&["stats", "--format", "json"]);
    let serving = Serving::start(&project, &[]);
    for (question, before) in QUESTIONS.iter().zip(&without) {
        let now = project.run(question).succeeded();
        assert_eq!(now.out, before.out, "{question:?}");
        assert_eq!(now.err, before.err, "{question:?}: no note about a copy");
    }
    let by_process = project.json(&["stats", "--format", "json"]);
    for key in ["spans", "traces", "operations", "source", "store"] {
        assert_eq!(by_process[key], stats[key], "{key}");
    }
    let wrong = ["sql", "SELECT * FROM nothing"];
    let by_process = project.run(&wrong);
    let copy = project.run(&["sql", "SELECT * FROM nothing", "--in-process"]);
    assert_eq!((by_process.code, copy.code), (Some(1), Some(1)));
    assert!(copy.err.contains("reading a copy"), "{}", copy.err);
    assert!(
        copy.err.ends_with(&by_process.err),
        "{} and {}",
        copy.err,
        by_process.err
    );
    let slow = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b";
    project
        .run(&["sql", slow, "--time", "100ms"])
        .failed_with(1, "ran longer than 0.1 s and was stopped; narrow it");
    project.run(&["stop"]).succeeded();
    assert_eq!(serving.wait_for_its_end(), Some(0));
}

#[test]
fn a_project_without_traces_gets_a_store_and_says_how_to_fill_it() {
    let project = Project::empty();
    project.run(&["status"]).failed_with(3, "no process serves");
    assert_eq!(project.run(&["stop"]).succeeded().err.lines().count(), 1, "a note");
    let serving = Serving::start(&project, &[]);
    assert!(project.path(".flockscope/store.duckdb").is_file());
    let status = project.json(&["status", "--format", "json"]);
    assert_eq!(status["spans"], 0);
    assert_eq!(status["notes"], Value::Array(Vec::new()));
    let follows = project.path(".flock/traces.duckdb");
    let follows = follows.canonicalize().unwrap_or(follows);
    assert!(follows.ends_with(".flock/traces.duckdb"));
    assert!(
        status["following"]
            .as_str()
            .is_some_and(|file| file.ends_with(".flock/traces.duckdb"))
    );
    let grpc = status["otlp_grpc"]["address"].as_str().expect("an address");
    assert!(serving.said("OTLP").contains(grpc));
    let link = serving.said("browser");
    assert!(
        link.starts_with("http://127.0.0.1:") && link.contains("/?token="),
        "{link}"
    );
    let text = project.run(&["status"]).succeeded().out;
    assert!(
        text.contains(grpc) && text.contains("0 spans of 0 traces") && text.contains("when told to"),
        "{text}"
    );
    assert!(!text.contains(link.split_once("token=").expect("a token").1), "{text}");

    project
        .run(&["serve"])
        .failed_with(5, &format!("is served by another process ({})", serving.child.id()));
    project
        .run(&["logs"])
        .failed_with(3, "no process was started in the background");
    project.run(&["stop"]).succeeded();
    assert_eq!(serving.wait_for_its_end(), Some(0));
    project.run(&["status"]).failed_with(3, "no process serves");
}

#[test]
fn settings_are_checked_before_anything_is_made() {
    let project = Project::empty();
    project
        .run(&["serve", "--address", "here"])
        .failed_with(2, "is \"here\", but must be");
    project
        .run(&["serve", "--set", "retention.days=soon"])
        .failed_with(2, "is \"soon\", but must be");
    project
        .run(&["serve", "--set", "retention"])
        .failed_with(2, "expected KEY=VALUE");
    let other = project.path("spans.jsonl");
    std::fs::write(&other, "{\"resourceSpans\": []}\n").expect("a file");
    project
        .run(&["serve", "--db", "spans.jsonl"])
        .failed_with(1, "no process can serve it; flockscope import puts it into one");
}
