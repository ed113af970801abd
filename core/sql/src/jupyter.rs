//! The same answers in the units and words of Jupyter's `complete_request` and `inspect_request`: a cursor counts Unicode
//! characters, not bytes. <https://jupyter-client.readthedocs.io/en/stable/messaging.html#completion>

use serde::Serialize;

use crate::catalog::Catalog;
use crate::complete::{ItemKind, complete};
use crate::hover::hover;

/// The content of a `complete_reply`, without its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompleteReply {
    /// What can be written, best first.
    pub matches: Vec<String>,
    /// The first character that a match replaces.
    pub cursor_start: usize,
    /// The one behind the last.
    pub cursor_end: usize,
    /// What JupyterLab shows beside the matches.
    pub metadata: CompleteMetadata,
}

/// See [`CompleteReply::metadata`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompleteMetadata {
    /// One for each match. <https://jupyterlab.readthedocs.io/en/stable/user/completer.html>
    #[serde(rename = "_jupyter_types_experimental")]
    pub types: Vec<CompleteType>,
}

/// A match with its type and details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompleteType {
    /// The match.
    pub text: String,
    /// As in [`CompleteReply`].
    pub start: usize,
    /// As in [`CompleteReply`].
    pub end: usize,
    /// A word for the icon: `function`, `keyword`, `value` and the like.
    pub r#type: &'static str,
    /// A few words: a type, a number of spans.
    pub signature: String,
}

/// The content of an `inspect_reply`, without its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InspectReply {
    /// Whether anything is known.
    pub found: bool,
    /// By MIME type; empty where nothing is known.
    pub data: std::collections::BTreeMap<&'static str, String>,
}

/// What can be written at the cursor, a number of characters. Snippets with places to fill in are left out: frontends
/// write a match as it is.
pub fn complete_reply(catalog: &Catalog, code: &str, cursor_pos: usize) -> CompleteReply {
    let found = complete(catalog, code, byte_of(code, cursor_pos));
    let (start, end) = (
        character_of(code, found.replace.start),
        character_of(code, found.replace.end),
    );
    let items = found.items.into_iter().filter(|item| !item.is_snippet);
    let types: Vec<CompleteType> = items
        .map(|item| CompleteType {
            text: item.insert,
            start,
            end,
            r#type: word_of(item.kind),
            signature: item.detail,
        })
        .collect();
    CompleteReply {
        matches: types.iter().map(|found| found.text.clone()).collect(),
        cursor_start: start,
        cursor_end: end,
        metadata: CompleteMetadata { types },
    }
}

/// What the word at the cursor means, as Markdown and as the same text for frontends that show no Markdown.
pub fn inspect_reply(catalog: &Catalog, code: &str, cursor_pos: usize) -> InspectReply {
    let at = byte_of(code, cursor_pos);
    // Behind a word stands the cursor of somebody who has just typed it.
    let before = code.get(..at).and_then(|before| before.char_indices().next_back());
    let found = hover(catalog, code, at).or_else(|| hover(catalog, code, before?.0));
    let data = found.map(|found| {
        [
            ("text/plain", found.markdown.clone()),
            ("text/markdown", found.markdown),
        ]
        .into()
    });
    InspectReply {
        found: data.is_some(),
        data: data.unwrap_or_default(),
    }
}

/// The byte at which a character begins; behind the last one the end.
fn byte_of(code: &str, character: usize) -> usize {
    code.char_indices().nth(character).map_or(code.len(), |(byte, _)| byte)
}

fn character_of(code: &str, byte: usize) -> usize {
    code.get(..byte).map_or(0, |before| before.chars().count())
}

fn word_of(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Column | ItemKind::Field => "field",
        ItemKind::Relation | ItemKind::Cte => "class",
        ItemKind::Alias | ItemKind::Variable => "variable",
        ItemKind::Macro | ItemKind::Function => "function",
        ItemKind::Parameter | ItemKind::AttributeKey => "property",
        ItemKind::Keyword => "keyword",
        ItemKind::Snippet | ItemKind::Join => "snippet",
        ItemKind::Value => "value",
        ItemKind::Trace => "reference",
        ItemKind::Type => "type",
    }
}
