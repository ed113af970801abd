//! How long a project keeps its traces, and how much of them: what its environment and its `.env` say.

use std::env;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use flockscope_store::{Expired, Limited, SIZE_VARIABLE, Store, TTL_VARIABLE, size_limit, ttl_days};

use crate::ClientError;

/// What is kept. The default is everything, for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Days that traces are kept (`FLOCK_TRACE_TTL_DAYS`).
    pub days: Option<u32>,
    /// Bytes that the store may take (`FLOCKSCOPE_MAX_SIZE`).
    pub bytes: Option<u64>,
}

/// What was removed to keep to a [`Retention`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// By age.
    pub expired: Expired,
    /// By size; `None` where no size is set.
    pub limited: Option<Limited>,
}

impl Retention {
    /// What the environment says, and where it says nothing the project's `.env`.
    pub fn of_project(folder: Option<&Path>) -> Result<Self, ClientError> {
        let in_file = folder.map(|folder| folder.join(".env")).filter(|file| file.is_file());
        let value = |name: &str| match env::var(name) {
            Ok(value) => Some(value),
            Err(_) => in_file.as_deref().and_then(|file| value_in(file, name)),
        };
        Ok(Self {
            days: ttl_days(value(TTL_VARIABLE).as_deref())?,
            bytes: size_limit(SIZE_VARIABLE, value(SIZE_VARIABLE).as_deref())?,
        })
    }

    /// Removes what is beyond it.
    pub fn keep_to(&self, store: &Store) -> Result<Removed, ClientError> {
        let mut removed = Removed::default();
        if let Some(days) = self.days {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            removed.expired = store.expire(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX), days)?;
        }
        if let Some(bytes) = self.bytes {
            removed.limited = Some(store.limit_size(bytes)?);
        }
        Ok(removed)
    }
}

/// The last value of a variable in a `.env` file. Lines that are not of its form are none of our business.
fn value_in(file: &Path, name: &str) -> Option<String> {
    let lines = dotenvy::from_path_iter(file).ok()?;
    lines
        .flatten()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_in_a_file_counts_and_other_lines_do_not_matter() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(".env");
        std::fs::write(
            &file,
            "# comment\nnot a setting\nexport A=1\nB='x y'\nA=\"2\" # later\n",
        )
        .expect("a file");
        assert_eq!(value_in(&file, "A").as_deref(), Some("2"));
        assert_eq!(value_in(&file, "B").as_deref(), Some("x y"));
        assert_eq!(value_in(&file, "C"), None);
    }
}
