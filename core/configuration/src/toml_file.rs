//! Values in `flockscope.toml`.

use std::path::Path;

use toml_edit::{Array, Document, Item, TableLike, Value as Toml};

use crate::problem::Given;
use crate::settings::by_key;
use crate::sources::read_file;
use crate::value::Refused;
use crate::{Kind, Origin, Problem, Problems, Setting, settings};

/// Largest file in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// A value of the file, as the text that the environment would have, or what is there instead of it.
pub(crate) struct InFile {
    pub(crate) setting: &'static Setting,
    pub(crate) given: Given,
    pub(crate) text: Result<String, String>,
}

/// The values of a file. Keys that are not known and the like are problems, as is a file that is no TOML.
pub(crate) fn values(path: &Path, problems: &mut Problems) -> Vec<InFile> {
    let file_problem = |what: &str, line: Option<usize>| {
        let origin = line.map(|line| Origin::File {
            path: path.to_owned(),
            line,
        });
        Problem::without_setting(&path.display().to_string(), origin, what)
    };
    let text = match read_file(path, MOST_BYTES) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| "is no text in UTF-8".to_owned()),
        Err(error) => Err(error),
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            problems.push(file_problem(&error, None));
            return Vec::new();
        }
    };
    match Document::parse(text.as_str()) {
        Ok(document) => Reader {
            file: File { path, text: &text },
            problems,
            values: Vec::new(),
        }
        .read(document.as_table()),
        Err(error) => {
            // Only the message: the error's own text shows the line, which may be that of a secret.
            let line = error.span().map(|span| line_of(&text, span.start));
            problems.push(file_problem(&format!("is no TOML: {}", error.message().trim()), line));
            Vec::new()
        }
    }
}

#[derive(Clone, Copy)]
struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    /// Where a key stands. It takes time to find, so a file of nonsense must not be asked for each of its keys.
    fn origin(self, table: &dyn TableLike, name: &str) -> Origin {
        let span = table.key(name).and_then(toml_edit::Key::span);
        Origin::File {
            path: self.path.to_owned(),
            line: span.map_or(1, |span| line_of(self.text, span.start)),
        }
    }
}

struct Reader<'a> {
    file: File<'a>,
    problems: &'a mut Problems,
    values: Vec<InFile>,
}

impl Reader<'_> {
    fn read(mut self, table: &dyn TableLike) -> Vec<InFile> {
        let file = self.file;
        for (section, item) in table.iter() {
            let is_known = settings().iter().any(|setting| setting.section() == section);
            let origin = || file.origin(table, section);
            match item.as_table_like() {
                // The keys of an unknown section are unknown, and each is told; but it may have none.
                Some(entries) if is_known || !entries.is_empty() => self.read_section(section, entries),
                Some(_) => self.problems.push_with(|| Problem::unknown_section(section, origin())),
                None if is_known => {
                    let what = format!("is a section, and must be a table: [{section}]");
                    self.problems
                        .push(Problem::without_setting(section, Some(origin()), &what));
                }
                None => self.problems.push_with(|| Problem::unknown(section, Some(origin()))),
            }
        }
        self.values
    }

    fn read_section(&mut self, section: &str, entries: &dyn TableLike) {
        let file = self.file;
        for (name, item) in entries.iter() {
            let key = format!("{section}.{name}");
            let origin = || file.origin(entries, name);
            match by_key(&key) {
                Some(setting) => self.values.push(InFile {
                    setting,
                    given: Given::new(setting.key, origin()),
                    text: text_of(item, setting.kind),
                }),
                None => self.problems.push_with(|| Problem::unknown(&key, Some(origin()))),
            }
        }
    }
}

/// Line of a position, from 1.
fn line_of(text: &str, position: usize) -> usize {
    let before = text.as_bytes().get(..position).unwrap_or(text.as_bytes());
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

/// The text by which the environment would give the same value, or what the file has there that no value of this kind
/// can be.
fn text_of(item: &Item, kind: Kind) -> Result<String, String> {
    let text = match (item, kind) {
        (Item::Value(Toml::String(text)), _) => Some(text.value().clone()),
        (Item::Value(Toml::Boolean(yes)), Kind::Boolean) => Some(yes.value().to_string()),
        (Item::Value(Toml::Integer(number)), Kind::Integer { .. } | Kind::Days | Kind::Size { .. }) => {
            Some(number.value().to_string())
        }
        // Zero needs no unit.
        (Item::Value(Toml::Integer(number)), Kind::Duration { .. }) => Some(number.value().to_string()),
        (Item::Value(Toml::Array(array)), Kind::List { .. } | Kind::Patterns) => array_text(array),
        (item, Kind::Headers) => item.as_table_like().and_then(table_text),
        _ => None,
    };
    text.ok_or_else(|| item.to_string().trim().to_owned())
}

fn array_text(array: &Array) -> Option<String> {
    let items: Option<Vec<&str>> = array.iter().map(Toml::as_str).collect();
    serde_json::to_string(&items?).ok()
}

fn table_text(table: &dyn TableLike) -> Option<String> {
    let pair = |(name, item): (&str, &Item)| Some((name.to_owned(), item.as_str()?.into()));
    let pairs: Option<serde_json::Map<String, serde_json::Value>> = table.iter().map(pair).collect();
    serde_json::to_string(&pairs?).ok()
}

impl InFile {
    /// The text, or the problem of what is there instead.
    pub(crate) fn text(self) -> Result<(Given, String), Problem> {
        match self.text {
            Ok(text) => Ok((self.given, text)),
            Err(found) => Err(Problem::refused(self.setting, &self.given, &found, Refused::default())),
        }
    }
}
