//! SQL that knows the traces: what can be written at the cursor, what a word means, what is wrong, for DuckDB's dialect
//! over the store's `spans`. Text, a byte offset and a [`Catalog`] in; plain offsets and strings out. It reads no file
//! and asks no database, so an answer never waits.
//!
//! Every function takes any text. An offset that is no boundary of a character counts as the boundary before it.

pub mod catalog;
mod complete;
mod cursor;
mod definitions;
mod format;
mod hover;
pub mod jupyter;
mod keywords;
mod lexer;
mod lint;
mod literals;
mod outline;
mod queries;
mod rename;
mod scope;
mod signature;
mod statement;
mod syntax;

pub use catalog::Catalog;
pub use complete::{Completions, Item, ItemKind, complete};
pub use format::format;
pub use hover::{Hover, hover};
pub use lexer::{Token, TokenKind, tokens};
pub use lint::{Fix, Lint, Severity, lint};
pub use literals::{Literal, literal_at, literals};
pub use outline::{HighlightKind, Symbol, SymbolKind, folds, highlights, symbols};
pub use queries::{About, Query, queries};
pub use rename::{References, references, rename};
pub use signature::{Signature, signature};
pub use statement::statements;
