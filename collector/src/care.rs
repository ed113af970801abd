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

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_removal_that_failed_is_tried_again_in_the_next_round() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.duckdb");
        let open = || Store::open(&path, flockscope_store::Settings::default()).expect("a store");
        // Closed once, so that it is in the file and not in the log.
        drop(open());
        let store = Arc::new(open());
        // A store whose end is missing takes nothing more.
        let file = File::options().write(true).open(&path).expect("a file");
        file.set_len(file.metadata().expect("a file").len() / 2).expect("cut");
        let mut rounds = Rounds {
            store,
            retention: Retention {
                days: Some(1),
                bytes: None,
            },
            events: broadcast::channel(1).0,
            last: Arc::default(),
            looked_for_old: None,
        };
        let trouble = |rounds: &Rounds| rounds.last.lock().expect("no panic").trouble.clone();
        rounds.one_round();
        assert!(trouble(&rounds).is_some());
        assert_eq!(rounds.looked_for_old, None, "the next round is to try again");
        // With nothing to remove there is nothing to fail.
        rounds.retention.days = None;
        rounds.one_round();
        assert_eq!(trouble(&rounds), None);
        assert!(rounds.looked_for_old.is_some(), "now it can wait");
    }
}
