//! Secrets of one span after another.

use flockscope_model::Span;
use regex::Regex;
use regex::bytes::RegexBuilder;

use crate::card;
use crate::key::{Keys, WELL_KNOWN_LOOK};
use crate::pattern::{Patterns, SECRETS_LOOK};
use crate::rewrite::Search;
use crate::{RuleError, Rules};

/// Makes secrets in spans unreadable. Can be used by many threads at once.
#[derive(Debug)]
pub struct Redactor {
    /// `None`: off.
    search: Option<Search>,
}

/// The beginning of a JSON Schema, as a description of an argument has it.
const SCHEMA: &str =
    r#"^\{[^{}]*"(?:type"\s*:\s*"(?:string|integer|number|boolean|array|object|null)"|\$ref"|anyOf"|allOf"|oneOf")"#;

impl Redactor {
    /// Prepares rules for use. Takes some milliseconds.
    pub fn new(rules: &Rules) -> Result<Self, RuleError> {
        let keys = Keys::new(rules.secrets, &rules.keys, &rules.allow)?;
        let patterns = Patterns::new(rules)?;
        let finds_nothing = !rules.secrets && !rules.emails && !rules.cards;
        if !rules.enabled || (finds_nothing && rules.keys.is_empty() && rules.patterns.is_empty()) {
            return Ok(Self::off());
        }
        let internal = |error: regex::Error| RuleError::Pattern {
            pattern: rules.keys.join(", "),
            reason: error.to_string(),
        };
        Ok(Self {
            search: Some(Search {
                look: look(rules, &keys).map_err(internal)?,
                schema: Regex::new(SCHEMA).map_err(internal)?,
                keys,
                patterns,
                cards: rules.cards,
            }),
        })
    }

    /// Leaves every span as it is.
    pub fn off() -> Self {
        Self { search: None }
    }

    /// Makes the secrets of a span unreadable. Gives the number of values that were changed: a secret within a text
    /// makes one value, however many secrets the text holds.
    pub fn redact(&self, span: &mut Span) -> u64 {
        let Some(search) = &self.search else {
            return 0;
        };
        let mut values = 0;
        for json in [
            &mut span.attributes,
            &mut span.events,
            &mut span.links,
            &mut span.resource,
        ] {
            values += redact(search, json);
        }
        if let Some(text) = &mut span.status_description {
            values += redact(search, text);
        }
        values
    }
}

fn redact(search: &Search, text: &mut String) -> u64 {
    if !search.may_find(text) {
        return 0;
    }
    match search.redact(text) {
        Some(redacted) => {
            *text = redacted.text;
            redacted.values
        }
        None => 0,
    }
}

/// One expression that matches whatever any rule finds, in a text or in JSON's spelling of it, in one pass.
///
/// Letters and digits stand for themselves in JSON, or as `\u0070`, which the expression takes for a possible secret;
/// an escape before any of the other characters of a rule is allowed for. A user's patterns can't be treated in this
/// way: with one of these there is no quick look.
fn look(rules: &Rules, keys: &Keys) -> Result<Option<regex::bytes::Regex>, regex::Error> {
    if !rules.patterns.is_empty() || !keys.can_look() {
        return Ok(None);
    }
    let mut parts = vec![r"u00[2-7]".to_owned()];
    if rules.secrets {
        parts.push(SECRETS_LOOK.to_owned());
        parts.push(format!("(?i:{WELL_KNOWN_LOOK})"));
    }
    parts.extend(keys.extra_look().map(|words| format!("(?i:{words})")));
    if rules.emails {
        parts.push("@".to_owned());
    }
    if rules.cards {
        parts.push(card::RUN.to_owned());
    }
    let look = RegexBuilder::new(&parts.join("|")).unicode(false).build()?;
    Ok(Some(look))
}
