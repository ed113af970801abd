//! SQL inside the strings of Python: arguments of calls that run SQL, and strings that a comment `# sql` marks.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use tree_sitter::Node;

use crate::language::Language;
use crate::parsing::parse;
use crate::workspace::Workspace;

/// Calls whose first argument is SQL, by the last part of their name.
const RUNS_SQL: [&str; 7] = [
    "execute",
    "executemany",
    "sql",
    "query",
    "read_sql",
    "read_sql_query",
    "from_query",
];

/// What marks a string as SQL: on its line, or alone on the line above.
const MARK: &str = "# sql";

/// A text with more strings of SQL was generated, and nobody reads all of them.
const MOST_STRINGS: usize = 400;

/// A call that is half typed began not further above, nor so many bytes.
const LINES_BEFORE: usize = 50;
const LONGEST_LINES: usize = 20_000;

/// The content of a string that is SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlString {
    /// Bytes between the quotes.
    pub range: Range<u32>,
    /// The SQL in them, of the same length: what is put in by an f-string is a name of underscores, and of an escape only
    /// an escaped quote or brace is left. So a byte of it is the byte of the text that stands as far from its begin.
    pub sql: String,
    /// The quotes around it: `'`, `"`, or three of them.
    pub quotes: String,
    /// Whether a backslash is only that.
    pub is_raw: bool,
    /// Whether braces put something in.
    pub is_formatted: bool,
    /// What is put in, as bytes of `sql`, in order.
    pub holes: Vec<Range<usize>>,
    /// Whether it is all of the SQL: not one of several strings that make it, nor one that is filled in later.
    pub is_whole: bool,
}

impl SqlString {
    /// A piece of SQL as it must be written inside these quotes.
    pub fn written(&self, sql: &str) -> String {
        let mut out = String::with_capacity(sql.len());
        for c in sql.chars() {
            match c {
                '\'' | '"' if !self.is_raw && self.quotes.len() == 1 && self.quotes.starts_with(c) => {
                    out.push('\\');
                    out.push(c);
                }
                '\\' if !self.is_raw => out.push_str("\\\\"),
                '\n' if self.quotes.len() == 1 => out.push(' '),
                '{' | '}' if self.is_formatted => {
                    out.push(c);
                    out.push(c);
                }
                c => out.push(c),
            }
        }
        out
    }
}

/// The SQL in the strings of a Python text that belongs to no file, such as a notebook's cell; in its order.
pub fn sql_strings(text: &str) -> Vec<SqlString> {
    parse(Language::Python, text, None).map_or_else(Vec::new, |tree| strings(text, tree.root_node()))
}

impl Workspace {
    /// The SQL in the strings of an open Python file, in its order; not more than a few hundred of them.
    pub fn sql_strings(&self, path: &Path) -> Vec<SqlString> {
        if Language::of_path(path) != Some(Language::Python) {
            return Vec::new();
        }
        self.open_text(path)
            .map_or_else(Vec::new, |(text, root)| strings(text, root))
    }

    /// The SQL that a byte of an open Python file stands in.
    pub fn sql_at(&self, path: &Path, offset: u32) -> Option<SqlString> {
        if Language::of_path(path) != Some(Language::Python) {
            return None;
        }
        let (text, root) = self.open_text(path)?;
        let at = offset as usize;
        match sql_in(text, root, at) {
            None if root.has_error() => half_typed(text, at),
            found => found,
        }
    }
}

/// Only the places where SQL can stand are looked at, not the whole tree: a file of 50,000 lines costs a few milliseconds.
fn strings(text: &str, root: Node<'_>) -> Vec<SqlString> {
    let mut found: Vec<SqlString> = Vec::new();
    let mut seen = HashSet::new();
    let mut take = |string: Node<'_>| {
        if seen.len() < MOST_STRINGS && seen.insert(string.id()) && is_sql(text, string) {
            found.extend(content(text, string));
        }
    };
    for (at, sign) in text.match_indices(['(', '#']) {
        if sign == "(" {
            if !RUNS_SQL.contains(&word_before(text, at)) {
                continue;
            }
            let arguments = root
                .descendant_for_byte_range(at, at + 1)
                .and_then(|open| open.parent())
                .filter(|parent| parent.kind() == "argument_list");
            let mut rest: Vec<Node<'_>> = arguments.and_then(first_argument).into_iter().collect();
            while let Some(node) = rest.pop() {
                match node.kind() {
                    "string" => take(node),
                    "concatenated_string" | "parenthesized_expression" => {
                        let mut cursor = node.walk();
                        rest.extend(node.named_children(&mut cursor));
                    }
                    _ => {}
                }
            }
        } else if text
            .get(at..)
            .is_some_and(|rest| is_mark(rest.lines().next().unwrap_or_default()))
        {
            let line = text
                .get(..at)
                .and_then(|before| before.rfind('\n'))
                .map_or(0, |end| end + 1);
            let next = text
                .get(at..)
                .and_then(|rest| rest.find('\n'))
                .map_or(text.len(), |end| at + end + 1);
            let next_end = text
                .get(next..)
                .and_then(|rest| rest.find('\n'))
                .map_or(text.len(), |end| next + end);
            for part in [line..at, next..next_end] {
                let quotes = text.get(part.clone()).unwrap_or_default().match_indices(['\'', '"']);
                for (quote, _) in quotes {
                    let mut node = root.descendant_for_byte_range(part.start + quote, part.start + quote);
                    while let Some(inner) = node.filter(|node| node.kind() != "string") {
                        node = inner.parent();
                    }
                    if let Some(string) = node {
                        take(string);
                    }
                }
            }
        }
    }
    found.sort_by_key(|string| string.range.start);
    found
}

/// The name that ends before a bracket.
fn word_before(text: &str, bracket: usize) -> &str {
    let before = text.get(..bracket).unwrap_or_default().trim_end_matches([' ', '\t']);
    let start = before
        .rfind(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .map_or(0, |end| {
            end + before
                .get(end..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8)
        });
    before.get(start..).unwrap_or_default()
}

fn is_mark(comment: &str) -> bool {
    comment.trim().eq_ignore_ascii_case(MARK)
}

/// Whether a string stands for itself: is neither one of several that stand one behind the other, nor formatted or added
/// to.
fn is_whole(string: Node<'_>) -> bool {
    let mut value = string;
    while let Some(parent) = value
        .parent()
        .filter(|parent| parent.kind() == "parenthesized_expression")
    {
        value = parent;
    }
    value
        .parent()
        .is_none_or(|parent| !matches!(parent.kind(), "concatenated_string" | "binary_operator" | "attribute"))
}

fn sql_in(text: &str, root: Node<'_>, at: usize) -> Option<SqlString> {
    let mut node = root.descendant_for_byte_range(at, at)?;
    let string = loop {
        if node.kind() == "string" {
            break node;
        }
        // What is put in is Python.
        if node.kind() == "interpolation" {
            return None;
        }
        node = node.parent()?;
    };
    let found = content(text, string)?;
    let is_inside = found.range.start as usize <= at && at <= found.range.end as usize;
    (is_inside && is_sql(text, string)).then_some(found)
}

/// The SQL in a string whose closing quotes are not typed yet. To the parser it is no string; so the lines before are read
/// again, with each of the quotes, and the bracket of the call, at the end of the line.
fn half_typed(text: &str, at: usize) -> Option<SqlString> {
    let (before, after) = text.split_at_checked(at)?;
    let line_above = before.rmatch_indices('\n').nth(LINES_BEFORE);
    let start = line_above.map_or(0, |(end, _)| end + 1);
    let rest = after.lines().next().unwrap_or_default();
    // Editors close brackets as soon as one opens them.
    let rest = rest.trim_end_matches([')', ']', '}', ',', ' ', '\r']);
    let lines = text.get(start..at + rest.len())?;
    if lines.len() > LONGEST_LINES {
        return None;
    }
    ["\"", "'", "\"\"\"", "'''"].into_iter().find_map(|quotes| {
        let closed = format!("{lines}{quotes})");
        let tree = parse(Language::Python, &closed, None)?;
        // With other quotes than its own, it is not closed by them.
        let is_closed = |found: &SqlString| found.range.end as usize == lines.len();
        let mut found = sql_in(&closed, tree.root_node(), at - start).filter(is_closed)?;
        let shift = u32::try_from(start).ok()?;
        found.range = found.range.start + shift..found.range.end + shift;
        Some(found)
    })
}

fn is_sql(text: &str, string: Node<'_>) -> bool {
    is_argument(text, string) || is_marked(text, string)
}

/// Whether it is the first argument, by place, of a call that runs SQL. Strings that stand one behind the other are one.
fn is_argument(text: &str, string: Node<'_>) -> bool {
    let mut value = string;
    while let Some(parent) = value.parent()
        && matches!(parent.kind(), "concatenated_string" | "parenthesized_expression")
    {
        value = parent;
    }
    let Some(arguments) = value.parent().filter(|parent| parent.kind() == "argument_list") else {
        return false;
    };
    let is_first = first_argument(arguments).is_some_and(|first| first.id() == value.id());
    let called = arguments.parent().and_then(|call| call.child_by_field_name("function"));
    let name = called
        .and_then(|called| text.get(called.byte_range()))
        .unwrap_or_default();
    let last = name.rsplit('.').next().unwrap_or_default().trim();
    is_first && RUNS_SQL.contains(&last)
}

fn first_argument(arguments: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = arguments.walk();
    arguments
        .named_children(&mut cursor)
        .find(|node| node.kind() != "comment")
}

fn is_marked(text: &str, string: Node<'_>) -> bool {
    let before = text.get(..string.start_byte()).unwrap_or_default();
    let line_above = before.lines().rev().nth(1).unwrap_or_default();
    let end = text.get(string.end_byte()..).unwrap_or_default();
    let behind = end.lines().next().unwrap_or_default();
    let behind = behind.find('#').and_then(|at| behind.get(at..)).unwrap_or_default();
    is_mark(line_above) || is_mark(behind)
}

fn content(text: &str, string: Node<'_>) -> Option<SqlString> {
    let mut cursor = string.walk();
    let parts: Vec<Node<'_>> = string.children(&mut cursor).collect();
    let first = parts.iter().find(|part| part.kind() == "string_start")?;
    let opening = text.get(first.byte_range())?;
    let prefix = opening.trim_end_matches(['\'', '"']);
    let quotes = opening.get(prefix.len()..)?;
    let last = parts.iter().rev().find(|part| part.kind() == "string_end");
    let start = first.end_byte();
    let end = last.map_or(string.end_byte(), Node::start_byte).max(start);
    let prefix = prefix.to_ascii_lowercase();
    let mut found = SqlString {
        range: u32::try_from(start).ok()?..u32::try_from(end).ok()?,
        sql: String::new(),
        quotes: quotes.to_owned(),
        is_raw: prefix.contains('r'),
        is_formatted: prefix.contains('f'),
        holes: Vec::new(),
        is_whole: is_whole(string),
    };
    let mut sql = text.get(start..end)?.as_bytes().to_vec();
    let mut rest = parts;
    while let Some(part) = rest.pop() {
        let range = part.start_byte().max(start)..part.end_byte().min(end).max(start);
        let Some(bytes) = sql.get_mut(range.start - start..range.end.saturating_sub(start).max(range.start - start))
        else {
            continue;
        };
        match part.kind() {
            "interpolation" => {
                bytes.fill(b'_');
                found.holes.push(range.start - start..range.end.saturating_sub(start));
            }
            "escape_sequence" | "escape_interpolation" => {
                let is_brace = part.kind() == "escape_interpolation";
                let kept = bytes
                    .last()
                    .copied()
                    .filter(|last| matches!(last, b'\'' | b'"') || (is_brace && matches!(last, b'{' | b'}')));
                bytes.fill(b' ');
                if let (Some(kept), Some(place)) = (kept, bytes.last_mut()) {
                    *place = kept;
                }
            }
            _ => {
                let mut cursor = part.walk();
                rest.extend(part.children(&mut cursor));
            }
        }
    }
    found.holes.sort_by_key(|hole| hole.start);
    found.sql = String::from_utf8(sql).ok()?;
    Some(found)
}
