//! Which keys speak of a secret.
//!
//! A key is taken as words: `input.X-Api-Key`, `xApiKey` and `X_API_KEY` all end with the words *api*, *key*. What a key
//! speaks of stands at its end, so a key is a secret's where its last words are: `db.password` is, `password_policy` is
//! not, and `input_tokens`, `token_count` and `max_tokens` count tokens.

use crate::RuleError;

/// What a key says about its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Meaning {
    #[default]
    Nothing,
    /// Texts under the key are secrets, numbers are not: `token`, which may also be a number of something.
    SecretText,
    /// Texts and numbers under the key are secrets.
    Secret,
    /// An exception: nothing under the key is a secret.
    Allowed,
}

/// The keys that have a meaning.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    well_known: bool,
    extra: Vec<Vec<String>>,
    allow: Vec<Vec<String>>,
}

/// Last words of keys whose texts and numbers are secrets.
const SECRET: &[&[&str]] = &[
    &["password"],
    &["passwd"],
    &["pwd"],
    &["passphrase"],
    &["passcode"],
    &["secret"],
    &["authorization"],
    &["apikey"],
    &["api", "key"],
    &["access", "key"],
    &["secret", "key"],
    &["private", "key"],
    &["signing", "key"],
    &["encryption", "key"],
    &["account", "key"],
    &["shared", "key"],
    &["master", "key"],
    &["auth", "key"],
];

/// Last words of keys whose texts are secrets.
const SECRET_TEXT: &[&[&str]] = &[
    &["passwords"],
    &["secrets"],
    &["token"],
    &["jwt"],
    &["cookie"],
    &["cookies"],
    &["apikeys"],
    &["api", "keys"],
];

/// Ends of a last word that was written without separators: `dbpassword`, `PGPASSWORD`, `accesstoken`.
const SECRET_ENDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "clientsecret",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "sessiontoken",
    "bearertoken",
    "idtoken",
];

/// Words before `token` that make it a piece of text or a place in a list, and no secret.
const HARMLESS_TOKENS: &[&str] = &[
    "next",
    "previous",
    "prev",
    "page",
    "continuation",
    "cursor",
    "sync",
    "eos",
    "bos",
    "pad",
    "unk",
    "cls",
    "sep",
    "mask",
    "stop",
    "special",
    "start",
    "end",
    "first",
    "last",
    "per",
    "max",
    "min",
    "prompt",
    "completion",
    "input",
    "output",
    "total",
    "cached",
    "reasoning",
    "new",
];

/// What a quick look for the well-known keys finds in a text, in any case: an expression that matches every text that
/// holds one of them, with any separators.
pub(crate) const WELL_KNOWN_LOOK: &str = "passw|pwd|passphrase|passcode|secret|token|jwt|authorization|cookie|\
     (?:api|access|secret|private|signing|encryption|account|shared|master|auth)[^a-z0-9]*key";

impl Keys {
    pub(crate) fn new(well_known: bool, extra: &[String], allow: &[String]) -> Result<Self, RuleError> {
        let all = |keys: &[String]| keys.iter().map(|key| rule(key)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            well_known,
            extra: all(extra)?,
            allow: all(allow)?,
        })
    }

    /// As [`WELL_KNOWN_LOOK`], for the keys that were added.
    pub(crate) fn extra_look(&self) -> impl Iterator<Item = String> + '_ {
        self.extra.iter().map(|words| {
            let words: Vec<String> = words.iter().map(|word| regex::escape(word)).collect();
            words.join("[^a-z0-9]*")
        })
    }

    /// Whether a quick look, which compares bytes in either case of ASCII, can find all keys that were added.
    pub(crate) fn can_look(&self) -> bool {
        self.extra.iter().flatten().all(|word| word.is_ascii())
    }

    /// What a key says about its value.
    pub(crate) fn meaning(&self, key: &str) -> Meaning {
        let words = Words::of(key);
        if self.allow.iter().any(|rule| words.are_a_part(rule)) {
            return Meaning::Allowed;
        }
        if self.extra.iter().any(|rule| words.end_with(rule)) {
            return Meaning::Secret;
        }
        if !self.well_known {
            return Meaning::Nothing;
        }
        let Some(last) = words.0.last() else {
            return Meaning::Nothing;
        };
        if SECRET.iter().any(|rule| words.end_with(rule))
            || SECRET_ENDS.iter().any(|end| without_number(&last.text).ends_with(end))
        {
            return Meaning::Secret;
        }
        if SECRET_TEXT.iter().any(|rule| words.end_with(rule)) && !words.are_a_harmless_token() {
            return Meaning::SecretText;
        }
        Meaning::Nothing
    }
}

fn rule(key: &str) -> Result<Vec<String>, RuleError> {
    let words: Vec<String> = Words::of(key).0.into_iter().map(|word| word.text).collect();
    if words.is_empty() {
        return Err(RuleError::Key { key: key.to_owned() });
    }
    Ok(words)
}

/// The words of a key's end, in lower case, without numbers that follow the last one.
struct Words(Vec<Word>);

struct Word {
    text: String,
    /// Whether it begins the key or follows a dot.
    begins_part: bool,
}

/// `password2` is a password.
fn without_number(word: &str) -> &str {
    word.trim_end_matches(|digit: char| digit.is_ascii_digit())
}

/// Bytes at a key's end that are looked at.
const MOST_KEY: usize = 200;

impl Words {
    fn of(key: &str) -> Self {
        let end = &key[key.ceil_char_boundary(key.len().saturating_sub(MOST_KEY))..];
        let mut words: Vec<Word> = Vec::new();
        let mut in_word = false;
        let mut begins_part = true;
        let mut before = ' ';
        let mut characters = end.chars().peekable();
        while let Some(character) = characters.next() {
            if character.is_ascii_punctuation() || character == ' ' {
                in_word = false;
                begins_part = character == '.';
                continue;
            }
            let starts_hump = character.is_uppercase()
                && (!before.is_uppercase() || characters.peek().is_some_and(|next| next.is_lowercase()));
            match words.last_mut() {
                Some(word) if in_word && !starts_hump => word.text.extend(character.to_lowercase()),
                _ => {
                    words.push(Word {
                        text: character.to_lowercase().collect(),
                        begins_part: begins_part && !in_word,
                    });
                    in_word = true;
                }
            }
            before = character;
        }
        // The number of an item: `headers.cookie.0`.
        while words.last().is_some_and(|last| without_number(&last.text).is_empty()) {
            words.pop();
        }
        Self(words)
    }

    fn end_with(&self, rule: &[impl AsRef<str>]) -> bool {
        self.ending(rule).is_some()
    }

    /// Whether the rule's words are the key, or all of it that follows a dot.
    fn are_a_part(&self, rule: &[String]) -> bool {
        self.ending(rule)
            .and_then(|words| words.first())
            .is_some_and(|word| word.begins_part)
    }

    fn ending(&self, rule: &[impl AsRef<str>]) -> Option<&[Word]> {
        let (_, end) = self.0.split_at_checked(self.0.len().checked_sub(rule.len())?)?;
        end.iter()
            .zip(rule)
            .all(|(word, rule)| word.text == rule.as_ref())
            .then_some(end)
    }

    fn are_a_harmless_token(&self) -> bool {
        match self.0.as_slice() {
            [.., before, last] => {
                last.text == "token" && !last.begins_part && HARMLESS_TOKENS.contains(&before.text.as_str())
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well_known() -> Keys {
        Keys::new(true, &[], &[]).expect("rules")
    }

    #[test]
    fn keys_that_end_with_the_words_of_a_secret_are_one() {
        for key in [
            "api_key",
            "apikey",
            "api-key",
            "API_KEY",
            "apiKey",
            "x-api-key",
            "X-Api-Key",
            "OPENAI_API_KEY",
            "openai.api.key",
            "authorization",
            "Authorization",
            "http.request.header.authorization",
            "Proxy-Authorization",
            "password",
            "PASSWORD",
            "db.password",
            "userPassword",
            "PGPASSWORD",
            "dbpassword",
            "password_2",
            "passwd",
            "pwd",
            "passphrase",
            "secret",
            "client_secret",
            "clientSecret",
            "_secret",
            "secret_key",
            "aws_secret_access_key",
            "private_key",
            "privateKey",
            "private-key",
            "HTTPApiKey",
            "input.api_key",
            "input.secret",
        ] {
            assert_eq!(well_known().meaning(key), Meaning::Secret, "{key}");
        }
        for key in [
            "token",
            "access_token",
            "accessToken",
            "refresh_token",
            "id-token",
            "github_token",
            "input.token",
            "auth.token",
            "cookie",
            "Set-Cookie",
            "http.response.header.set-cookie",
            "headers.cookie.0",
            "jwt",
            "api_keys",
            "passwords",
        ] {
            assert_eq!(well_known().meaning(key), Meaning::SecretText, "{key}");
        }
    }

    #[test]
    fn keys_that_only_hold_such_words_are_none() {
        for key in [
            "gen_ai.usage.input_tokens",
            "token_count",
            "max_tokens",
            "tokens",
            "output.token_count",
            "tokenCount",
            "time_to_first_token",
            "eos_token",
            "next_page_token",
            "nextPageToken",
            "input_token",
            "secretary",
            "password_policy",
            "secret_name",
            "token_type",
            "tokenizer",
            "key",
            "primary_key",
            "public_key",
            "keyboard",
            "authorization_url",
            "cookie_consent",
            "author",
            "api",
            "monkey",
            "api.version",
            "keys",
            "passworded",
            "",
            "...",
            "compass",
            "bypass",
            "access",
            "access_key_id",
            "session_id",
            "authorized",
        ] {
            assert_eq!(well_known().meaning(key), Meaning::Nothing, "{key}");
        }
    }

    #[test]
    fn keys_can_be_added_and_excepted() {
        let keys = |text: &str| vec![text.to_owned()];
        let rules = Keys::new(true, &keys("customer_number"), &keys("page_token")).expect("rules");
        for key in [
            "customer_number",
            "Customer-Number",
            "customerNumber",
            "input.customer_number",
        ] {
            assert_eq!(rules.meaning(key), Meaning::Secret, "{key}");
        }
        assert_eq!(rules.meaning("customer_numbers"), Meaning::Nothing);
        let rules = Keys::new(false, &keys("md5"), &[]).expect("rules");
        assert_eq!(
            (rules.meaning("file.md5"), rules.meaning("md")),
            (Meaning::Secret, Meaning::Nothing)
        );
        assert_eq!(rules.meaning("password"), Meaning::Nothing);
        let rules = Keys::new(true, &[], &keys("session_token")).expect("rules");
        assert_eq!(rules.meaning("session_token"), Meaning::Allowed);
        assert_eq!(rules.meaning("input.sessionToken"), Meaning::Allowed);
        assert_eq!(rules.meaning("my_session_token"), Meaning::SecretText);
        assert_eq!(
            Keys::new(true, &keys("_-."), &[]).expect_err("no key"),
            RuleError::Key { key: "_-.".into() }
        );
    }

    #[test]
    fn a_key_of_any_length_is_looked_at_from_its_end() {
        let key = format!("{}.password", "é".repeat(1 << 20));
        assert_eq!(well_known().meaning(&key), Meaning::Secret);
    }
}
