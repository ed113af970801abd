//! What is to be made unreadable.

use serde::{Deserialize, Serialize};

/// Which values are secrets. The default makes well-known secrets unreadable and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Whether anything is redacted at all. On by default.
    pub enabled: bool,
    /// Well-known secrets: values of keys such as `api_key`, `authorization`, `password`, `cookie`, `access_token`; API
    /// tokens of well-known services, JSON Web Tokens, private keys, `Bearer …`, passwords in addresses and in
    /// assignments, wherever they stand in a text. On by default.
    pub secrets: bool,
    /// E-mail addresses. Off by default.
    pub emails: bool,
    /// Numbers of payment cards, told by their issuer's digits, length and check digit. Off by default.
    pub cards: bool,
    /// More keys whose values are secrets: `customer_number` also means `Customer-Number`, `customerNumber` and
    /// `input.customer_number`.
    pub keys: Vec<String>,
    /// More patterns of secrets: regular expressions of the `regex` crate. What they match within a text is replaced.
    /// With a pattern here every span is read in full, which takes longer.
    pub patterns: Vec<String>,
    /// Keys whose values are left as they are, with all that is in them, whatever the other rules say: `page_token`
    /// also means `input.page_token`, but not `next_page_token`.
    pub allow: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            enabled: true,
            secrets: true,
            emails: false,
            cards: false,
            keys: Vec::new(),
            patterns: Vec::new(),
            allow: Vec::new(),
        }
    }
}

/// Why rules can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// A pattern is not a regular expression, or too large a one.
    #[error("{pattern:?} is not a regular expression that can be used: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern matches the empty text, so it would match everywhere.
    #[error("the pattern {pattern:?} matches the empty text; a pattern must match at least one character")]
    MatchesNothing {
        /// The pattern.
        pattern: String,
    },
    /// A key without a letter.
    #[error("{key:?} is not a key: it needs at least one letter")]
    Key {
        /// The key.
        key: String,
    },
}
