//! Which functions of a workspace are traced, and which of the observed spans are theirs. Plain offsets and strings: no
//! protocol of an editor, no database. Files are read only by [`Workspace::scan`], [`Scan`] and [`GitLook`].

mod cache;
mod cache_file;
mod callees;
mod edits;
mod embedded;
pub mod facts;
mod flock;
mod git;
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
mod raised_at;
mod reading;
mod scan;
mod search;
mod stack_trace;
mod traced;
mod virtual_environment;
mod workspace;

pub use cache::Kept;
pub use cache_file::CacheFile;
pub use callees::Callee;
pub use edits::Edit;
pub use embedded::{SqlString, sql_strings};
pub use git::{GitAnswers, GitLook};
pub use language::Language;
pub use observed::{Evidence, Match, Matches, Observed, ObservedId, Part, Tier};
pub use raised_at::FramePlace;
pub use scan::{Scan, Stamps};
pub use stack_trace::{StackFrame, stack_frames};
pub use traced::Traced;
pub use workspace::{FileId, Function, FunctionId, LARGEST_FILE, Workspace};
