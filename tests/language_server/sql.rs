//! SQL files beside real traces.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, address};
use crate::project::Project;

/// A hung test is worse than a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Editor {
    client: Client,
    file: PathBuf,
    version: i64,
    _project: Project,
}

impl Editor {
    fn open() -> Self {
        let project = Project::with_sample();
        let capabilities = json!({"textDocument": {"completion": {"completionItem": {"snippetSupport": true}}}});
        let mut client = Client::start(project.command(), &project.path(""), &capabilities);
        let file = project.path("query.sql");
        client.open(&file, "sql", "");
        Self {
            client,
            file,
            version: 1,
            _project: project,
        }
    }

    fn document(&self) -> Value {
        json!({"uri": address(&self.file)})
    }

    /// The text is this from now on; the cursor is at the mark `¦`. Returns its position.
    fn write(&mut self, marked: &str) -> Value {
        let before = marked.split('¦').next().expect("a text");
        let text = marked.replace('¦', "");
        self.version += 1;
        self.client.tell(
            "textDocument/didChange",
            json!({"textDocument": {"uri": address(&self.file), "version": self.version},
                   "contentChanges": [{"text": text}]}),
        );
        let line = before.matches('\n').count();
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        json!({"line": line, "character": before[start..].encode_utf16().count()})
    }

    /// Items that are offered at the mark, in their order.
    fn offered(&mut self, marked: &str) -> Vec<Value> {
        let position = self.write(marked);
        let answer = self.client.ask(
            "textDocument/completion",
            json!({"textDocument": self.document(), "position": position}),
        );
        let mut items = answer["items"].as_array().expect("items").clone();
        items.sort_by_key(|item| item["sortText"].as_str().expect("an order").to_owned());
        items
    }

    /// Waits until the store's own names are offered.
    fn offered_when(&mut self, marked: &str, wanted: &str) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let items = self.offered(marked);
            if items.iter().any(|item| item["label"] == wanted) {
                return items;
            }
            assert!(Instant::now() < deadline, "{wanted} is not among {items:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What is shown, without the quotes around a value.
fn labels(items: &[Value]) -> Vec<&str> {
    let shown = items.iter().filter_map(|item| item["label"].as_str());
    shown.map(|label| label.trim_matches('\'')).collect()
}

#[test]
fn keys_and_values_of_the_real_store_are_offered_while_one_types() {
    let mut editor = Editor::open();
    // Columns are known without a store, and at once behind the change of the text.
    let items = editor.offered("SELECT servi¦ FROM spans");
    assert_eq!(labels(&items)[0], "service");
    let items = editor.offered_when("SELECT attributes->>'¦' FROM spans", "agent.name");
    assert!(labels(&items).contains(&"output.value"), "{:?}", labels(&items));
    // Only keys of what the query is about.
    let of_flock = editor.offered("SELECT attributes->>'¦' FROM spans WHERE service = 'make_ticket'");
    assert!(
        !labels(&of_flock).contains(&"agent.name") || of_flock.len() < items.len(),
        "{:?}",
        labels(&of_flock)
    );

    let services = editor.offered("SELECT * FROM spans WHERE service = '¦'");
    let found =
        editor.client_rows("SELECT service, count(*) AS n FROM spans GROUP BY ALL ORDER BY n DESC, service LIMIT 3");
    assert_eq!(labels(&services)[..1], [found[0]["service"].as_str().expect("a name")]);
    let values = editor.offered("SELECT * FROM spans\r\nWHERE attributes->>'agent.name' = '¦'");
    assert!(labels(&values).contains(&"intake"), "{:?}", labels(&values));
    // Behind a character of two units, and the edit replaces what is typed.
    let items = editor.offered("SELECT '🐦', attributes->>'agent.na¦' FROM spans");
    let item = items
        .iter()
        .find(|item| item["label"] == "agent.name")
        .expect("the key");
    let edit = &item["textEdit"];
    let line = "SELECT '🐦', attributes->>'agent.na' FROM spans";
    let units: Vec<u16> = line.encode_utf16().collect();
    let at = |end: &str| edit["range"][end]["character"].as_u64().expect("a place") as usize;
    let mut after = units[..at("start")].to_vec();
    after.extend(edit["newText"].as_str().expect("a text").encode_utf16());
    after.extend(&units[at("end")..]);
    assert_eq!(
        String::from_utf16(&after).expect("text"),
        "SELECT '🐦', attributes->>'agent.name' FROM spans"
    );
    let traces = editor.offered("SELECT * FROM spans WHERE trace_id = '¦'");
    let newest = editor.client_rows("SELECT trace_id FROM traces(most := 1)");
    assert_eq!(labels(&traces)[0], newest[0]["trace_id"].as_str().expect("an id"));
    assert_eq!(editor.client.end(), Some(0));
}

impl Editor {
    fn client_rows(&self, query: &str) -> Vec<Value> {
        self._project.sql(query)
    }
}

#[test]
fn hovers_signatures_names_and_layout() {
    let mut editor = Editor::open();
    let at = |editor: &mut Editor, marked: &str| {
        let position = editor.write(marked);
        json!({"textDocument": editor.document(), "position": position})
    };
    let place = at(&mut editor, "SELECT dura¦tion_ms FROM spans");
    let hover = editor.client.ask("textDocument/hover", place);
    assert!(
        hover["contents"]["value"].to_string().contains("duration_ms"),
        "{hover}"
    );
    let place = at(&mut editor, "FROM red(group_by := ¦");
    let help = editor.client.ask("textDocument/signatureHelp", place);
    assert!(
        help["signatures"][0]["label"].to_string().contains("group_by"),
        "{help}"
    );

    let place = at(
        &mut editor,
        "WITH slow AS (SELECT * FROM spans)\nSELECT * FROM sl¦ow s, slow",
    );
    let references = editor.client.ask(
        "textDocument/references",
        json!({"textDocument": place["textDocument"], "position": place["position"], "context": {"includeDeclaration": true}}),
    );
    assert_eq!(references.as_array().expect("places").len(), 3, "{references}");
    let edit = editor.client.ask(
        "textDocument/rename",
        json!({"textDocument": place["textDocument"], "position": place["position"], "newName": "fast"}),
    );
    let edits = edit["changes"][address(&editor.file)]
        .as_array()
        .expect("edits")
        .clone();
    assert_eq!(edits.len(), 3, "{edit}");
    let symbols = editor.client.ask(
        "textDocument/documentSymbol",
        json!({"textDocument": place["textDocument"]}),
    );
    assert_eq!(symbols[0]["children"][0]["name"], "slow", "{symbols}");
    let tokens = editor.client.ask(
        "textDocument/semanticTokens/full",
        json!({"textDocument": place["textDocument"]}),
    );
    assert!(tokens["data"].as_array().expect("numbers").len() >= 5 * 10, "{tokens}");
    let _ = at(&mut editor, "select service,count(*)   from spans group   by all¦");
    let laid_out = editor.client.ask(
        "textDocument/formatting",
        json!({"textDocument": editor.document(), "options": {"tabSize": 2, "insertSpaces": true}}),
    );
    assert!(laid_out[0]["newText"].to_string().contains("count(*)"), "{laid_out}");
    assert_eq!(editor.client.end(), Some(0));
}

#[test]
fn a_key_that_is_nearly_right_is_told_with_its_fix() {
    let mut editor = Editor::open();
    editor.offered_when("SELECT attributes->>'¦' FROM spans", "agent.name");
    let _ = editor.write("SELECT attributes->>'agent.nmae' FROM spans");
    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        let said = editor.client.wait_for("textDocument/publishDiagnostics");
        if let Some(found) = said["params"]["diagnostics"].as_array().and_then(|all| all.first()) {
            break found.clone();
        }
        assert!(Instant::now() < deadline, "nothing was said");
    };
    assert!(found["message"].to_string().contains("agent.name"), "{found}");
    let actions = editor.client.ask(
        "textDocument/codeAction",
        json!({"textDocument": editor.document(), "range": found["range"], "context": {"diagnostics": [found]}}),
    );
    let edit = &actions[0]["edit"]["changes"][address(&editor.file)][0];
    assert!(edit["newText"].to_string().contains("agent.name"), "{actions}");
    assert_eq!(editor.client.end(), Some(0));
}

#[test]
fn sql_inside_of_python_strings_is_completed_and_written_as_its_quotes_want_it() {
    let project = Project::with_sample();
    let capabilities = json!({"textDocument": {"completion": {"completionItem": {"snippetSupport": true}}}});
    let mut client = Client::start(project.command(), &project.path(""), &capabilities);
    let file = project.path("analysis.py");
    let before = "# 🐦\nrows = connection.execute(\n    f'SELECT {column}, attributes->>\\'ag";
    let text = format!("{before}' FROM spans'\n)\n");
    client.open(&file, "python", &text);
    let line = before.matches('\n').count();
    let character = before.rsplit('\n').next().expect("a line").encode_utf16().count();
    let at = json!({"textDocument": {"uri": address(&file)}, "position": {"line": line, "character": character}});
    let deadline = Instant::now() + PATIENCE;
    let edit = loop {
        let answer = client.ask("textDocument/completion", at.clone());
        let items = answer["items"].as_array().expect("items").clone();
        if let Some(item) = items
            .iter()
            .find(|item| item["label"].to_string().contains("agent.name"))
        {
            break item["textEdit"].clone();
        }
        assert!(Instant::now() < deadline, "{items:?}");
        thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(edit["range"]["start"]["line"], line);
    let new_text = edit["newText"].as_str().expect("a text");
    // An unescaped quote would end the string.
    assert!(
        new_text.contains("agent.name") && !new_text.replace("\\'", "").contains('\''),
        "{new_text}"
    );
    // A column of the view, explained in the string; nothing outside of it.
    let (line, column) = crate::client::place(&text, "attributes->>");
    let hover = client.hover(&file, line, column + 2);
    assert!(hover.contains("attributes"), "{hover}");
    assert_eq!(client.hover(&file, 1, 0), "");
    assert_eq!(client.end(), Some(0));
}
