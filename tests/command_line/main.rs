//! The command line from end to end: the real program on the real sample, in folders of its own.

mod care;
mod figures;
mod flock_writer;
mod forms;
mod importing;
mod locating;
mod program;
mod querying;
#[cfg(unix)]
mod serving;
mod usage;
#[cfg(unix)]
mod watcher;
#[cfg(unix)]
mod watching;
