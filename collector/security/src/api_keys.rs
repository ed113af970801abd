//! API keys: made once, shown once, kept as a hash.
//!
//! A key is 256 random bits, so it can't be guessed from its hash however fast the hash is: SHA-256 is enough, and a
//! request costs microseconds. A slow hash (argon2, scrypt) is for words that people choose, and here it would only hand
//! strangers a way to keep the process busy.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::clock::seconds_now;
use crate::private_file::{self, FileError, Others};
use crate::secret::Secret;
use crate::store_token::random_word;

/// What every key starts with, so that people and secret scanners recognise one.
pub(crate) const MARK: &str = "fsk_";

/// Characters of a key that are kept readable: the mark and 6 of the 43 random ones, which leaves 220 bits unknown.
const PREFIX_LENGTH: usize = MARK.len() + 6;

/// Most characters of a key's name.
const LONGEST_NAME: usize = 64;

/// What is known of an API key. The key itself is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Whose it is: unique in its file; letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The first characters of the key, by which its owner recognises it.
    pub prefix: String,
    /// SHA-256 of the key, as 64 hexadecimal digits.
    pub sha256: String,
    /// When it was made, in seconds since the epoch.
    pub created_at: i64,
    /// When it ends, in seconds since the epoch; `None`: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
}

/// What can go wrong with the file of API keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file could not be read or written, or is not private.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name can't be that of a key.
    #[error("'{0}' can't be the name of a key: allowed are 1 to 64 letters, digits, '.', '_' and '-'")]
    Name(String),
    /// There is a key of that name.
    #[error("there is a key named '{0}' already: revoke it first, or choose another name")]
    Taken(String),
    /// There is no key of that name.
    #[error("there is no key named '{0}'; `flockscope keys list` shows all")]
    Unknown(String),
}

/// The file in which the API keys of a store are: JSON, of mode 0600. A process that serves notices a change within a
/// second or so, without a restart.
#[derive(Debug, Clone)]
pub struct ApiKeyFile {
    path: PathBuf,
}

/// The file's content.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    keys: Vec<ApiKey>,
}

impl ApiKeyFile {
    /// The file at a path, whether it is there or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys, oldest first; none if there is no file.
    pub fn list(&self) -> Result<Vec<ApiKey>, KeyError> {
        Ok(parse(&self.path)?)
    }

    /// Makes a key. It is in the answer and nowhere else: it can't be shown again.
    pub fn create(&self, name: &str, role: Role, expires_at: Option<i64>) -> Result<(Secret, ApiKey), KeyError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(allowed) {
            return Err(KeyError::Name(name.chars().take(LONGEST_NAME).collect()));
        }
        let word = random_word().map_err(|error| FileError::io(&self.path, error))?;
        let key = format!("{MARK}{word}");
        let made = ApiKey {
            name: name.into(),
            role,
            prefix: key.chars().take(PREFIX_LENGTH).collect(),
            sha256: hex(&hash(&key)),
            created_at: seconds_now(),
            expires_at,
        };
        self.change(|keys| {
            if keys.iter().any(|key| key.name == name) {
                return Err(KeyError::Taken(name.into()));
            }
            keys.push(made.clone());
            Ok(())
        })?;
        Ok((Secret::new(key), made))
    }

    /// Removes a key: from now on it is unknown.
    pub fn revoke(&self, name: &str) -> Result<ApiKey, KeyError> {
        self.change(|keys| {
            let place = keys.iter().position(|key| key.name == name);
            place
                .map(|place| keys.remove(place))
                .ok_or_else(|| KeyError::Unknown(name.chars().take(LONGEST_NAME).collect()))
        })
    }

    /// Reads, changes and writes the keys; one process at a time, and whole or not at all.
    fn change<T>(&self, change: impl FnOnce(&mut Vec<ApiKey>) -> Result<T, KeyError>) -> Result<T, KeyError> {
        let _lock = self.lock().map_err(|error| FileError::io(&self.path, error))?;
        let mut keys = parse(&self.path)?;
        let outcome = change(&mut keys)?;
        let text =
            serde_json::to_string_pretty(&Content { keys }).map_err(|error| FileError::io(&self.path, error.into()))?;
        private_file::write(&self.path, text.as_bytes(), true).map_err(|error| FileError::io(&self.path, error))?;
        Ok(outcome)
    }

    fn lock(&self) -> io::Result<File> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let path = PathBuf::from(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.lock()?;
        Ok(file)
    }
}

/// The keys in a file, each checked; none if there is no file.
pub(crate) fn parse(path: &Path) -> Result<Vec<ApiKey>, FileError> {
    let Some(text) = private_file::read(path, Others::MayNotWrite)? else {
        return Ok(Vec::new());
    };
    let content: Content = serde_json::from_str(&text)
        .map_err(|error| FileError::content(path, format!("is no file of keys: {error}")))?;
    for key in &content.keys {
        if from_hex(&key.sha256).is_none() {
            let reason = format!("is damaged: the hash of the key '{}' is no SHA-256", key.name);
            return Err(FileError::content(path, reason));
        }
    }
    Ok(content.keys)
}

/// SHA-256 of a key.
pub(crate) fn hash(key: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(place * 2..place * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    fn file() -> (tempfile::TempDir, ApiKeyFile) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = ApiKeyFile::new(folder.path().join("keys.json"));
        (folder, file)
    }

    #[test]
    fn a_key_is_shown_once_and_kept_as_a_hash() {
        let (_folder, file) = file();
        assert_eq!(file.list().expect("no file"), []);
        let (key, made) = file.create("ci", Role::Viewer, Some(99)).expect("made");
        let text = fs::read_to_string(file.path()).expect("readable");
        assert!(!text.contains(key.reveal()));
        assert!(!format!("{made:?}{file:?}{key:?}").contains(key.reveal()));
        assert_eq!(key.reveal().len(), 4 + 43);
        assert!(key.reveal().starts_with(&made.prefix) && made.prefix.len() == 10);
        assert_eq!(made.expires_at, Some(99));
        assert_eq!(file.list().expect("readable"), [made]);
    }

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&hash("abc")), expected);
        assert_eq!(from_hex(expected), Some(hash("abc")));
        for wrong in [
            "",
            "ba78",
            &"g".repeat(64),
            &"é".repeat(32),
            &"0".repeat(65),
            &"+1".repeat(32),
        ] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn names_are_unique_and_plain() {
        let (_folder, file) = file();
        file.create("ci", Role::Viewer, None).expect("made");
        assert!(matches!(file.create("ci", Role::Admin, None), Err(KeyError::Taken(name)) if name == "ci"));
        for name in ["", "a b", "a\nb", "é", &"x".repeat(65), "../x"] {
            assert!(
                matches!(file.create(name, Role::Admin, None), Err(KeyError::Name(_))),
                "{name}"
            );
        }
        assert_eq!(file.list().expect("readable").len(), 1);
    }

    #[test]
    fn a_revoked_key_is_gone_and_its_name_is_free() {
        let (_folder, file) = file();
        let (old, _) = file.create("ci", Role::Viewer, None).expect("made");
        file.create("other", Role::Admin, None).expect("made");
        assert_eq!(file.revoke("ci").expect("there").sha256, hex(&hash(old.reveal())));
        assert!(matches!(file.revoke("ci"), Err(KeyError::Unknown(_))));
        let (new, _) = file.create("ci", Role::Viewer, None).expect("made again");
        assert_ne!(new, old);
        let names: Vec<_> = file.list().expect("readable").into_iter().map(|key| key.name).collect();
        assert_eq!(names, ["other", "ci"]);
    }

    #[test]
    fn keys_made_at_once_are_all_there() {
        let (_folder, file) = file();
        thread::scope(|scope| {
            for number in 0..8 {
                let file = &file;
                scope.spawn(move || file.create(&format!("k{number}"), Role::Viewer, None).expect("made"));
            }
        });
        assert_eq!(file.list().expect("readable").len(), 8);
    }

    #[test]
    #[cfg(unix)]
    fn the_file_is_private_and_refused_if_others_may_change_it() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, file) = file();
        file.create("ci", Role::Viewer, None).expect("made");
        let mode = fs::metadata(file.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o620)).expect("changed");
        let error = file.list().expect_err("too open").to_string();
        assert!(
            error.contains("changed by others") && error.contains("chmod 600"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let (_folder, file) = file();
        let entry = r#"{"keys":[{"name":"a","role":"admin","prefix":"fsk_a","sha256":"12","created_at":1}]}"#;
        for content in [
            "",
            "{",
            r#"{"keys":[{"name":"a"}]}"#,
            &entry.replace("admin", "root"),
            entry,
        ] {
            private_file::write(file.path(), content.as_bytes(), true).expect("written");
            assert!(file.list().is_err(), "{content}");
            assert!(
                file.create("b", Role::Admin, None).is_err(),
                "{content}: nothing is overwritten"
            );
        }
    }
}
