//! The engine as its callers see it: text with a cursor in, answers out, over what the sample's store knows.

mod ranking;
mod support;
mod typing;
