use std::io;
use std::path::PathBuf;

use flockscope_client::ClientError;
use flockscope_ingest::OpenError;
use flockscope_redaction::RuleError;
use flockscope_security::{AddressError, FileError, SettingsError, TlsError};
use flockscope_store::StoreError;

use crate::BindError;

/// Why a process could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The store is served already, or its Flock file can't be followed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The store can't be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The receivers can't start.
    #[error(transparent)]
    Ingest(#[from] OpenError),
    /// An address is taken.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// An address must not be listened on.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The settings of the safety don't fit.
    #[error(transparent)]
    Security(#[from] SettingsError),
    /// The store's token can't be had.
    #[error(transparent)]
    Token(#[from] FileError),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A rule of the redaction can't be used.
    #[error(transparent)]
    Redaction(#[from] RuleError),
    /// A file of the process.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The operating system gives no threads or signals.
    #[error("the process could not start: {0}")]
    System(io::Error),
}
