//! Synthetic spans shaped like real Flock traces.
//!
//! A [`Generator`] plays the help desk of five agents that the sample was recorded from, again and again, with
//! durations, pauses, failures and attributes as they were measured there. The same [`Settings`] give the same bytes on
//! every machine: all chance comes from one ChaCha8 stream, and logarithms from a library instead of the system.

mod agents;
mod generator;
mod helpdesk;
mod measured;
mod random;
mod render;
mod roots;
mod settings;
mod template;
mod tickets;
mod trace;

pub use generator::{Generator, large_trace};
pub use settings::{Settings, SettingsError, Shape};
