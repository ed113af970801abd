//! Where a name is used, and what it takes to change it.

use std::ops::Range;

use crate::catalog::Catalog;
use crate::cursor::Cursor;
use crate::definitions::{defining_token, definition_of, references as tokens_of};
use crate::keywords::quoted_name;
use crate::scope::Scopes;

/// Where a name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// Where it is defined, in bytes.
    pub definition: Range<usize>,
    /// Everywhere it stands, the definition included, in order.
    pub all: Vec<Range<usize>>,
}

/// Where the common table expression, table alias or column alias at a byte of a text is named. `None` for what the
/// statement does not name itself.
pub fn references(catalog: &Catalog, text: &str, offset: usize) -> Option<References> {
    let cursor = Cursor::new(text, offset);
    if cursor.in_comment {
        return None;
    }
    let tree = &cursor.tree;
    let token = tree
        .tokens
        .iter()
        .position(|token| token.start <= cursor.offset && cursor.offset < token.end && tree_name(&cursor, token.start))
        .or(cursor.at)?;
    let scopes = Scopes::new(catalog, tree);
    let definition = definition_of(&scopes, token)?;
    let range = |token: usize| tree.tokens.get(token).map(|token| token.range());
    Some(References {
        definition: range(defining_token(&scopes, definition)?)?,
        all: tokens_of(&scopes, definition).into_iter().filter_map(range).collect(),
    })
}

fn tree_name(cursor: &Cursor<'_>, start: usize) -> bool {
    let letter = cursor.tree.text.get(start..).and_then(|rest| rest.chars().next());
    letter.is_some_and(|letter| letter.is_alphabetic() || matches!(letter, '_' | '"'))
}

/// What must be replaced, and by what, to give the name at a byte of a text another one; quoted where it must be.
/// `None` where there is nothing to rename, and for an empty name.
pub fn rename(catalog: &Catalog, text: &str, offset: usize, name: &str) -> Option<Vec<(Range<usize>, String)>> {
    if name.trim().is_empty() {
        return None;
    }
    let found = references(catalog, text, offset)?;
    let name = quoted_name(name);
    Some(found.all.into_iter().map(|range| (range, name.clone())).collect())
}
