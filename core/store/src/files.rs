//! Files and folders, with errors that name them, and syncs that make them last.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::SystemTime;

use crate::StoreError;

pub(crate) fn file_error(path: &Path, source: std::io::Error) -> StoreError {
    if matches!(
        source.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    ) {
        return StoreError::DiskFull {
            path: path.to_owned(),
            message: source.to_string(),
        };
    }
    StoreError::File {
        path: path.to_owned(),
        source,
    }
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(folder).map_err(|source| file_error(folder, source))
}

pub(crate) fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(file_error(path, error)),
        _ => Ok(()),
    }
}

/// Makes the content of a file, or the names in a folder, last.
pub(crate) fn sync(path: &Path) -> Result<(), StoreError> {
    if cfg!(windows) && path.is_dir() {
        // Windows has no such call for folders; it writes their changes in order.
        return Ok(());
    }
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| file_error(path, source))
}

pub(crate) fn write_synced(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|source| file_error(path, source))
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(|source| file_error(to, source))
}

/// Removes the files of a folder that were changed last before a time, as far as possible: what a process that was
/// killed has left.
pub(crate) fn remove_older(folder: &Path, time: SystemTime) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_older = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified < time);
        if is_older {
            let _ = fs::remove_file(entry.path());
        }
    }
}

pub(crate) fn length(path: &Path) -> Result<u64, StoreError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(file_error(path, error)),
    }
}
