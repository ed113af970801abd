//! `.env` and `flockscope.toml`.

use serde_json::json;

use crate::client::{Client, address};
use crate::project::Project;

#[test]
fn settings_are_offered_explained_and_checked() {
    let project = Project::with_sample();
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let env = project.path(".env");
    client.open(
        &env,
        "properties",
        "FLOCK_TRACE_SERVICES=\nFLOCK_TRACE_TTL_DAYS=soon\nFLOCK_\n",
    );
    let wrong = client.wait_for("textDocument/publishDiagnostics");
    let found = &wrong["params"]["diagnostics"][0];
    assert_eq!(found["range"]["start"]["line"], 1, "{wrong}");
    assert!(found["message"].to_string().contains("whole number of days"), "{wrong}");
    let ask = |client: &mut Client, line: u64, character: u64| {
        let answer = client.ask(
            "textDocument/completion",
            json!({"textDocument": {"uri": address(&env)}, "position": {"line": line, "character": character}}),
        );
        let items = answer["items"].as_array().expect("items").clone();
        items
            .into_iter()
            .map(|item| item["label"].as_str().expect("a label").to_owned())
            .collect::<Vec<_>>()
    };
    assert!(ask(&mut client, 2, 6).contains(&"FLOCK_TRACE_TTL_DAYS".to_owned()));
    // The services of the store, once they were read.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let services = ask(&mut client, 0, 21);
        if services.contains(&"IntakeEngine".to_owned()) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{services:?}");
    }
    let hover = client.hover(&env, 1, 3);
    assert!(
        hover.contains("retention.days") && hover.contains("must be a whole number"),
        "{hover}"
    );
    let toml = project.path("flockscope.toml");
    client.open(&toml, "toml", "[sql]\nrows = 5\n");
    let hover = client.hover(&toml, 1, 1);
    assert!(hover.contains("sql.rows") && hover.contains("at once"), "{hover}");
    assert_eq!(client.end(), Some(0));
}
