//! Which functions of a workspace are traced, and which of the observed spans are theirs. Plain offsets and strings: no
//! protocol of an editor, no database. Files are read only by [`Workspace::scan`] and [`Scan`].

mod cache;
mod callees;
mod embedded;
pub mod facts;
mod flock;
mod hierarchy;
mod language;
mod languages;
mod matching;
mod matching_code;
mod modules;
mod names;
mod observed;
mod open_brackets;
mod open_text;
mod parsing;
mod reading;
mod scan;
mod search;
mod traced;
mod virtual_environment;
mod workspace;

pub use callees::Callee;
pub use embedded::{SqlString, sql_strings};
pub use language::Language;
pub use observed::{Evidence, Match, Matches, Observed, ObservedId, Part, Tier};
pub use scan::{Scan, Stamps};
pub use traced::Traced;
pub use workspace::{FileId, Function, FunctionId, LARGEST_FILE, Workspace};
