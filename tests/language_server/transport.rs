//! What an editor may send, and when: much at once, half-typed, very large, in another encoding, or no message at all.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::{Client, address, place};
use crate::project::Project;

const ENGINES: &str = "helpdesk/engines.py";

/// The code of a request that the editor took back.
const CANCELLED: i64 = -32800;
const METHOD_NOT_FOUND: i64 = -32601;

fn start(project: &Project) -> Client {
    Client::start(project.command(), &project.path(""), &json!({}))
}

fn in_file(file: &Path) -> Value {
    json!({"textDocument": {"uri": address(file)}})
}

fn at(file: &Path, line: usize, character: usize) -> Value {
    json!({"textDocument": {"uri": address(file)}, "position": {"line": line, "character": character}})
}

fn change(client: &mut Client, file: &Path, version: usize, change: Value) {
    let document = json!({"uri": address(file), "version": version});
    client.tell(
        "textDocument/didChange",
        json!({"textDocument": document, "contentChanges": [change]}),
    );
}

fn are_there(lenses: &[(u64, String)]) -> bool {
    // That it has failed is a lens of its own, which one that was asked for before the figures came lacks.
    lenses.iter().any(|(_, title)| title.starts_with('✗'))
}

#[test]
fn of_hundreds_of_requests_each_is_answered_once_also_those_that_are_cancelled() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    client.lens_when(&file, are_there);
    let sql = project.path("query.sql");
    client.open(&sql, "sql", "SELECT service FROM spans");
    let (line, column) = place(&text, "lookup(self, key");
    let mut sent = Vec::new();
    for number in 0..600 {
        let id = match number % 3 {
            0 => client.begin("textDocument/hover", at(&file, line, column + 1)),
            1 => client.begin("textDocument/codeLens", in_file(&file)),
            _ => client.begin("textDocument/completion", at(&sql, 0, 10)),
        };
        sent.push(id);
        // Some while they are under way, some long answered, some never asked.
        if number % 7 == 0 {
            client.tell("$/cancelRequest", json!({"id": id}));
            client.tell("$/cancelRequest", json!({"id": id - 40}));
            client.tell("$/cancelRequest", json!({"id": 1_000_000 + number}));
        }
    }
    let mut answers: HashMap<i64, Vec<Value>> = HashMap::new();
    for answer in client.answers(sent.len()) {
        let id = answer["id"].as_i64().expect("a number");
        answers.entry(id).or_default().push(answer);
    }
    let mut expected: HashMap<usize, Value> = HashMap::new();
    for (number, id) in sent.iter().enumerate() {
        let found = answers.get(id).unwrap_or_else(|| panic!("no answer to {id}"));
        assert_eq!(found.len(), 1, "{found:?}");
        match found[0].get("error") {
            Some(error) => {
                assert_eq!(error["code"], CANCELLED, "{error}");
                let was_cancelled = |number: usize| number.is_multiple_of(7);
                assert!(was_cancelled(number) || was_cancelled(number + 40), "{number} was not");
            }
            // The same question has the same answer, however many were asked.
            None => {
                let result = &found[0]["result"];
                assert!(!result.is_null(), "{number}");
                if number % 3 > 0 {
                    assert_eq!(expected.entry(number % 3).or_insert_with(|| result.clone()), result);
                }
            }
        }
    }
    assert_eq!(expected.len(), 2);
    assert_eq!(client.end(), Some(0));
}

const TYPED: &str = "SELECT service, operation, count(*) AS calls, avg(duration_ms) AS mean, \
    attributes->>'agent.name' AS größe, '🐦' AS bird FROM spans WHERE status_code = 'ERROR' AND start_time > 0 \
    GROUP BY ALL HAVING calls > 10 ORDER BY mean DESC, service LIMIT 20";

#[test]
fn completion_that_follows_a_keystroke_at_once_is_about_the_new_text() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let file = project.path("query.sql");
    client.open(&file, "sql", "");
    assert!(TYPED.chars().count() > 200);
    // All keys are hit before the first answer is read.
    let mut asked = Vec::new();
    let mut column = 0;
    for (number, letter) in TYPED.chars().enumerate() {
        let here = json!({"line": 0, "character": column});
        let range = json!({"start": here, "end": here});
        change(
            &mut client,
            &file,
            number + 2,
            json!({"range": range, "text": letter.to_string()}),
        );
        column += letter.len_utf16();
        asked.push((column, client.begin("textDocument/completion", at(&file, 0, column))));
    }
    let mut with_items = 0;
    for ((column, id), letter) in asked.into_iter().zip(TYPED.chars()) {
        let list = client.answer(id).expect("an answer");
        for item in list["items"].as_array().expect("items") {
            let range = &item["textEdit"]["range"];
            let (start, end) = (&range["start"]["character"], &range["end"]["character"]);
            let (start, end) = (start.as_u64().expect("one"), end.as_u64().expect("one"));
            // The text before this key ends one column earlier.
            assert_eq!(end, column as u64, "after {letter}: {item}");
            assert!(start <= end);
        }
        with_items += usize::from(!list["items"].as_array().expect("items").is_empty());
    }
    assert!(with_items > 100, "{with_items}");
    assert_eq!(client.end(), Some(0));
}

/// How an encoding counts the characters of a text.
type Count = fn(&str) -> usize;

/// The encodings that an editor can offer, and how each counts.
const ENCODINGS: [(&str, Count); 3] = [
    ("utf-8", |text| text.len()),
    ("utf-16", |text| text.encode_utf16().count()),
    ("utf-32", |text| text.chars().count()),
];

/// Line and column of a text within another one, as an encoding counts.
fn counted(text: &str, needle: &str, count: Count) -> (usize, usize) {
    let before = text.split(needle).next().expect("it is there");
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count(), count(&before[start..]))
}

#[test]
fn every_encoding_and_line_end_means_the_same_places() {
    let project = Project::with_sample();
    let program = "from flock.logging.auto_trace import AutoTracedMeta\n\n\n\
        class Waage(metaclass=AutoTracedMeta):\n    \"\"\"Wiegt 🐦.\"\"\"\n\n    def größe(self):\n        return '🐦'\n\n\
        \x20   def 𝒜重さ(self):\n        _ = '🐦🐦é'; rows = connection.execute(\"SELECT '🐦', serv FROM spans\")\n        return rows\n";
    let sample = project.text(ENGINES);
    let call = "self.lookup(";
    let calling = sample.replacen(call, &format!("('🐦é𝒜', {call}"), 1);
    for ending in ["\n", "\r\n"] {
        let (program, calling) = (program.replace('\n', ending), calling.replace('\n', ending));
        for (encoding, count) in ENCODINGS {
            let capabilities = json!({"general": {"positionEncodings": [encoding]}});
            let mut client = Client::start(project.command(), &project.path(""), &capabilities);
            let file = project.path("waage.py");
            client.open(&file, "python", &program);
            let lenses = client.ask("textDocument/codeLens", in_file(&file));
            let mut found = Vec::new();
            for lens in lenses.as_array().expect("lenses") {
                let range = &lens["range"];
                let number = |place: &Value| place.as_u64().expect("a number") as usize;
                found.push((
                    (number(&range["start"]["line"]), number(&range["start"]["character"])),
                    number(&range["end"]["character"]),
                ));
            }
            let expected = ["größe", "𝒜重さ"].map(|name| {
                let (line, column) = counted(&program, name, count);
                ((line, column), column + count(name))
            });
            assert_eq!(found, expected, "{encoding} {ending:?}");

            // SQL in a string behind such characters: what is completed stands where it is replaced.
            let (line, column) = counted(&program, "serv FROM", count);
            let list = client.ask("textDocument/completion", at(&file, line, column + 4));
            let item = list["items"]
                .as_array()
                .expect("items")
                .iter()
                .find(|item| item["label"] == "service");
            let range = &item.expect("the column")["textEdit"]["range"];
            assert_eq!(
                (&range["start"]["character"], &range["end"]["character"]),
                (&json!(column), &json!(column + 4)),
                "{encoding} {ending:?}"
            );

            // A call behind such characters.
            let engines = project.path(ENGINES);
            client.open(&engines, "python", &calling);
            client.lens_when(&engines, are_there);
            let (line, column) = counted(&calling, &format!("𝒜', {call}"), count);
            let column = column + count("𝒜', self.") + 2;
            let said = client.hover(&engines, line, column);
            assert!(said.contains("lookup"), "{encoding} {ending:?}: {said:?}");
            assert_eq!(client.end(), Some(0));
        }
    }
}

/// A program of so many classes, each with two traced methods on ten lines.
fn program(classes: usize) -> String {
    let mut text = "from flock.logging.auto_trace import AutoTracedMeta\n\n".to_owned();
    for class in 0..classes {
        text += &format!(
            "class Part{class}(metaclass=AutoTracedMeta):\n    limit = {class}\n\n    def first(self, value):\n        \
             return value + self.limit\n\n    def second(self, value):\n        return self.first(value)\n\n\n"
        );
    }
    text
}

#[test]
fn a_file_of_fifty_thousand_lines_is_edited_in_its_middle() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let file = project.path("large.py");
    let classes = 5_000;
    let text = program(classes);
    assert!(text.lines().count() > 50_000 - 3);
    client.open(&file, "python", &text);
    let lines = |client: &mut Client| -> Vec<u64> {
        let lenses = client.ask("textDocument/codeLens", in_file(&file));
        let lenses = lenses.as_array().expect("lenses").iter();
        lenses
            .map(|lens| lens["range"]["start"]["line"].as_u64().expect("a line"))
            .collect()
    };
    let expected: Vec<u64> = (0..classes as u64)
        .flat_map(|class| [10 * class + 5, 10 * class + 8])
        .collect();
    assert!(lines(&mut client) == expected, "not every method has its lens");

    // Typed letter by letter, with the lenses asked for after some of them.
    let middle = 10 * (classes as u64 / 2) + 5;
    let method = "def between(self):\n        return 1\n\n    ";
    let (mut line, mut column) = (middle, 4);
    for (number, letter) in method.chars().enumerate() {
        let here = json!({"line": line, "character": column});
        let range = json!({"start": here, "end": here});
        change(
            &mut client,
            &file,
            number + 2,
            json!({"range": range, "text": letter.to_string()}),
        );
        match letter {
            '\n' => (line, column) = (line + 1, 0),
            _ => column += 1,
        }
        if number % 10 == 0 {
            assert!(lines(&mut client).len() >= expected.len() - 2);
        }
    }
    let mut moved: Vec<u64> = expected
        .iter()
        .map(|line| if *line >= middle { line + 3 } else { *line })
        .collect();
    moved.insert(classes, middle);
    assert!(lines(&mut client) == moved, "not every lens moved with its method");
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_file_that_is_cut_anywhere_is_read_as_far_as_it_goes() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    let whole = client.lens_when(&file, are_there);
    let cuts = 200;
    for cut in 0..=cuts {
        let end = text.floor_char_boundary(text.len() * cut / cuts);
        let part = &text[..end];
        change(&mut client, &file, cut + 2, json!({"text": part}));
        let (line, column) = (
            part.matches('\n').count(),
            part.chars().rev().take_while(|c| *c != '\n').count(),
        );
        // Each is answered without an error, or `ask` panics.
        let lenses = client.ask("textDocument/codeLens", in_file(&file));
        let lines = part.lines().count() as u64;
        for lens in lenses.as_array().expect("lenses") {
            assert!(
                lens["range"]["end"]["line"].as_u64().expect("a line") <= lines,
                "{lens}"
            );
        }
        for method in [
            "textDocument/hover",
            "textDocument/completion",
            "textDocument/signatureHelp",
        ] {
            client.ask(method, at(&file, line, column));
        }
        for method in ["textDocument/documentSymbol", "textDocument/foldingRange"] {
            client.ask(method, in_file(&file));
        }
    }
    // The last part is the whole again.
    let again = client.lenses(&file);
    assert_eq!(again.len(), whole.len());
    assert_eq!(client.end(), Some(0));
}

#[test]
fn files_of_ten_megabytes_do_no_harm() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let file = project.path("huge.py");
    let text = program(60_000);
    assert!(text.len() > 10_000_000);
    client.open(&file, "python", &text);
    // Generated, as nobody writes so much: no lenses.
    assert_eq!(client.ask("textDocument/codeLens", in_file(&file)), json!([]));
    client.ask("textDocument/hover", at(&file, 500_000, 10));
    let sql = project.path("huge.sql");
    let query = "SELECT service, count(*) AS calls FROM spans WHERE name = 'x' GROUP BY ALL;\n".repeat(140_000);
    assert!(query.len() > 10_000_000);
    client.open(&sql, "sql", &query);
    let list = client.ask("textDocument/completion", at(&sql, 70_000, 10));
    let labels: Vec<&str> = list["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| item["label"].as_str())
        .collect();
    assert!(labels.contains(&"service"), "{labels:?}");
    // The others are served as ever.
    let (engines, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&engines, "python", &text);
    client.lens_when(&engines, are_there);
    assert_eq!(client.end(), Some(0));
}

#[test]
fn what_is_no_message_is_passed_over_and_what_is_wrong_is_answered() {
    let project = Project::with_sample();
    let mut client = start(&project);
    let (file, text) = (project.path(ENGINES), project.text(ENGINES));
    client.open(&file, "python", &text);
    client.lens_when(&file, are_there);

    for body in [
        "",
        "{",
        "null",
        "[]",
        "\u{fffd}\u{0}",
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"1.0","id":900,"method":"shutdown"}"#,
        r#"{"id":900,"method":"shutdown"}"#,
        r#"{"jsonrpc":"2.0","method":7}"#,
        r#"{"jsonrpc":"2.0","id":{},"result":null}"#,
        r#"{"jsonrpc":"2.0","id":5000,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":5000,"error":"text"}"#,
        // The protocol of editors has no batches.
        r#"[{"jsonrpc":"2.0","id":900,"method":"shutdown"}]"#,
        // Notifications that nobody knows, or that can't be read, or come at the wrong time.
        r#"{"jsonrpc":"2.0","method":"$/nothing","params":{}}"#,
        r#"{"jsonrpc":"2.0","method":"nothing"}"#,
        r#"{"jsonrpc":"2.0","method":"textDocument/didOpen","params":[1]}"#,
        r#"{"jsonrpc":"2.0","method":"textDocument/didChange"}"#,
        r#"{"jsonrpc":"2.0","method":"textDocument/didClose","params":{"textDocument":{"uri":"no address"}}}"#,
        r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":[]}}"#,
        r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
    ] {
        client.send_body(body);
    }
    client.send_body(&"[".repeat(200_000));
    client.send_bytes(b"Content-Length: many\r\nno header\r\nX-Header: 1\r\n\r\n");
    client.send_bytes(b"Content-Length: -5\r\n\r\n");

    // Requests that can't be done have an error of their own.
    let codes = |answers: &[Value]| -> Vec<(Value, Option<i64>)> {
        let code = |answer: &Value| (answer["id"].clone(), answer["error"]["code"].as_i64());
        answers.iter().map(code).collect()
    };
    client.send_body(r#"{"jsonrpc":"2.0","id":"first","method":"nothing/known"}"#);
    client.send_body(r#"{"jsonrpc":"2.0","id":"second","method":"$/nothing"}"#);
    client.send_body(r#"{"jsonrpc":"2.0","id":"third","method":"textDocument/hover","params":{"position":"here"}}"#);
    client.send_body(r#"{"jsonrpc":"2.0","id":"fourth","method":"codeLens/resolve"}"#);
    client.send_body(r#"{"jsonrpc":"2.0","id":"fifth","method":"initialize","params":{"capabilities":{}}}"#);
    let mut answers = client.answers(5);
    answers.sort_by_key(|answer| answer["id"].to_string());
    let invalid = [-32602, -32600];
    for (id, code) in codes(&answers) {
        let code = code.unwrap_or_else(|| panic!("{id} has an answer without an error"));
        match id.as_str() {
            Some("first" | "second") => assert_eq!(code, METHOD_NOT_FOUND, "{id}"),
            _ => assert!(invalid.contains(&code), "{id}: {code}"),
        }
    }
    assert_eq!(answers.len(), 5);

    // A header with more in it than a length, in pieces.
    let hover = json!({"jsonrpc": "2.0", "id": "whole", "method": "textDocument/codeLens", "params": in_file(&file)});
    let body = hover.to_string();
    let header = format!(
        "Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    for piece in (header + &body).as_bytes().chunks(7) {
        client.send_bytes(piece);
    }
    let answer = &client.answers(1)[0];
    assert_eq!(answer["id"], "whole");
    assert!(
        answer["result"].as_array().is_some_and(|lenses| !lenses.is_empty()),
        "{answer}"
    );
    assert_eq!(client.end(), Some(0));
}

#[test]
fn without_shutdown_the_end_is_a_failure() {
    let project = Project::with_sample();
    let mut client = start(&project);
    client.tell("exit", Value::Null);
    assert_eq!(client.ended(), Some(1));
    assert_eq!(start(&project).end(), Some(0));
}

/// A process that stands for an editor.
fn editor() -> std::process::Child {
    let mut command = Command::new("sleep");
    command.arg("600").stdin(Stdio::null());
    command.spawn().expect("a process")
}

#[test]
fn the_server_ends_with_its_editor() {
    let project = Project::with_sample();
    let mut editor = editor();
    let client = Client::start_for(
        editor.id(),
        project.command(),
        &project.path(""),
        (&json!({}), Value::Null),
    );
    editor.kill().expect("it runs");
    editor.wait().expect("it was started");
    // Its input stays open, as that of a process that a dead editor has started.
    assert_eq!(client.ended(), Some(1));
}
