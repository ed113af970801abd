//! What is found in SQL by reading it. A text of 50,000 lines takes a few hundred milliseconds, so that no handler does it:
//! it is done on a thread of its own, and comes back as an event.

use std::ops::Range as Bytes;

use flockscope_functions::SqlString;
use flockscope_sql::{About, Catalog, Lint, Query};

/// A piece of SQL that nobody has looked through.
#[derive(Debug, Clone)]
pub(crate) struct Unread {
    pub(crate) text: String,
    /// Where it begins in its document.
    pub(crate) start: usize,
    /// The string that it stands in.
    pub(crate) string: Option<SqlString>,
}

/// What was found in a piece of SQL. Ranges count from its begin.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) start: usize,
    pub(crate) string: Option<SqlString>,
    /// None that is about what an f-string puts in.
    pub(crate) lints: Vec<Lint>,
    /// The queries that are meant for the traces, with their words.
    pub(crate) queries: Vec<(Query, String)>,
}

/// What was found in an edition of a text.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(crate) edition: u64,
    pub(crate) pieces: Vec<Piece>,
}

impl Unread {
    /// Looks it through.
    pub(crate) fn read(self, catalog: &Catalog) -> Piece {
        let mut lints = flockscope_sql::lint(catalog, &self.text);
        let string = self.string.as_ref();
        lints.retain(|lint| !string.is_some_and(|string| touches_hole(string, &lint.range)));
        let queries = queries(catalog, &self.text, string);
        let words = |query: &Query| self.text.get(query.range.clone()).unwrap_or_default().to_owned();
        Piece {
            queries: queries
                .into_iter()
                .map(|query| (query.clone(), words(&query)))
                .collect(),
            start: self.start,
            string: self.string,
            lints,
        }
    }
}

/// Whether something that an f-string puts in stands in a range of its SQL.
pub(crate) fn touches_hole(string: &SqlString, bytes: &Bytes<usize>) -> bool {
    let mut holes = string.holes.iter();
    holes.any(|hole| hole.start < bytes.end && bytes.start < hole.end)
}

/// The queries that are meant for the traces, so far as can be told. A text of another database has none.
fn queries(catalog: &Catalog, text: &str, string: Option<&SqlString>) -> Vec<Query> {
    let is_part = string.is_some_and(|string| !string.is_whole || !string.holes.is_empty());
    if is_part || is_filled_in_later(text) {
        return Vec::new();
    }
    let mut found = flockscope_sql::queries(catalog, text);
    let is_any = |about| found.iter().any(|query| query.about == about);
    // Of a string there is nothing around that would tell.
    let is_ours = is_any(About::Traces) || (!is_any(About::Other) && string.is_none());
    found.retain(|query| is_ours && query.about != About::Other);
    found
}

/// Whether a text has places such as `{}` and `{name}`, which SQL does not have.
fn is_filled_in_later(text: &str) -> bool {
    text.match_indices('{').any(|(at, _)| {
        let inner = text.get(at + 1..).unwrap_or_default();
        inner
            .find(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
            .is_some_and(|end| inner.get(end..).is_some_and(|rest| rest.starts_with('}')))
    })
}
