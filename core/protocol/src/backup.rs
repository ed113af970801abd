//! Asking for a backup.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/backup`. It may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupRequest {
    /// Full path of the folder to make; only clients of this machine may name one. `None`: one beside the store, with the
    /// time as its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}
