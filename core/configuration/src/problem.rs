//! What is wrong with what was given.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::nearest::nearest;
use crate::value::{Refused, shown};
use crate::{Setting, settings};

/// Most problems, and most warnings, that are told; a file of nonsense would have any number of them.
pub(crate) const MOST_PROBLEMS: usize = 100;

/// Most bytes of a name that is shown as it is.
const MOST_NAME: usize = 100;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In `flockscope.toml`.
    File {
        /// The file.
        path: PathBuf,
        /// Line in it, from 1.
        line: usize,
    },
    /// In a `.env` file.
    EnvironmentFile {
        /// The file.
        path: PathBuf,
        /// The variable.
        variable: String,
    },
    /// In the environment.
    Environment {
        /// The variable.
        variable: String,
    },
    /// On the command line.
    CommandLine {
        /// The flag, without the dashes.
        flag: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::EnvironmentFile { path, .. } => write!(f, "{}", path.display()),
            Self::Environment { .. } => f.write_str("environment"),
            Self::CommandLine { .. } => f.write_str("command line"),
        }
    }
}

/// One thing that is wrong. It never holds a secret. [`fmt::Display`] gives the whole message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Key of the setting; `None` where it is no known setting.
    pub key: Option<&'static str>,
    /// The name by which it was given: key, variable or flag; a file where that is the problem.
    pub name: String,
    /// Where it stands; `None`: it was given by a call.
    pub origin: Option<Origin>,
    /// What is wrong, with the name, the place, the value, and what is allowed.
    pub message: String,
}

impl Problem {
    /// A value that its setting does not allow.
    pub(crate) fn refused(setting: &Setting, given: &Given, text: &str, refused: Refused) -> Self {
        let value = if setting.is_secret() {
            "a value that is not shown".into()
        } else {
            shown(text)
        };
        let allowed = given.allowed.clone().unwrap_or_else(|| setting.allowed());
        let reason = refused.0.map(|reason| format!("; {reason}")).unwrap_or_default();
        Self::about(setting, given, &format!("is {value}, but must be {allowed}{reason}"))
    }

    /// Something else about a setting: a sentence without its subject.
    pub(crate) fn about(setting: &Setting, given: &Given, what: &str) -> Self {
        Self {
            key: Some(setting.key),
            ..Self::without_setting(&given.name, given.origin.clone(), what)
        }
    }

    /// A key that no setting has.
    pub(crate) fn unknown(key: &str, origin: Option<Origin>) -> Self {
        let nearest = nearest(key, settings().iter().map(|setting| setting.key));
        Self::without_setting(&name(key), origin, &format!("is no setting{}", hint(nearest)))
    }

    /// A section that no setting has.
    pub(crate) fn unknown_section(section: &str, origin: Origin) -> Self {
        let nearest = nearest(section, settings().iter().map(Setting::section));
        Self::without_setting(&name(section), Some(origin), &format!("is no section{}", hint(nearest)))
    }

    /// A variable that is none of ours, though it looks like one.
    pub(crate) fn unknown_variable(variable: &str, origin: Origin, nearest: &str) -> Self {
        let what = format!("is no variable that is known; the nearest is {nearest}");
        Self::without_setting(&name(variable), Some(origin), &what)
    }

    /// Something that is about no setting: a sentence without its subject.
    pub(crate) fn without_setting(name: &str, origin: Option<Origin>, what: &str) -> Self {
        let place = origin.as_ref().map(|origin| format!(" ({origin})")).unwrap_or_default();
        Self {
            key: None,
            name: name.to_owned(),
            message: format!("{name} {what}{place}"),
            origin,
        }
    }
}

/// A name as it is if it is a plain one, which it mostly is, else quoted and not too long.
fn name(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match text.len() <= MOST_NAME && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => shown(text),
    }
}

fn hint(nearest: Option<(&str, f64)>) -> String {
    nearest
        .map(|(known, _)| format!("; the nearest is {known}"))
        .unwrap_or_default()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// By which name and where a value was given.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) origin: Option<Origin>,
    /// What is allowed under this name, where that differs from what the setting says.
    pub(crate) allowed: Option<String>,
}

impl Given {
    pub(crate) fn new(name: impl Into<String>, origin: Origin) -> Self {
        Self {
            name: name.into(),
            origin: Some(origin),
            allowed: None,
        }
    }
}

/// All that is wrong, one message a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The problems, at most a hundred.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.push_with(|| problem);
    }

    /// Adds a problem that takes time to describe; one of those that are only counted is not.
    pub(crate) fn push_with(&mut self, problem: impl FnOnce() -> Problem) {
        if self.problems.len() < MOST_PROBLEMS {
            self.problems.push(problem());
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl std::error::Error for Problems {}
