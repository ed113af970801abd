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
    let project = Project::with_sample().with_process();
    let in_process: Vec<Outcome> = QUESTIONS
        .iter()
        .map(|question| project.run(&[question, &["--in-process"][..]].concat()).succeeded())
        .collect();
    let stats = project.json(&["stats", "--format", "json", "--in-process"]);
    let serving = Serving::start(&project, &[]);
    for (question, before) in QUESTIONS.iter().zip(&in_process) {
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
    let project = Project::empty().with_process();
    project.run(&["status"]).failed_with(3, "no process serves");
    assert_eq!(project.run(&["stop"]).succeeded().err.lines().count(), 1, "a note");
    let serving = Serving::start(&project, &[]);
    assert!(project.path(".flockscope/store.duckdb").is_file());
    let status = project.json(&["status", "--format", "json"]);
    assert_eq!(status["spans"], 0);
    assert_eq!(status["notes"], Value::Array(Vec::new()));
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

/// The process that the commands of a project ask.
fn pid(project: &Project) -> Value {
    project.json(&["status", "--format", "json"])["pid"].clone()
}

#[test]
fn the_first_question_starts_a_process_and_the_next_ones_ask_it() {
    let project = Project::with_sample().with_process();
    let first = project.run(&["stats"]).succeeded();
    assert!(first.out.contains("6,797"), "{}", first.out);
    let pid = pid(&project);
    assert!(
        first
            .err
            .starts_with(&format!("note: process {pid} keeps the traces from now on")),
        "{}",
        first.err
    );
    let second = project.run(&["red"]).succeeded();
    assert_eq!(second.err, "");
    let status = project.json(&["status", "--format", "json"]);
    assert_eq!(
        (&status["pid"], &status["ends_when_idle_for_s"]),
        (&pid, &Value::from(120))
    );
    assert!(project.run(&["logs"]).succeeded().out.contains("ready"));
    project.run(&["stop"]).succeeded();
    project.run(&["status"]).failed_with(3, "no process serves");
    let alone = project.run(&["stats", "--in-process"]).succeeded();
    assert_eq!(alone.err, "");
    project.run(&["status"]).failed_with(3, "no process serves");
}

#[test]
fn settings_that_are_wrong_are_wrong_for_every_command() {
    let project = Project::with_sample().with_process();
    let output = project
        .command(&["stats"])
        .env("FLOCKSCOPE_TLS_KEY", "/nowhere/key.pem")
        .env("FLOCKSCOPE_TLS_CERTIFICATE", "/nowhere/certificate.pem")
        .output();
    let outcome = Outcome::of(output.expect("the program runs"));
    assert!(outcome.err.contains("/nowhere/key.pem"), "{}", outcome.err);
    assert_eq!(outcome.code, Some(1));
}

#[test]
fn a_process_that_can_not_start_is_a_note_and_the_answer_comes_all_the_same() {
    let project = Project::with_sample().with_process();
    // Where the process keeps the log of the spans that it takes in, it can't.
    let beside = project.path(".flockscope/store.duckdb.d");
    std::fs::create_dir_all(&beside).expect("a folder");
    std::fs::write(beside.join("ingest"), "in the way").expect("written");
    let outcome = project.run(&["stats", "--format", "json"]).succeeded();
    assert!(outcome.err.contains("opened by this command alone"), "{}", outcome.err);
    let answer: Value = serde_json::from_str(&outcome.out).expect("the answer");
    assert_eq!(answer["spans"], 6797);
    project.run(&["status"]).failed_with(3, "no process serves");
}

#[test]
fn a_process_whose_address_is_taken_starts_at_another_one() {
    let project = Project::with_sample().with_process();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = project
        .command(&["stats"])
        .env("FLOCKSCOPE_API_ADDRESS", address)
        .output();
    let outcome = Outcome::of(output.expect("the program runs")).succeeded();
    assert!(outcome.err.contains("keeps the traces from now on"), "{}", outcome.err);
}

#[test]
fn import_gives_the_spans_to_the_process_and_secrets_stay_out() {
    let project = Project::empty().with_process();
    let line = |id: &str| {
        format!(
            "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"{id:0>32}\",\"spanId\":\"{id:0>16}\",\
             \"name\":\"Agent.execute\",\"startTimeUnixNano\":\"1795392000000000000\",\
             \"endTimeUnixNano\":\"1795392001000000000\",\"attributes\":[{{\"key\":\"api_key\",\
             \"value\":{{\"stringValue\":\"of-{id}-secret\"}}}}]}}]}}]}}]}}\n"
        )
    };
    std::fs::write(project.path("one.jsonl"), line("a1")).expect("a file");
    std::fs::write(project.path("two.jsonl"), line("b2")).expect("a file");
    let alone = project.run(&["import", "one.jsonl"]).succeeded();
    assert!(alone.out.contains("1 spans"), "{}", alone.out);
    project.run(&["status"]).failed_with(3, "no process serves");
    project.run(&["stats"]).succeeded();
    let pid = pid(&project);
    let given = project.json(&["import", "two.jsonl", "one.jsonl", "--format", "json"]);
    assert_eq!(
        (&given[0]["stored"], &given[0]["replaced"]),
        (&Value::from(1), &Value::from(0))
    );
    assert_eq!(
        (&given[1]["stored"], &given[1]["replaced"]),
        (&Value::from(1), &Value::from(1))
    );
    assert_eq!(self::pid(&project), pid);
    let stored = project
        .run(&[
            "sql",
            "SELECT span_id, attributes FROM spans ORDER BY ALL",
            "--format",
            "csv",
        ])
        .succeeded();
    assert_eq!(stored.out.lines().count(), 3, "{}", stored.out);
    assert!(!stored.out.contains("secret"), "{}", stored.out);
    assert!(stored.out.contains("api_key"), "{}", stored.out);
}

#[test]
fn the_store_is_cared_for_while_a_process_keeps_it() {
    let project = Project::with_sample().with_process();
    project.run(&["stats"]).succeeded();
    let pid = pid(&project);
    // A backup is made by the process.
    let manifest = project.json(&["backup", "saved", "--format", "json"]);
    assert_eq!(manifest["stored_spans"], 6797);
    assert_eq!(self::pid(&project), pid);
    project
        .run(&["backup", "saved"])
        .failed_with(1, "there is something already");
    // All else wants the store for itself, and a process that nobody started may go.
    let archived = project.run(&["archive", "--older-than", "1d"]).succeeded();
    assert!(archived.err.contains("was ended for this"), "{}", archived.err);
    project.run(&["status"]).failed_with(3, "no process serves");
    assert!(project.run(&["stats"]).succeeded().out.contains("6,797"));
    project.run(&["doctor", "--deep"]).succeeded();
    project.run(&["stats"]).succeeded();
    let restored = project.run(&["restore", "saved", "--replace"]).succeeded();
    assert!(restored.out.contains("6,797"), "{}", restored.out);

    // One that a person started stays.
    let serving = Serving::start(&project, &[]);
    project
        .run(&["archive", "--older-than", "1d"])
        .failed_with(1, "end it first (flockscope stop");
    let manifest = project.json(&["backup", "second", "--format", "json"]);
    assert_eq!(manifest["stored_spans"], 6797);
    project.run(&["stop"]).succeeded();
    assert_eq!(serving.wait_for_its_end(), Some(0));
}

#[test]
fn settings_are_shown_with_their_origin_and_written_with_their_comments() {
    let project = Project::empty();
    let of = |key: &str| {
        let settings = project.json(&["config", "--format", "json"]);
        let found = settings
            .as_array()
            .expect("settings")
            .iter()
            .find(|setting| setting["key"] == key);
        found.unwrap_or_else(|| panic!("{key} is not in {settings}")).clone()
    };
    std::fs::write(project.path("flockscope.toml"), "# ours\n[sql]\nrows = 7 # few\n").expect("a file");
    std::fs::write(
        project.path(".env"),
        "FLOCK_TRACE_TTL_DAYS=30\nFLOCK_TRACE_JWT_SECRET=0123456789abcdef0123456789abcdef\n",
    )
    .expect("a file");
    assert_eq!(of("sql.rows")["value"], "7");
    assert!(of("sql.rows")["origin"].to_string().contains("flockscope.toml"));
    assert_eq!(of("retention.days")["value"], "30");
    assert!(
        of("retention.days")["origin"]
            .to_string()
            .contains("FLOCK_TRACE_TTL_DAYS")
    );
    assert!(!project.run(&["config"]).succeeded().out.contains("0123456789"));

    project.run(&["config", "set", "sql.time", "5s"]).succeeded();
    project.run(&["config", "set", "sql.rows", "9"]).succeeded();
    let file = std::fs::read_to_string(project.path("flockscope.toml")).expect("a file");
    assert!(
        file.contains("# ours") && file.contains("# few") && file.contains("rows = 9"),
        "{file}"
    );
    let changed = project.run(&["config", "--changed"]).succeeded().out;
    for key in ["sql.rows", "sql.time", "retention.days", "auth.jwt_secret"] {
        assert!(changed.contains(key), "{key}: {changed}");
    }
    assert!(!changed.contains("sql.memory"), "{changed}");
    project
        .run(&["config", "set", "sql.rows", "many"])
        .failed_with(2, "sql.rows is \"many\", but must be a whole number from 1");
    project
        .run(&["config", "set", "sql.row", "9"])
        .failed_with(2, "sql.rows");
    project.run(&["config", "unset", "sql.rows"]).succeeded();
    assert_eq!(of("sql.rows")["value"], "10000");
    let sample = project.run(&["config", "sample"]).succeeded().out;
    std::fs::write(project.path("flockscope.toml"), sample).expect("a file");
    assert_eq!(of("sql.rows")["value"], "10000", "all of it is commented out");
    std::fs::write(project.path("flockscope.toml"), "[sql]\nrows = 0\n").expect("a file");
    project.run(&["config"]).failed_with(2, "rows");
}

#[test]
fn keys_are_shown_once_kept_as_hashes_and_revoked() {
    let project = Project::empty();
    project
        .run(&["keys", "create", "laptop"])
        .failed_with(2, "flockscope config set auth.api_keys_file");
    let keys = |arguments: &[&str]| project.run(&[&["keys"], arguments, &["--file", "keys.json"]].concat());
    let made = keys(&["create", "laptop", "--role", "viewer"]).succeeded();
    let key = made.out.split_whitespace().last().expect("a key").to_owned();
    let file = std::fs::read_to_string(project.path("keys.json")).expect("a file");
    assert!(!file.contains(&key), "only a hash is kept");
    assert!(key.len() > 32, "{}", made.out);
    keys(&["create", "laptop"]).failed_with(1, "laptop");
    let list = keys(&["list"]).succeeded().out;
    assert!(
        list.contains("laptop") && list.contains("viewer") && !list.contains(&key),
        "{list}"
    );
    keys(&["create", "robot", "--role", "owner"]).failed_with(2, "viewer");
    keys(&["revoke", "laptop"]).succeeded();
    assert!(!keys(&["list"]).succeeded().out.contains("laptop"));
    keys(&["revoke", "laptop"]).failed_with(1, "laptop");
}
