//! The language server: what functions did at run time, above each of them.
//!
//! Start at [`serve`]. `server.rs` holds the state, `routes.rs` says which handler answers what; nothing that a keystroke
//! waits for asks a database: figures come from a snapshot (`figures.rs`) that a task of its own keeps up to date
//! (`traces.rs`).

mod actions;
mod calls;
mod capabilities;
mod catalog;
mod changes;
mod checking;
mod code;
mod commands;
mod details;
mod documents;
mod exceptions;
mod figures;
mod findings;
mod framing;
mod hints;
mod hover;
mod kept;
mod lens;
mod links;
mod markdown;
mod mistakes;
mod nesting;
mod newest;
mod notebooks;
mod positions;
mod preferences;
mod problems;
mod readings;
mod recent;
mod reproduction;
mod routes;
mod server;
mod settings;
mod sql;
mod sql_checks;
mod sql_commands;
mod symbols;
mod tolerance;
mod traces;
mod words;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_lsp::client_monitor::ClientProcessMonitorLayer;
use async_lsp::concurrency::ConcurrencyLayer;
use async_lsp::panic::CatchUnwindLayer;
use async_lsp::server::LifecycleLayer;
use async_lsp::{ClientSocket, LspService, MainLoop, ResponseError};
use tokio::runtime::Builder;
use tower::ServiceBuilder;
use tracing_subscriber::EnvFilter;

use crate::tolerance::TolerantLayer;

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The traces, if not those of the workspace: what `--db` names.
    pub traces: Option<PathBuf>,
    /// Whether the store is opened by this process.
    pub in_process: bool,
    /// The program `flockscope` that is started to keep the traces; `None`: the running one.
    pub program: Option<PathBuf>,
}

/// Why a server ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The system refuses a thread, or standard input and output.
    #[error("the server could not start: {0}")]
    System(#[from] std::io::Error),
    /// The editor broke the protocol, or went away.
    #[error("the connection to the editor ended: {0}")]
    Protocol(#[from] async_lsp::Error),
    /// The editor said `exit` without `shutdown`, which the protocol has for a failure.
    #[error("the editor ended the server without asking it to shut down")]
    Exit,
}

/// Serves the editor at standard input and output, until it says `exit`.
pub fn serve(options: Options) -> Result<(), ServeError> {
    log();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let asked_to_end = Arc::<AtomicBool>::default();
        let (server, _) = MainLoop::new_server(|client| service(client, options, &asked_to_end));
        // Unix hands the pipes over as they are; elsewhere a thread stands between.
        #[cfg(unix)]
        let (input, output) = (
            async_lsp::stdio::PipeStdin::lock_tokio()?,
            async_lsp::stdio::PipeStdout::lock_tokio()?,
        );
        #[cfg(not(unix))]
        let (input, output) = (
            tokio_util::compat::TokioAsyncReadCompatExt::compat(tokio::io::stdin()),
            tokio_util::compat::TokioAsyncWriteCompatExt::compat_write(tokio::io::stdout()),
        );
        server.run(framing::well_formed(input), output).await?;
        match asked_to_end.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(ServeError::Exit),
        }
    })
}

/// Words for a filter finer than warnings: `FLOCKSCOPE_LOG=flockscope_lsp=debug`.
const FILTER_VARIABLE: &str = "FLOCKSCOPE_LOG";

/// Logs to stderr, which editors keep: standard output is the protocol's.
fn log() {
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new("warn"));
    let logger = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    // Who embeds the server may log already.
    let _ = logger.with_writer(std::io::stderr).try_init();
}

/// What stands around the handlers: the life cycle of the protocol, cancelling, and a panic that ends one request alone.
fn service(
    client: ClientSocket,
    options: Options,
    asked_to_end: &Arc<AtomicBool>,
) -> impl LspService<Response = serde_json::Value, Error = ResponseError, Future: Send> {
    ServiceBuilder::new()
        .layer(TolerantLayer(Arc::clone(asked_to_end)))
        .layer(LifecycleLayer::default())
        .layer(CatchUnwindLayer::default())
        .layer(ConcurrencyLayer::default())
        .layer(ClientProcessMonitorLayer::new(client.clone()))
        .service(routes::router(client, options))
}
