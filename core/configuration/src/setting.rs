//! One setting.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::Kind;

/// A setting: its names, what it may be, what it means. The table of all is [`crate::settings`].
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in `flockscope.toml`: `section.name`.
    pub key: &'static str,
    /// Its environment variable, also in `.env`.
    pub variable: &'static str,
    /// Another variable that means the same. The first one counts where both are set.
    pub alias: Option<Alias>,
    /// Its flag on the command line, without the dashes. Secrets have none: everybody can read a command line.
    pub flag: Option<&'static str>,
    /// What it may be.
    pub kind: Kind,
    /// What it is if nothing is said, as text; empty where that is allowed.
    pub default: &'static str,
    /// What an empty value does, in words that follow "or empty". `None`: it must not be empty.
    pub empty: Option<&'static str>,
    /// A value other than the default, for documentation.
    pub example: &'static str,
    /// What it does, in one or two sentences.
    pub description: &'static str,
    /// Whether a change counts only once the process was started anew.
    pub needs_restart: bool,
}

/// Another variable of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Alias {
    /// Its name.
    pub variable: &'static str,
    /// How its value is to be read.
    pub reading: Reading,
}

/// How the value of an alias is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// As a number of megabytes (10⁶ bytes).
    Megabytes,
    /// As the setting's own, but other programs use this name too: a value that does not fit is theirs, so it is left
    /// alone with a warning.
    Shared,
}

impl Setting {
    pub(crate) const fn new(
        key: &'static str,
        variable: &'static str,
        flag: &'static str,
        kind: Kind,
        default: &'static str,
    ) -> Self {
        Self {
            key,
            variable,
            alias: None,
            flag: Some(flag),
            kind,
            default,
            empty: None,
            example: "",
            description: "",
            needs_restart: true,
        }
    }

    /// A setting that is never shown and has no flag.
    pub(crate) const fn secret(key: &'static str, variable: &'static str, kind: Kind) -> Self {
        Self {
            flag: None,
            ..Self::new(key, variable, "", kind, "")
        }
    }

    pub(crate) const fn or_empty(self, empty: &'static str) -> Self {
        Self {
            empty: Some(empty),
            ..self
        }
    }

    pub(crate) const fn alias(self, variable: &'static str, reading: Reading) -> Self {
        Self {
            alias: Some(Alias { variable, reading }),
            ..self
        }
    }

    pub(crate) const fn live(self) -> Self {
        Self {
            needs_restart: false,
            ..self
        }
    }

    pub(crate) const fn says(self, example: &'static str, description: &'static str) -> Self {
        Self {
            example,
            description,
            ..self
        }
    }

    /// Whether the value must not be shown.
    pub fn is_secret(&self) -> bool {
        self.kind.is_secret()
    }

    /// Part of the key before the dot.
    pub fn section(&self) -> &'static str {
        self.key.split_once('.').map_or("", |(section, _)| section)
    }

    /// Part of the key after the dot.
    pub fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// What is allowed, in words that follow "must be".
    pub fn allowed(&self) -> String {
        match self.empty {
            Some(empty) => format!("{}, or empty {empty}", self.kind.allowed()),
            None => self.kind.allowed(),
        }
    }

    /// All its variables, the one that counts more last.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, Option<Reading>)> + use<> {
        self.alias
            .map(|alias| (alias.variable, Some(alias.reading)))
            .into_iter()
            .chain([(self.variable, None)])
    }
}

// For the API and the editor, which also want what is allowed in words.
impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Setting", 11)?;
        fields.serialize_field("key", self.key)?;
        fields.serialize_field("variable", self.variable)?;
        fields.serialize_field("alias", &self.alias)?;
        fields.serialize_field("flag", &self.flag)?;
        fields.serialize_field("value", &self.kind)?;
        fields.serialize_field("default", self.default)?;
        fields.serialize_field("may_be_empty", &self.empty.is_some())?;
        fields.serialize_field("allowed", &self.allowed())?;
        fields.serialize_field("description", self.description)?;
        fields.serialize_field("secret", &self.is_secret())?;
        fields.serialize_field("needs_restart", &self.needs_restart)?;
        fields.end()
    }
}
