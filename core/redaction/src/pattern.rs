//! Which texts look like a secret, wherever they stand in a longer one.

use std::ops::Range;

use regex::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::card::{self, cards};
use crate::{REDACTED, RuleError, Rules};

/// The patterns that are switched on.
#[derive(Debug)]
pub(crate) struct Patterns {
    set: RegexSet,
    patterns: Vec<Pattern>,
}

#[derive(Debug)]
struct Pattern {
    regex: Regex,
    finds: Finds,
}

/// What of a match is the secret.
#[derive(Debug, Clone, Copy)]
enum Finds {
    /// The first group that took part, or all of it where the pattern has no groups, if it looks as it should.
    Text(Check),
    /// All of it: groups of a user's pattern are there for its own sake.
    Whole,
    Cards,
}

/// Whether a text that a pattern matched is a secret.
type Check = fn(&str) -> bool;

/// The forms of well-known secrets. Each has something that no ordinary text has; where that alone is not enough, the
/// text must also look as if it was made by chance.
const SECRETS: &[(&str, Check)] = &[
    // OpenAI, Anthropic, OpenRouter and others; Langfuse writes a UUID.
    (r"(?-u:\b)sk-[A-Za-z0-9_-]{20,}", has_long_random_run),
    (r"(?-u:\b)sk-lf-[0-9a-f-]{36}", always),
    (
        r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,}",
        has_digit,
    ),
    (
        r"xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}",
        has_digit,
    ),
    // AWS.
    (r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{16}(?-u:\b)", always),
    // Google.
    (
        r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}",
        always,
    ),
    // Stripe, SendGrid, Groq, xAI, DigitalOcean, Shopify, LangSmith, Hugging Face, npm, PyPI.
    (
        r"(?-u:\b)[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|(?-u:\b)whsec_[A-Za-z0-9+/]{24,}",
        always,
    ),
    (r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}", always),
    (
        r"(?-u:\b)(?:gsk_[A-Za-z0-9]{40,}|xai-[A-Za-z0-9]{40,}|dop_v1_[a-f0-9]{64}|shpat_[a-f0-9]{32})",
        has_digit,
    ),
    (
        r"(?-u:\b)(?:lsv2_[a-z]{2}_[a-f0-9]{32}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})",
        has_digit,
    ),
    // JSON Web Tokens (RFC 7519): `{"` in base64 begins with `eyJ`.
    (
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_.-]*",
        always,
    ),
    // RFC 6750, without and with the header's name before it.
    (r"(?i-u:\bbearer)[ \t]+([A-Za-z0-9._~+/-]{16,}=*)", has_digit_or_is_long),
    (
        r#"(?i-u:\bauthorization)\\*["']?[ \t]*[:=][ \t]*\\*["']?(?i-u:bearer|basic|token|apikey|negotiate)[ \t]+([^\s"',;\\<>{}$]{6,})"#,
        is_value,
    ),
    // RFC 7468, and one that was cut off.
    (
        r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
        always,
    ),
    // The password of an address (RFC 3986, section 3.2.1), and secrets in its query.
    (r#"://[^\s/:@"'<>]*:([^\s/@"'<>{}]+)@"#, is_value),
    (
        r#"[?&](?i-u:api[_-]?key|(?:access|auth|refresh|id)[_-]?token|token|password|passwd|(?:client[_-]?)?secret|x-amz-(?:signature|security-token)|sig|signature)=([^&\s"'#<>{}\\]+)"#,
        is_value,
    ),
    // `password='…'`, `"api_key": "…"` in program text, in what Python shows of its objects, in JSON that was cut off.
    (
        r#"(?i-u:api[_-]?key|password|passwd|passphrase|client[_-]?secret|(?:secret|access|private)[_-]?key|(?:access|refresh|auth|session|bearer)[_-]?token)\\*["']?[ \t]*[:=][ \t]*(?:'((?:[^'\\\n]|\\.)+)|"((?:[^"\\\n]|\\.)+)|\\+["']([^"'\\\n]+))"#,
        is_value,
    ),
    // `DB_PASSWORD=…` of an environment, and `password=…` of a connection string.
    (
        r#"(?-u:\b)(?:[A-Z0-9]+_)*(?:PASSWORD|PASSWD|PASSPHRASE|API_?KEY|SECRET|SECRET_KEY|ACCESS_KEY|PRIVATE_KEY|TOKEN)=([^\s"'&;,<>{}()$\\]{6,})"#,
        is_value,
    ),
    (
        r#"(?:^|[\s;"'])(?i-u:password|passwd|pwd)=([^\s;"',()<>{}$\\]+)(?:[\s;"']|$)"#,
        is_value,
    ),
];

/// What a quick look for [`SECRETS`] finds: expressions that match every text that one of them matches, also where the
/// text is JSON's spelling of it.
pub(crate) const SECRETS_LOOK: &str = r"sk-|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|AKIA|ASIA|AIza|ya29\.|GOCSPX-|[rs]k_live_|[rs]k_test_|whsec_|SG\.|gsk_|xai-|dop_v1_|shpat_|lsv2_|hf_|npm_|pypi-|eyJ|PRIVATE KEY|:\\*/\\*/[^@\s]*@|(?i:bearer|signature=|[?&]sig=)";

const EMAIL: &str = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}";

/// Most bytes of a compiled pattern of the user's.
const MOST_PATTERN: usize = 1 << 20;

impl Patterns {
    pub(crate) fn new(rules: &Rules) -> Result<Self, RuleError> {
        let mut patterns = Vec::new();
        let mut add = |pattern: &str, finds| {
            let error = |error: regex::Error| RuleError::Pattern {
                pattern: pattern.to_owned(),
                reason: error.to_string(),
            };
            let regex = RegexBuilder::new(pattern)
                .size_limit(MOST_PATTERN)
                .build()
                .map_err(error)?;
            if regex.is_match("") {
                return Err(RuleError::MatchesNothing {
                    pattern: pattern.to_owned(),
                });
            }
            patterns.push(Pattern { regex, finds });
            Ok(())
        };
        if rules.secrets {
            for (pattern, check) in SECRETS {
                add(pattern, Finds::Text(*check))?;
            }
        }
        if rules.emails {
            add(EMAIL, Finds::Text(always))?;
        }
        if rules.cards {
            add(card::RUN, Finds::Cards)?;
        }
        for pattern in &rules.patterns {
            add(pattern, Finds::Whole)?;
        }
        let set = RegexSetBuilder::new(patterns.iter().map(|pattern| pattern.regex.as_str()))
            .size_limit(MOST_PATTERN * (1 + patterns.len()))
            .build();
        Ok(Self {
            set: set.map_err(|error| RuleError::Pattern {
                pattern: rules.patterns.join(", "),
                reason: error.to_string(),
            })?,
            patterns,
        })
    }

    /// The text with its secrets replaced; `None` where it holds none.
    pub(crate) fn redact(&self, text: &str) -> Option<String> {
        let mut redacted = self.once(text)?;
        // What follows a secret may be one that was not seen for the text before it.
        for _ in 0..3 {
            match self.once(&redacted) {
                Some(again) => redacted = again,
                None => break,
            }
        }
        Some(redacted)
    }

    fn once(&self, text: &str) -> Option<String> {
        let mut redacted: Option<String> = None;
        for index in self.set.matches(text) {
            let pattern = self.patterns.get(index)?;
            if let Some(again) = pattern.replace(redacted.as_deref().unwrap_or(text)) {
                redacted = Some(again);
            }
        }
        redacted
    }
}

impl Pattern {
    /// Looks at what stands between earlier replacements, never at these.
    fn replace(&self, text: &str) -> Option<String> {
        let mut redacted = String::new();
        let mut changed = false;
        for (index, part) in text.split(REDACTED).enumerate() {
            if index > 0 {
                redacted.push_str(REDACTED);
            }
            let mut copied = 0;
            for found in self.regex.captures_iter(part) {
                for secret in self.secrets(&found) {
                    redacted.push_str(&part[copied..secret.start]);
                    redacted.push_str(REDACTED);
                    copied = secret.end;
                    changed = true;
                }
            }
            redacted.push_str(&part[copied..]);
        }
        changed.then_some(redacted)
    }

    fn secrets(&self, found: &Captures<'_>) -> Vec<Range<usize>> {
        let Some(whole) = found.get(0) else {
            return Vec::new();
        };
        match self.finds {
            Finds::Cards => {
                let within = |card: Range<usize>| whole.start() + card.start..whole.start() + card.end;
                cards(whole.as_str()).into_iter().map(within).collect()
            }
            Finds::Whole => vec![whole.range()],
            Finds::Text(check) => {
                let secret = found.iter().skip(1).flatten().next().unwrap_or(whole);
                if check(secret.as_str()) {
                    vec![secret.range()]
                } else {
                    Vec::new()
                }
            }
        }
    }
}

/// Whether a number that stands in JSON as one is that of a card.
pub(crate) fn is_card_number(number: &str) -> bool {
    (13..=19).contains(&number.len()) && cards(number).first().is_some_and(|card| card.len() == number.len())
}

/// A value that hides nothing: none, or one that is hidden already.
pub(crate) fn is_no_value(text: &str) -> bool {
    let text = text.trim();
    matches!(
        text,
        "" | "None" | "null" | "[]" | "{}" | "true" | "false" | "True" | "False" | REDACTED
    ) || text.bytes().all(|byte| byte == b'*')
}

fn always(_: &str) -> bool {
    true
}

/// Not a word that stands for a value in program text.
fn is_value(text: &str) -> bool {
    !is_no_value(text) && !matches!(text, "str" | "string" | "password" | "..." | "…")
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

fn has_digit_or_is_long(text: &str) -> bool {
    has_digit(text) || text.len() >= 32
}

fn has_long_random_run(text: &str) -> bool {
    has_digit(text) && text.split('-').any(|run| run.len() >= 16)
}
