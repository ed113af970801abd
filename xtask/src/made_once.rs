//! Folders in the cache that take long to make, made once a machine from a recipe.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

/// The file that is written last, with the recipe: a folder without it was left unfinished.
const COMPLETE: &str = ".complete";

/// Makes a folder unless it is there, complete, and made from the same recipe (any text that names all it depends on).
/// Other runs that want it wait meanwhile. A folder that is unfinished or from another recipe is made anew.
pub(crate) fn folder(folder: &Path, recipe: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let parent = folder.parent().context("a folder in the cache has a parent")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let mut lock_name = folder
        .file_name()
        .context("a folder in the cache has a name")?
        .to_owned();
    lock_name.push(".lock");
    // The system drops the lock with the file, even if this process is killed.
    let lock = File::create(folder.with_file_name(lock_name)).context("cannot make the lock file")?;
    lock.lock().context("cannot wait for another run that makes it")?;

    if fs::read_to_string(folder.join(COMPLETE)).is_ok_and(|found| found == recipe) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove the outdated {}", folder.display()))?;
    }
    fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    make()?;
    fs::write(folder.join(COMPLETE), recipe).with_context(|| format!("cannot complete {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    fn made(path: &Path, recipe: &str) -> bool {
        let mut made = false;
        let make = || {
            made = true;
            fs::write(path.join("content"), recipe).context("write")
        };
        folder(path, recipe, make).unwrap();
        made
    }

    #[test]
    fn a_folder_is_made_once_for_each_recipe() {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("deep/1.0-x86_64");
        assert!(made(&path, "one"));
        assert!(!made(&path, "one"));
        assert!(made(&path, "two"));
        assert_eq!(fs::read_to_string(path.join("content")).unwrap(), "two");
    }

    #[test]
    fn what_a_failed_attempt_left_is_removed_before_the_next() {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("library");
        let fails = || {
            fs::write(path.join("half"), "").unwrap();
            bail!("compiler error")
        };
        assert!(folder(&path, "one", fails).is_err());
        assert!(made(&path, "one"));
        assert!(!path.join("half").exists());
    }
}
