//! How long a project keeps its traces, and how much of them.

use std::time::{SystemTime, UNIX_EPOCH};

use flockscope_store::{Expired, Limited, Store};

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
