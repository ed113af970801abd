//! Files that only their owner may read or change.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Most bytes of a file that is read whole: more is no file of ours.
const MOST_BYTES: u64 = 4 << 20;

/// What is wrong with a file that holds secrets.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Others may read or change the file.
    #[error(
        "{path} can be {what} by others (mode {mode:03o}): run `chmod 600 {path}`, and replace what it holds if others could have seen it"
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// "read" or "changed".
        what: &'static str,
        /// The permission bits.
        mode: u32,
    },
    /// The file holds something else.
    #[error("{path} {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found, without what the file holds.
        reason: String,
    },
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl FileError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }

    pub(crate) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// Who else may touch the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Nobody else may read it: it holds a secret.
    MayNotRead,
    /// Nobody else may change it: it decides who is let in.
    MayNotWrite,
}

/// The text of a file, `None` if there is no file.
pub(crate) fn read(path: &Path, others: Others) -> Result<Option<String>, FileError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::io(path, error)),
    };
    // The open file is asked and not the path, which could name another file a moment later.
    check_mode(path, &file, others)?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(|error| FileError::io(path, error))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(FileError::content(path, format!("is longer than {MOST_BYTES} bytes")));
    }
    Ok(Some(text))
}

/// Windows has no such modes: there a file is as private as its folder, which is in the user's own profile.
#[cfg(not(unix))]
fn check_mode(_: &Path, _: &File, _: Others) -> Result<(), FileError> {
    Ok(())
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File, others: Others) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file
        .metadata()
        .map_err(|error| FileError::io(path, error))?
        .permissions()
        .mode()
        & 0o777;
    let (bits, what) = match others {
        Others::MayNotRead => (0o077, "read"),
        Others::MayNotWrite => (0o022, "changed"),
    };
    if mode & bits == 0 {
        return Ok(());
    }
    Err(FileError::TooOpen {
        path: path.into(),
        what,
        mode,
    })
}

/// Writes a file of mode 0600 whole or not at all. With `replace` it takes the place of another; without, a file that
/// is there stays, and the error is of kind `AlreadyExists`.
pub(crate) fn write(path: &Path, bytes: &[u8], replace: bool) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // On Unix such a file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if replace {
        file.persist(path).map_err(|error| error.error)?;
    } else {
        file.persist_noclobber(path).map_err(|error| error.error)?;
    }
    Ok(())
}
