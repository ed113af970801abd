//! All sources put together.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::configuration::Configuration;
use crate::nearest::nearest;
use crate::problem::{Given, MOST_PROBLEMS};
use crate::program::{PROGRAM_VARIABLES, ProgramValue};
use crate::secret::HIDDEN;
use crate::settings::by_key;
use crate::value::{Refused, Value, Values, shown, without_password};
use crate::{Kind, Origin, Problem, Problems, Reading, Setting, Sources, env_file, rules, settings, toml_file};

/// How near a `FLOCKSCOPE_…` variable must be to a known one to be taken for a misspelling of it. Parts of the program
/// have variables of their own.
const MISSPELT: f64 = 0.85;

/// The configuration, and how it came about.
#[derive(Debug, Clone, Serialize)]
pub struct Loaded {
    /// The values.
    pub configuration: Configuration,
    /// The values as text and where each came from, in the order of [`settings`].
    pub effective: Vec<Effective>,
    /// What the traced Flock program is told by variables that are no settings.
    pub program: Vec<ProgramValue>,
    /// What is not wrong enough to stop for; of variables with strange names at most a hundred.
    pub warnings: Vec<Problem>,
}

/// The value of a setting and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effective {
    /// Key of the setting.
    pub key: &'static str,
    /// Its variable.
    pub variable: &'static str,
    /// The value as text, empty for none; a secret is `•••`.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

/// Whether a text would do as the value of a setting. What lies at a path is not looked at.
pub fn check_value(key: &str, text: &str) -> Result<(), Problem> {
    let setting = find(key)?;
    match setting.read(text) {
        Ok(_) => Ok(()),
        Err(refused) => Err(Problem::refused(setting, &by_call(setting), text, refused)),
    }
}

/// The setting of a key, or a problem that names the nearest one.
pub(crate) fn find(key: &str) -> Result<&'static Setting, Problem> {
    by_key(key).ok_or_else(|| Problem::unknown(key, None))
}

/// A setting that is named by a call and not by a source.
pub(crate) fn by_call(setting: &Setting) -> Given {
    Given {
        name: setting.key.into(),
        origin: None,
        allowed: None,
    }
}

impl Configuration {
    /// Reads all sources and checks every value of each, also those that another source overrides.
    pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
        let mut loading = Loading {
            values: Values::defaults(),
            origins: BTreeMap::new(),
            program: BTreeMap::new(),
            problems: Problems::default(),
            warnings: Vec::new(),
        };
        // From what counts least to what counts most.
        loading.read_toml_file(sources);
        loading.read_env_file(sources);
        loading.read_variables(&sources.environment, None, |variable| Origin::Environment { variable });
        loading.read_flags(sources);
        loading.finish()
    }
}

struct Loading {
    values: Values,
    /// Of the settings that are not at their default.
    origins: BTreeMap<&'static str, Given>,
    program: BTreeMap<&'static str, (String, Origin)>,
    problems: Problems,
    warnings: Vec<Problem>,
}

impl Loading {
    fn read_toml_file(&mut self, sources: &Sources) {
        let Some(file) = &sources.toml_file else {
            return;
        };
        for value in toml_file::values(file, &mut self.problems) {
            let setting = value.setting;
            match value.text() {
                Ok((given, text)) => {
                    if setting.is_secret() && !text.trim().is_empty() {
                        let better = format!(
                            "is a secret, and better kept in .env or the environment: {}",
                            setting.variable
                        );
                        self.warnings.push(Problem::about(setting, &given, &better));
                    }
                    self.take(setting, given, &text, file.parent());
                }
                Err(problem) => self.problems.push(problem),
            }
        }
    }

    fn read_env_file(&mut self, sources: &Sources) {
        let Some(file) = &sources.env_file else {
            return;
        };
        match env_file::variables(file) {
            Ok(variables) => self.read_variables(&variables, file.parent(), |variable| Origin::EnvironmentFile {
                path: file.clone(),
                variable,
            }),
            Err(what) => {
                let problem = Problem::without_setting(&file.display().to_string(), None, &what);
                self.problems.push(problem);
            }
        }
    }

    fn read_variables(
        &mut self,
        variables: &BTreeMap<String, String>,
        folder: Option<&Path>,
        origin: impl Fn(String) -> Origin,
    ) {
        for setting in settings() {
            let mut first: Option<(&str, bool)> = None;
            for (variable, reading) in setting.variables() {
                let Some(text) = variables.get(variable) else {
                    continue;
                };
                let given = Given::new(variable, origin(variable.into()));
                let is_taken = self.take_variable(setting, given, text, reading, folder);
                if let Some((alias, true)) = first.replace((variable, is_taken))
                    && is_taken
                {
                    let what = format!("does not count, since {variable} is set too");
                    let given = Given::new(alias, origin(alias.into()));
                    self.warnings.push(Problem::about(setting, &given, &what));
                }
            }
        }
        for variable in PROGRAM_VARIABLES {
            if let Some(text) = variables.get(variable.name) {
                let value = (text.clone(), origin(variable.name.into()));
                self.program.insert(variable.name, value);
            }
        }
        for name in variables.keys() {
            self.check_name(name, &origin);
        }
    }

    /// Warns of a variable that looks like one of ours and is none.
    fn check_name(&mut self, name: &str, origin: impl Fn(String) -> Origin) {
        let known = || {
            let of_settings = settings()
                .iter()
                .flat_map(Setting::variables)
                .map(|(variable, _)| variable);
            of_settings.chain(PROGRAM_VARIABLES.iter().map(|variable| variable.name))
        };
        let is_flock = name.starts_with("FLOCK_TRACE_");
        if self.warnings.len() >= MOST_PROBLEMS {
            return;
        }
        if !(is_flock || name.starts_with("FLOCKSCOPE_")) || known().any(|known| known == name) {
            return;
        }
        match nearest(name, known()) {
            Some((known, nearness)) if is_flock || nearness >= MISSPELT => {
                let problem = Problem::unknown_variable(name, origin(name.to_owned()), known);
                self.warnings.push(problem);
            }
            _ => {}
        }
    }

    fn read_flags(&mut self, sources: &Sources) {
        for (key, text) in &sources.flags {
            let Some(setting) = by_key(key) else {
                let origin = Origin::CommandLine { flag: key.clone() };
                self.problems.push_with(|| Problem::unknown(key, Some(origin)));
                continue;
            };
            let flag = setting.flag.unwrap_or(setting.key);
            let name = setting
                .flag
                .map_or_else(|| setting.key.into(), |flag| format!("--{flag}"));
            let given = Given::new(name, Origin::CommandLine { flag: flag.into() });
            if setting.is_secret() {
                let what = format!(
                    "must not stand on a command line, which everybody can read: use {}",
                    setting.variable
                );
                self.problems.push(Problem::about(setting, &given, &what));
            } else {
                self.take(setting, given, text, None);
            }
        }
    }

    /// Takes the value of a variable. Returns whether it counts.
    fn take_variable(
        &mut self,
        setting: &'static Setting,
        mut given: Given,
        text: &str,
        reading: Option<Reading>,
        folder: Option<&Path>,
    ) -> bool {
        let is_empty = text.trim().is_empty();
        // In the environment an empty value is the way to unset a variable. Where a value may be empty, it says so; the
        // name of others does not.
        if is_empty && (setting.empty.is_none() || reading == Some(Reading::Shared)) {
            return false;
        }
        if text.contains(char::REPLACEMENT_CHARACTER) {
            let refused = Refused::because("it is not in UTF-8");
            self.problems.push(Problem::refused(setting, &given, text, refused));
            return false;
        }
        let read = match reading {
            Some(Reading::Megabytes) if !is_empty => {
                given.allowed = Some(megabytes_allowed(setting));
                read_megabytes(setting, text)
            }
            _ => setting.read(text),
        };
        match (read, reading) {
            (Ok(value), _) => {
                self.put(setting, given, value.in_folder(folder));
                true
            }
            (Err(_), Some(Reading::Shared)) => {
                let what = format!(
                    "is not taken: it is {}, and {} must be {}",
                    shown(text),
                    setting.variable,
                    setting.allowed()
                );
                self.warnings.push(Problem::about(setting, &given, &what));
                false
            }
            (Err(refused), _) => {
                self.problems.push(Problem::refused(setting, &given, text, refused));
                false
            }
        }
    }

    /// Takes a value that is as it must be, else it is a problem.
    fn take(&mut self, setting: &'static Setting, given: Given, text: &str, folder: Option<&Path>) {
        match setting.read(text) {
            Ok(value) => self.put(setting, given, value.in_folder(folder)),
            Err(refused) => self.problems.push(Problem::refused(setting, &given, text, refused)),
        }
    }

    fn put(&mut self, setting: &'static Setting, given: Given, value: Value) {
        self.values.set(setting.key, value);
        self.origins.insert(setting.key, given);
    }

    fn finish(mut self) -> Result<Loaded, Problems> {
        let configuration = Configuration::from_values(&self.values);
        let given = |setting: &Setting| {
            let default = || Given::new(setting.key, Origin::Default);
            self.origins.get(setting.key).cloned().unwrap_or_else(default)
        };
        rules::check(
            &configuration,
            &self.values,
            &given,
            &mut self.problems,
            &mut self.warnings,
        );
        if self.problems != Problems::default() {
            return Err(self.problems);
        }
        let effective = settings().iter().map(|setting| Effective {
            key: setting.key,
            variable: setting.variable,
            value: self.values.value(setting.key).text(setting.kind),
            origin: given(setting).origin.unwrap_or(Origin::Default),
        });
        let program = PROGRAM_VARIABLES.iter().map(|variable| {
            let default = (variable.default.to_owned(), Origin::Default);
            let (value, origin) = self.program.get(variable.name).cloned().unwrap_or(default);
            ProgramValue {
                variable: variable.name,
                value: without_password(&value).unwrap_or(HIDDEN).to_owned(),
                origin,
                description: variable.description,
            }
        });
        Ok(Loaded {
            effective: effective.collect(),
            program: program.collect(),
            warnings: self.warnings,
            configuration,
        })
    }
}

/// Reads a size that is given as a number of megabytes.
fn read_megabytes(setting: &Setting, text: &str) -> Result<Value, Refused> {
    match text.trim().bytes().all(|digit| digit.is_ascii_digit()) {
        true => setting.read(&format!("{}MB", text.trim())),
        false => Err(Refused::default()),
    }
}

/// What is allowed there.
fn megabytes_allowed(setting: &Setting) -> String {
    let least = match setting.kind {
        Kind::Size { least, .. } => least.div_ceil(1_000_000),
        _ => 1,
    };
    let empty = setting
        .empty
        .map(|empty| format!(", or empty {empty}"))
        .unwrap_or_default();
    format!("a whole number of megabytes (10⁶ bytes), at least {least}{empty}")
}
