//! What can be written at the cursor.

mod brackets;
mod clauses;
mod expressions;
mod filters;
mod joins;
mod names;
mod ranking;
mod starts;
mod strings;
mod words;

use std::ops::Range;

use crate::catalog::Catalog;
use crate::cursor::Cursor;
use crate::lexer::TokenKind;
use crate::scope::Scopes;

pub(crate) use filters::Filters;
pub(crate) use strings::{Place, json_column, key_doc, literal_at, place};

/// What can be written at the cursor, best first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completions {
    /// What each item's text replaces, in bytes: the word or literal at the cursor, or nothing.
    pub replace: Range<usize>,
    /// The items in order.
    pub items: Vec<Item>,
    /// Whether there are more, which show once a letter is typed.
    pub incomplete: bool,
}

/// Something that can be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What is shown.
    pub label: String,
    /// What is written; with `$1`, `${2:word}` and `$0` where `is_snippet` says so.
    pub insert: String,
    /// What it is.
    pub kind: ItemKind,
    /// A few words beside the label: a type, a number of spans.
    pub detail: String,
    /// More about it, as Markdown; may be empty, as it is for keys far down the list: [`hover`](crate::hover()) says it.
    pub doc: String,
    /// What the typed text is matched with; it begins where the replaced text begins.
    pub filter_text: String,
    /// Orders the items as they are ranked.
    pub sort_text: String,
    /// Whether `insert` has places to fill in.
    pub is_snippet: bool,
}

/// What an [`Item`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// A column.
    Column,
    /// A table or view.
    Relation,
    /// A common table expression.
    Cte,
    /// An alias of a table or of an expression.
    Alias,
    /// An analysis, or another macro that answers with a table.
    Macro,
    /// A parameter of one.
    Parameter,
    /// A function.
    Function,
    /// A keyword or several.
    Keyword,
    /// A whole piece of SQL.
    Snippet,
    /// A condition that joins two tables.
    Join,
    /// A key inside a JSON column.
    AttributeKey,
    /// A value.
    Value,
    /// The id of a trace.
    Trace,
    /// A field of a struct.
    Field,
    /// A type.
    Type,
    /// A parameter of a lambda, or the variable of a list comprehension.
    Variable,
}

/// An item before it has its place in the order.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) item: Item,
    /// The higher, the further up among those that match what is typed equally well.
    pub(crate) score: i32,
}

impl Candidate {
    pub(crate) fn new(kind: ItemKind, label: impl Into<String>, score: i32) -> Self {
        let label = label.into();
        Self {
            item: Item {
                insert: label.clone(),
                filter_text: label.clone(),
                label,
                kind,
                detail: String::new(),
                doc: String::new(),
                sort_text: String::new(),
                is_snippet: false,
            },
            score,
        }
    }

    pub(crate) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.item.detail = detail.into();
        self
    }

    pub(crate) fn doc(mut self, doc: impl Into<String>) -> Self {
        self.item.doc = doc.into();
        self
    }

    pub(crate) fn insert(mut self, insert: impl Into<String>) -> Self {
        self.item.insert = insert.into();
        self
    }

    pub(crate) fn snippet(mut self, insert: impl Into<String>) -> Self {
        self.item.insert = insert.into();
        self.item.is_snippet = true;
        self
    }

    pub(crate) fn filter(mut self, filter: impl Into<String>) -> Self {
        self.item.filter_text = filter.into();
        self
    }
}

/// What can be written at a byte of a text. Only the statement around it is looked at. Nothing is offered inside
/// comments, numbers, and where a new name is given.
pub fn complete(catalog: &Catalog, text: &str, offset: usize) -> Completions {
    let cursor = Cursor::new(text, offset);
    let none = Completions {
        replace: cursor.offset..cursor.offset,
        ..Completions::default()
    };
    if cursor.in_comment || matches!(cursor.kind(), Some(TokenKind::Number | TokenKind::Placeholder)) {
        return none;
    }
    let scopes = Scopes::new(catalog, &cursor.tree);
    let candidates = match cursor.kind() {
        Some(TokenKind::Text) => strings::candidates(&cursor, &scopes),
        _ => names::candidates(&cursor, &scopes).unwrap_or_else(|| clauses::candidates(&cursor, &scopes)),
    };
    ranking::ranked(&cursor, candidates)
}
