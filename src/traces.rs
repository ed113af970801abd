//! The traces that a command asks: those of the process that keeps them, or a store that is opened here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flockscope_analytics::calls::{self, Call};
use flockscope_client::{ClientError, ConnectOptions, Connection, Located, Opened, bytes_on_disk};
use flockscope_store::{Answer, Limits, Window};
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Runtime};

use crate::context::Context;
use crate::failure::{Failure, printable};
use crate::progress::Spinner;

/// Traces that can be asked.
pub(crate) enum Traces {
    /// A store that is open in this process.
    Opened(Box<Opened>),
    /// A store that another process keeps.
    Kept(Kept),
}

/// A connection, and what runs it.
pub(crate) struct Kept {
    connection: Connection,
    runtime: Runtime,
    store: PathBuf,
}

impl Kept {
    /// The process that keeps the traces, if one runs.
    pub(crate) fn running(located: &Located) -> Result<Option<Self>, Failure> {
        let options = ConnectOptions {
            start: false,
            ..ConnectOptions::default()
        };
        match Self::connected(runtime()?, located, options) {
            Err(ClientError::NotRunning { .. }) => Ok(None),
            outcome => Ok(outcome?),
        }
    }

    /// The process that keeps the traces; that of a project is started if none runs. None where no process is wanted, or
    /// can be.
    pub(crate) fn running_or_started(context: &Context, located: &Located) -> Result<Option<Self>, Failure> {
        if context.in_process() {
            return Ok(None);
        }
        if !located.served().is_some_and(|served| served.keeps_history) || located.project_folder().is_none() {
            return Self::running(located);
        }
        let spinner = Spinner::new("starting the process that keeps the traces", context.quiet());
        let quiet = context.quiet();
        let options = ConnectOptions {
            note: Arc::new(move |words: &str| {
                if !quiet {
                    eprintln!("note: {}", printable(words));
                }
            }),
            ..ConnectOptions::default()
        };
        let outcome = Self::connected(runtime()?, located, options);
        drop(spinner);
        match outcome {
            Err(error @ (ClientError::NotStarted { .. } | ClientError::File { .. })) => {
                let message = error.to_string();
                let first = message.lines().next().unwrap_or_default();
                context.note(&format!("note: {first}; the store is opened by this command alone"));
                Ok(None)
            }
            outcome => Ok(outcome?),
        }
    }

    fn connected(runtime: Runtime, located: &Located, options: ConnectOptions) -> Result<Option<Self>, ClientError> {
        let Some(served) = located.served() else {
            return Ok(None);
        };
        let connection = runtime.block_on(Connection::open(located, options))?;
        Ok(Some(Self {
            connection,
            runtime,
            store: served.store,
        }))
    }

    /// Runs what asks the process.
    pub(crate) fn run<T>(&self, work: impl AsyncFnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        self.runtime.block_on(work(&self.connection))
    }
}

impl Traces {
    /// The rows of an analysis.
    pub(crate) fn ask<T>(&self, call: &Call<T>) -> Result<Vec<T>, Failure>
    where
        T: DeserializeOwned + Send + 'static,
    {
        Ok(match self {
            Self::Opened(opened) => opened.store.ask(call)?,
            Self::Kept(kept) => kept.runtime.block_on(kept.connection.ask(call))?,
        })
    }

    /// The answer to SQL.
    pub(crate) fn sql(&self, query: &str, limits: &Limits) -> Result<Answer, ClientError> {
        match self {
            Self::Opened(opened) => Ok(opened.store.sql(query, limits)?),
            Self::Kept(kept) => kept
                .runtime
                .block_on(async { kept.connection.sql(query, limits, None).await?.whole().await }),
        }
    }

    /// Whether there is no span at all.
    pub(crate) fn is_empty(&self) -> Result<bool, Failure> {
        Ok(self.ask(&calls::traces(Window::default(), Some(1)))?.is_empty())
    }

    /// The store's file.
    pub(crate) fn store(&self) -> &Path {
        match self {
            Self::Opened(opened) => opened.store.path(),
            Self::Kept(kept) => &kept.store,
        }
    }

    /// Bytes of the store on the disk.
    pub(crate) fn bytes(&self) -> Result<u64, Failure> {
        match self {
            Self::Opened(opened) => Ok(opened.store.size()?.on_disk()),
            Self::Kept(kept) => bytes_on_disk(&kept.store)
                .map_err(|error| Failure::Failed(format!("{}: {error}", kept.store.display()))),
        }
    }
}

/// What runs the asynchronous calls of a command.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("the command could not start: {error}")))
}
