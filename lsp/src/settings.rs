//! `.env` and `flockscope.toml`: what can be written there, what a setting means, what is wrong.

use std::collections::BTreeMap;
use std::ops::Range as Bytes;

use async_lsp::lsp_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionTextEdit, Diagnostic, DiagnosticSeverity,
    Documentation, Hover, HoverContents, MarkupContent, MarkupKind, Position, TextEdit,
};
use flockscope_configuration::{
    Configuration, Kind, PROGRAM_VARIABLES, ProgramVariable, Setting, Sources, check_value, settings,
};
use flockscope_sql::Catalog;
use line_index::LineIndex;

use crate::positions::{Encoding, offset, range};

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `NAME=value` lines.
    Env,
    /// Sections of `name = value` lines.
    Toml,
}

impl Form {
    /// By the last part of a file's address.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.rsplit('/').next()? {
            ".env" => Some(Self::Env),
            "flockscope.toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// A text of settings at hand, with the services and operations of the store.
pub(crate) struct SettingsText<'a> {
    pub(crate) form: Form,
    pub(crate) catalog: &'a Catalog,
    pub(crate) text: &'a str,
    pub(crate) lines: &'a LineIndex,
    pub(crate) encoding: Encoding,
}

/// A line that gives a value, in bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given<'a> {
    section: &'a str,
    name: Bytes<usize>,
    /// What stands behind the `=`, without blanks, quotes and a comment; `None` where there is no `=` yet.
    value: Option<Bytes<usize>>,
}

/// What a name stands for.
enum Meaning {
    Setting(&'static Setting),
    Program(&'static ProgramVariable),
}

impl SettingsText<'_> {
    pub(crate) fn completion(&self, at: Position) -> CompletionList {
        let cursor = offset(self.text, self.lines, at, self.encoding);
        let given = self.line_at(cursor);
        let items = match &given {
            Some(Given { value: Some(value), .. }) if cursor >= value.start => {
                let known = given.as_ref().and_then(|given| self.meaning(given));
                self.values(known.as_ref(), &(value.start..value.end.max(cursor)))
            }
            Some(given) => self.names(
                given.section,
                &(given.name.start..given.name.end.max(cursor)),
                given.value.is_some(),
            ),
            None => Vec::new(),
        };
        CompletionList {
            is_incomplete: false,
            items,
        }
    }

    pub(crate) fn hover(&self, at: Position) -> Option<Hover> {
        let cursor = offset(self.text, self.lines, at, self.encoding);
        let given = self.line_at(cursor)?;
        if !(given.name.start..=given.name.end).contains(&cursor) {
            return None;
        }
        let value = match self.meaning(&given)? {
            Meaning::Setting(setting) => about(setting),
            Meaning::Program(variable) => about_program(variable),
        };
        Some(Hover {
            contents: HoverContents::Markup(MarkupContent {
                kind: MarkupKind::Markdown,
                value,
            }),
            range: Some(self.range(&given.name)),
        })
    }

    pub(crate) fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for given in self.given() {
            let Some(value) = &given.value else { continue };
            let name = self.text.get(given.name.clone()).unwrap_or_default();
            let text = self.text.get(value.clone()).unwrap_or_default();
            let (severity, message) = match self.form {
                Form::Env => match wrong_variable(name, text) {
                    Some(wrong) => wrong,
                    None => continue,
                },
                Form::Toml => {
                    let key = format!("{}.{name}", given.section);
                    // An array over several lines, and a table, are read when the process starts.
                    let is_open = text.starts_with('[') && !text.ends_with(']');
                    let is_table = text.starts_with('{');
                    match check_value(&key, text) {
                        Err(problem) if !is_open && !is_table => (DiagnosticSeverity::ERROR, problem.message),
                        _ => continue,
                    }
                }
            };
            let is_about_name = self.meaning(&given).is_none();
            found.push(Diagnostic {
                range: self.range(if is_about_name { &given.name } else { value }),
                severity: Some(severity),
                source: Some("flockscope".into()),
                message,
                ..Diagnostic::default()
            });
        }
        found
    }

    fn range(&self, bytes: &Bytes<usize>) -> async_lsp::lsp_types::Range {
        let small = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        range(self.lines, &(small(bytes.start)..small(bytes.end)), self.encoding)
    }

    /// Every line that gives a value, or begins to.
    fn given(&self) -> Vec<Given<'_>> {
        let mut found = Vec::new();
        let mut section = "";
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let content = line.trim_end();
            if self.form == Form::Toml
                && let Some(name) = content.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
            {
                section = name.trim();
            } else if let Some(given) = given(self.form, content, start, section) {
                found.push(given);
            }
            start += line.len();
        }
        found
    }

    fn line_at(&self, cursor: usize) -> Option<Given<'_>> {
        let line_of = |byte: usize| self.text.get(..byte).map_or(0, |before| before.matches('\n').count());
        let wanted = line_of(cursor);
        let found = self
            .given()
            .into_iter()
            .find(|given| line_of(given.name.start) == wanted);
        found.or_else(|| {
            // An empty line: a name may begin here.
            let start = self.text.get(..cursor)?.rfind('\n').map_or(0, |end| end + 1);
            let end = self
                .text
                .get(cursor..)?
                .find('\n')
                .map_or(self.text.len(), |end| cursor + end);
            if !self.text.get(start..end)?.trim().is_empty() {
                return None;
            }
            let headers = self.text.get(..start)?.lines().rev();
            let header = headers
                .map(str::trim)
                .find(|line| line.starts_with('[') && line.ends_with(']'));
            let section = header.map_or("", |line| line.trim_matches(['[', ']']).trim());
            Some(Given {
                section,
                name: cursor..cursor,
                value: None,
            })
        })
    }

    fn meaning(&self, given: &Given<'_>) -> Option<Meaning> {
        let name = self.text.get(given.name.clone())?;
        match self.form {
            Form::Env => by_variable(name).map(Meaning::Setting).or_else(|| {
                PROGRAM_VARIABLES
                    .iter()
                    .find(|known| known.name == name)
                    .map(Meaning::Program)
            }),
            Form::Toml => settings()
                .iter()
                .find(|setting| setting.section() == given.section && setting.name() == name)
                .map(Meaning::Setting),
        }
    }

    /// Names that can be written; with their `=` where there is none yet.
    fn names(&self, section: &str, replace: &Bytes<usize>, has_value: bool) -> Vec<CompletionItem> {
        let item = |name: &str, doc: String, end: &str| {
            let insert = match has_value {
                true => name.to_owned(),
                false => format!("{name}{end}"),
            };
            self.item(name, insert, CompletionItemKind::PROPERTY, doc, replace)
        };
        match self.form {
            Form::Env => {
                let of_settings = settings()
                    .iter()
                    .map(|setting| item(setting.variable, about(setting), "="));
                let of_program = PROGRAM_VARIABLES
                    .iter()
                    .map(|variable| item(variable.name, about_program(variable), "="));
                of_settings.chain(of_program).collect()
            }
            Form::Toml => {
                let here = settings().iter().filter(|setting| setting.section() == section);
                let mut items: Vec<CompletionItem> = here
                    .map(|setting| item(setting.name(), about(setting), " = "))
                    .collect();
                let mut sections: Vec<&str> = settings().iter().map(Setting::section).collect();
                sections.dedup();
                items.extend(sections.into_iter().filter(|name| *name != section).map(|name| {
                    let header = format!("[{name}]");
                    self.item(
                        &header,
                        header.clone(),
                        CompletionItemKind::MODULE,
                        String::new(),
                        replace,
                    )
                }));
                items
            }
        }
    }

    /// Values that can be written.
    fn values(&self, meaning: Option<&Meaning>, replace: &Bytes<usize>) -> Vec<CompletionItem> {
        let (words, doc): (Vec<String>, String) = match meaning {
            Some(Meaning::Setting(setting)) => (self.words(setting), about(setting)),
            Some(Meaning::Program(variable)) => {
                let words = match variable.default {
                    "true" | "false" => vec!["true".into(), "false".into()],
                    _ => vec!["http://localhost:4317".to_owned()],
                };
                (words, about_program(variable))
            }
            None => return Vec::new(),
        };
        let item = |word: &String| self.item(word, word.clone(), CompletionItemKind::VALUE, doc.clone(), replace);
        words.iter().map(item).collect()
    }

    /// The words that a setting takes, or its default and an example.
    fn words(&self, setting: &Setting) -> Vec<String> {
        let of_store = |of: fn(&flockscope_sql::catalog::Operation) -> &String| {
            let mut names: Vec<String> = self.catalog.operations.iter().map(|row| of(row).clone()).collect();
            names.sort_unstable();
            names.dedup();
            names
        };
        match (setting.key, setting.kind) {
            ("filters.services", _) => of_store(|row| &row.service),
            ("filters.ignore", _) => of_store(|row| &row.name),
            (_, Kind::Boolean) => vec!["true".into(), "false".into()],
            (_, Kind::Choice { words }) => words.iter().map(|word| (*word).to_owned()).collect(),
            _ => [setting.default, setting.example]
                .into_iter()
                .filter(|value| !value.is_empty() && !setting.is_secret())
                .map(str::to_owned)
                .collect(),
        }
    }

    fn item(
        &self,
        label: &str,
        insert: String,
        kind: CompletionItemKind,
        doc: String,
        replace: &Bytes<usize>,
    ) -> CompletionItem {
        CompletionItem {
            label: label.to_owned(),
            kind: Some(kind),
            documentation: (!doc.is_empty()).then_some(Documentation::MarkupContent(MarkupContent {
                kind: MarkupKind::Markdown,
                value: doc,
            })),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(self.range(replace), insert))),
            ..CompletionItem::default()
        }
    }
}

/// The name and value of a line; nothing for a comment, an empty line, or what is no name.
fn given<'a>(form: Form, line: &str, start: usize, section: &'a str) -> Option<Given<'a>> {
    let mut at = line.len() - line.trim_start().len();
    if form == Form::Env
        && let Some(rest) = line.get(at..)?.strip_prefix("export ")
    {
        at = line.len() - rest.trim_start().len();
    }
    let rest = line.get(at..)?;
    if rest.is_empty() || rest.starts_with('#') {
        return None;
    }
    let (name, value) = match rest.split_once('=') {
        Some((name, value)) => (name.trim_end(), Some(value)),
        None => (rest.trim_end(), None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(is_name) {
        return None;
    }
    let value = value.map(|value| {
        let from = line.len() - value.len();
        let blanks = value.len() - value.trim_start().len();
        let (from, value) = (from + blanks, value.trim());
        let (skipped, length) = content(value);
        let from = start + from + skipped;
        from..from + length
    });
    Some(Given {
        section,
        name: start + at..start + at + name.len(),
        value,
    })
}

/// Where the content of a value begins and how long it is: without quotes around it, or a comment behind it.
fn content(value: &str) -> (usize, usize) {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote) {
            return (1, rest.find(quote).unwrap_or(rest.len()));
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    (0, value.get(..end).unwrap_or_default().trim_end().len())
}

fn by_variable(name: &str) -> Option<&'static Setting> {
    let is_meant =
        |setting: &&Setting| setting.variable == name || setting.alias.is_some_and(|alias| alias.variable == name);
    settings().iter().find(is_meant)
}

/// What is wrong with a variable by itself.
fn wrong_variable(name: &str, text: &str) -> Option<(DiagnosticSeverity, String)> {
    let sources = Sources {
        environment: BTreeMap::from([(name.to_owned(), text.to_owned())]),
        ..Sources::default()
    };
    match Configuration::load(&sources) {
        Err(problems) => Some((DiagnosticSeverity::ERROR, problems.to_string().trim().to_owned())),
        Ok(loaded) => {
            let warning = loaded.warnings.into_iter().find(|warning| warning.name == name)?;
            Some((DiagnosticSeverity::WARNING, warning.message))
        }
    }
}

fn about(setting: &Setting) -> String {
    let default = match (setting.default, setting.empty) {
        ("", Some(empty)) => format!("empty {empty}"),
        (default, _) => format!("`{default}`"),
    };
    let alias = setting
        .alias
        .map_or_else(String::new, |alias| format!(", also `{}`", alias.variable));
    format!(
        "**`{}`** (`{}`{alias})\n\n{}\n\n- must be {}\n- default: {default}\n- a change counts {}\n",
        setting.key,
        setting.variable,
        setting.description,
        setting.allowed(),
        if setting.needs_restart {
            "when the process starts again (`flockscope stop`)"
        } else {
            "at once"
        },
    )
}

fn about_program(variable: &ProgramVariable) -> String {
    let default = match variable.default {
        "" => "not set".to_owned(),
        default => format!("`{default}`"),
    };
    format!(
        "**`{}`**, read by the Flock program itself\n\n{}\n\n- default: {default}\n",
        variable.name, variable.description
    )
}

#[cfg(test)]
mod tests {
    use flockscope_sql::catalog::{Contents, Operation};

    use super::*;

    fn catalog() -> Catalog {
        let operation = |name: &str| Operation {
            service: name.split('.').next().unwrap_or_default().into(),
            operation: "run".into(),
            name: name.into(),
            spans: 1,
        };
        Catalog::new(Contents {
            operations: vec![operation("Agent.run"), operation("Flock.run")],
            ..Contents::default()
        })
    }

    /// The labels offered at the mark `¦`, and the text after the first item that begins so was taken.
    fn offered(form: Form, marked: &str, take: &str) -> (Vec<String>, String) {
        let cursor = marked.find('¦').expect("a mark");
        let text = marked.replace('¦', "");
        let lines = LineIndex::new(&text);
        let catalog = catalog();
        let settings = SettingsText {
            form,
            catalog: &catalog,
            text: &text,
            lines: &lines,
            encoding: Encoding::Utf16,
        };
        let at = crate::positions::position(&lines, u32::try_from(cursor).expect("short"), Encoding::Utf16);
        let list = settings.completion(at);
        let taken = list.items.iter().find(|item| item.label.starts_with(take));
        let after = taken.map_or_else(String::new, |item| {
            let Some(CompletionTextEdit::Edit(edit)) = &item.text_edit else {
                panic!("no edit");
            };
            let start = offset(&text, &lines, edit.range.start, Encoding::Utf16);
            let end = offset(&text, &lines, edit.range.end, Encoding::Utf16);
            assert!(start <= cursor && cursor <= end, "{edit:?}");
            format!("{}{}{}", &text[..start], edit.new_text, &text[end..])
        });
        (list.items.into_iter().map(|item| item.label).collect(), after)
    }

    fn wrong(form: Form, text: &str) -> Vec<(u32, String)> {
        let lines = LineIndex::new(text);
        let catalog = catalog();
        let settings = SettingsText {
            form,
            catalog: &catalog,
            text,
            lines: &lines,
            encoding: Encoding::Utf8,
        };
        let found = settings.diagnostics().into_iter();
        found.map(|one| (one.range.start.line, one.message)).collect()
    }

    #[test]
    fn names_and_values_are_offered_where_they_belong() {
        let (_, after) = offered(Form::Env, "# mine\nOTHER=1\nFLOCK_TRACE_T¦\n", "FLOCK_TRACE_TTL_DAYS");
        assert_eq!(after, "# mine\nOTHER=1\nFLOCK_TRACE_TTL_DAYS=\n");
        let (_, after) = offered(Form::Env, "export FLOCK_AUTO_TRACE=¦false", "true");
        assert_eq!(after, "export FLOCK_AUTO_TRACE=true");
        let (words, after) = offered(Form::Env, "FLOCK_TRACE_SERVICES='A¦'", "Agent");
        assert_eq!(words, ["Agent", "Flock"]);
        assert_eq!(after, "FLOCK_TRACE_SERVICES='Agent'");
        assert_eq!(
            offered(Form::Env, "FLOCK_TRACE_IGNORE=¦", "").0,
            ["Agent.run", "Flock.run"]
        );
        let (_, after) = offered(Form::Toml, "[sql]\nro¦", "rows");
        assert_eq!(after, "[sql]\nrows = ");
        let (names, _) = offered(Form::Toml, "[sql]\n\n¦\n[store]\nthreads = 2\n", "rows");
        assert!(
            names.contains(&"rows".into()) && !names.contains(&"threads".into()),
            "{names:?}"
        );
        let (words, after) = offered(Form::Toml, "[process]\nlog_level = \"¦\"", "debug");
        assert_eq!(words.len(), 5);
        assert_eq!(after, "[process]\nlog_level = \"debug\"");
        assert_eq!(offered(Form::Env, "# FLOCK¦", "").0, Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_told_on_its_line() {
        let found = wrong(
            Form::Env,
            "PATH=/bin\nFLOCK_TRACE_TTL_DAYS=soon # x\nFLOCK_TRACE_TTL_DAY=3\nFLOCKSCOPE_MAX_SIZE=\"2GiB\"\n",
        );
        assert_eq!(
            found.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [1, 2],
            "{found:?}"
        );
        assert!(
            found[0].1.contains("\"soon\"") && found[1].1.contains("FLOCK_TRACE_TTL_DAYS"),
            "{found:?}"
        );
        let found = wrong(
            Form::Toml,
            "[sql]\nrows = 0\ntime = \"5s\"\nrow = 1\n[filters]\nservices = [\n  \"a\",\n]\nignore = [\"x\"]\n",
        );
        assert_eq!(
            found.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
            [1, 3],
            "{found:?}"
        );
        assert!(found[1].1.contains("sql.rows"), "{found:?}");
    }

    #[test]
    fn any_text_is_taken() {
        for text in [
            "=",
            "[",
            "[]=",
            "a=\"",
            "é=1\r\n🐦",
            "export ",
            "export =",
            "[[x]]\n=\n",
            "a='é",
        ] {
            for form in [Form::Env, Form::Toml] {
                wrong(form, text);
                for cursor in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                    offered(form, &format!("{}¦{}", &text[..cursor], &text[cursor..]), "");
                }
            }
        }
    }
}
