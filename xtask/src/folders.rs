//! Where things are kept: builds and tools live in the user's cache, so that every checkout on a machine shares them.

use std::env::{self, consts};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folders that the chores work in.
pub(crate) struct Folders {
    /// The root of the checkout.
    pub(crate) checkout: PathBuf,
    /// `flockscope` in the user's cache folder.
    pub(crate) cache: PathBuf,
    /// Cargo's target folder for everything that may link DuckDB: `CARGO_TARGET_DIR`, else `target` in the cache.
    pub(crate) target: PathBuf,
}

impl Folders {
    /// Finds them from the environment. Fails where the machine names no cache folder.
    pub(crate) fn find() -> Result<Self> {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("xtask lies in the checkout")?
            .to_owned();
        let cache = user_cache(consts::OS, |name| env::var_os(name))?.join("flockscope");
        let target = match env::var_os("CARGO_TARGET_DIR") {
            // Relative to where the user stands, as Cargo itself reads it.
            Some(set) if !set.is_empty() => env::current_dir().context("no working directory")?.join(set),
            _ => cache.join("target"),
        };
        Ok(Self {
            checkout,
            cache,
            target,
        })
    }

    /// Cargo's target folder for the crates that never link DuckDB, built in the dev profile.
    pub(crate) fn light_target(&self) -> PathBuf {
        self.cache.join("target-light")
    }

    /// Tools that the chores install for themselves.
    pub(crate) fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// A program that the release build made.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target
            .join("release")
            .join(format!("{name}{}", consts::EXE_SUFFIX))
    }

    /// What plain cargo needs, in the words of the platform's usual shell: the target folder, and the configuration that
    /// links DuckDB, which Cargo takes as an option only.
    pub(crate) fn as_shell_variables(&self, duckdb_config: Option<&Path>) -> String {
        let set = |name: &str, value: &Path| {
            let value = value.display().to_string();
            if cfg!(windows) {
                format!("$env:{name} = '{}'\n", value.replace('\'', "''"))
            } else {
                format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
            }
        };
        let target = set("CARGO_TARGET_DIR", &self.target);
        match duckdb_config {
            Some(config) => {
                let duckdb = set("FLOCKSCOPE_DUCKDB", config);
                format!("{target}{duckdb}# cargo test --release --config \"$FLOCKSCOPE_DUCKDB\" …\n")
            }
            None => format!("{target}# Your Cargo configuration links DuckDB already.\n"),
        }
    }
}

/// The user's cache folder, by the rules of each platform: XDG Base Directory, `~/Library/Caches`, `%LOCALAPPDATA%`.
fn user_cache(os: &str, variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let (folder, needed) = match os {
        "windows" => (absolute("LOCALAPPDATA"), "LOCALAPPDATA"),
        "macos" => (absolute("HOME").map(|home| home.join("Library/Caches")), "HOME"),
        // The specification says to ignore a relative XDG_CACHE_HOME.
        _ => (
            absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache"))),
            "HOME",
        ),
    };
    let Some(folder) = folder else {
        bail!("no cache folder: set {needed} to an absolute path")
    };
    Ok(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn cache(os: &str, variables: &[(&str, &str)]) -> Option<String> {
        let look_up = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        };
        user_cache(os, look_up).ok().map(|path| path.display().to_string())
    }

    #[test]
    fn each_platform_has_its_own_cache_folder() {
        assert_eq!(
            cache("linux", &[("HOME", "/home/a")]).as_deref(),
            Some("/home/a/.cache")
        );
        assert_eq!(
            cache("linux", &[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/c")]).as_deref(),
            Some("/c")
        );
        assert_eq!(
            cache("macos", &[("HOME", "/Users/a")]).as_deref(),
            Some("/Users/a/Library/Caches")
        );
        assert_eq!(
            cache("windows", &[("LOCALAPPDATA", "/local"), ("HOME", "/h")]).as_deref(),
            Some("/local")
        );
    }

    #[test]
    fn a_relative_cache_folder_is_ignored_and_none_at_all_is_an_error() {
        assert_eq!(
            cache("linux", &[("HOME", "/home/a"), ("XDG_CACHE_HOME", "c")]).as_deref(),
            Some("/home/a/.cache")
        );
        assert_eq!(cache("linux", &[]), None);
    }
}
