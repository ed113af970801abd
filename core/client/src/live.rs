//! Follows a Flock file in the background, for as long as a store is open.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flockscope_model::{ReadReport, Span};
use flockscope_store::Store;

use crate::{ClientError, Following};

/// Pauses between two looks at the file: while something happens, soon after, and when nothing has for a while.
const PAUSES: [(Duration, Duration); 2] = [
    (Duration::from_secs(10), Duration::from_millis(50)),
    (Duration::from_secs(120), Duration::from_millis(100)),
];
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Pause after a failure: the file or the disk may need a moment.
const PAUSE_AFTER_TROUBLE: Duration = Duration::from_secs(1);

/// So many spans, or bytes of text, are gathered at the most before they are stored.
const MOST_SPANS: usize = 50_000;
const MOST_TEXT: usize = 32 << 20;

/// What is done with the spans of a followed file.
pub trait LiveSink: Send + 'static {
    /// Stores spans. When it fails, the same spans come again.
    fn store(&mut self, spans: &[Span]) -> Result<(), String>;
}

/// A Flock file that is followed in a thread of its own.
pub struct LiveFile {
    shared: Arc<Shared>,
    stop: mpsc::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

/// How the following goes.
#[derive(Debug, Clone, Default)]
pub struct LiveState {
    /// Whether all was read that stood in the file when the following began, or it turned out that it can't be read.
    pub is_up_to_date: bool,
    /// What went wrong at the last look; it is tried again.
    pub trouble: Option<String>,
    /// What was read, left out and mended.
    pub report: ReadReport,
}

#[derive(Default)]
struct Shared {
    state: Mutex<LiveState>,
    changed: Condvar,
}

impl LiveFile {
    /// Follows a file from where its store left off. A store that does not keep history is cleared when the file became
    /// another one.
    pub fn start(
        store: Arc<Store>,
        following: Following,
        keeps_history: bool,
        sink: impl LiveSink,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (stop, stopping) = mpsc::channel();
        let mut look_out = LookOut {
            store,
            following,
            keeps_history,
            sink,
            shared: shared.clone(),
            waiting: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("follow Flock file".into())
            .spawn(move || look_out.run(&stopping))?;
        Ok(Self {
            shared,
            stop,
            thread: Some(thread),
        })
    }

    /// How it goes.
    pub fn state(&self) -> LiveState {
        self.shared.state().clone()
    }

    /// Waits until all is stored that stood in the file at first, but no longer than `most`.
    pub fn wait_until_up_to_date(&self, most: Duration) {
        let state = self.shared.state();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(state, most, |state| !state.is_up_to_date);
        drop(waited);
    }

    /// Takes a last look at the file, and ends.
    fn end(&mut self) {
        // The thread is gone already if nobody receives this.
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that follows the Flock file had panicked");
        }
    }
}

impl Drop for LiveFile {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, LiveState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct LookOut<S> {
    store: Arc<Store>,
    following: Following,
    keeps_history: bool,
    sink: S,
    shared: Arc<Shared>,
    /// Spans that were read and are not stored yet.
    waiting: Vec<Span>,
}

impl<S: LiveSink> LookOut<S> {
    fn run(&mut self, stopping: &mpsc::Receiver<()>) {
        let mut last_news = Instant::now();
        loop {
            let pause = match self.look() {
                Ok(has_news) => {
                    if has_news {
                        last_news = Instant::now();
                    }
                    self.tell(None);
                    if self.following.has_more() {
                        Duration::ZERO
                    } else {
                        pause(last_news.elapsed())
                    }
                }
                // The next look may go well; it begins where the last good one ended.
                Err(trouble) => {
                    self.tell(Some(trouble));
                    PAUSE_AFTER_TROUBLE
                }
            };
            if let Ok(()) | Err(RecvTimeoutError::Disconnected) = stopping.recv_timeout(pause) {
                break;
            }
        }
        // What could not be read or stored by now is read when the store is opened again.
        let _ = self.finish();
    }

    /// Stores what was begun, then what was written since. Not more than that: a program that goes on writing would
    /// never let this end.
    fn finish(&mut self) -> Result<(), String> {
        for _ in 0..2 {
            self.look()?;
            while self.following.has_more() {
                self.look()?;
            }
        }
        Ok(())
    }

    /// Stores what is new in the file, at most a batch of it. Says whether there was anything.
    fn look(&mut self) -> Result<bool, String> {
        let mut report = ReadReport::default();
        let mut read = self.gather(&mut report);
        if !self.keeps_history && self.following.has_restarted() {
            // What the store kept of the earlier file does not belong to this one.
            self.waiting.clear();
            self.store.clear().map_err(|error| error.to_string())?;
            self.following.begin_again().map_err(in_words)?;
            report = ReadReport::default();
            read = self.gather(&mut report);
        }
        let is_something = report.read > 0 || !self.waiting.is_empty();
        if report.read > 0 || !report.notes.is_empty() {
            self.shared.state().report.add(report);
        }
        if is_something {
            if !self.waiting.is_empty() {
                self.sink.store(&self.waiting)?;
                self.waiting.clear();
            }
            self.following.keep_position(&self.store).map_err(in_words)?;
        }
        read.map_err(in_words)?;
        Ok(is_something)
    }

    /// Reads until a batch is full or the file has no more.
    fn gather(&mut self, report: &mut ReadReport) -> Result<(), ClientError> {
        if !self.waiting.is_empty() {
            // They could not be stored the last time; nothing is read on before they are.
            return Ok(());
        }
        let mut text = 0;
        loop {
            let mut spans = self.following.poll(report)?;
            text += spans.iter().map(Span::size).sum::<usize>();
            self.waiting.append(&mut spans);
            if !self.following.has_more() || self.waiting.len() >= MOST_SPANS || text >= MOST_TEXT {
                return Ok(());
            }
        }
    }

    fn tell(&mut self, trouble: Option<String>) {
        let mut state = self.shared.state();
        if let Some(trouble) = &trouble
            && state.trouble.as_ref() != Some(trouble)
        {
            tracing::warn!(%trouble, "the Flock file could not be followed; trying on");
        }
        if !state.is_up_to_date && (trouble.is_some() || !self.following.has_more()) {
            state.is_up_to_date = true;
            self.shared.changed.notify_all();
        }
        state.trouble = trouble;
    }
}

fn pause(quiet_for: Duration) -> Duration {
    PAUSES
        .iter()
        .find(|(within, _)| quiet_for < *within)
        .map_or(LONGEST_PAUSE, |(_, pause)| *pause)
}

fn in_words(error: ClientError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    /// One of its own for each span, as Flock does it.
    fn write_span(file: &Path, number: usize) {
        let connection = duckdb::Connection::open(file).expect("a file");
        connection
            .execute_batch(&format!(
                "CREATE TABLE IF NOT EXISTS spans (trace_id VARCHAR NOT NULL, span_id VARCHAR PRIMARY KEY,
                     parent_id VARCHAR, name VARCHAR NOT NULL, service VARCHAR, operation VARCHAR, kind VARCHAR,
                     start_time BIGINT NOT NULL, end_time BIGINT NOT NULL, duration_ms DOUBLE NOT NULL,
                     status_code VARCHAR NOT NULL, status_description VARCHAR, attributes JSON, events JSON, links JSON,
                     resource JSON, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
                 INSERT INTO spans VALUES ('{number:032x}', '{number:016x}', NULL, 'Agent.execute', 'Agent', 'execute',
                     'INTERNAL', 1795392000000000000, 1795392000000500000, 0.5, 'OK', NULL, '{{}}', '[]', '[]', '{{}}',
                     now())"
            ))
            .expect("a row");
    }

    /// A program that has written the next span whenever one is stored.
    struct WritesOn {
        file: PathBuf,
        stored: Arc<Mutex<usize>>,
    }

    impl LiveSink for WritesOn {
        fn store(&mut self, spans: &[Span]) -> Result<(), String> {
            let mut stored = self.stored.lock().expect("no panic");
            *stored += spans.len();
            // A test that fails ends, too.
            if *stored < 40 {
                write_span(&self.file, *stored + 1);
            }
            Ok(())
        }
    }

    #[test]
    fn a_program_that_goes_on_writing_does_not_keep_the_following_from_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("traces.duckdb");
        write_span(&file, 1);
        let stored = Arc::new(Mutex::new(0));
        let mut look_out = LookOut {
            store: Arc::new(Store::in_memory(flockscope_store::Settings::default()).expect("a store")),
            following: Following::for_a_test(folder.path(), &file),
            keeps_history: true,
            sink: WritesOn {
                file,
                stored: stored.clone(),
            },
            shared: Arc::new(Shared::default()),
            waiting: Vec::new(),
        };
        let (stop, stopping) = mpsc::channel();
        stop.send(()).expect("it is there");
        look_out.run(&stopping);
        let stored = *stored.lock().expect("no panic");
        assert!((2..10).contains(&stored), "{stored}");
    }
}
