//! Errors of the API.

use serde::{Deserialize, Serialize};

/// What went wrong, as RFC 9457 defines it (`application/problem+json`). It holds no paths and no internals; the log of
/// the process has the whole cause under `id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of problem it is, stable and made for programs: `/problems/query-timed-out`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened here, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Under this id the log has the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}
