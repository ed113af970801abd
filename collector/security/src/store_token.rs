//! The token of a store: whoever can read its file may do everything with that store.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};

use crate::private_file::{self, FileError, Others};
use crate::secret::Secret;

/// Random bytes of a token or an API key: 256 bits, which nobody guesses.
pub(crate) const RANDOM_BYTES: usize = 32;

/// Length of a token: 32 bytes as base64url without padding.
const LENGTH: usize = 43;

/// Reads the token of a store, or makes it if there is none yet. Two processes that do so at once get the same one.
///
/// The file has mode 0600, and on Unix it is refused if others may read it.
pub fn store_token(path: &Path) -> Result<Secret, FileError> {
    if let Some(token) = read(path)? {
        return Ok(token);
    }
    let made = Secret::new(random_word().map_err(|error| FileError::io(path, error))?);
    match private_file::write(path, format!("{}\n", made.reveal()).as_bytes(), false) {
        Ok(()) => Ok(made),
        // Another process was faster, and its token is the one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(path)?.ok_or_else(|| FileError::io(path, io::ErrorKind::NotFound.into()))
        }
        Err(error) => Err(FileError::io(path, error)),
    }
}

fn read(path: &Path) -> Result<Option<Secret>, FileError> {
    let Some(text) = private_file::read(path, Others::MayNotRead)? else {
        return Ok(None);
    };
    let token = text.trim();
    let is_token = token.len() == LENGTH
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if !is_token {
        return Err(FileError::content(
            path,
            "holds no token: remove it, and a new one is made",
        ));
    }
    Ok(Some(Secret::new(token)))
}

/// 256 random bits as 43 characters that need no escaping in a URL, a header or a cookie.
pub(crate) fn random_word() -> io::Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.duckdb.d").join("token");
        let made = store_token(&path).expect("made");
        assert_eq!(URL_SAFE_NO_PAD.decode(made.reveal()).expect("base64url").len(), 32);
        assert_eq!(store_token(&path).expect("read"), made);
        let other = store_token(&folder.path().join("other")).expect("made");
        assert_ne!(other, made);
    }

    #[test]
    fn two_that_start_at_once_get_one_token() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let tokens = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| store_token(&path).expect("a token")))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect::<Vec<_>>()
        });
        assert!(tokens.iter().all(|token| *token == tokens[0]));
        assert_eq!(
            fs::read_dir(folder.path()).expect("readable").count(),
            1,
            "no left-overs"
        );
    }

    #[test]
    #[cfg(unix)]
    fn a_token_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let token = store_token(&path).expect("made");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
            let error = store_token(&path).expect_err("too open").to_string();
            assert!(
                error.contains("chmod 600") && error.contains(&format!("{mode:o}")),
                "{error}"
            );
            assert!(!error.contains(token.reveal()));
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("changed");
        assert_eq!(store_token(&path).expect("private enough"), token);
    }

    #[test]
    fn a_file_without_a_token_is_an_error_that_does_not_show_it() {
        let folder = tempfile::tempdir().expect("a folder");
        for content in ["", "short", "a secret of some forty-three characters !!"] {
            let path = folder.path().join("token");
            private_file::write(&path, content.as_bytes(), true).expect("written");
            let error = store_token(&path).expect_err("no token").to_string();
            assert!(error.contains("remove it"), "{error}");
            assert!(content.is_empty() || !error.contains(content), "{error}");
        }
    }
}
