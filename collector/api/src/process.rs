//! What the API asks of the process around it.

use std::borrow::Cow;
use std::path::Path;

use flockscope_model::Span;
use flockscope_protocol::ProcessStatus;
use flockscope_store::{Cleared, Ingested, Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The process around the API. All calls may block.
pub trait Process: Send + Sync + 'static {
    /// How it does. The API fills in `spans` and `traces`, and takes `store` and `following` out for viewers.
    fn status(&self) -> ProcessStatus;

    /// Every effective setting. Values of secrets must be masked here already.
    fn configuration(&self) -> Vec<Setting>;

    /// Figures for `/metrics`, beside those of the API itself: of ingest, retention, the disk.
    fn measurements(&self) -> Vec<Measurement>;

    /// Whether it is ready for work, but for the store, which the API asks itself: disk, ingest.
    fn checks(&self) -> Vec<Check>;

    /// Removes all spans, those that are accepted and not stored yet too.
    fn clear(&self, store: &Store) -> Result<Cleared, ProcessError> {
        Ok(store.clear()?)
    }

    /// Stores spans that a client hands over, and tells the listeners.
    fn take(&self, store: &Store, spans: Vec<Span>) -> Result<Ingested, ProcessError> {
        Ok(store.ingest(&spans)?)
    }

    /// Makes a backup: as this folder, which must not be there yet, or beside the store.
    fn backup(&self, store: &Store, folder: Option<&Path>) -> Result<BackupMade, ProcessError>;

    /// Begins to end the process, in its own time: the answer to the request still goes out.
    fn stop(&self);
}

/// Why something could not be done.
#[derive(Debug)]
pub enum ProcessError {
    /// The store failed.
    Store(StoreError),
    /// It is not set up, not possible now, …: words for the client, without paths.
    CannotDo(String),
    /// It went wrong: words for the log.
    Failed(String),
}

impl From<StoreError> for ProcessError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// One setting with its effective value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// Name, as in the configuration file.
    pub name: String,
    /// Effective value.
    pub value: serde_json::Value,
    /// Where it came from: `default`, `flockscope.toml`, an environment variable, a flag.
    pub source: String,
    /// Whether viewers may see it, too.
    pub public: bool,
}

/// A figure for `/metrics`.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Name without the prefix `flockscope_`, with its unit (`ingest_reply_seconds`) and, for a counter, without
    /// `_total`. Figures of one name stand one behind the other, and differ by their labels.
    pub name: Cow<'static, str>,
    /// What it means, in a few words.
    pub help: Cow<'static, str>,
    /// Whether it only ever grows.
    pub kind: MeasurementKind,
    /// The figure.
    pub value: f64,
    /// Labels: `quantile` = `0.99`, `reason` = `filtered`, …
    pub labels: Vec<(Cow<'static, str>, String)>,
}

/// How a figure behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasurementKind {
    /// It only grows, from 0 at the start of the process.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One thing that must be well for the process to be ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// What was looked at: `store`, `disk`, `ingest`.
    #[schema(example = "store")]
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// What is not well, without paths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupMade {
    /// Name of its folder.
    #[schema(example = "2026-11-23T09-30-00Z")]
    pub name: String,
    /// Spans in it.
    pub spans: u64,
    /// Its bytes on the disk.
    pub bytes: u64,
}
