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
use tokio::time::{Instant, sleep, sleep_until};

use crate::calls::Edges;
use crate::figures::Figures;
use crate::sql_checks::Reached;
use crate::{Options, catalog};

/// Time from the first span to the question about it: more may come behind it.
const GATHER: Duration = Duration::from_millis(60);

/// A question that takes long is asked so many times its own time later again: the machine is the program's.
const REST: u32 = 9;

/// Keys and values change seldom, and it takes a moment to list them.
const CATALOG_EVERY: Duration = Duration::from_secs(60);

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
        // A store that is open in this process must be let go of before it is opened again.
        if client.emit(Reached(None)).is_err() {
            return;
        }
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
    if client.emit(Reached(Some(connection.clone()))).is_err() {
        return Err(Ended::Editor);
    }
    let mut events = Box::pin(connection.listen().await?);
    let mut last_catalog: Option<Instant> = None;
    loop {
        let begun = Instant::now();
        let rows = connection.functions(Window::default()).await?;
        if last_catalog.is_none_or(|last| last.elapsed() > CATALOG_EVERY) {
            tokio::spawn(read_edges(connection.clone(), client.clone()));
            tokio::spawn(read_catalog(connection.clone(), rows.clone(), client.clone()));
            last_catalog = Some(begun);
        }
        if client.emit(News(Arc::new(Figures::new(rows)))).is_err() {
            return Err(Ended::Editor);
        }
        let next = Instant::now() + begun.elapsed() * REST;
        loop {
            match events.next().await {
                Some(Event::SpansStored { .. } | Event::SpansRemoved { .. } | Event::Missed { .. }) => break,
                // Somebody ended the process. Whoever needs it next starts another, and then something happens again.
                Some(Event::Stopping) => {}
                None => return Ok(()),
            }
        }
        sleep_until(next.max(Instant::now() + GATHER)).await;
        // What came meanwhile is in the next answer.
        while let Some(Some(_)) = futures_util::FutureExt::now_or_never(events.next()) {}
    }
}

async fn read_edges(connection: Connection, client: ClientSocket) {
    let edges = patiently(&client, "callers and callees", || {
        connection.dependencies(Level::Operation, Window::default())
    });
    if let Some(rows) = edges.await {
        // The editor may be gone.
        let _ = client.emit(EdgesRead(Arc::new(Edges::new(rows))));
    }
}

async fn read_catalog(connection: Connection, functions: Vec<FunctionRow>, client: ClientSocket) {
    let catalog = patiently(&client, "attribute keys for SQL", || {
        catalog::read(&connection, &functions)
    });
    if let Some(catalog) = catalog.await {
        let _ = client.emit(CatalogRead(catalog));
    }
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
