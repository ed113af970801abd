//! Values that a query names, and the columns that it compares them with: `service = 'Agent'`.

use std::ops::Range;

use crate::catalog::Catalog;
use crate::complete::{Place, json_column, literal_at as text_at, place};
use crate::cursor::Cursor;
use crate::lexer::{self, TokenKind};
use crate::scope::{Operand, Scopes};
use crate::statement;
use crate::syntax::Tree;

/// A string that something is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The column of the table or analysis that it is compared with, as it is called there, whatever a query between
    /// calls it. For a key of a JSON column that column.
    pub column: String,
    /// The key of a JSON column, such as `code.function.name`.
    pub key: Option<String>,
    /// What it says, without its quotes.
    pub value: String,
    /// Whether it is a pattern with `%` and `_`, as after `LIKE`.
    pub is_pattern: bool,
    /// Where it stands, its quotes included, in bytes.
    pub range: Range<usize>,
}

/// The literal at a byte of a text, if it is compared with a column that is known.
pub fn literal_at(catalog: &Catalog, text: &str, offset: usize) -> Option<Literal> {
    let cursor = Cursor::new(text, offset);
    if cursor.in_comment {
        return None;
    }
    let token = cursor
        .tree
        .tokens
        .iter()
        .position(|token| token.start <= cursor.offset && cursor.offset < token.end)
        .or(cursor.at)?;
    read(&Scopes::new(catalog, &cursor.tree), token)
}

/// Every literal of a text that is compared with a column that is known, in its order.
pub fn literals(catalog: &Catalog, text: &str) -> Vec<Literal> {
    let mut found = Vec::new();
    for range in statement::statements(text) {
        let tokens = lexer::lex(text, range.start, range.end, None);
        let tree = Tree::new(text, statement::significant(&tokens));
        let scopes = Scopes::new(catalog, &tree);
        found.extend((0..tree.tokens.len()).filter_map(|token| read(&scopes, token)));
    }
    found
}

fn read(scopes: &Scopes<'_>, token: usize) -> Option<Literal> {
    let tree = scopes.tree;
    if tree.kind(token) != Some(TokenKind::Text) {
        return None;
    }
    let value = text_at(scopes, token)?;
    let operand = match place(scopes, token) {
        Some(Place::Value(operand)) => operand,
        Some(_) => return None,
        None => right_of(scopes, token)?,
    };
    let (column, key) = match operand {
        Operand::Column(column) => (column.base?.column.name.clone(), None),
        Operand::Key { column, path } => {
            let [key] = path.as_slice() else { return None };
            (json_column(&column)?.to_owned(), Some(key.clone()))
        }
        Operand::Other => return None,
    };
    let before = token.checked_sub(1)?;
    Some(Literal {
        column,
        key,
        value,
        is_pattern: tree.is_any(before, &["like", "ilike", "to"])
            || tree.sign(before, "~~")
            || tree.sign(before, "!~~"),
        range: tree.tokens.get(token)?.range(),
    })
}

/// The column in `'Agent' = service`.
fn right_of<'a>(scopes: &Scopes<'a>, token: usize) -> Option<Operand<'a>> {
    let tree = scopes.tree;
    if !["=", "==", "<>", "!="].iter().any(|sign| tree.sign(token + 1, sign)) {
        return None;
    }
    let start = token + 2;
    let mut end = start + 1;
    while tree.kind(end) == Some(TokenKind::Dot) && tree.name(end + 1).is_some() {
        end += 2;
    }
    let goes_on = tree.is_open(end) || tree.kind(end) == Some(TokenKind::Operator);
    if goes_on || end > tree.tokens.len() {
        return None;
    }
    Some(scopes.operand(tree.select_at(token)?, start..end))
}
