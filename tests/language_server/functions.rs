//! Lenses and hovers of the sample program.

use serde_json::{Value, json};

use crate::client::{Client, address, place};
use crate::project::Project;

const ENGINES: &str = "helpdesk/engines.py";

fn start(project: &Project) -> Client {
    let capabilities = json!({"workspace": {"codeLens": {"refreshSupport": true}}});
    Client::start(project.command(), &project.path(""), &capabilities)
}

/// The lens titles of a line.
fn at(lenses: &[(u64, String)], line: usize) -> Vec<&str> {
    let here = lenses.iter().filter(|(found, _)| *found == line as u64);
    here.map(|(_, title)| title.as_str()).collect()
}

fn are_there(lenses: &[(u64, String)]) -> bool {
    // That it has failed is a lens of its own, which one that was asked for before the figures came lacks.
    lenses.iter().any(|(_, title)| title.starts_with('✗'))
}

#[test]
fn every_traced_method_of_the_sample_shows_what_a_query_says() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    let lenses = client.lens_when(&file, are_there);
    let seen = project.sql(
        "SELECT module, class, function, count(*) AS calls, count(*) FILTER (status_code = 'ERROR') AS errors
         FROM spans WHERE module = 'helpdesk.engines' AND class = split_part(name, '.', 1) GROUP BY ALL ORDER BY ALL",
    );
    assert!(seen.len() > 10, "{seen:?}");
    // Of classes that define the method themselves, each line is of one row.
    let mut checked = 0;
    for row in &seen {
        let (class, function) = (text_of(row, "class"), text_of(row, "function"));
        let Some(body) = text.split(&format!("\nclass {class}(")).nth(1) else {
            continue;
        };
        let body = body.split("\nclass ").next().expect("a class");
        let start = text.len() - text.split(&format!("\nclass {class}(")).nth(1).expect("it").len();
        let Some(method) = body.find(&format!("def {function}(")) else {
            continue;
        };
        let line = text[..start + method].matches('\n').count();
        let titles = at(&lenses, line);
        let calls = row["calls"].as_i64().expect("a number");
        assert!(!titles.is_empty(), "{class}.{function} at line {line}: {lenses:?}");
        if function == "evaluate" {
            assert!(
                titles[0].contains(&format!("· {calls} call")),
                "{class}.{function}: {titles:?}, {row}"
            );
            checked += 1;
        }
        assert!(!titles[0].starts_with(['≈', '?']), "{titles:?}");
        let failed = row["errors"].as_i64().expect("a number") > 0;
        assert_eq!(titles.len() > 1, failed, "{class}.{function}: {titles:?}, {row}");
    }
    assert!(checked >= 5, "{checked}");
    assert_eq!(client.end(), Some(0));
}

fn text_of<'a>(row: &'a Value, column: &str) -> &'a str {
    row[column].as_str().expect("a text")
}

#[test]
fn an_inherited_method_has_the_calls_of_every_class_and_hovers_say_whose() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    let lenses = client.lens_when(&file, are_there);
    let (line, column) = place(&text, "lookup(self, key");
    let rows = project.sql(
        "SELECT class, count(*) AS calls FROM spans
         WHERE module = 'helpdesk.engines' AND function = 'lookup' GROUP BY ALL ORDER BY ALL",
    );
    let calls: i64 = rows.iter().map(|row| row["calls"].as_i64().expect("a number")).sum();
    assert!(calls > 0, "{rows:?}");
    assert!(
        at(&lenses, line)[0].contains(&format!("· {calls} call")),
        "{:?}, {rows:?}",
        at(&lenses, line)
    );

    let on_definition = client.hover(&file, line, column + 1);
    assert!(
        on_definition.contains("exact: the spans name module, class and function"),
        "{on_definition}"
    );
    for row in &rows {
        assert!(on_definition.contains(text_of(row, "class")), "{on_definition}");
    }
    let (line, column) = place(&text, ".lookup(");
    let on_call = client.hover(&file, line, column + 2);
    assert!(on_call.contains(&format!("{calls} call")), "{on_call}");
    // Nothing is said where nothing is known.
    assert_eq!(client.hover(&file, 0, 0), "");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn lenses_follow_the_text_and_the_traces() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    let before = client.lens_when(&file, are_there);
    // Two lines above, one of them with a character of two units.
    let change = json!({
        "textDocument": {"uri": address(&file), "version": 2},
        "contentChanges": [{"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}},
                            "text": "# 🐦\n\n"}],
    });
    client.tell("textDocument/didChange", change);
    let after = client.lenses(&file);
    let lines = |lenses: &[(u64, String)]| lenses.iter().map(|(line, _)| *line).collect::<Vec<_>>();
    assert_eq!(
        lines(&after),
        lines(&before).iter().map(|line| line + 2).collect::<Vec<_>>()
    );

    // A span comes, and the server asks for the lenses to be drawn again.
    let line = |attributes: &Value| {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("a clock")
            .as_nanos();
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "000000000000000000000000000000aa", "spanId": "00000000000000aa",
            "name": "IntakeEngine.evaluate", "startTimeUnixNano": now.to_string(),
            "endTimeUnixNano": (now + 77_000_000).to_string(), "attributes": attributes}]}]}]})
    };
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let attributes = json!([
        attribute("module", "helpdesk.engines"),
        attribute("class", "IntakeEngine"),
        attribute("function", "evaluate"),
    ]);
    project.import(&[line(&attributes)]);
    client.wait_for("workspace/codeLens/refresh");
    let (intake, _) = place(&text, "async def evaluate");
    let is_new = |lenses: &[(u64, String)]| {
        at(lenses, intake + 2)
            .iter()
            .any(|title| title.starts_with("77.0 ms, "))
    };
    client.lens_when(&file, is_new);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_client_that_never_answers_and_text_that_is_no_python_hold_nothing_up() {
    let project = Project::with_sample();
    let mut client = start(&project);
    client.answers = false;
    let file = project.path("half.py");
    client.open(&file, "python", "class A(B:\n  def f(self\n\tdef 🐦(:\r\n\"\"\"");
    // Each asks for lenses to be drawn again, and is never answered.
    for _ in 0..40 {
        client.tell("workspace/didChangeWatchedFiles", json!({"changes": []}));
        client.lenses(&file);
        client.hover(&file, 2, 7);
    }
    let unknown = client.begin("textDocument/nonsense", json!({}));
    assert_eq!(client.answer(unknown).expect_err("unknown")["code"], -32601);
    let wrong = client.begin("textDocument/hover", json!({"x": 1}));
    assert_eq!(client.answer(wrong).expect_err("wrong")["code"], -32602);
    client.tell("nobody/knows", json!({}));
    client.tell("textDocument/didChange", json!({"textDocument": 5}));
    client.lenses(&file);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn callers_and_callees_are_those_that_were_observed() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    client.lens_when(&file, are_there);
    let edges = project.sql(
        "SELECT \"from\", \"to\", calls FROM dependencies(level := 'operation')
         WHERE \"from\" = 'ResearchEngine.evaluate' ORDER BY calls DESC",
    );
    assert!(!edges.is_empty());
    let (line, column) = place(&text, "class ResearchEngine");
    let below: String = text.lines().skip(line).map(|line| format!("{line}\n")).collect();
    let (evaluate, at) = place(&below, "evaluate(");
    let _ = column;
    // Who called whom is read a moment after the figures.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let hover = loop {
        let hover = client.hover(&file, line + evaluate, at + 1);
        if hover.contains("- calls: ") {
            break hover;
        }
        assert!(std::time::Instant::now() < deadline, "{hover}");
    };
    for edge in &edges {
        let called = format!("`{}` ({}", text_of(edge, "to"), edge["calls"]);
        assert!(hover.contains(&called), "{called}: {hover}");
    }
    let position = json!({"line": line + evaluate, "character": at + 1});
    let items = client.ask(
        "textDocument/prepareCallHierarchy",
        json!({"textDocument": {"uri": address(&file)}, "position": position}),
    );
    assert_eq!(items[0]["name"], "ResearchEngine.evaluate", "{items}");
    let outgoing = client.ask("callHierarchy/outgoingCalls", json!({"item": items[0]}));
    let search = outgoing
        .as_array()
        .expect("calls")
        .iter()
        .find(|call| call["to"]["name"] == "ResearchEngine.search");
    let search = search.unwrap_or_else(|| panic!("{outgoing}"));
    let (expected, _) = place(&text, "def search");
    assert_eq!(search["to"]["selectionRange"]["start"]["line"], expected);
    // And back.
    let incoming = client.ask("callHierarchy/incomingCalls", json!({"item": search["to"]}));
    let back = incoming
        .as_array()
        .expect("calls")
        .iter()
        .any(|call| call["from"]["name"] == "ResearchEngine.evaluate");
    assert!(back, "{incoming}");
    assert_eq!(client.end(), Some(0));
}
