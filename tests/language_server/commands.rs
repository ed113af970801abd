//! What an editor can have done about a function.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Client, address, place};
use crate::project::Project;

const ENGINES: &str = "helpdesk/engines.py";

/// The actions of a place, once there are any.
fn actions(client: &mut Client, project: &Project, at: (usize, usize)) -> Vec<Value> {
    let file = project.path(ENGINES);
    client.lens_when(&file, |lenses| lenses.iter().any(|(_, title)| title.contains("calls")));
    let at = json!({"line": at.0, "character": at.1});
    let actions = client.ask(
        "textDocument/codeAction",
        json!({"textDocument": {"uri": address(&file)}, "range": {"start": at, "end": at}, "context": {"diagnostics": []}}),
    );
    actions.as_array().expect("actions").clone()
}

fn command<'a>(actions: &'a [Value], words: &str) -> &'a Value {
    let found = actions
        .iter()
        .find(|action| action["title"].as_str().is_some_and(|title| title.starts_with(words)));
    &found.unwrap_or_else(|| panic!("no {words:?}: {actions:?}"))["command"]
}

fn carried_out(client: &mut Client, command: &Value) -> Value {
    client.ask(
        "workspace/executeCommand",
        json!({"command": command["command"], "arguments": command["arguments"]}),
    )
}

#[test]
fn traces_queries_and_tests_are_opened_as_files() {
    let project = Project::with_sample();
    let capabilities = json!({"window": {"showDocument": {"support": true}}});
    let mut client = Client::start(project.command(), &project.path(""), &capabilities);
    let text = project.text(ENGINES);
    client.open(&project.path(ENGINES), "python", &text);
    let (line, column) = place(&text, "def score(");
    let actions = actions(&mut client, &project, (line, column + 5));
    let slowest = project.sql(
        "SELECT trace_id FROM spans WHERE name = 'RiskEngine.score' ORDER BY duration_ms DESC, start_time DESC LIMIT 1",
    );
    let trace = command(&actions, "Open the slowest trace of RiskEngine.score (");
    assert_eq!(trace["arguments"][0], slowest[0]["trace_id"]);
    let made = carried_out(&mut client, trace);
    assert!(
        made["text"]
            .as_str()
            .is_some_and(|text| text.contains("RiskEngine.score")),
        "{made}"
    );
    let path = made["path"].as_str().expect("a path");
    assert_eq!(
        fs::read_to_string(path).expect("a file"),
        made["text"].as_str().expect("a text")
    );
    // The editor was asked to show it, and did not say that it has.
    let shown = client.wait_for("window/showDocument");
    assert_eq!(shown["params"]["uri"], address(std::path::Path::new(path)));

    let made = carried_out(
        &mut client,
        command(&actions, "Open a query of the spans of RiskEngine.score"),
    );
    let query = made["text"].as_str().expect("a query");
    let calls = project.sql("SELECT least(count(*), 100) AS calls FROM spans WHERE name = 'RiskEngine.score'");
    let (comment, statement) = query.split_once('\n').expect("lines");
    assert!(
        comment.starts_with("-- The latest spans of RiskEngine.score"),
        "{query}"
    );
    let rows = project.sql(statement.trim_end().trim_end_matches(';'));
    assert_eq!(
        rows.len() as i64,
        calls[0]["calls"].as_i64().expect("a number"),
        "{query}"
    );

    let made = carried_out(
        &mut client,
        command(&actions, "Write a test that calls RiskEngine.score as it was called"),
    );
    let test = made["text"].as_str().expect("a test");
    let last = project.sql(
        "SELECT attributes->>'input.category' AS category, attributes->>'input.severity' AS severity, span_id FROM spans
         WHERE name = 'RiskEngine.score' ORDER BY start_time DESC LIMIT 1",
    );
    for words in [
        format!("\"category\": {},", last[0]["category"]),
        format!("\"severity\": {},", last[0]["severity"]),
        format!("span {}", last[0]["span_id"].as_str().expect("an id")),
        "importlib.import_module(\"helpdesk.engines\")".into(),
        "owner = module.RiskEngine()\n    call = owner.score".into(),
    ] {
        assert!(test.contains(&words), "no {words:?}: {test}");
    }
    assert_eq!(client.end(), Some(0));
}

#[test]
fn what_can_not_be_done_is_said() {
    let project = Project::with_sample();
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let text = project.text(ENGINES);
    client.open(&project.path(ENGINES), "python", &text);
    let (line, column) = place(&text, "def score(");
    let actions = actions(&mut client, &project, (line, column + 5));
    let mut refused = |command: &str, arguments: Value| {
        let id = client.begin(
            "workspace/executeCommand",
            json!({"command": command, "arguments": arguments}),
        );
        let error = client.answer(id).expect_err("it can't be done");
        error["message"].as_str().expect("words").to_owned()
    };
    assert!(
        refused("flockscope.dance", json!([])).contains("no command flockscope.dance; there are flockscope.openTrace")
    );
    assert!(refused("flockscope.openTrace", json!([])).contains("needs the id of a trace"));
    assert!(refused("flockscope.openTrace", json!(["00"])).contains("there is no trace 00"));
    let function = &command(&actions, "Open a query")["arguments"][0];
    assert!(refused("flockscope.reproduce", json!([function, "often"])).contains("`often` is none of latest, error"));
    assert!(refused("flockscope.openQuery", json!([5])).contains("needs a function"));
    // An editor that shows no documents is told where the file is.
    carried_out(&mut client, command(&actions, "Open a query"));
    let said = client.wait_for("window/showMessage");
    assert!(
        said["params"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("RiskEngine_score.sql")),
        "{said}"
    );
    assert_eq!(client.end(), Some(0));
}
