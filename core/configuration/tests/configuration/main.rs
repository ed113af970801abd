//! The configuration as its users see it: sources in, values and messages out.

mod all_settings;
mod documents;
mod edit;
mod files;
mod hostile;
mod secrets;
mod sources;
mod values;

use std::fs;
use std::path::PathBuf;

use flockscope_configuration::{Configuration, Effective, Loaded, Problems, Sources};
use tempfile::TempDir;

/// A project's folder, with what may say something.
struct Project {
    folder: TempDir,
    sources: Sources,
}

impl Project {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            sources: Sources::default(),
        }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.folder.path().join(name);
        fs::write(&file, text).expect("a file");
        file
    }

    fn toml(mut self, text: &str) -> Self {
        self.sources.toml_file = Some(self.file("flockscope.toml", text));
        self
    }

    fn env_file(mut self, text: impl AsRef<[u8]>) -> Self {
        self.sources.env_file = Some(self.file(".env", text));
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        self.sources.flags.push((key.into(), value.into()));
        self
    }

    fn load(&self) -> Result<Loaded, Problems> {
        Configuration::load(&self.sources)
    }

    fn loaded(&self) -> Loaded {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The messages of all problems.
    fn problems(&self) -> Vec<String> {
        let problems = self.load().expect_err("problems");
        problems.problems.into_iter().map(|problem| problem.message).collect()
    }

    /// The message of the only problem.
    fn problem(&self) -> String {
        let mut problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems.remove(0)
    }

    fn warnings(&self) -> Vec<String> {
        self.loaded()
            .warnings
            .into_iter()
            .map(|warning| warning.message)
            .collect()
    }
}

fn effective<'a>(loaded: &'a Loaded, key: &str) -> &'a Effective {
    let found = loaded.effective.iter().find(|effective| effective.key == key);
    found.expect("a setting")
}
