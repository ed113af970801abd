//! A Chromium for the tests that look at pages: that of the machine, else Debian's.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The names it goes by.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser, or why there is none. `FLOCKSCOPE_CHROMIUM` names one; where this process may install packages of
/// Debian, it does.
pub(crate) fn find() -> Result<PathBuf, String> {
    if let Some(named) = env::var_os("FLOCKSCOPE_CHROMIUM").map(PathBuf::from) {
        return if named.is_file() {
            Ok(named)
        } else {
            Err(format!("FLOCKSCOPE_CHROMIUM is {}, which is no file", named.display()))
        };
    }
    if let Some(found) = on_the_path() {
        return Ok(found);
    }
    install()?;
    on_the_path().ok_or_else(|| "apt-get installed chromium, but it is not on the PATH".to_owned())
}

fn on_the_path() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .flat_map(|folder| NAMES.map(|name| folder.join(name)))
        .find(|file| file.is_file())
}

fn install() -> Result<(), String> {
    const NONE: &str = "no Chromium on the PATH, and none could be installed";
    eprintln!("Installing Debian's chromium …");
    let apt_get = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        match command.status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{NONE}: apt-get {}: {status}", arguments.join(" "))),
            Err(error) => Err(format!("{NONE}: apt-get: {error}")),
        }
    };
    let packages = ["install", "--yes", "--no-install-recommends", "chromium"];
    // The lists of packages may be missing or old.
    apt_get(&packages).or_else(|_| apt_get(&["update"]).and_then(|()| apt_get(&packages)))
}
