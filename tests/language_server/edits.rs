//! Figures of a function that was edited since, of one that calls its base, and of the line that raised.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::client::{Client, address, place};
use crate::project::Project;

const ENGINES: &str = "helpdesk/engines.py";

/// Puts a text into a line of a file that is open.
fn insert(client: &mut Client, file: &std::path::Path, version: i32, at: (usize, usize), text: &str, over: usize) {
    let (start, end) = (
        json!({"line": at.0, "character": at.1}),
        json!({"line": at.0, "character": at.1 + over}),
    );
    client.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": address(file), "version": version},
               "contentChanges": [{"range": {"start": start, "end": end}, "text": text}]}),
    );
}

#[test]
fn a_lens_says_when_its_figures_are_older_than_the_function() {
    let project = Project::with_sample();
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    let (line, _) = place(&text, "async def evaluate");
    let title = |client: &mut Client| {
        let lenses = client.lens_when(&file, |lenses| {
            lenses
                .iter()
                .any(|(at, title)| *at == line as u64 && title.contains("calls"))
        });
        let found = lenses.into_iter().find(|(at, _)| *at == line as u64);
        found.expect("a lens").1
    };
    assert!(!title(&mut client).contains("your edit"), "{}", title(&mut client));
    // A comment is no edit of what runs.
    insert(&mut client, &file, 2, (line + 1, 0), "        # why\n", 0);
    assert!(!title(&mut client).contains("your edit"), "{}", title(&mut client));
    insert(&mut client, &file, 3, (line + 1, 0), "        print(1)\n", 0);
    assert!(
        title(&mut client).ends_with(" · before your edit"),
        "{}",
        title(&mut client)
    );
    let (_, column) = place(text.lines().nth(line).expect("a line"), "evaluate");
    let hover = client.hover(&file, line, column + 1);
    assert!(hover.contains("- the latest call was before your edit"), "{hover}");
    // What was typed is taken back.
    let typed = json!({"start": {"line": line + 1, "character": 0}, "end": {"line": line + 2, "character": 0}});
    client.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": address(&file), "version": 4},
               "contentChanges": [{"range": typed, "text": ""}]}),
    );
    assert!(!title(&mut client).contains("your edit"), "{}", title(&mut client));
    assert_eq!(client.end(), Some(0));
}

#[test]
fn an_exception_is_told_at_the_line_that_raised_it() {
    let project = Project::with_sample();
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    // Two lines more above: the trace says other lines than those of now.
    let moved = format!("# one\n# two\n{text}");
    client.open(&file, "python", &moved);
    let found = loop {
        let said = client.wait_for("textDocument/publishDiagnostics")["params"]["diagnostics"].clone();
        let found = said.as_array().expect("a list").clone();
        if found.iter().any(|one| one["code"] == "exception") {
            break found;
        }
    };
    let (raise, column) = place(&moved, "raise BackendUnavailable");
    let at: Vec<&Value> = found
        .iter()
        .filter(|one| one["range"]["start"]["line"] == raise)
        .collect();
    assert_eq!(at.len(), 1, "{found:?}");
    assert_eq!(at[0]["range"]["start"]["character"], column);
    let latest = project.sql(
        "SELECT trace_id, exception_message FROM spans
         WHERE name = 'ResearchEngine.search' AND status_code = 'ERROR' ORDER BY start_time DESC LIMIT 1",
    );
    let message = at[0]["message"].as_str().expect("words");
    let expected = latest[0]["exception_message"].as_str().expect("words");
    assert!(
        message.contains("BackendUnavailable: ") && message.ends_with(expected),
        "{message}"
    );
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_method_and_its_base_in_one_file_are_told_apart_by_nesting() {
    let project = Project::with_sample();
    let program = "\
from flock.logging.auto_trace import AutoTracedMeta


class Base(metaclass=AutoTracedMeta):
    def run(self):
        return 1


class Derived(Base):
    def run(self):
        return super().run() + 1
";
    fs::write(project.path("nested.py"), program).expect("a file");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_nanos();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let attributes = json!([
        text("module", "nested"),
        text("class", "Derived"),
        text("function", "run")
    ]);
    // Three calls of 20 ms, of which two passed on 5 ms each to the base.
    let span = |trace: u32, id: u32, parent: Option<u32>, ms: u128| {
        let mut span = json!({"traceId": format!("{trace:032x}"), "spanId": format!("{id:016x}"), "name": "Derived.run",
                              "startTimeUnixNano": (now - 1_000_000_000).to_string(),
                              "endTimeUnixNano": (now - 1_000_000_000 + ms * 1_000_000).to_string(),
                              "attributes": attributes});
        if let Some(parent) = parent {
            span["parentSpanId"] = format!("{parent:016x}").into();
        }
        span
    };
    let spans = json!([
        span(1, 1, None, 20),
        span(1, 2, Some(1), 5),
        span(2, 3, None, 20),
        span(2, 4, Some(3), 5),
        span(3, 5, None, 20)
    ]);
    let line = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    project.import(&[line]);
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let file = project.path("nested.py");
    client.open(&file, "python", program);
    let lenses = client.lens_when(&file, |lenses| {
        lenses.iter().any(|(_, title)| title.contains("2 calls"))
    });
    let titles: Vec<(u64, &str)> = lenses.iter().map(|(line, title)| (*line, title.as_str())).collect();
    assert!(titles[0].0 == 4 && titles[0].1.starts_with("≈ 5.00 ms, "), "{titles:?}");
    assert!(titles[0].1.contains("p95 5.00 ms · 2 calls"), "{titles:?}");
    assert!(titles[1].0 == 9 && titles[1].1.starts_with("≈ 20.0 ms, "), "{titles:?}");
    assert!(titles[1].1.contains("p95 20.0 ms · 3 calls"), "{titles:?}");
    let hover = client.hover(&file, 4, 9);
    assert!(
        hover.contains("inferred: told apart from its base by which one calls the other"),
        "{hover}"
    );
    assert_eq!(client.end(), Some(0));
}
