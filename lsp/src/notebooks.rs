//! Notebooks that the editor has open. Each cell is a text of its own; a notebook only says which ones there are.
//!
//! lsp-types 0.95 has no words for this, so the ones that are needed stand here.
//! <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#notebookDocument_synchronization>

use std::collections::HashMap;

use async_lsp::lsp_types::notification::Notification;
use async_lsp::lsp_types::request::Request;
use async_lsp::lsp_types::{
    InitializeParams, TextDocumentContentChangeEvent, TextDocumentIdentifier, TextDocumentItem, Url,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::server::Server;

/// `initialize`, whose answer also says what of notebooks is wanted.
pub(crate) enum Initialize {}

impl Request for Initialize {
    type Params = InitializeParams;
    type Result = Value;
    const METHOD: &'static str = "initialize";
}

pub(crate) enum DidOpenNotebook {}
pub(crate) enum DidChangeNotebook {}
pub(crate) enum DidCloseNotebook {}
pub(crate) enum DidSaveNotebook {}

impl Notification for DidOpenNotebook {
    type Params = OpenParams;
    const METHOD: &'static str = "notebookDocument/didOpen";
}

impl Notification for DidChangeNotebook {
    type Params = ChangeParams;
    const METHOD: &'static str = "notebookDocument/didChange";
}

impl Notification for DidCloseNotebook {
    type Params = CloseParams;
    const METHOD: &'static str = "notebookDocument/didClose";
}

impl Notification for DidSaveNotebook {
    type Params = Value;
    const METHOD: &'static str = "notebookDocument/didSave";
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenParams {
    notebook_document: NotebookIdentifier,
    #[serde(default)]
    cell_text_documents: Vec<TextDocumentItem>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CloseParams {
    notebook_document: NotebookIdentifier,
    #[serde(default)]
    cell_text_documents: Vec<TextDocumentIdentifier>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChangeParams {
    notebook_document: NotebookIdentifier,
    change: NotebookChange,
}

/// A notebook's name, and whatever else the editor says about it.
#[derive(Debug, Serialize, Deserialize)]
struct NotebookIdentifier {
    uri: Url,
}

#[derive(Debug, Serialize, Deserialize)]
struct NotebookChange {
    #[serde(default)]
    cells: Option<CellsChange>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CellsChange {
    structure: Option<CellsStructure>,
    text_content: Vec<CellText>,
}

/// Cells that came, went or moved. Of those that moved the texts stay as they are.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CellsStructure {
    did_open: Vec<TextDocumentItem>,
    did_close: Vec<TextDocumentIdentifier>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CellText {
    document: TextDocumentIdentifier,
    changes: Vec<TextDocumentContentChangeEvent>,
}

/// The cells of each notebook.
pub(crate) type Notebooks = HashMap<Url, Vec<Url>>;

/// What the server wants to be told of notebooks: cells of Jupyter's that are SQL or Python.
pub(crate) fn synchronization() -> Value {
    json!({
        "notebookSelector": [{
            "notebook": {"notebookType": "jupyter-notebook"},
            "cells": [{"language": "sql"}, {"language": "python"}],
        }],
    })
}

impl Server {
    pub(crate) fn open_notebook(&mut self, params: OpenParams) {
        let notebook = params.notebook_document.uri;
        for cell in params.cell_text_documents {
            self.open_cell(&notebook, cell);
        }
    }

    pub(crate) fn change_notebook(&mut self, params: ChangeParams) {
        let notebook = params.notebook_document.uri;
        let cells = params.change.cells.unwrap_or_default();
        let structure = cells.structure.unwrap_or_default();
        for cell in structure.did_close {
            self.close_cell(&cell.uri);
            if let Some(cells) = self.notebooks.get_mut(&notebook) {
                cells.retain(|other| *other != cell.uri);
            }
        }
        for cell in structure.did_open {
            self.open_cell(&notebook, cell);
        }
        for text in cells.text_content {
            self.documents.change(&text.document.uri, text.changes, self.encoding);
            self.check_soon(text.document.uri);
        }
    }

    pub(crate) fn close_notebook(&mut self, params: CloseParams) {
        let known = self.notebooks.remove(&params.notebook_document.uri).unwrap_or_default();
        let named = params.cell_text_documents.into_iter().map(|cell| cell.uri);
        for cell in known.into_iter().chain(named) {
            self.close_cell(&cell);
        }
    }

    fn open_cell(&mut self, notebook: &Url, cell: TextDocumentItem) {
        let cells = self.notebooks.entry(notebook.clone()).or_default();
        if !cells.contains(&cell.uri) {
            cells.push(cell.uri.clone());
        }
        self.documents.open_cell(cell.uri.clone(), &cell.language_id, cell.text);
        self.check_soon(cell.uri);
    }

    fn close_cell(&mut self, cell: &Url) {
        self.documents.close(cell);
        self.forget_checks(cell);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_leaves_out_is_nothing() {
        let change = json!({"notebookDocument": {"uri": "file:///a.ipynb", "version": 2},
            "change": {"metadata": {}, "cells": {"data": [{"kind": 2, "document": "vscode-notebook-cell:/a#1"}]}}});
        let change: ChangeParams = serde_json::from_value(change).expect("a change");
        let cells = change.change.cells.expect("cells");
        assert!(cells.structure.is_none() && cells.text_content.is_empty());
        let change = json!({"notebookDocument": {"uri": "file:///a.ipynb"}, "change": {"cells": {"structure":
            {"array": {"start": 0, "deleteCount": 1}, "didClose": [{"uri": "vscode-notebook-cell:/a#1"}]}}}});
        let change: ChangeParams = serde_json::from_value(change).expect("a change");
        let structure = change
            .change
            .cells
            .and_then(|cells| cells.structure)
            .expect("a structure");
        assert_eq!(structure.did_close.len(), 1);
        assert!(structure.did_open.is_empty());
    }
}
