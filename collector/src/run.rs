//! A process from its lock to its end.

use std::net::SocketAddr;
use std::time::Duration;

use flockscope_client::{ServeLock, Served};
use flockscope_configuration::Loaded;
use flockscope_protocol::{DiscoveryRecord, ProcessStatus};
use tokio::runtime::Builder;

use crate::end::Ended;
use crate::error::RunError;
use crate::log;
use crate::process::process;
use crate::settings_files::SettingsFiles;

/// After its end a process waits no longer than this for threads that still work.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What is served, and how.
pub struct Options {
    /// The store, and the Flock file that it follows.
    pub served: Served,
    /// The settings, and where each came from.
    pub loaded: Loaded,
    /// Where they can be read again: some count as soon as they change.
    pub settings: SettingsFiles,
    /// Whether a client started it in the background: it writes a log, leaves the terminal, and makes do without ports
    /// that are taken.
    pub is_detached: bool,
    /// Time without a client after which it ends; `None`: it stays.
    pub idle: Option<Duration>,
    /// Called once all can be asked.
    pub ready: Box<dyn FnOnce(&Ready) + Send>,
}

/// A process that is ready.
#[derive(Debug, Clone)]
pub struct Ready {
    /// How clients of this machine find it.
    pub record: DiscoveryRecord,
    /// Where the API listens.
    pub api: SocketAddr,
    /// Whether it speaks TLS there.
    pub uses_tls: bool,
    /// How it does. Spans and traces are not counted.
    pub status: ProcessStatus,
}

/// Serves a store until a signal comes, a client says so, or nobody needs it any more. What was accepted is stored, and
/// the store is closed, when this returns.
pub fn run(options: Options) -> Result<Ended, RunError> {
    // First of all: only one process may even write to the log.
    let lock = ServeLock::take(&options.served.store)?;
    if options.is_detached {
        leave_the_terminal();
    }
    let level = options.loaded.configuration.process.log_level;
    log::begin(&options.served.store, options.is_detached, level);
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RunError::System)?;
    let outcome = runtime.block_on(process(options));
    runtime.shutdown_timeout(LAST_WAIT);
    if let Err(error) = &outcome {
        tracing::error!("{error}");
    }
    drop(lock);
    outcome
}

/// Ctrl-C in the terminal, and its end, are for the client that lives there.
#[cfg(unix)]
fn leave_the_terminal() {
    // It fails for the leader of a group of processes, which a shell starts: then it is in a group of its own already.
    let _ = rustix::process::setsid();
}

/// The client has started it without a console.
#[cfg(not(unix))]
fn leave_the_terminal() {}
