//! Keeps a snapshot of the traces up to date, in a task of its own: finds them, reaches the process that keeps them,
//! listens, asks again when spans have come.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_lsp::ClientSocket;
use async_lsp::lsp_types::notification::LogMessage;
use async_lsp::lsp_types::{LogMessageParams, MessageType};
use flockscope_analytics::calls::{Level, Window};
use flockscope_client::{ClientError, ConnectOptions, Connection, Located, locate};
use flockscope_model::rows::FunctionRow;
use flockscope_protocol::Event;
use flockscope_sql::Catalog;
use futures_util::StreamExt;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use crate::calls::Edges;
use crate::figures::Figures;
use crate::readings::{Known, Reading};
use crate::server::now;
use crate::{Options, catalog};

/// Time from the first span to the question about it: more may come behind it.
const GATHER: Duration = Duration::from_millis(60);

/// A question that takes long is asked so many times its own time later again: the machine is the program's.
const REST: u32 = 9;

/// The same of questions about the whole of a large store, which take all processors.
const LONG_REST: u32 = 29;

/// A store that is read within this time is read whole whenever spans come.
const QUICK: Duration = Duration::from_millis(30);

/// Of a larger one, the spans since so many nanoseconds before the latest one are read whenever spans come: of these
/// times the longest that is [`QUICK`]. What begins earlier and comes later is in the next reading of the whole.
const RECENT: [i64; 5] = [3_600 * SECOND, 600 * SECOND, 120 * SECOND, 30 * SECOND, 5 * SECOND];
const SECOND: i64 = 1_000_000_000;

/// The place in [`RECENT`] to begin with.
const FIRST_RECENT: usize = 1;

/// Keys, values and callers change seldom, and it takes a moment to list them.
const CATALOG_EVERY: Duration = Duration::from_secs(60);

/// Even if it takes long, or had to be tried again.
const SELDOM_AT_LEAST: Duration = Duration::from_secs(600);

/// Seconds between two tries to list them.
const PAUSES: [u64; 4] = [1, 3, 10, 30];

/// Pause before traces are looked for again that were not there, or could not be reached.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The traces were asked, for the main loop.
pub(crate) struct News(pub(crate) Arc<Figures>);

/// What changes seldom was read, for the main loop: what SQL completion knows of the store.
pub(crate) struct CatalogRead(pub(crate) Catalog);

/// And who called whom.
pub(crate) struct EdgesRead(pub(crate) Arc<Edges>);

/// Follows the traces of a workspace until the editor is gone.
pub(crate) async fn follow(folder: PathBuf, options: Options, client: ClientSocket) {
    let mut last_trouble = String::new();
    loop {
        let outcome = match located(&folder, &options) {
            Some(located) => follow_located(&located, &options, &client).await,
            None => Ok(()),
        };
        match outcome {
            Err(Ended::Editor) => return,
            Err(Ended::Traces(error)) => {
                let trouble = error.to_string();
                if trouble != last_trouble {
                    say(&client, MessageType::WARNING, &trouble);
                    last_trouble.clone_from(&trouble);
                }
            }
            Ok(()) => {}
        }
        if client.emit(Sign).is_err() {
            return;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// Nothing but a way to learn that the main loop is gone.
pub(crate) struct Sign;

/// Why the following ended.
enum Ended {
    Editor,
    Traces(ClientError),
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Self::Traces(error)
    }
}

/// The traces that are meant, if there are any yet.
fn located(folder: &Path, options: &Options) -> Option<Located> {
    locate(folder, options.traces.as_deref()).ok()
}

async fn follow_located(located: &Located, options: &Options, client: &ClientSocket) -> Result<(), Ended> {
    let note = {
        let client = client.clone();
        move |words: &str| say(&client, MessageType::INFO, words)
    };
    let connect = ConnectOptions {
        in_process: options.in_process,
        program: options.program.clone(),
        note: Arc::new(note),
        ..ConnectOptions::default()
    };
    let connection = Connection::open(located, connect).await?;
    let mut events = Box::pin(connection.listen().await?);
    let mut following = Following::new(connection, client.clone());
    following.begin_whole();
    loop {
        let (whole_at, recent_at) = (following.whole_at(), following.recent_at());
        tokio::select! {
            Some(outcome) = following.running.join_next() => following.take_whole(outcome).await?,
            Some(Ok(took)) = following.seldom.join_next() => {
                following.next_seldom = Instant::now() + (took * LONG_REST).clamp(CATALOG_EVERY, SELDOM_AT_LEAST);
            }
            event = events.next() => match event {
                Some(Event::SpansStored { .. } | Event::SpansRemoved { .. } | Event::Missed { .. }) => following.note_news(),
                // Somebody ended the process. Whoever needs it next starts another, and then something happens again.
                Some(Event::Stopping) => {}
                None => return Ok(()),
            },
            () = sleep_until(recent_at.unwrap_or_else(Instant::now)), if recent_at.is_some() => following.read_recent().await?,
            () = sleep_until(whole_at.unwrap_or_else(Instant::now)), if whole_at.is_some() => following.begin_whole(),
        }
    }
}

/// How far the figures are, and what is asked next.
struct Following {
    connection: Connection,
    client: ClientSocket,
    reading: Reading,
    figures: Arc<Figures>,
    /// Whether the whole store is read within [`QUICK`].
    is_quick: bool,
    /// The place in [`RECENT`].
    recent: usize,
    /// A reading of the whole, if one is under way; and when it began.
    running: JoinSet<Result<Reading, ClientError>>,
    began: Instant,
    /// The earliest times of the next readings.
    next_whole: Instant,
    next_recent: Instant,
    /// Whether spans came after the last readings were begun.
    whole_is_old: bool,
    recent_is_old: bool,
    /// What changes seldom is being read; and the earliest time of the next time.
    seldom: JoinSet<Duration>,
    next_seldom: Instant,
}

impl Following {
    fn new(connection: Connection, client: ClientSocket) -> Self {
        let now = Instant::now();
        Self {
            connection,
            client,
            reading: Reading::default(),
            figures: Arc::default(),
            is_quick: false,
            recent: FIRST_RECENT,
            running: JoinSet::new(),
            began: now,
            next_whole: now,
            next_recent: now,
            whole_is_old: false,
            recent_is_old: false,
            seldom: JoinSet::new(),
            next_seldom: now,
        }
    }

    /// Spans came, or went. More may come behind them.
    fn note_news(&mut self) {
        let soon = Instant::now() + GATHER;
        if !self.whole_is_old {
            self.whole_is_old = true;
            self.next_whole = self.next_whole.max(soon);
        }
        if !self.recent_is_old {
            self.recent_is_old = true;
            self.next_recent = self.next_recent.max(soon);
        }
    }

    fn whole_at(&self) -> Option<Instant> {
        (self.whole_is_old && self.running.is_empty()).then_some(self.next_whole)
    }

    fn recent_at(&self) -> Option<Instant> {
        (self.recent_is_old && !self.is_quick && self.reading.since().is_some()).then_some(self.next_recent)
    }

    fn begin_whole(&mut self) {
        self.whole_is_old = false;
        self.began = Instant::now();
        let connection = self.connection.clone();
        if self.is_quick {
            self.running
                .spawn(async move { Ok(Reading::whole(connection.functions(Window::default()).await?)) });
        } else {
            // A clock that goes wrong must not take all that comes after it for the past.
            let latest = self.reading.latest().map_or_else(now, |latest| latest.min(now()));
            let since = latest.saturating_sub(RECENT.get(self.recent).copied().unwrap_or_default());
            self.running
                .spawn(async move { Ok(Reading::new(connection.ask(&Reading::call(since)).await?, since)) });
        }
    }

    async fn take_whole(&mut self, outcome: Result<Result<Reading, ClientError>, JoinError>) -> Result<(), Ended> {
        // A task that was ended, or has panicked, has nothing to say; the next reading has.
        let Ok(outcome) = outcome else {
            self.note_news();
            return Ok(());
        };
        self.reading = outcome?;
        let took = self.began.elapsed();
        let was_quick = std::mem::replace(&mut self.is_quick, took < QUICK);
        self.next_whole = Instant::now() + took * if self.is_quick { REST } else { LONG_REST };
        if self.seldom.is_empty() && Instant::now() >= self.next_seldom {
            let functions = self.reading.known().into_iter().map(|known| known.row).collect();
            self.seldom
                .spawn(read_seldom(self.connection.clone(), functions, self.client.clone()));
        }
        if self.whole_is_old && !was_quick {
            // Spans came since this was begun, and what is shown may have them already.
            return self.read_recent().await;
        }
        self.tell(self.reading.known())
    }

    async fn read_recent(&mut self) -> Result<(), Ended> {
        self.recent_is_old = false;
        let begun = Instant::now();
        let window = Window {
            since: self.reading.since(),
            until: None,
        };
        let recent = self.connection.functions(window).await?;
        let took = begun.elapsed();
        self.next_recent = Instant::now() + took * REST;
        // For the next reading of the whole.
        if took > QUICK {
            self.recent = (self.recent + 1).min(RECENT.len() - 1);
        } else if took < QUICK / 5 {
            self.recent = self.recent.saturating_sub(1);
        }
        self.tell(self.reading.known_with(recent))
    }

    fn tell(&mut self, known: Vec<Known>) -> Result<(), Ended> {
        self.figures = Arc::new(Figures::new(known, &self.figures));
        let news = News(Arc::clone(&self.figures));
        self.client.emit(news).map_err(|_| Ended::Editor)
    }
}

/// What SQL completion knows, and then who called whom. Returns how long it took.
async fn read_seldom(connection: Connection, functions: Vec<FunctionRow>, client: ClientSocket) -> Duration {
    let begun = Instant::now();
    let catalog = patiently(&client, "attribute keys for SQL", || {
        catalog::read(&connection, &functions)
    });
    if let Some(catalog) = catalog.await {
        // The editor may be gone.
        let _ = client.emit(CatalogRead(catalog));
    }
    let edges = patiently(&client, "callers and callees", || {
        connection.dependencies(Level::Operation, Window::default())
    });
    if let Some(rows) = edges.await {
        let _ = client.emit(EdgesRead(Arc::new(Edges::new(rows))));
    }
    begun.elapsed()
}

/// Asks a few times: the process may be busy, or just be replaced by another one.
async fn patiently<T, F>(client: &ClientSocket, what: &str, ask: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, ClientError>>,
{
    for pause in PAUSES {
        match ask().await {
            Ok(answer) => return Some(answer),
            Err(error) => say(client, MessageType::LOG, &format!("no {what} yet: {error}")),
        }
        sleep(Duration::from_secs(pause)).await;
    }
    None
}

fn say(client: &ClientSocket, kind: MessageType, words: &str) {
    // The editor may be gone.
    let _ = client.notify::<LogMessage>(LogMessageParams {
        typ: kind,
        message: words.to_owned(),
    });
}
