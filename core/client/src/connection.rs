//! The way from a face (editor, notebook, command line) to its traces.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flockscope_analytics::calls::{self, Call, GroupBy, Level, Window};
use flockscope_model::Span;
use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, DependencyRow, ExceptionRow, FunctionRow, OperationRow,
    RedRow, StatisticsRow, TimelineRow, TraceRow,
};
use flockscope_protocol::{Event, ProcessStatus, SpansTaken};
use flockscope_store::Limits;
use futures_util::Stream;
use futures_util::future::Either;
use serde::de::DeserializeOwned;

use crate::in_process::InProcess;
use crate::process::Start;
use crate::remote::{self, Remote};
use crate::{AnswerStream, ClientError, Located, Options};

/// How long a process may take to become ready: it may have to replay a log of a few hundred megabytes.
const START_TIME: Duration = Duration::from_secs(60);

/// How the traces are reached.
#[derive(Clone)]
pub struct ConnectOptions {
    /// Open the store in this process instead of asking the one that owns it.
    pub in_process: bool,
    /// Start a process if none runs, also when it died meanwhile. Otherwise that is an error.
    pub start: bool,
    /// The program `flockscope` that is started; `None`: the running one.
    pub program: Option<PathBuf>,
    /// Time without a client after which the started process ends; `None`: what its configuration says.
    pub idle: Option<Duration>,
    /// How long to wait until a process is ready.
    pub wait: Duration,
    /// How the store is opened in this process.
    pub opening: Options,
    /// Is told what a person should know: that a process was started, or that it had died and another one was.
    pub note: Note,
}

/// Takes notes for a person.
pub type Note = Arc<dyn Fn(&str) + Send + Sync>;

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            in_process: false,
            start: true,
            program: None,
            idle: None,
            wait: START_TIME,
            opening: Options::default(),
            note: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("in_process", &self.in_process)
            .field("start", &self.start)
            .field("program", &self.program)
            .field("idle", &self.idle)
            .field("wait", &self.wait)
            .field("opening", &self.opening)
            .finish_non_exhaustive()
    }
}

/// Traces that can be asked. Cheap to clone; all clones share one connection.
///
/// A connection to a process survives the end of that process: the next call finds or starts another one, says so by
/// [`ConnectOptions::note`], and is done there.
#[derive(Clone)]
pub struct Connection {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Remote(Arc<Remote>),
    InProcess(Arc<InProcess>),
}

impl Connection {
    /// Most rows that the answer of an analysis may have.
    pub const MOST_ROWS: u64 = 1_000_000;

    /// Reaches the traces that were located. Files that have no store (OTLP, Parquet, Jaeger) are always opened in this
    /// process.
    pub async fn open(located: &Located, options: ConnectOptions) -> Result<Self, ClientError> {
        let kind = match located.served().filter(|_| !options.in_process) {
            Some(served) => {
                let start = options.start.then(|| Start {
                    program: options.program.clone(),
                    idle: options.idle,
                    wait: options.wait,
                });
                Kind::Remote(Arc::new(Remote::connect(served, start, options.note).await?))
            }
            None => Kind::InProcess(Arc::new(InProcess::open(located.clone(), options.opening).await?)),
        };
        Ok(Self { kind })
    }

    /// Whether another process is asked.
    pub fn is_remote(&self) -> bool {
        matches!(self.kind, Kind::Remote(_))
    }

    /// The rows of one of the analyses.
    pub async fn ask<T>(&self, call: &Call<T>) -> Result<Vec<T>, ClientError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        match &self.kind {
            Kind::Remote(remote) => remote.ask(call).await,
            Kind::InProcess(store) => store.ask(call.clone()).await,
        }
    }

    /// Traces that start in the window, newest first, at most so many.
    pub async fn traces(&self, window: Window, most: Option<u64>) -> Result<Vec<TraceRow>, ClientError> {
        self.ask(&calls::traces(window, most)).await
    }

    /// The spans of one trace as a tree. Empty for a trace that is not there.
    pub async fn timeline(&self, trace_id: &str) -> Result<Vec<TimelineRow>, ClientError> {
        self.ask(&calls::timeline(trace_id)).await
    }

    /// Rate, errors and durations; with a `step` in nanoseconds as a time series.
    pub async fn red(&self, group_by: GroupBy, window: Window, step: Option<i64>) -> Result<Vec<RedRow>, ClientError> {
        self.ask(&calls::red(group_by, window, step)).await
    }

    /// Who called whom.
    pub async fn dependencies(&self, level: Level, window: Window) -> Result<Vec<DependencyRow>, ClientError> {
        self.ask(&calls::dependencies(level, window)).await
    }

    /// Where the critical paths of the window's traces spend their time.
    pub async fn critical_path(&self, window: Window) -> Result<Vec<CriticalPathRow>, ClientError> {
        self.ask(&calls::critical_path(window)).await
    }

    /// Exceptions by type and operation.
    pub async fn exceptions(&self, window: Window) -> Result<Vec<ExceptionRow>, ClientError> {
        self.ask(&calls::exceptions(window)).await
    }

    /// Every traced function that was seen.
    pub async fn operations(&self, window: Window) -> Result<Vec<OperationRow>, ClientError> {
        self.ask(&calls::operations(window)).await
    }

    /// What an editor shows at every traced function.
    pub async fn functions(&self, window: Window) -> Result<Vec<FunctionRow>, ClientError> {
        self.ask(&calls::functions(window)).await
    }

    /// Every attribute key.
    pub async fn attribute_keys(&self, window: Window) -> Result<Vec<AttributeKeyRow>, ClientError> {
        self.ask(&calls::attribute_keys(window)).await
    }

    /// The most frequent values of an attribute, at most so many.
    pub async fn attribute_values(
        &self,
        key: &str,
        window: Window,
        most: u64,
    ) -> Result<Vec<AttributeValueRow>, ClientError> {
        self.ask(&calls::attribute_values(key, window, most)).await
    }

    /// What the store holds.
    pub async fn statistics(&self) -> Result<StatisticsRow, ClientError> {
        Ok(self.ask(&calls::statistics()).await?.pop().unwrap_or_default())
    }

    /// Runs one read-only statement that a user wrote. Dropping the future or the stream stops the query; so does
    /// [`Connection::cancel`] with the same id. Another process has limits of its own, which hold beside these.
    pub async fn sql(&self, query: &str, limits: &Limits, id: Option<&str>) -> Result<AnswerStream, ClientError> {
        match &self.kind {
            Kind::Remote(remote) => remote.sql(query, limits, id).await,
            Kind::InProcess(store) => store.sql(query, limits, id).await,
        }
    }

    /// Stops the query that was started with this id. One that has ended already is no error.
    pub async fn cancel(&self, id: &str) -> Result<(), ClientError> {
        match &self.kind {
            Kind::Remote(remote) => remote.cancel(id).await,
            Kind::InProcess(store) => {
                store.cancel(id);
                Ok(())
            }
        }
    }

    /// Stores spans, as of a file that this process has read; secrets in them are made unreadable first. All are stored
    /// when this returns, or, after an error, some of them: sent again, they replace themselves.
    pub async fn store(&self, spans: Vec<Span>) -> Result<SpansTaken, ClientError> {
        match &self.kind {
            Kind::Remote(remote) => remote.store(&spans).await,
            Kind::InProcess(store) => store.store(spans).await,
        }
    }

    /// Copies the store, archive included, into a folder that must not be there yet; its path is a full one. Spans are
    /// stored meanwhile as ever.
    pub async fn backup(&self, folder: &Path) -> Result<(), ClientError> {
        match &self.kind {
            Kind::Remote(remote) => remote.backup(folder).await,
            Kind::InProcess(store) => store.backup(folder).await,
        }
    }

    /// As [`Self::events`], with nothing missed from the moment on at which this returns.
    pub async fn listen(&self) -> Result<impl Stream<Item = Event> + Send + 'static, ClientError> {
        Ok(match &self.kind {
            Kind::Remote(remote) => Either::Left(remote::listen(remote.clone()).await?),
            Kind::InProcess(store) => Either::Right(store.events()),
        })
    }

    /// What happens to the traces from now on. The stream never ends: when a process does, its successor is listened to,
    /// and an [`Event::Missed`] of an unknown number (0) says that what was known must be asked for again.
    pub fn events(&self) -> impl Stream<Item = Event> + Send + 'static {
        match &self.kind {
            Kind::Remote(remote) => Either::Left(remote::events(remote.clone())),
            Kind::InProcess(store) => Either::Right(store.events()),
        }
    }

    /// How the process does; `None` in this process, which has nothing to say about itself.
    pub async fn status(&self) -> Result<Option<ProcessStatus>, ClientError> {
        match &self.kind {
            Kind::Remote(remote) => remote.status().await.map(Some),
            Kind::InProcess(_) => Ok(None),
        }
    }

    /// Asks the process to end, and waits until it has. In this process nothing is to be ended.
    pub async fn stop(&self) -> Result<(), ClientError> {
        match &self.kind {
            Kind::Remote(remote) => remote.stop().await,
            Kind::InProcess(_) => Ok(()),
        }
    }
}
