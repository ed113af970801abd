//! The language server as an editor has it: a process, asked over its standard input and output, beside real traces.
#![cfg(unix)]

mod changes;
mod client;
mod commands;
mod edits;
mod functions;
mod hovers;
mod notebooks;
mod project;
mod settings;
mod sql;
mod starting;
mod transport;
