//! The engine as its callers see it: text with a cursor in, answers out, over what the sample's store knows.

mod any_text;
mod formatting;
mod hovering;
mod jupyter;
mod linting;
mod literals;
mod queries;
mod ranking;
mod renaming;
mod scopes;
mod signatures;
mod statements;
mod strings;
mod support;
mod typing;
