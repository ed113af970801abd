//! Finds the traces that a person means, brings their store up to date and opens it.
//!
//! Start at [`locate`], then [`open`]. [`Following`] is what keeps a store up to date with a file that Flock writes, once
//! or for as long as one watches.

mod error;
mod following;
mod loading;
mod locate;
mod open;
mod retention;

pub use error::ClientError;
pub use following::Following;
pub use loading::{Loaded, Loader, Progress, load};
pub use locate::{Located, cache_folder, locate, locate_flock_file, project_store};
pub use open::{Opened, Options, open};
pub use retention::{Removed, Retention};
