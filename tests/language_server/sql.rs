//! SQL files beside real traces.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, address, text_at};
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
fn a_column_says_what_its_newest_values_are() {
    let mut editor = Editor::open();
    editor.offered_when("SELECT attributes->>'¦' FROM spans", "agent.name");
    let mut shown = |marked: &str| {
        let position = editor.write(marked);
        let at = json!({"textDocument": editor.document(), "position": position});
        let hover = editor.client.ask("textDocument/hover", at);
        hover["contents"]["value"].as_str().expect("Markdown").to_owned()
    };
    let duration = shown("SELECT dura¦tion_ms FROM spans");
    let parent = shown("SELECT parent¦_id FROM spans");
    let events = shown("SELECT event_¦count FROM spans");
    let begin = shown("SELECT start_¦time FROM spans");
    let code = shown("SELECT code_file¦_path FROM spans");
    // All spans of the sample are among the newest.
    let rows = editor.client_rows(
        "SELECT count(*) AS n, round(min(duration_ms), 6)::VARCHAR AS least, round(max(duration_ms), 6)::VARCHAR AS most,
           count(*) FILTER (parent_id IS NULL) AS roots, min(start_time)::VARCHAR AS first,
           strftime(make_timestamp_ns(max(start_time)), '%Y-%m-%d %H:%M:%S') AS last,
           mode(event_count) AS common, count(*) FILTER (event_count = 0) AS without, max(event_count) AS events
         FROM spans",
    );
    let row = &rows[0];
    let text = |name: &str| row[name].as_str().expect("a text").to_owned();
    let number = |name: &str| row[name].as_i64().expect("a number");
    let over = format!("over the newest {} spans", number("n"));
    for hover in [&duration, &parent, &events, &begin, &code] {
        assert!(hover.contains(&over), "{hover}");
    }
    assert!(
        duration.contains(&format!("from `{}` to `{}`", text("least"), text("most"))),
        "{duration}"
    );
    let share = number("roots") as f64 / number("n") as f64 * 100.0;
    assert!(parent.contains(&format!("{share:.1} % NULL")), "{parent}");
    assert!(!parent.contains("from `") && !parent.contains(" × "), "{parent}");
    assert_eq!(number("common"), 0);
    assert!(
        events.contains(&format!("from `0` to `{}`", number("events"))),
        "{events}"
    );
    assert!(events.contains(&format!("- `0` × {}", number("without"))), "{events}");
    assert!(
        begin.contains(&text("first")) && begin.contains(&format!("{} UTC", text("last"))),
        "{begin}"
    );
    assert!(code.contains("100.0 % NULL"), "{code}");
    assert_eq!(editor.client.end(), Some(0));
}

#[test]
fn a_key_that_only_old_spans_have_is_not_called_unknown() {
    let project = Project::with_sample();
    let traces = duckdb::Connection::open(project.path(".flock/traces.duckdb")).expect("the traces");
    let copies = "INSERT INTO spans BY NAME
        SELECT s.* REPLACE ('new' || i AS span_id, NULL AS parent_id, start_time + 1000000000 + i AS start_time,
                            end_time + 1000000000 + i AS end_time, '{\"new.key\": 1}' AS attributes)
        FROM (SELECT * FROM spans ORDER BY start_time DESC LIMIT 1) s, range(20001) r(i)";
    assert_eq!(traces.execute(copies, []).expect("more spans"), 20_001);
    drop(traces);
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let file = project.path("query.sql");
    let text = "SELECT attributes->>'agent.name', attributes->>'new.key', attributes->>'no.such.key' FROM spans";
    client.open(&file, "sql", text);
    let found = client.mistakes_when(&address(&file), |found| !found.is_empty());
    let marked: Vec<String> = found.iter().map(|one| text_at(text, &one["range"])).collect();
    assert_eq!(marked, ["'no.such.key'"]);
    assert!(found[0]["message"].to_string().contains("No span has"), "{found:?}");
    // It was no key of the newest spans.
    let at = json!({"textDocument": {"uri": address(&file)}, "position": {"line": 0, "character": 21}});
    let answer = client.ask("textDocument/completion", at);
    assert_eq!(labels(answer["items"].as_array().expect("items")), ["new.key"]);
    assert_eq!(client.end(), Some(0));
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

#[test]
fn duckdb_says_what_is_wrong_with_a_query_and_where() {
    let mut editor = Editor::open();
    let uri = address(&editor.file);
    // The first is sound, the second is not, the third needs a parameter, the fourth is for another database.
    let text = "SELECT service FROM spans;\r\nSELECT '🐦', servce\r\nFROM spans;\r\nSELECT 1 FROM spans WHERE nme = ?;\r\n\
                SELECT * FROM users;\r\nSELECT foo(1) FORM spans;\r\nFROM red(gruop_by := 'service')";
    let _ = editor.write(text);
    let found = editor.client.mistakes_when(&uri, |found| found.len() == 3);
    let lines = text.replace('\r', "");
    let marked: Vec<String> = found.iter().map(|one| text_at(&lines, &one["range"])).collect();
    assert_eq!(marked, ["servce", "spans", "red"], "{found:?}");
    let message = found[0]["message"].as_str().expect("words");
    assert!(
        message.contains("\"service\"") && !message.contains('^') && !message.contains("LINE"),
        "{message}"
    );
    assert_eq!(found[0]["severity"], 1);

    let actions = editor.client.ask(
        "textDocument/codeAction",
        json!({"textDocument": editor.document(), "range": found[0]["range"], "context": {"diagnostics": []}}),
    );
    let edit = &actions[0]["edit"]["changes"][&uri][0];
    assert_eq!(edit["newText"], "service", "{actions}");
    assert_eq!(edit["range"], found[0]["range"]);

    // A lint beside a mistake of DuckDB's, and then all is well.
    editor.offered_when("SELECT attributes->>'¦' FROM spans", "agent.name");
    let text = "SELECT attributes->>'agent.nmae', servce FROM spans";
    let _ = editor.write(text);
    let found = editor.client.mistakes_when(&uri, |found| found.len() == 2);
    let mut marked: Vec<String> = found.iter().map(|one| text_at(text, &one["range"])).collect();
    marked.sort();
    assert_eq!(marked, ["'agent.nmae'", "servce"]);
    let _ = editor.write("SELECT attributes->>'agent.name', service FROM spans");
    editor.client.mistakes_when(&uri, <[Value]>::is_empty);
    assert_eq!(editor.client.end(), Some(0));
}

#[test]
fn a_long_text_is_checked_elsewhere_while_one_types_in_it() {
    let mut editor = Editor::open();
    let uri = address(&editor.file);
    // Longer than what a handler looks through by itself.
    let many = "SELECT service FROM spans WHERE name = 'x';\n".repeat(2_000);
    let items = editor.offered(&format!("{many}SELECT servi¦ FROM spans"));
    assert_eq!(labels(&items)[0], "service");
    let _ = editor.write(&format!("{many}SELECT servce FROM spans"));
    let found = editor.client.mistakes_when(&uri, |found| !found.is_empty());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["range"]["start"], json!({"line": 2_000, "character": 7}));
    let lenses = |editor: &mut Editor| {
        let document = editor.document();
        let lenses = editor
            .client
            .ask("textDocument/codeLens", json!({"textDocument": document}));
        lenses.as_array().expect("lenses").len()
    };
    assert_eq!(lenses(&mut editor), 2 * 2_001);
    // Of the text as it is now nothing is known yet, and nothing old is shown in the wrong place.
    let _ = editor.write(&format!("\n\n{many}SELECT service FROM spans"));
    assert!([0, 2 * 2_001].contains(&lenses(&mut editor)));
    editor.client.mistakes_when(&uri, <[Value]>::is_empty);
    assert_eq!(lenses(&mut editor), 2 * 2_001);
    assert_eq!(editor.client.end(), Some(0));
}

#[test]
fn a_query_is_run_and_explained_from_the_line_above_it() {
    let mut editor = Editor::open();
    let query = "SELECT service, count(*) AS n FROM spans GROUP BY ALL ORDER BY n DESC, service";
    let text = format!("-- calls\n{query};\n\nSELECT * FROM users;\nSELECT nothing FROM spans");
    let _ = editor.write(&text);
    // The connection is there once DuckDB has said something.
    let uri = address(&editor.file);
    editor.client.mistakes_when(&uri, |found| !found.is_empty());
    let document = editor.document();
    let lenses = editor
        .client
        .ask("textDocument/codeLens", json!({"textDocument": document}));
    let shown: Vec<(u64, &str)> = lenses
        .as_array()
        .expect("lenses")
        .iter()
        .map(|lens| {
            let line = lens["range"]["start"]["line"].as_u64().expect("a line");
            (line, lens["command"]["title"].as_str().expect("a title"))
        })
        .collect();
    assert_eq!(shown, [(1, "▷ Run"), (1, "Explain"), (4, "▷ Run"), (4, "Explain")]);

    let run = |client: &mut Client, command: &Value| {
        let params = json!({"command": command["command"], "arguments": command["arguments"]});
        let id = client.begin("workspace/executeCommand", params);
        client.answer(id)
    };
    let outcome = run(&mut editor.client, &lenses[0]["command"]).expect("rows");
    let expected = editor.client_rows(query);
    assert_eq!(outcome["rowCount"], expected.len());
    assert_eq!(outcome["columns"][0]["name"], "service");
    for (row, expected) in outcome["rows"].as_array().expect("rows").iter().zip(&expected) {
        assert_eq!(row[0], expected["service"]);
        assert_eq!(row[1], expected["n"].to_string());
    }
    assert_eq!(outcome["isCut"], false);
    let shown = outcome["text"].as_str().expect("a text");
    assert!(
        shown.contains("service") && shown.contains(expected[0]["service"].as_str().expect("a name")),
        "{shown}"
    );
    // An editor that shows nothing else at least says how many there are.
    let said = editor.client.wait_for("window/showMessage");
    assert!(
        said.to_string().contains(&format!("{} rows in", expected.len())),
        "{said}"
    );

    let plan = run(&mut editor.client, &lenses[1]["command"]).expect("a plan");
    assert!(plan["text"].to_string().contains("Hash Group By"), "{plan}");
    let refused = run(&mut editor.client, &lenses[2]["command"]).expect_err("no such column");
    assert!(refused["message"].to_string().contains("nothing"), "{refused}");
    // By the place of the cursor, more rows than are shown, and what may not be run.
    let by =
        |statement: &str| json!({"command": "flockscope.runSql", "arguments": [{"uri": uri, "statement": statement}]});
    let at = json!({"uri": uri, "range": {"start": {"line": 1, "character": 9}, "end": {"line": 1, "character": 9}}});
    let outcome = run(
        &mut editor.client,
        &json!({"command": "flockscope.runSql", "arguments": [at]}),
    )
    .expect("rows");
    assert_eq!(outcome["rowCount"], expected.len());
    let outcome = run(&mut editor.client, &by("FROM range(5000)")).expect("rows");
    assert_eq!((&outcome["rowCount"], &outcome["isCut"]), (&json!(1000), &json!(true)));
    let refused = run(&mut editor.client, &by("CREATE TABLE a (b INT)")).expect_err("that writes");
    assert!(refused["message"].to_string().contains("read-only"), "{refused}");
    run(
        &mut editor.client,
        &json!({"command": "flockscope.runSql", "arguments": []}),
    )
    .expect_err("no query");
    // One that would run for minutes ends when the editor no longer wants it.
    let long = by("SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range % 11");
    let id = editor.client.begin("workspace/executeCommand", long);
    editor.client.tell("$/cancelRequest", json!({"id": id}));
    let cancelled = editor.client.answer(id).expect_err("it is not wanted");
    assert_eq!(cancelled["code"], -32800, "{cancelled}");
    assert_eq!(editor.client.end(), Some(0));
}

#[test]
fn mistakes_in_python_strings_are_told_where_they_stand() {
    let project = Project::with_sample();
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let file = project.path("analysis.py");
    let uri = address(&file);
    let text = "# 🐦\nrows = connection.execute('SELECT \\'ü🐦\\', servce FROM spans')\n\
                other = connection.execute(f\"SELECT attributes->>'agent.nmae', {column} FROM spans\")\n\
                third = connection.execute(f\"SELECT attributes->>'{key}' FROM spanz WHERE {condition}\")\n\
                fourth = connection.execute('SELECT nme FROM users')\n\
                fifth = connection.execute('SELECT nme ' 'FROM spans')\n";
    client.open(&file, "python", text);
    let found = client.mistakes_when(&uri, |found| found.len() == 2);
    let marked: Vec<String> = found.iter().map(|one| text_at(text, &one["range"])).collect();
    assert_eq!(marked, ["servce", "'agent.nmae'"], "{found:?}");
    let actions = client.ask(
        "textDocument/codeAction",
        json!({"textDocument": {"uri": uri}, "range": found[1]["range"], "context": {"diagnostics": []}}),
    );
    assert_eq!(
        actions[0]["edit"]["changes"][&uri][0]["newText"], "'agent.name'",
        "{actions}"
    );

    // Colours: of each string's words, and none of what is put in.
    let tokens = client.ask(
        "textDocument/semanticTokens/full",
        json!({"textDocument": {"uri": uri}}),
    );
    let numbers: Vec<u64> = tokens["data"]
        .as_array()
        .expect("numbers")
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    let (mut line, mut character) = (0, 0);
    let mut coloured = Vec::new();
    for token in numbers.chunks(5) {
        character = if token[0] == 0 { character + token[1] } else { token[1] };
        line += token[0];
        let range = json!({"start": {"line": line, "character": character},
                           "end": {"line": line, "character": character + token[2]}});
        coloured.push((line, text_at(text, &range)));
    }
    let of_line = |wanted: u64| -> Vec<&str> {
        let here = coloured.iter().filter(|(line, _)| *line == wanted);
        here.map(|(_, word)| word.as_str()).collect()
    };
    assert_eq!(
        of_line(1),
        ["SELECT", "'ü🐦\\'", "servce", "FROM", "spans"],
        "{coloured:?}"
    );
    assert_eq!(
        of_line(2),
        ["SELECT", "attributes", "->>", "'agent.nmae'", "FROM", "spans"]
    );
    assert_eq!(of_line(3), ["SELECT", "attributes", "->>", "FROM", "spanz", "WHERE"]);

    // A text without SQL is left to others.
    let plain = project.path("plain.py");
    client.open(&plain, "python", "x = 1\n");
    let tokens = client.ask(
        "textDocument/semanticTokens/full",
        json!({"textDocument": {"uri": address(&plain)}}),
    );
    assert!(tokens.is_null(), "{tokens}");
    client.tell(
        "textDocument/didChange",
        json!({"textDocument": {"uri": uri, "version": 2}, "contentChanges": [{"text": "x = 1\n"}]}),
    );
    client.mistakes_when(&uri, <[Value]>::is_empty);
    assert_eq!(client.end(), Some(0));
}
