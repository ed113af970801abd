//! A user's SQL.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/sql`. The header `Accept` chooses the form of the answer: `application/json`, `text/csv`, or
/// `application/vnd.apache.arrow.stream`. Closing the connection stops the query.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlRequest {
    /// One read-only statement.
    pub query: String,
    /// Most rows; more are cut off. Default and limit are the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Milliseconds after which the query is stopped. Default and limit are the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// A name that the client chose, by which `DELETE /api/v1/queries/{id}` stops the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}
