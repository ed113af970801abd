//! JSON text with some of its values replaced and every other byte kept.
//!
//! The text is gone through once, token by token; only texts that may hold a secret are decoded. A text that is JSON
//! itself is gone through in the same way, up to [`MOST_LEVELS`] levels deep. Beyond that, and in text that is no JSON,
//! only the patterns find something.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::REDACTED;
use crate::key::{Keys, Meaning};
use crate::pattern::{Patterns, is_card_number, is_no_value};

/// How often JSON may stand as text within JSON, to be read as JSON.
pub(crate) const MOST_LEVELS: u32 = 8;

/// What is looked for.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) keys: Keys,
    pub(crate) patterns: Patterns,
    /// Whether numbers may be those of cards.
    pub(crate) cards: bool,
    /// A quick look at a text: where it matches nothing, there is no secret. `None`: every text is read.
    pub(crate) look: Option<regex::bytes::Regex>,
    /// The beginning of a JSON Schema.
    pub(crate) schema: regex::Regex,
}

/// A text with secrets replaced, and how many values they were.
pub(crate) struct Redacted {
    pub(crate) text: String,
    pub(crate) values: u64,
}

impl Search {
    /// Whether a text may hold a secret.
    pub(crate) fn may_find(&self, text: &str) -> bool {
        self.look.as_ref().is_none_or(|look| look.is_match(text.as_bytes()))
    }

    /// Redacts a text that may be JSON; `None` where it holds no secret.
    pub(crate) fn redact(&self, text: &str) -> Option<Redacted> {
        self.redact_at(text, 0)
    }

    fn redact_at(&self, text: &str, level: u32) -> Option<Redacted> {
        let begins_json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'[' | b'"'));
        if level <= MOST_LEVELS && begins_json && serde_json::from_str::<&RawValue>(text).is_ok() {
            return Rewriting::new(self, text, level).run();
        }
        let text = self.patterns.redact(text)?;
        Some(Redacted { text, values: 1 })
    }
}

/// A list or object that is open.
struct Open {
    is_object: bool,
    meaning: Meaning,
    /// It has a field such as `"name": "password"`, so that its `value` is a secret.
    names_secret: bool,
    /// It is about a piece of a language model's answer: it has a field `logprob`.
    about_piece: bool,
}

/// One way through a valid JSON text.
struct Rewriting<'a> {
    search: &'a Search,
    text: &'a str,
    level: u32,
    open: Vec<Open>,
    expects_key: bool,
    /// What the keys above say of the value that comes next.
    meaning: Meaning,
    /// The key of the value that comes next says what stands in a field `value` beside it.
    key_names: bool,
    written: String,
    /// Up to here the text was written.
    copied: usize,
    values: u64,
}

impl<'a> Rewriting<'a> {
    fn new(search: &'a Search, text: &'a str, level: u32) -> Self {
        Self {
            search,
            text,
            level,
            open: Vec::new(),
            expects_key: false,
            meaning: Meaning::Nothing,
            key_names: false,
            written: String::new(),
            copied: 0,
            values: 0,
        }
    }

    fn run(mut self) -> Option<Redacted> {
        let bytes = self.text.as_bytes();
        let mut place = 0;
        while let Some(byte) = bytes.get(place) {
            let end = match byte {
                b'"' => text_end(bytes, place),
                b'-' | b'0'..=b'9' => word_end(bytes, place),
                _ => place + 1,
            };
            match byte {
                b'{' => self.open(true, place),
                b'[' => self.open(false, place),
                b'}' | b']' => {
                    self.open.pop();
                    self.expects_key = false;
                }
                b',' => {
                    if let Some(open) = self.open.last() {
                        self.expects_key = open.is_object;
                        self.meaning = open.meaning;
                    }
                }
                b'"' if self.expects_key => self.key(place, end),
                b'"' => self.text_value(place, end),
                b'-' | b'0'..=b'9' => self.number(place, end),
                _ => {}
            }
            place = end;
        }
        if self.copied == 0 {
            return None;
        }
        self.written.push_str(&self.text[self.copied..]);
        Some(Redacted {
            text: self.written,
            values: self.values,
        })
    }

    fn open(&mut self, is_object: bool, place: usize) {
        // The schema of a tool's argument `password` says what a password is, and holds none.
        if is_object && self.is_secret() && self.is_schema(place) {
            self.meaning = Meaning::Nothing;
        }
        self.expects_key = is_object;
        self.open.push(Open {
            is_object,
            meaning: self.meaning,
            names_secret: false,
            about_piece: false,
        });
    }

    fn is_secret(&self) -> bool {
        matches!(self.meaning, Meaning::Secret | Meaning::SecretText)
    }

    fn is_schema(&self, place: usize) -> bool {
        const BEGINNING: usize = 256;
        let end = self.text.floor_char_boundary(place + BEGINNING);
        self.search.schema.is_match(&self.text[place..end])
    }

    fn key(&mut self, start: usize, end: usize) {
        self.expects_key = false;
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let token = &self.text[start..end];
        let key = decoded(token);
        let own = self.search.keys.meaning(&key);
        self.meaning = match (open.meaning, own) {
            (Meaning::Allowed, _) | (_, Meaning::Allowed) => Meaning::Allowed,
            (Meaning::Secret, _) | (_, Meaning::Secret) => Meaning::Secret,
            (above, Meaning::Nothing) if open.names_secret && key.eq_ignore_ascii_case("value") => {
                if above == Meaning::Nothing {
                    Meaning::SecretText
                } else {
                    above
                }
            }
            (above, Meaning::Nothing) => above,
            (_, own) => own,
        };
        open.about_piece |= key == "logprob";
        let above = open.meaning;
        self.key_names = ["name", "key", "header", "field"]
            .iter()
            .any(|name| key.eq_ignore_ascii_case(name));
        if above != Meaning::Allowed
            && self.search.may_find(token)
            && let Some(redacted) = self.search.patterns.redact(&key)
        {
            self.replace(start, end, &redacted, 1);
        }
    }

    fn text_value(&mut self, start: usize, end: usize) {
        let token = &self.text[start..end];
        match self.meaning {
            Meaning::Allowed => {}
            Meaning::Secret | Meaning::SecretText => {
                if !self.is_piece_of_text(end) && !is_no_value(&decoded(token)) {
                    self.replace(start, end, REDACTED, 1);
                }
            }
            Meaning::Nothing if !self.search.may_find(token) => {}
            Meaning::Nothing => {
                let text = decoded(token);
                if self.key_names
                    && let Some(open) = self.open.last_mut()
                    && open.is_object
                {
                    let meaning = self.search.keys.meaning(&text);
                    open.names_secret |= matches!(meaning, Meaning::Secret | Meaning::SecretText);
                }
                if let Some(redacted) = self.search.redact_at(&text, self.level + 1) {
                    self.replace(start, end, &redacted.text, redacted.values);
                }
            }
        }
    }

    /// Language models list the pieces of their answers, each with its probability: `"token": "Hel", "logprob": -0.1`.
    fn is_piece_of_text(&self, end: usize) -> bool {
        let rest = self.text[end..].trim_start();
        let logprob_follows = || {
            rest.strip_prefix(',')
                .is_some_and(|rest| rest.trim_start().starts_with("\"logprob\""))
        };
        self.meaning == Meaning::SecretText
            && self
                .open
                .last()
                .is_some_and(|open| open.is_object && (open.about_piece || logprob_follows()))
    }

    fn number(&mut self, start: usize, end: usize) {
        let is_card = || self.search.cards && is_card_number(&self.text[start..end]);
        if self.meaning == Meaning::Secret || (self.meaning != Meaning::Allowed && is_card()) {
            self.replace(start, end, REDACTED, 1);
        }
    }

    /// Writes all up to `start`, and the text instead of what stands from there to `end`.
    fn replace(&mut self, start: usize, end: usize, text: &str, values: u64) {
        self.written.push_str(&self.text[self.copied..start]);
        self.written.push_str(&serde_json::Value::from(text).to_string());
        self.copied = end;
        self.values += values;
    }
}

/// The place after the text that begins at `start`.
fn text_end(bytes: &[u8], start: usize) -> usize {
    let mut place = start + 1;
    while let Some(rest) = bytes.get(place..) {
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(next) if rest.get(next) == Some(&b'"') => return place + next + 1,
            Some(next) => place += next + 2,
            None => break,
        }
    }
    bytes.len()
}

/// The place after the number that begins at `start`.
fn word_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n'));
    start + length.unwrap_or(rest.len())
}

/// The text that a token spells. Halves of surrogate pairs, which JSON can spell and a text can't hold, are replaced.
fn decoded(token: &str) -> Cow<'_, str> {
    match token.strip_prefix('"').and_then(|token| token.strip_suffix('"')) {
        Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        _ => match serde_json::Deserializer::from_str(token).deserialize_bytes(Lossy) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Borrowed(token),
        },
    }
}

struct Lossy;

impl Visitor<'_> for Lossy {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}
