//! Finds the traces that a person means, and asks them: in the process that keeps their store, or by opening it here.
//!
//! Start at [`locate`], then [`Connection::open`]. For a program that does without another process and without async there
//! is [`open`]; [`Following`] is what keeps a store up to date with a file that Flock writes, once or for as long as one
//! watches.

mod answer;
mod connection;
mod disk;
mod error;
mod following;
mod http;
mod in_process;
mod live;
mod loading;
mod locate;
mod open;
mod process;
mod remote;
mod retention;
mod serve_lock;
mod stored_event;
mod texts;

pub use answer::AnswerStream;
pub use connection::{ConnectOptions, Connection, Note};
pub use disk::bytes_on_disk;
pub use error::ClientError;
pub use following::Following;
pub use http::in_words;
pub use live::{LiveFile, LiveSink, LiveState};
pub use loading::{Loaded, Loader, Progress, load};
pub use locate::{Located, Served, cache_folder, locate, locate_flock_file, locate_to_serve, project_store};
pub use open::{Opened, Options, open};
pub use process::{ALREADY_SERVED, log_file};
pub use retention::{Removed, Retention};
pub use serve_lock::ServeLock;
pub use stored_event::stored_event;
pub use texts::{column_names, column_texts, row_texts};
