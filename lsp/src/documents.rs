//! The texts that the editor has open.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use async_lsp::lsp_types::{TextDocumentContentChangeEvent, Url};
use flockscope_functions::{SqlString, sql_strings};
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
    /// Whether it is a cell of a notebook.
    pub(crate) is_cell: bool,
    pub(crate) is_python: bool,
    /// Another one after every change: what was found in a text is about one edition of it.
    pub(crate) edition: u64,
    /// Whether it changed since the workspace was told.
    pub(crate) is_new: bool,
    /// The SQL in the strings of a cell, once somebody asked for it.
    strings: Option<Vec<SqlString>>,
}

/// How editors name the cells of notebooks that they open as texts.
const CELL: &str = "vscode-notebook-cell";

/// The first line of a cell that is SQL from the next line on.
const SQL_MAGIC: &str = "%%sql";

impl Document {
    fn new(url: &Url, language: &str, text: String) -> Self {
        Self {
            path: url.to_file_path().ok(),
            lines: LineIndex::new(&text),
            kind: Kind::of(url, language),
            is_cell: false,
            is_python: language.eq_ignore_ascii_case("python") || url.path().ends_with(".py"),
            text,
            edition: next_edition(),
            is_new: true,
            strings: None,
        }
    }

    fn cell(language: &str, text: String) -> Self {
        let is_sql = language.eq_ignore_ascii_case("sql");
        Self {
            path: None,
            lines: LineIndex::new(&text),
            kind: if is_sql { Kind::Sql } else { Kind::Code },
            is_cell: true,
            is_python: language.eq_ignore_ascii_case("python"),
            text,
            edition: next_edition(),
            is_new: true,
            strings: None,
        }
    }

    /// Where the SQL begins that the text is from there on to its end. A cell whose first line is another command than
    /// `%%sql`, such as `%timeline` of the kernel, is none.
    pub(crate) fn sql_start(&self) -> Option<usize> {
        let whole = (self.kind == Kind::Sql).then_some(0);
        if !self.is_cell {
            return whole;
        }
        let first = self.text.find(|letter: char| !letter.is_whitespace())?;
        let rest = self.text.get(first..)?;
        let line = rest.lines().next().unwrap_or_default();
        if line
            .split_whitespace()
            .next()
            .is_some_and(|word| word.eq_ignore_ascii_case(SQL_MAGIC))
        {
            return rest.find('\n').map(|end| first + end + 1);
        }
        if line.starts_with('%') { None } else { whole }
    }

    /// The SQL in the strings of a cell that is Python.
    pub(crate) fn cell_strings(&mut self) -> &[SqlString] {
        if !self.is_cell || !self.is_python || self.sql_start().is_some() {
            return &[];
        }
        let text = &self.text;
        self.strings.get_or_insert_with(|| sql_strings(text))
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
        self.edition = next_edition();
        self.strings = None;
    }
}

fn next_edition() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// All of them, by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Documents(HashMap<Url, Document>);

impl Documents {
    pub(crate) fn open(&mut self, url: Url, language: &str, text: String) {
        if url.scheme() == CELL {
            self.open_cell(url, language, text);
            return;
        }
        let document = Document::new(&url, language, text);
        self.0.insert(url, document);
    }

    pub(crate) fn open_cell(&mut self, url: Url, language: &str, text: String) {
        self.0.insert(url, Document::cell(language, text));
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
    fn a_cell_is_sql_from_where_its_command_ends() {
        let start = |language: &str, text: &str| {
            let url = Url::parse("vscode-notebook-cell:/project/a.ipynb#W1").expect("an address");
            let mut documents = Documents::default();
            documents.open(url.clone(), language, text.into());
            documents.get(&url).expect("open").sql_start()
        };
        assert_eq!(start("sql", "SELECT 1"), Some(0));
        assert_eq!(start("sql", "%timeline abc\nSELECT 1"), None);
        assert_eq!(start("sql", "\n%%sql\nSELECT 1"), Some(7));
        assert_eq!(start("python", "%%sql --with a\r\nSELECT 1"), Some(16));
        assert_eq!(start("python", "%%sql"), None);
        assert_eq!(start("python", "%%sqlite\nSELECT 1"), None);
        assert_eq!(start("python", "x = 1"), None);
        assert_eq!(start("markdown", "SELECT 1"), None);
    }

    #[test]
    fn strings_of_a_cell_are_those_of_its_text_now() {
        let url = Url::parse("vscode-notebook-cell:/project/a.ipynb#W1").expect("an address");
        let mut documents = Documents::default();
        documents.open(url.clone(), "python", "db.execute('FROM a')".into());
        let sql = |documents: &mut Documents| -> Vec<String> {
            let document = documents.get_mut(&url).expect("open");
            document
                .cell_strings()
                .iter()
                .map(|string| string.sql.clone())
                .collect()
        };
        assert_eq!(sql(&mut documents), ["FROM a"]);
        let change = TextDocumentContentChangeEvent {
            range: None,
            range_length: None,
            text: "%%sql\ndb.execute('FROM a')".into(),
        };
        documents.change(&url, vec![change], Encoding::Utf16);
        assert!(sql(&mut documents).is_empty());
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
