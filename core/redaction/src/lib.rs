//! Secrets in the texts of a span, made unreadable before the span is stored.
//!
//! A [`Redactor`] is made of [`Rules`] once and then changes spans in place: [`Redactor::redact`]. It looks at the
//! attributes, events, links, resource and the status description. A value is replaced by [`REDACTED`] as a whole where
//! its key speaks of a secret (`password`, `x-api-key`, `input.authorization`), and in part where a part of it looks
//! like one (a GitHub token within a prompt). JSON that stands as text within JSON, as Flock writes the arguments of a
//! function, is looked at in the same way, several levels deep.
//!
//! A span without secrets keeps every byte. In one with secrets everything else keeps its place and its spelling: the
//! order of keys, the digits of numbers, the spaces. What comes out is JSON where JSON went in.
//!
//! No rule finds every secret. The rules know the keys and the forms that are well known; `keys` and `patterns` of
//! [`Rules`] add a program's own.

mod card;
mod key;
mod pattern;
mod redactor;
mod rewrite;
mod rules;

pub use redactor::Redactor;
pub use rules::{RuleError, Rules};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";
