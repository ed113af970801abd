//! What is done to the store from time to time: the oldest spans go.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flockscope_client::{Removed, Retention};
use flockscope_protocol::Event;
use flockscope_store::Store;
use tokio::sync::broadcast;

const INTERVAL: Duration = Duration::from_secs(3600);

/// Keeps the store to what is to be kept, in a thread of its own.
pub(crate) struct Care {
    last: Arc<Mutex<LastCare>>,
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// How the last round went.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastCare {
    /// How long it took.
    pub(crate) took: Duration,
    /// Spans that were removed since the process started.
    pub(crate) removed: u64,
    /// Why it did not work.
    pub(crate) trouble: Option<String>,
}

impl Care {
    /// Begins with a first round at once, and goes on each hour.
    pub(crate) fn start(store: Arc<Store>, retention: Retention, events: broadcast::Sender<Event>) -> io::Result<Self> {
        let last = Arc::new(Mutex::new(LastCare::default()));
        let (stop, stopping) = mpsc::channel();
        let shared = last.clone();
        let thread = thread::Builder::new().name("retention".into()).spawn(move || {
            loop {
                let round = one_round(&store, &retention, &events);
                let mut last = shared.lock().unwrap_or_else(PoisonError::into_inner);
                last.took = round.took;
                last.removed += round.removed;
                last.trouble = round.trouble;
                drop(last);
                match stopping.recv_timeout(INTERVAL) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        })?;
        Ok(Self {
            last,
            stop,
            thread: Some(thread),
        })
    }

    /// How the last round went.
    pub(crate) fn last(&self) -> LastCare {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Care {
    fn drop(&mut self) {
        // The thread is gone already if nobody receives this.
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the retention had panicked");
        }
    }
}

fn one_round(store: &Store, retention: &Retention, events: &broadcast::Sender<Event>) -> LastCare {
    let begun = Instant::now();
    let kept = retention.keep_to(store);
    let took = begun.elapsed();
    let (removed, trouble) = match kept {
        Ok(removed) => (spans(&removed), None),
        Err(error) => {
            tracing::error!(%error, "old spans could not be removed");
            (0, Some(error.to_string()))
        }
    };
    if removed > 0 {
        tracing::info!(spans = removed, ?took, "the oldest spans were removed");
        // Nobody listens: that is no fault.
        let _ = events.send(Event::SpansRemoved { spans: removed });
    }
    LastCare { took, removed, trouble }
}

fn spans(removed: &Removed) -> u64 {
    removed.expired.spans + removed.limited.as_ref().map_or(0, |limited| limited.spans)
}
