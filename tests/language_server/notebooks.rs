//! SQL in the cells of notebooks.

use serde_json::{Value, json};

use crate::client::{Client, text_at};
use crate::project::Project;

const SQL: &str = "WITH slow AS (SELECT * FROM spans)\nSELECT servce FROM slow";
const MAGIC: &str = "%%sql --to frame\r\nSELECT '🐦', nme FROM spans";
const PYTHON: &str = "import duckdb\nduckdb.sql('SELECT durtion_ms FROM spans')";
const KERNEL: &str = "%timeline SELECT servce FROM spans";
const LATER: &str = "SELECT * FROM slow";

fn cell(number: usize) -> String {
    format!("vscode-notebook-cell:/project/a.ipynb#W{number}")
}

fn text_document(number: usize, language: &str, text: &str) -> Value {
    json!({"uri": cell(number), "languageId": language, "version": 1, "text": text})
}

/// Items at the end of a cell that is changed to this text.
fn labels(client: &mut Client, cell: &str, line: usize, character: usize) -> Vec<String> {
    let answer = client.ask(
        "textDocument/completion",
        json!({"textDocument": {"uri": cell}, "position": {"line": line, "character": character}}),
    );
    let items = answer["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item["label"].as_str().map(str::to_owned))
        .collect()
}

fn hover(client: &mut Client, cell: &str, line: usize, character: usize) -> String {
    let at = json!({"textDocument": {"uri": cell}, "position": {"line": line, "character": character}});
    let hover = client.ask("textDocument/hover", at);
    hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn cells_of_a_notebook_are_texts_without_being_opened_one_by_one() {
    let project = Project::with_sample();
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let languages = [
        (SQL, "sql"),
        (MAGIC, "python"),
        (PYTHON, "python"),
        (KERNEL, "sql"),
        (LATER, "sql"),
    ];
    let cells: Vec<Value> = (0..languages.len())
        .map(|number| json!({"kind": 2, "document": cell(number)}))
        .collect();
    let texts: Vec<Value> = languages
        .iter()
        .enumerate()
        .map(|(number, (text, language))| text_document(number, language, text))
        .collect();
    client.tell(
        "notebookDocument/didOpen",
        json!({"notebookDocument": {"uri": "file:///project/a.ipynb", "notebookType": "jupyter-notebook", "version": 1,
                                    "cells": cells},
               "cellTextDocuments": texts}),
    );
    // Their mistakes come in any order.
    let mut marked = vec![String::new(); 3];
    while marked.iter().any(String::is_empty) {
        let said = client.wait_for("textDocument/publishDiagnostics");
        let found = said["params"]["diagnostics"].as_array().expect("diagnostics");
        let number = (0..languages.len())
            .find(|number| said["params"]["uri"] == cell(*number))
            .expect("a cell");
        match (number, found.first()) {
            // Neither a command of the kernel, nor what another cell has defined.
            (3 | 4, Some(one)) => panic!("{one}"),
            (number @ 0..=2, Some(one)) => {
                marked[number] = text_at(&languages[number].0.replace('\r', ""), &one["range"]);
            }
            _ => {}
        }
    }
    assert_eq!(marked, ["servce", "nme", "durtion_ms"]);

    assert!(
        labels(&mut client, &cell(0), 1, 10)
            .iter()
            .any(|label| label == "service")
    );
    assert!(hover(&mut client, &cell(0), 0, 30).contains("spans"));
    assert!(labels(&mut client, &cell(1), 1, 15).iter().any(|label| label == "name"));
    assert!(hover(&mut client, &cell(1), 1, 23).contains("spans"));
    let document = json!({"textDocument": {"uri": cell(1)}, "options": {"tabSize": 2, "insertSpaces": true}});
    let laid_out = client.ask("textDocument/formatting", document.clone());
    assert_eq!(
        laid_out[0]["range"]["start"],
        json!({"line": 1, "character": 0}),
        "{laid_out}"
    );
    assert!(!laid_out[0]["newText"].to_string().contains("%%sql"), "{laid_out}");
    let tokens = client.ask("textDocument/semanticTokens/full", document);
    // `SELECT` of the second line.
    assert_eq!(
        tokens["data"].as_array().expect("numbers")[..3],
        [json!(1), json!(0), json!(6)]
    );
    // The line of the command is no SQL.
    assert!(labels(&mut client, &cell(1), 0, 8).is_empty());
    assert!(
        labels(&mut client, &cell(2), 1, 22)
            .iter()
            .any(|label| label == "duration_ms")
    );
    assert!(labels(&mut client, &cell(3), 0, 20).is_empty());
    assert_eq!(hover(&mut client, &cell(3), 0, 30), "");
    // A common table expression is known in its own cell alone.
    let in_cell = |client: &mut Client, number: usize, line, character| {
        labels(client, &cell(number), line, character)
            .iter()
            .any(|label| label == "slow")
    };
    assert!(in_cell(&mut client, 0, 1, 21));
    assert!(!in_cell(&mut client, 4, 0, 15));

    // A cell is edited, one goes, one comes.
    let change = json!({"cells": {
        "structure": {"array": {"start": 1, "deleteCount": 1, "cells": [{"kind": 2, "document": cell(9)}]},
                      "didOpen": [text_document(9, "sql", "SELECT clss FROM spans")], "didClose": [{"uri": cell(1)}]},
        "textContent": [{"document": {"uri": cell(0), "version": 2}, "changes": [
            {"range": {"start": {"line": 1, "character": 7}, "end": {"line": 1, "character": 13}}, "text": "service"}]}]}});
    client.tell(
        "notebookDocument/didChange",
        json!({"notebookDocument": {"uri": "file:///project/a.ipynb", "version": 2}, "change": change}),
    );
    let mut waited = [cell(0), cell(1), cell(9)].to_vec();
    while !waited.is_empty() {
        let said = client.wait_for("textDocument/publishDiagnostics");
        let found = said["params"]["diagnostics"].as_array().expect("diagnostics");
        let uri = said["params"]["uri"].as_str().expect("an address");
        // The new cell has a mistake, the others have none any more.
        if found.is_empty() != (uri == cell(9)) {
            waited.retain(|other| other != uri);
        }
    }
    assert_eq!(hover(&mut client, &cell(1), 1, 23), "");

    client.tell(
        "notebookDocument/didClose",
        json!({"notebookDocument": {"uri": "file:///project/a.ipynb"}, "cellTextDocuments": [{"uri": cell(0)}]}),
    );
    client.mistakes_when(&cell(9), <[Value]>::is_empty);
    assert!(labels(&mut client, &cell(0), 1, 10).is_empty());
    assert_eq!(client.end(), Some(0));
}

#[test]
fn a_cell_that_comes_as_a_plain_text_is_one_too() {
    let project = Project::with_sample();
    let mut client = Client::start(project.command(), &project.path(""), &json!({}));
    let notebook = client.capabilities["notebookDocumentSync"]["notebookSelector"].clone();
    assert_eq!(notebook[0]["notebook"]["notebookType"], "jupyter-notebook");
    for (number, (language, text)) in [("python", MAGIC), ("sql", KERNEL)].into_iter().enumerate() {
        let document = text_document(number, language, text);
        client.tell("textDocument/didOpen", json!({"textDocument": document}));
    }
    let found = client.mistakes_when(&cell(0), |found| !found.is_empty());
    assert_eq!(text_at(&MAGIC.replace('\r', ""), &found[0]["range"]), "nme");
    assert!(labels(&mut client, &cell(1), 0, 20).is_empty());
    assert_eq!(client.end(), Some(0));
}
