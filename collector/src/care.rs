//! What is done to the store from time to time: spans that are too old go each hour, and those for which there is no
//! more room within a minute.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flockscope_client::{Removed, Retention};
use flockscope_protocol::Event;
use flockscope_store::Store;
use tokio::sync::broadcast;

/// How often the store's size is looked at: spans may come by the gigabyte in an hour.
const SIZE_INTERVAL: Duration = Duration::from_secs(60);

/// How often old spans are looked for.
const AGE_INTERVAL: Duration = Duration::from_secs(3600);

/// Keeps the store to what is to be kept, in a thread of its own.
pub(crate) struct Care {
    last: Arc<Mutex<LastCare>>,
    words: mpsc::Sender<Word>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told.
enum Word {
    Keep(Retention),
    Stop,
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
    /// Begins with a first round at once, and goes on.
    pub(crate) fn start(store: Arc<Store>, retention: Retention, events: broadcast::Sender<Event>) -> io::Result<Self> {
        let last = Arc::new(Mutex::new(LastCare::default()));
        let (words, told) = mpsc::channel();
        let mut rounds = Rounds {
            store,
            retention,
            events,
            last: last.clone(),
            looked_for_old: None,
        };
        let thread = thread::Builder::new()
            .name("retention".into())
            .spawn(move || rounds.run(&told))?;
        Ok(Self {
            last,
            words,
            thread: Some(thread),
        })
    }

    /// Keeps to something else from now on.
    pub(crate) fn keep(&self, retention: Retention) {
        // The thread is gone only when the process ends.
        let _ = self.words.send(Word::Keep(retention));
    }

    /// How the last round went.
    pub(crate) fn last(&self) -> LastCare {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Care {
    fn drop(&mut self) {
        // The thread is gone already if nobody receives this.
        let _ = self.words.send(Word::Stop);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the retention had panicked");
        }
    }
}

struct Rounds {
    store: Arc<Store>,
    retention: Retention,
    events: broadcast::Sender<Event>,
    last: Arc<Mutex<LastCare>>,
    looked_for_old: Option<Instant>,
}

impl Rounds {
    fn run(&mut self, told: &mpsc::Receiver<Word>) {
        loop {
            self.one_round();
            match told.recv_timeout(SIZE_INTERVAL) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Word::Keep(retention)) => {
                    self.retention = retention;
                    self.looked_for_old = None;
                }
                Ok(Word::Stop) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    }

    fn one_round(&mut self) {
        let is_due = self
            .looked_for_old
            .is_none_or(|looked| looked.elapsed() >= AGE_INTERVAL);
        let due = Retention {
            days: self.retention.days.filter(|_| is_due),
            bytes: self.retention.bytes,
        };
        if due == Retention::default() && !is_due {
            return;
        }
        let begun = Instant::now();
        let kept = due.keep_to(&self.store);
        let took = begun.elapsed();
        let (removed, trouble) = match kept {
            Ok(removed) => (spans(&removed), None),
            Err(error) => {
                tracing::error!(%error, "old spans could not be removed");
                (0, Some(error.to_string()))
            }
        };
        // What failed is tried again with the next look at the size.
        if is_due && trouble.is_none() {
            self.looked_for_old = Some(begun);
        }
        if removed > 0 {
            tracing::info!(spans = removed, ?took, "the oldest spans were removed");
            // Nobody listens: that is no fault.
            let _ = self.events.send(Event::SpansRemoved { spans: removed });
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.took = took;
        last.removed += removed;
        last.trouble = trouble;
    }
}

fn spans(removed: &Removed) -> u64 {
    removed.expired.spans + removed.limited.as_ref().map_or(0, |limited| limited.spans)
}
