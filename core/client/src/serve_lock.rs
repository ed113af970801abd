//! The lock that decides which process serves a store.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use flockscope_protocol::{DiscoveryFile, process_folder};

use crate::ClientError;

/// Name of the file, in the process folder.
const FILE: &str = "serve.lock";

/// Somebody who only looks whether the lock is held holds it for a moment.
const PATIENCE: Duration = Duration::from_millis(100);

/// The right to serve a store, for as long as this lives. The operating system takes it back when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
}

impl ServeLock {
    /// Takes the lock, or says who has it.
    pub fn take(store: &Path) -> Result<Self, ClientError> {
        let path = lock_file(store);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(ClientError::file(folder))?;
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(ClientError::file(&path))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
                Err(TryLockError::WouldBlock) => {
                    return Err(ClientError::AlreadyServed {
                        store: store.to_owned(),
                        holder: holder(store, &mut file),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(ClientError::File { path, source }),
            }
        }
        let noted = file
            .set_len(0)
            .and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
        noted.map_err(ClientError::file(&path))?;
        Ok(Self { _file: file })
    }

    /// Whether a process serves the store, or starts or ends to.
    pub fn is_taken(store: &Path) -> bool {
        let Ok(file) = File::open(lock_file(store)) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

fn lock_file(store: &Path) -> PathBuf {
    process_folder(store).join(FILE)
}

/// The process that has the lock, as far as it can be told: it may not be ready, and Windows lets nobody read a locked
/// file.
fn holder(store: &Path, file: &mut File) -> Option<u32> {
    let mut noted = || -> io::Result<String> {
        let mut text = String::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(20).read_to_string(&mut text)?;
        Ok(text)
    };
    let noted = noted().ok().and_then(|text| text.trim().parse().ok());
    noted.or_else(|| Some(DiscoveryFile::of_store(store).read().ok()??.pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_the_lock_and_the_other_is_told_who() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.duckdb");
        assert!(!ServeLock::is_taken(&store));
        let lock = ServeLock::take(&store).expect("free");
        assert!(ServeLock::is_taken(&store));
        let error = ServeLock::take(&store).expect_err("taken");
        assert!(
            matches!(error, ClientError::AlreadyServed { holder: Some(holder), .. } if cfg!(windows) || holder == std::process::id()),
            "{error}"
        );
        drop(lock);
        assert!(!ServeLock::is_taken(&store));
        ServeLock::take(&store).expect("free again");
    }
}
