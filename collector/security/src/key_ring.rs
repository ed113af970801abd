//! The API keys that are valid now.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::api_keys::{self, from_hex, hash};
use crate::caller::Role;
use crate::file_watch::FileWatch;
use crate::private_file::FileError;

/// Finds a key by its hash, and follows changes of the file.
#[derive(Debug)]
pub(crate) struct KeyRing {
    state: Mutex<(FileWatch, Arc<Vec<Entry>>)>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    role: Role,
    sha256: [u8; 32],
    expires_at: Option<i64>,
}

/// What a presented key is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyMatch {
    Valid {
        name: String,
        role: Role,
        expires_at: Option<i64>,
    },
    Expired,
    Unknown,
}

impl KeyRing {
    /// Reads the file; it need not be there yet.
    pub(crate) fn open(path: impl Into<PathBuf>) -> Result<Self, FileError> {
        let mut watch = FileWatch::new(path);
        // The watch now knows what the file was like before it is read.
        watch.is_due();
        let entries = read(&watch)?;
        Ok(Self {
            state: Mutex::new((watch, Arc::new(entries))),
        })
    }

    /// Whether there is any key.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Compares with every key in constant time: how long it takes tells nothing about how near a guess was.
    pub(crate) fn find(&self, presented: &str, now: i64) -> KeyMatch {
        let presented = hash(presented);
        let entries = self.entries();
        let (mut found, mut place) = (Choice::from(0), 0_u64);
        for (number, entry) in (0_u64..).zip(entries.iter()) {
            let same = entry.sha256.ct_eq(&presented);
            place.conditional_assign(&number, same);
            found |= same;
        }
        let entry = usize::try_from(place).ok().and_then(|place| entries.get(place));
        match entry.filter(|_| bool::from(found)) {
            None => KeyMatch::Unknown,
            Some(entry) if entry.expires_at.is_some_and(|end| end <= now) => KeyMatch::Expired,
            Some(entry) => KeyMatch::Valid {
                name: entry.name.clone(),
                role: entry.role,
                expires_at: entry.expires_at,
            },
        }
    }

    /// The same for a key that was checked before, by its hash.
    pub(crate) fn find_hash(&self, sha256: &[u8; 32], now: i64) -> Option<(String, Role)> {
        let entries = self.entries();
        let entry = entries.iter().find(|entry| bool::from(entry.sha256.ct_eq(sha256)))?;
        let is_valid = entry.expires_at.is_none_or(|end| end > now);
        is_valid.then(|| (entry.name.clone(), entry.role))
    }

    /// The keys of the file as it is now, or was a second ago.
    fn entries(&self) -> Arc<Vec<Entry>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (watch, entries) = &mut *state;
        if watch.is_due() {
            // A file that can't be read lets nobody in: the key that somebody wanted to revoke could be among the old ones.
            *entries = Arc::new(read(watch).unwrap_or_else(|error| {
                tracing::error!(%error, "no API key is valid until the file can be read");
                Vec::new()
            }));
        }
        Arc::clone(entries)
    }
}

fn read(watch: &FileWatch) -> Result<Vec<Entry>, FileError> {
    let keys = api_keys::parse(watch.path())?;
    Ok(keys
        .into_iter()
        .filter_map(|key| {
            Some(Entry {
                sha256: from_hex(&key.sha256)?,
                name: key.name,
                role: key.role,
                expires_at: key.expires_at,
            })
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::api_keys::ApiKeyFile;

    /// Asks until the file's change must have been noticed.
    fn eventually(expected: &KeyMatch, find: impl Fn() -> KeyMatch) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let found = find();
            if found == *expected {
                return;
            }
            assert!(Instant::now() < end, "{found:?} is not {expected:?}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn keys_come_and_go_with_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = ApiKeyFile::new(folder.path().join("keys.json"));
        let ring = KeyRing::open(file.path()).expect("no file is no key");
        assert!(ring.is_empty());
        let (one, _) = file.create("one", Role::Viewer, None).expect("made");
        let (two, _) = file.create("two", Role::Admin, Some(1_000)).expect("made");
        let valid = |name: &str, role, expires_at| KeyMatch::Valid {
            name: name.into(),
            role,
            expires_at,
        };
        eventually(&valid("one", Role::Viewer, None), || ring.find(one.reveal(), 999));
        assert_eq!(ring.find(two.reveal(), 999), valid("two", Role::Admin, Some(1_000)));
        assert_eq!(ring.find(two.reveal(), 1_000), KeyMatch::Expired);
        let mut near = one.reveal().to_owned();
        near.pop();
        for wrong in [near.as_str(), "", "fsk_", "one"] {
            assert_eq!(ring.find(wrong, 999), KeyMatch::Unknown, "{wrong}");
        }
        file.revoke("one").expect("there");
        eventually(&KeyMatch::Unknown, || ring.find(one.reveal(), 999));
        assert_eq!(
            ring.find_hash(&hash(two.reveal()), 999),
            Some(("two".into(), Role::Admin))
        );
        assert_eq!(ring.find_hash(&hash(two.reveal()), 1_000), None);
        std::fs::write(file.path(), "{").expect("written");
        eventually(&KeyMatch::Unknown, || ring.find(two.reveal(), 999));
    }
}
