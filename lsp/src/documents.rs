//! The texts that the editor has open.

use std::collections::HashMap;
use std::path::PathBuf;

use async_lsp::lsp_types::{TextDocumentContentChangeEvent, Url};
use line_index::LineIndex;

use crate::positions::{Encoding, offset};
use crate::settings::Form;

/// What is known of a text by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Source code, or nothing of ours.
    Code,
    Sql,
    Settings(Form),
}

impl Kind {
    fn of(url: &Url, language: &str) -> Self {
        if let Some(form) = Form::of(url.path()) {
            Self::Settings(form)
        } else if language.eq_ignore_ascii_case("sql") || url.path().ends_with(".sql") {
            Self::Sql
        } else {
            Self::Code
        }
    }
}

/// A text that the editor has open, as it is there.
#[derive(Debug)]
pub(crate) struct Document {
    /// Where it lies, if it is a file.
    pub(crate) path: Option<PathBuf>,
    pub(crate) text: String,
    pub(crate) lines: LineIndex,
    pub(crate) kind: Kind,
    /// Whether it changed since the workspace was told.
    pub(crate) is_new: bool,
}

impl Document {
    fn new(url: &Url, language: &str, text: String) -> Self {
        Self {
            path: url.to_file_path().ok(),
            lines: LineIndex::new(&text),
            kind: Kind::of(url, language),
            text,
            is_new: true,
        }
    }

    fn change(&mut self, changes: Vec<TextDocumentContentChangeEvent>, encoding: Encoding) {
        for change in changes {
            match change.range {
                Some(range) => {
                    let start = offset(&self.text, &self.lines, range.start, encoding);
                    let end = offset(&self.text, &self.lines, range.end, encoding).max(start);
                    self.text.replace_range(start..end, &change.text);
                }
                None => self.text = change.text,
            }
            self.lines = LineIndex::new(&self.text);
        }
        self.is_new = true;
    }
}

/// All of them, by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Documents(HashMap<Url, Document>);

impl Documents {
    pub(crate) fn open(&mut self, url: Url, language: &str, text: String) {
        let document = Document::new(&url, language, text);
        self.0.insert(url, document);
    }

    pub(crate) fn change(&mut self, url: &Url, changes: Vec<TextDocumentContentChangeEvent>, encoding: Encoding) {
        if let Some(document) = self.0.get_mut(url) {
            document.change(changes, encoding);
        }
    }

    pub(crate) fn close(&mut self, url: &Url) -> Option<Document> {
        self.0.remove(url)
    }

    pub(crate) fn get(&self, url: &Url) -> Option<&Document> {
        self.0.get(url)
    }

    pub(crate) fn get_mut(&mut self, url: &Url) -> Option<&mut Document> {
        self.0.get_mut(url)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Url, &Document)> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Document> {
        self.0.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use async_lsp::lsp_types::{Position, Range};

    use super::*;

    fn changed(text: &str, range: ((u32, u32), (u32, u32)), new: &str) -> String {
        let url = Url::parse("file:///project/a.py").expect("an address");
        let mut documents = Documents::default();
        documents.open(url.clone(), "python", text.into());
        let ((first, from), (last, to)) = range;
        let change = TextDocumentContentChangeEvent {
            range: Some(Range::new(Position::new(first, from), Position::new(last, to))),
            range_length: None,
            text: new.into(),
        };
        documents.change(&url, vec![change], Encoding::Utf16);
        documents.get(&url).expect("open").text.clone()
    }

    #[test]
    fn changes_are_made_where_the_editor_means_them() {
        assert_eq!(changed("a🐦b\r\nc", ((0, 3), (0, 4)), "x"), "a🐦x\r\nc");
        assert_eq!(changed("a\r\nb\r\nc", ((0, 1), (2, 0)), ""), "ac");
        assert_eq!(changed("a", ((0, 1), (0, 1)), "\n🐦"), "a\n🐦");
        // What no editor should send does no harm.
        assert_eq!(changed("ab", ((0, 2), (0, 0)), "x"), "abx");
        assert_eq!(changed("ab", ((7, 7), (9, 9)), "x"), "abx");
    }
}
