//! Python environments for the tests, made once a machine and found again by what they were made from.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::must_succeed;
use crate::folders::Folders;
use crate::made_once;

/// flock-core 0.5.7 runs on no newer one.
const VERSION: &str = "3.11";

/// Installs 170 packages in seconds where pip takes minutes.
const UV: &str = "uv==0.13.9";

/// The interpreter of an environment that has exactly what a requirements file names. Makes it if it is not there yet.
pub(crate) fn environment(folders: &Folders, requirements: &Path) -> Result<PathBuf> {
    let wanted = fs::read_to_string(requirements).with_context(|| format!("cannot read {}", requirements.display()))?;
    // Deterministic for one Rust version; after an update of Rust the environment is merely made again.
    let mut hasher = DefaultHasher::new();
    (VERSION, UV, &wanted).hash(&mut hasher);
    let folder = folders.cache.join(format!("venv-flock-{:016x}", hasher.finish()));
    let interpreter = if cfg!(windows) {
        folder.join("Scripts/python.exe")
    } else {
        folder.join("bin/python")
    };

    let recipe = format!("Python {VERSION}, {UV}\n{wanted}");
    made_once::folder(&folder, &recipe, || {
        eprintln!(
            "Making the Python environment {} from {} …",
            folder.display(),
            requirements.display()
        );
        must_succeed(Command::new(system_python()?).args(["-m", "venv"]).arg(&folder))?;
        must_succeed(Command::new(&interpreter).args(["-m", "pip", "install", "--quiet", UV]))?;
        let mut install = Command::new(&interpreter);
        install
            .args(["-m", "uv", "pip", "install", "--quiet", "--python"])
            .arg(&interpreter);
        must_succeed(install.arg("--requirements").arg(requirements))
    })?;
    Ok(interpreter)
}

/// The machine's Python of our version: `FLOCKSCOPE_PYTHON`, or the first of the usual names that is one.
pub(crate) fn system_python() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("FLOCKSCOPE_PYTHON").map(PathBuf::from) {
        if is_our_version(&named) {
            return Ok(named);
        }
        bail!(
            "FLOCKSCOPE_PYTHON is {}, which is not a Python {VERSION}",
            named.display()
        );
    }
    let usual = ["python3.11", "python3", "python"].map(PathBuf::from);
    match usual.into_iter().find(|name| is_our_version(name)) {
        Some(found) => Ok(found),
        None => bail!("Python {VERSION} is needed: put it on the PATH, or name it in FLOCKSCOPE_PYTHON"),
    }
}

fn is_our_version(python: &Path) -> bool {
    let said = Command::new(python)
        .args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
        .output();
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == VERSION)
}
