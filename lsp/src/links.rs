//! From a value in SQL to the code that it names, and from a function to the queries that name it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use async_lsp::lsp_types::{Location, Position, Url};
use flockscope_functions::FunctionId;
use flockscope_sql::{Catalog, Literal, literals};
use ignore::WalkBuilder;
use line_index::LineIndex;

use crate::documents::Kind;
use crate::positions::{Encoding, offset, range};
use crate::server::Server;

/// Places that a value leads to at most: each file of them is read.
const MOST_PLACES: usize = 100;

/// Files that are searched for queries at most, and the largest that is read.
const MOST_FILES: usize = 2_000;
const LARGEST_FILE: u64 = 1 << 20;

impl Server {
    /// The code that the value at a place names, in SQL or in a string that is SQL.
    pub(crate) fn code_at(&mut self, url: &Url, at: Position) -> Vec<Location> {
        match self.sql_at(url, at, |sql| sql.literal(at)).flatten() {
            Some(literal) => self.code_of_value(&literal),
            None => Vec::new(),
        }
    }

    /// The functions or classes that a value in SQL names: `service = 'Agent'`, `operation = 'execute'`.
    fn code_of_value(&mut self, literal: &Literal) -> Vec<Location> {
        self.match_anew();
        let value = literal.value.as_str();
        match literal.key.as_deref().unwrap_or(&literal.column) {
            "service" | "class" => {
                let classes = self.workspace.classes_named(value);
                let places = classes
                    .into_iter()
                    .map(|(path, class)| (path.to_owned(), class.name_range.clone()));
                self.locations(places.collect())
            }
            column @ ("operation" | "name" | "function" | "code.function.name" | "from" | "to") => {
                let observed = self.figures.rows().iter().zip(0..).filter(|(row, _)| match column {
                    "operation" => row.operation == value,
                    "function" => row.function.as_deref() == Some(value),
                    "code.function.name" => row.code_function_name.as_deref() == Some(value),
                    _ => row.name == value,
                });
                let found = observed.flat_map(|(_, id)| self.matches.functions_of(id));
                let functions: HashSet<FunctionId> = found.map(|found| found.function).collect();
                let functions = functions.into_iter().filter_map(|id| self.workspace.function(id));
                let places = functions.map(|one| (one.path.to_owned(), one.definition.name_range.clone()));
                self.locations(places.collect())
            }
            _ => Vec::new(),
        }
    }

    /// Bytes of files as places, in the order of paths, the first [`MOST_PLACES`].
    fn locations(&self, mut places: Vec<(PathBuf, std::ops::Range<u32>)>) -> Vec<Location> {
        places.sort_by(|one, other| (&one.0, one.1.start).cmp(&(&other.0, other.1.start)));
        places.truncate(MOST_PLACES);
        let location = |(path, bytes): (PathBuf, std::ops::Range<u32>)| {
            let uri = Url::from_file_path(&path).ok()?;
            let lines = match self.documents.get(&uri) {
                Some(document) => document.lines.clone(),
                None => LineIndex::new(&std::fs::read_to_string(&path).ok()?),
            };
            Some(Location::new(uri, range(&lines, &bytes, self.encoding)))
        };
        places.into_iter().filter_map(location).collect()
    }

    /// A search for the queries that name the function at a place: those of `.sql` files. `None`: no function is there,
    /// or none of its spans was seen.
    pub(crate) fn search_of_function(&mut self, url: &Url, at: Position) -> Option<Search> {
        let path = self.up_to_date(url)?;
        let document = self.documents.get(url)?;
        let offset = offset(&document.text, &document.lines, at, self.encoding);
        let (ids, _) = self.meant(&path, u32::try_from(offset).ok()?)?;
        let mut names = HashSet::new();
        for id in ids {
            for row in self
                .figures
                .of(id, &self.matches)
                .into_iter()
                .flat_map(|found| found.rows)
            {
                names.insert(("name", row.name.clone()));
                names.insert(("operation", row.operation.clone()));
                names.extend(row.function.clone().map(|name| ("function", name)));
                names.extend(row.code_function_name.clone().map(|name| ("code.function.name", name)));
            }
        }
        let open = self.documents.iter().filter(|(_, document)| document.kind == Kind::Sql);
        let open = open
            .map(|(url, document)| (url.clone(), document.text.clone()))
            .collect();
        (!names.is_empty()).then(|| Search {
            folder: self.folder.clone(),
            names,
            open,
            catalog: self.catalog.clone(),
            encoding: self.encoding,
        })
    }
}

/// A search for queries that name a function. It reads files: not for the main loop.
pub(crate) struct Search {
    folder: PathBuf,
    /// Columns and what they are compared with.
    names: HashSet<(&'static str, String)>,
    /// Texts as the editor has them.
    open: BTreeMap<Url, String>,
    catalog: Catalog,
    encoding: Encoding,
}

impl Search {
    pub(crate) fn run(self) -> Vec<Location> {
        let mut found = Vec::new();
        for (url, text) in &self.open {
            self.look_at(url, text, &mut found);
        }
        let files = WalkBuilder::new(&self.folder).build().filter_map(Result::ok);
        let is_sql = |path: &Path| {
            path.extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("sql"))
        };
        for file in files.filter(|file| is_sql(file.path())).take(MOST_FILES) {
            let is_small = file
                .metadata()
                .is_ok_and(|data| data.is_file() && data.len() <= LARGEST_FILE);
            if let Ok(url) = Url::from_file_path(file.path())
                && is_small
                && !self.open.contains_key(&url)
                && let Ok(text) = std::fs::read_to_string(file.path())
            {
                self.look_at(&url, &text, &mut found);
            }
        }
        found.sort_by(|one, other| (&one.uri, one.range.start).cmp(&(&other.uri, other.range.start)));
        found
    }

    fn look_at(&self, url: &Url, text: &str, found: &mut Vec<Location>) {
        let lines = LineIndex::new(text);
        for literal in literals(&self.catalog, text) {
            let column = literal.key.as_deref().unwrap_or(&literal.column);
            let is_named = self
                .names
                .iter()
                .any(|(name, value)| *name == column && *value == literal.value);
            let bytes = (u32::try_from(literal.range.start), u32::try_from(literal.range.end));
            if let ((Ok(start), Ok(end)), true) = (bytes, is_named) {
                found.push(Location::new(url.clone(), range(&lines, &(start..end), self.encoding)));
            }
        }
    }
}
