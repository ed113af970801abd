//! Programs that tests need: those of the machine, else Debian's.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A program that a test needs.
pub(crate) struct Program {
    /// What it is called.
    title: &'static str,
    /// The names that it goes by on the path.
    names: &'static [&'static str],
    /// The variable that names it.
    variable: &'static str,
    /// Debian's package.
    package: &'static str,
}

/// Looks at pages.
pub(crate) const CHROMIUM: Program = Program {
    title: "Chromium",
    names: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    variable: "FLOCKSCOPE_CHROMIUM",
    package: "chromium",
};

/// An editor.
pub(crate) const NEOVIM: Program = Program {
    title: "Neovim",
    names: &["nvim"],
    variable: "FLOCKSCOPE_NEOVIM",
    package: "neovim",
};

impl Program {
    /// The program, or why there is none. Where this process may install packages of Debian, it does.
    pub(crate) fn find(&self) -> Result<PathBuf, String> {
        if let Some(named) = env::var_os(self.variable).map(PathBuf::from) {
            return if named.is_file() {
                Ok(named)
            } else {
                Err(format!("{} is {}, which is no file", self.variable, named.display()))
            };
        }
        if let Some(found) = self.on_the_path() {
            return Ok(found);
        }
        self.install()?;
        let package = self.package;
        self.on_the_path()
            .ok_or_else(|| format!("apt-get installed {package}, but it is not on the PATH"))
    }

    fn on_the_path(&self) -> Option<PathBuf> {
        let path = env::var_os("PATH")?;
        env::split_paths(&path)
            .flat_map(|folder| self.names.iter().map(move |name| folder.join(name)))
            .find(|file| file.is_file())
    }

    fn install(&self) -> Result<(), String> {
        let none = format!("no {} on the PATH, and none could be installed", self.title);
        eprintln!("Installing Debian's {} …", self.package);
        let apt_get = |arguments: &[&str]| {
            let mut command = Command::new("apt-get");
            command
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            match command.status() {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("{none}: apt-get {}: {status}", arguments.join(" "))),
                Err(error) => Err(format!("{none}: apt-get: {error}")),
            }
        };
        let packages = ["install", "--yes", "--no-install-recommends", self.package];
        // The lists of packages may be missing or old.
        apt_get(&packages).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&packages)))
    }
}
