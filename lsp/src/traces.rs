//! Keeps a snapshot of the traces up to date, in a task of its own: finds them, reaches the process that keeps them,
//! listens, asks again when spans have come.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_lsp::ClientSocket;
use async_lsp::lsp_types::notification::LogMessage;
use async_lsp::lsp_types::{LogMessageParams, MessageType};
use flockscope_client::{ClientError, ConnectOptions, Connection, Located, locate};
use flockscope_protocol::Event;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::Options;
use crate::changes::Comparison;
use crate::figures::Figures;
use crate::kept;
use crate::readings::{Read, Readings};
use crate::sql_checks::Reached;

/// Pause before traces are looked for again that were not there, or could not be reached.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Follows the traces of a workspace until the editor is gone.
pub(crate) async fn follow(
    folder: PathBuf,
    options: Options,
    client: ClientSocket,
    mut comparisons: watch::Receiver<Comparison>,
) {
    let mut last_trouble = String::new();
    let mut is_first = true;
    let kept_in = kept::file("figures", &folder, options.traces.as_deref());
    if located(&folder, &options).is_some()
        && let Some(file) = kept_in.clone()
        && let Ok(Some(rows)) = tokio::task::spawn_blocking(move || kept::load(&file)).await
        && client.emit(Read::Kept(Arc::new(Figures::of_rows(rows)))).is_err()
    {
        return;
    }
    loop {
        let outcome = match located(&folder, &options) {
            Some(located) => follow_located(&located, &options, &client, &mut comparisons, kept_in.clone()).await,
            // Nothing was ever seen.
            None if is_first => client.emit(Read::Functions(Arc::default())).map_err(|_| Ended::Editor),
            None => Ok(()),
        };
        is_first = false;
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
pub(crate) enum Ended {
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

async fn follow_located(
    located: &Located,
    options: &Options,
    client: &ClientSocket,
    comparisons: &mut watch::Receiver<Comparison>,
    kept_in: Option<PathBuf>,
) -> Result<(), Ended> {
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
    let mut readings = Readings::new(connection, client.clone(), *comparisons.borrow_and_update(), kept_in);
    loop {
        tokio::select! {
            step = readings.step() => step?,
            event = events.next() => match event {
                Some(Event::SpansStored { .. } | Event::SpansRemoved { .. } | Event::Missed { .. }) => {
                    readings.make_all_stale();
                }
                // Somebody ended the process. Whoever needs it next starts another, and then something happens again.
                Some(Event::Stopping) => {}
                None => return Ok(()),
            },
            Ok(()) = comparisons.changed() => readings.compare(*comparisons.borrow_and_update()),
        }
    }
}

pub(crate) fn log(client: &ClientSocket, words: &str) {
    say(client, MessageType::LOG, words);
}

fn say(client: &ClientSocket, kind: MessageType, words: &str) {
    // The editor may be gone.
    let _ = client.notify::<LogMessage>(LogMessageParams {
        typ: kind,
        message: words.to_owned(),
    });
}
