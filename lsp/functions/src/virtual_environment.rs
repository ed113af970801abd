//! Where the `flock` package is installed that a workspace uses. The virtual environment is read as files: no Python runs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::flock::PACKAGE;

/// The folder that holds the installed package `flock`: `site-packages`, or the sources of an editable installation.
/// Looked for in `.venv` and `venv`, in the active environment, in any other environment in the folder, and in those of
/// the folders above it.
pub(crate) fn folder_of_flock(root: &Path, active: Option<&Path>) -> Option<PathBuf> {
    let named = |folder: &Path| [folder.join(".venv"), folder.join("venv")];
    let mut environments: Vec<PathBuf> = named(root).into();
    environments.extend(active.map(Path::to_owned));
    environments.extend(environments_in(root));
    environments.extend(root.ancestors().skip(1).take(4).flat_map(named));
    environments
        .iter()
        .flat_map(|environment| site_packages(environment))
        .find_map(|folder| with_flock(&folder))
}

/// Whether a folder is a virtual environment.
pub(crate) fn is_environment(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").is_file()
}

fn environments_in(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut environments = Vec::new();
    for folder in entries.filter(|path| path.is_dir()) {
        // A package of a larger repository has its own.
        environments.extend(
            [folder.join(".venv"), folder.join("venv")]
                .into_iter()
                .filter(|inner| is_environment(inner)),
        );
        if is_environment(&folder) {
            environments.push(folder);
        }
    }
    environments.sort();
    environments
}

/// The folders that an environment takes packages from, its own first.
fn site_packages(environment: &Path) -> Vec<PathBuf> {
    let mut folders = site_packages_of(environment);
    let settings = fs::read_to_string(environment.join("pyvenv.cfg")).unwrap_or_default();
    let setting = |wanted: &str| {
        let pairs = settings.lines().filter_map(|line| line.split_once('='));
        let found = pairs
            .map(|(key, value)| (key.trim(), value.trim()))
            .find(|(key, _)| *key == wanted);
        found.map(|(_, value)| value)
    };
    if setting("include-system-site-packages").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        && let Some(prefix) = setting("home").map(Path::new).and_then(Path::parent)
    {
        folders.extend(site_packages_of(prefix));
    }
    folders
}

fn site_packages_of(prefix: &Path) -> Vec<PathBuf> {
    let mut folders = vec![prefix.join("Lib").join("site-packages")];
    for lib in [prefix.join("lib"), prefix.join("lib64")] {
        let versions = fs::read_dir(lib)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path());
        folders.extend(versions.flat_map(|version| [version.join("site-packages"), version.join("dist-packages")]));
    }
    folders.retain(|folder| folder.is_dir());
    folders.sort();
    folders
}

/// The folder itself, or one that a `.pth` file of an editable installation names.
fn with_flock(folder: &Path) -> Option<PathBuf> {
    let has_flock = |folder: &Path| folder.join(PACKAGE).join("__init__.py").is_file();
    if has_flock(folder) {
        return Some(folder.to_owned());
    }
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut links: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "pth"))
        .collect();
    links.sort();
    let texts = links.iter().filter_map(|path| fs::read_to_string(path).ok());
    let named: Vec<PathBuf> = texts
        .flat_map(|text| text.lines().map(PathBuf::from).collect::<Vec<_>>())
        .collect();
    named.into_iter().find(|named| named.is_absolute() && has_flock(named))
}
