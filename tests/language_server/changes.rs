//! Figures now against before, service levels, and what a user sets in the editor.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::client::{Client, address, place};
use crate::project::Project;

const ENGINES: &str = "helpdesk/engines.py";

/// Spans of `IntakeEngine.evaluate` in two versions: ten calls of 10, 12 … 28 ms, then ten of 30, 32 … 48 ms, of which four
/// failed.
fn two_versions(project: &Project) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock")
        .as_nanos();
    let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let attributes = json!([
        text("module", "helpdesk.engines"),
        text("class", "IntakeEngine"),
        text("function", "evaluate"),
    ]);
    let of_version = |version: &str, from: u128, least: u128, failed: u128| {
        let spans: Vec<Value> = (0..10)
            .map(|n| {
                let start = now - from + n * 1_000_000;
                let code = if n < failed { 2 } else { 1 };
                json!({"traceId": format!("{:032x}", from + n), "spanId": format!("{:016x}", from + n),
                       "name": "IntakeEngine.evaluate", "startTimeUnixNano": start.to_string(),
                       "endTimeUnixNano": (start + (least + 2 * n) * 1_000_000).to_string(),
                       "attributes": attributes, "status": {"code": code}})
            })
            .collect();
        json!({"resourceSpans": [{"resource": {"attributes": [text("service.version", version)]},
                                  "scopeSpans": [{"spans": spans}]}]})
    };
    let lines = [
        of_version("1.1", 7_200_000_000_000, 10, 0),
        of_version("1.2", 3_600_000_000_000, 30, 4),
    ];
    project.import(&lines);
}

/// What is said to be wrong with a file, once it is what is wanted.
fn diagnostics(client: &mut Client, file: &std::path::Path, is_wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    loop {
        let said = client.wait_for("textDocument/publishDiagnostics")["params"].clone();
        let found = said["diagnostics"].as_array().expect("a list").clone();
        if said["uri"] == address(file) && is_wanted(&found) {
            return found;
        }
    }
}

fn has(found: &[Value], code: &str) -> bool {
    found.iter().any(|one| one["code"] == code)
}

#[test]
fn what_became_worse_since_the_version_before_is_told() {
    let project = Project::with_sample();
    two_versions(&project);
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    let (line, column) = place(&text, "async def evaluate");
    let found = diagnostics(&mut client, &file, |found| has(found, "slower"));
    let message = |code: &str| {
        let found = found
            .iter()
            .find(|one| one["code"] == code)
            .unwrap_or_else(|| panic!("no {code}: {found:?}"));
        assert_eq!(
            found["range"]["start"],
            json!({"line": line, "character": column + 10}),
            "{found}"
        );
        assert_eq!(found["severity"], 4, "{found}");
        found["message"].as_str().expect("words").to_owned()
    };
    // By linear interpolation 95 % of ten calls are 8.55 steps up, of 2 ms each: 47.1 and 27.1 ms.
    assert_eq!(
        message("slower"),
        "p95 47.1 ms is 1.7 times that of version 1.1 (27.1 ms)"
    );
    assert_eq!(message("failing"), "40 % of 10 calls fail, of version 1.1 it were 0 %");
    let of_function = found.iter().filter(|one| one["code"] != "exception");
    assert_eq!(of_function.count(), 2, "{found:?}");
    let lenses = client.lens_when(&file, |lenses| {
        lenses
            .iter()
            .any(|(at, title)| *at == line as u64 && title.contains("since version 1.1"))
    });
    let (_, title) = lenses.iter().find(|(at, _)| *at == line as u64).expect("a lens");
    assert!(
        title.ends_with("· p95 ▲ 74 %, errors 0 % → 40 % since version 1.1"),
        "{title}"
    );
    let hover = client.hover(&file, line, column + 11);
    assert!(
        hover.contains("p95 ▲ 74 \\%\\, errors 0 \\% → 40 \\% since version 1\\.1"),
        "{hover}"
    );
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_users_settings_count_at_once_and_wrong_ones_are_named() {
    let project = Project::with_sample();
    let mut client = Client::start_with(
        project.command(),
        &project.path(""),
        &json!({}),
        json!({"lens": {"template": "{calls} in {total}"}, "clientCommands": ["flockscope.openTrace"], "commandLinks": true,
               "serviceLevels": {"IntakeEngine.evaluate": {"p95": "1ms", "errorRate": 0.0}}}),
    );
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    let (line, _) = place(&text, "async def evaluate");
    let found = diagnostics(&mut client, &file, |found| has(found, "service-level"));
    let rows = project.sql(
        "SELECT count(*) AS calls, count(*) FILTER (status_code = 'ERROR') AS errors FROM spans
         WHERE name = 'IntakeEngine.evaluate'",
    );
    let messages: Vec<&str> = found
        .iter()
        .map(|one| one["message"].as_str().expect("words"))
        .collect();
    assert!(
        messages.iter().any(|message| message.ends_with("promised are 1.00 ms")),
        "{messages:?}"
    );
    let fails = rows[0]["errors"].as_i64().expect("a number") > 0;
    assert_eq!(
        messages.iter().any(|message| message.contains("of the calls of")),
        fails,
        "{messages:?}"
    );
    let promises = found.iter().filter(|one| one["code"] == "service-level");
    assert!(promises.clone().all(|one| one["severity"] == 2), "{found:?}");
    let lenses = client.lens_when(&file, |lenses| !lenses.is_empty());
    let title = &lenses.iter().find(|(at, _)| *at == line as u64).expect("a lens").1;
    assert!(title.starts_with(&format!("{} calls in ", rows[0]["calls"])), "{title}");

    let hover = client.hover(
        &file,
        line,
        text.lines()
            .nth(line)
            .and_then(|text| text.find("evaluate"))
            .expect("it"),
    );
    assert!(hover.contains("](command:flockscope.openTrace?%5B%22"), "{hover}");

    client.tell(
        "workspace/didChangeConfiguration",
        json!({"settings": {"flockscope": {"lens": {"template": "{speed}"}}}}),
    );
    let said = client.wait_for("window/showMessage");
    let words = said["params"]["message"].as_str().expect("words");
    assert!(
        words.contains("flockscope.lens.template: `{speed}` is unknown; there are latest, age"),
        "{words}"
    );
    client.tell(
        "workspace/didChangeConfiguration",
        json!({"settings": {"flockscope": {"lens": {"template": "p50 {p50}"}, "diagnostics": {"enabled": false}}}}),
    );
    let lenses = client.lenses(&file);
    assert!(
        lenses
            .iter()
            .any(|(at, title)| *at == line as u64 && title.starts_with("p50 ")),
        "{lenses:?}"
    );
    diagnostics(&mut client, &file, <[Value]>::is_empty);
    assert_eq!(client.end(), Some(0));
}
