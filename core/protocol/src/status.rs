//! How the process does.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// Answer of `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Process id.
    pub pid: u32,
    /// See `DiscoveryRecord::instance`.
    pub instance: String,
    /// Version of the program.
    pub version: String,
    /// Start of the process, in nanoseconds since the epoch.
    pub started_at: i64,
    /// File of the store, for a caller who may see it.
    pub store: Option<String>,
    /// The Flock file that is followed.
    pub following: Option<String>,
    /// Where OTLP over gRPC is taken in.
    pub otlp_grpc: OtlpStatus,
    /// Where OTLP over HTTP is taken in.
    pub otlp_http: OtlpStatus,
    /// Seconds without a client after which the process ends; `None`: it stays.
    pub ends_when_idle_for_s: Option<u64>,
    /// Spans in the store.
    pub spans: u64,
    /// Traces in the store.
    pub traces: u64,
    /// What a person should know: that something could not be followed, a port was taken, the disk is full, …
    pub notes: Vec<String>,
}

/// State of one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OtlpStatus {
    /// It takes spans.
    Listening {
        /// Where.
        address: SocketAddr,
    },
    /// Configuration says no.
    Off,
    /// It could not listen, in words; mostly because another process does.
    Unavailable {
        /// Why.
        reason: String,
    },
}
