//! Where the files of a run are.

use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A folder that is removed at the end, unless it is to be kept.
pub(crate) struct WorkFolder {
    path: PathBuf,
    removed_at_the_end: Option<TempDir>,
}

impl WorkFolder {
    pub(crate) fn new(parent: Option<&Path>, keep: bool) -> Result<Self> {
        let parent = parent.map_or_else(env::temp_dir, Path::to_owned);
        let cannot = || format!("cannot make a folder in {}", parent.display());
        fs::create_dir_all(&parent).with_context(cannot)?;
        let folder = TempDir::with_prefix_in("flockscope-bench-", &parent).with_context(cannot)?;
        Ok(if keep {
            let path = folder.keep();
            eprintln!("work files stay in {}", path.display());
            Self {
                path,
                removed_at_the_end: None,
            }
        } else {
            Self {
                path: folder.path().to_owned(),
                removed_at_the_end: Some(folder),
            }
        })
    }

    /// A new folder in it.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
}

/// Removes a folder and what is in it, so that the next part has its space. Best effort: it lies in the work folder.
pub(crate) fn clear(work: &WorkFolder, folder: &Path) {
    if work.removed_at_the_end.is_some() {
        let _ = fs::remove_dir_all(folder);
    }
}

/// Bytes of a file; none for one that is not there.
pub(crate) fn size_of(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}
