//! A folder of our own for mirrors, which is gone when we are, and at the latest when the next one is made.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

const PREFIX: &str = "flockscope-mirror-";
const LOCK: &str = "lock";

/// A private folder, removed when dropped. A process that is killed leaves its folder behind; the next `MirrorFolder`
/// beside it removes it. A lock on a file inside tells the living from the dead.
pub(crate) struct MirrorFolder {
    folder: TempDir,
    _lock: File,
}

impl MirrorFolder {
    /// Makes a folder inside `parent`, which is made too if it is not there.
    pub(crate) fn new(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        remove_abandoned(parent)?;
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
            let path = folder.path().join(LOCK);
            match File::create(&path).and_then(|lock| lock.lock().map(|()| lock)) {
                Ok(lock) if path.exists() => return Ok(Self { folder, _lock: lock }),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            // Somebody took the folder for an abandoned one before it was locked, and removed it. Now they are done.
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // A folder without a lock file is just being made by somebody else.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            // Another process may remove it at the same moment; that is as good.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_that_are_made_at_the_same_time_do_not_remove_each_other() {
        let parent = TempDir::new().expect("a folder");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let folder = MirrorFolder::new(parent.path()).expect("a mirror folder");
                        fs::write(folder.path().join("x"), b"x").expect("the folder is there");
                        assert!(folder.path().join(LOCK).exists());
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(parent.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn the_folder_of_a_dead_process_is_removed_and_that_of_a_living_one_is_not() {
        let parent = TempDir::new().expect("a folder");
        let living = MirrorFolder::new(parent.path()).expect("a mirror folder");
        let dead = parent.path().join("flockscope-mirror-dead");
        fs::create_dir(&dead).expect("a folder");
        File::create(dead.join(LOCK)).expect("a file");
        let unrelated = parent.path().join("notes");
        fs::create_dir(&unrelated).expect("a folder");

        let second = MirrorFolder::new(parent.path()).expect("a mirror folder");
        assert!(living.path().exists() && second.path().exists() && unrelated.exists());
        assert!(!dead.exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
