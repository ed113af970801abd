//! Where values come from.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{env, fmt, fs};

use crate::program::PROGRAM_VARIABLES;
use crate::{Setting, settings};

/// Name of the file in a project's folder.
pub const CONFIGURATION_FILE: &str = "flockscope.toml";

/// Name of the file with variables in a project's folder, which Flock reads too.
const ENVIRONMENT_FILE: &str = ".env";

/// All that may say what a setting is. The default is nothing at all.
#[derive(Clone, Default)]
pub struct Sources {
    /// Keys of settings and their values, from the command line. The last one of a key counts.
    pub flags: Vec<(String, String)>,
    /// Variables and their values. Those of others are of no interest.
    pub environment: BTreeMap<String, String>,
    /// A `.env` file; it is an error if it is missing.
    pub env_file: Option<PathBuf>,
    /// A `flockscope.toml` file; it is an error if it is missing.
    pub toml_file: Option<PathBuf>,
}

impl Sources {
    /// The process's environment, and the files of a project's folder that are there.
    pub fn of_project(folder: &Path) -> Self {
        let mut sources = Self::of_environment();
        sources.find_files(folder);
        sources
    }

    /// Takes the files that are in a project's folder now.
    pub fn find_files(&mut self, folder: &Path) {
        let file = |name| Some(folder.join(name)).filter(|file: &PathBuf| file.is_file());
        self.env_file = file(ENVIRONMENT_FILE);
        self.toml_file = file(CONFIGURATION_FILE);
    }

    /// The places at which files of a project may be.
    pub fn places(folder: &Path) -> [PathBuf; 2] {
        [ENVIRONMENT_FILE, CONFIGURATION_FILE].map(|name| folder.join(name))
    }

    /// The process's environment alone; of it the variables of Flock and of Flockscope.
    pub fn of_environment() -> Self {
        // A value that is no Unicode is refused later on, by the character that stands for what could not be read.
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = env::vars_os().map(|(name, value)| (lossy(name), lossy(value)));
        Self {
            environment: variables.filter(|(name, _)| is_relevant(name)).collect(),
            ..Self::default()
        }
    }
}

// The values may be secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.flags.iter().map(|(key, _)| key);
        f.debug_struct("Sources")
            .field("flags", &flags.collect::<Vec<_>>())
            .field("env_file", &self.env_file)
            .field("toml_file", &self.toml_file)
            .finish_non_exhaustive()
    }
}

/// Reads a file that must not be larger than so many bytes. An error is a sentence without its subject, the file.
pub(crate) fn read_file(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let read = || {
        let file = fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > most => Err(format!("is larger than {} KiB", most >> 10)),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(format!("can't be read: {error}")),
    }
}

/// Whether a variable is one of a setting, of Flock, or has such a name that it is meant as one.
pub(crate) fn is_relevant(name: &str) -> bool {
    let of_setting = || settings().iter().flat_map(Setting::variables);
    name.starts_with("FLOCK_TRACE_")
        || name.starts_with("FLOCKSCOPE_")
        || of_setting().any(|(variable, _)| variable == name)
        || PROGRAM_VARIABLES.iter().any(|variable| variable.name == name)
}
