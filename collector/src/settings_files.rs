//! The project's settings files, read again when they change.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use flockscope_configuration::{Configuration, Loaded, Problems, Sources};

use crate::state::State;

/// Looking at two files each second is cheap, and works in containers and on network drives, where notifications do not
/// come.
const PAUSE: Duration = Duration::from_secs(1);

/// A file that was written so shortly ago could be written again in the same tick of the file system's clock.
const TICK: Duration = Duration::from_secs(2);

/// Where the settings of a process come from.
#[derive(Debug, Clone)]
pub struct SettingsFiles {
    /// Flags and environment.
    pub sources: Sources,
    /// The project's folder, in which `.env` and `flockscope.toml` may be.
    pub project: Option<PathBuf>,
}

impl SettingsFiles {
    /// The settings as they are now.
    pub fn load(&self) -> Result<Loaded, Problems> {
        let mut sources = self.sources.clone();
        if let Some(folder) = &self.project {
            sources.find_files(folder);
        }
        Configuration::load(&sources)
    }

    fn stamps(&self) -> Vec<Stamp> {
        let places = self.project.as_deref().map(Sources::places).into_iter().flatten();
        let stamp = |place: PathBuf| {
            let file = fs::metadata(place).ok()?;
            Some((file.modified().unwrap_or(SystemTime::UNIX_EPOCH), file.len()))
        };
        places.map(stamp).collect()
    }
}

/// When a file was changed last, and its length; `None` where there is none.
type Stamp = Option<(SystemTime, u64)>;

/// What the files were like when they were read last.
struct LastRead {
    stamps: Vec<Stamp>,
    /// When they were first seen so.
    since: Instant,
    /// Whether another write would have shown.
    is_settled: bool,
}

impl LastRead {
    /// Nothing was read.
    fn none(now: Instant) -> Self {
        Self {
            stamps: Vec::new(),
            since: now,
            is_settled: true,
        }
    }

    /// Whether the files should be read, as they are now. The caller then reads them.
    fn is_due(&mut self, stamps: Vec<Stamp>, now: Instant) -> bool {
        if self.stamps != stamps {
            self.stamps = stamps;
            self.since = now;
        } else if self.is_settled {
            return false;
        }
        // By our own clock as well: the time of a file may lie in the future.
        self.is_settled = self.stamps.iter().all(is_old) || now.duration_since(self.since) > TICK;
        true
    }
}

fn is_old(stamp: &Stamp) -> bool {
    stamp.is_none_or(|(modified, _)| modified.elapsed().is_ok_and(|age| age > TICK))
}

/// Looks at the files in a thread of its own, until it is dropped.
pub(crate) struct SettingsWatch {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SettingsWatch {
    pub(crate) fn start(files: SettingsFiles, state: Arc<State>) -> io::Result<Self> {
        let (stop, stopping) = mpsc::channel();
        let thread = thread::Builder::new().name("settings".into()).spawn(move || {
            // The process has read them a moment ago, and may have read a file that was just being written.
            let mut read = LastRead::none(Instant::now());
            while let Err(RecvTimeoutError::Timeout) = stopping.recv_timeout(PAUSE) {
                if !read.is_due(files.stamps(), Instant::now()) {
                    continue;
                }
                match files.load() {
                    Ok(loaded) => state.take_settings(&loaded),
                    Err(problems) => state.refuse_settings(&problems),
                }
            }
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for SettingsWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the settings had panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_when_they_changed_and_until_a_change_would_show() {
        let (first, now) = (Instant::now(), SystemTime::now());
        let after = |seconds| first + Duration::from_secs(seconds);
        let mut read = LastRead::none(first);
        let old = vec![None, Some((now - Duration::from_secs(60), 3))];
        assert!(read.is_due(old.clone(), after(1)), "never read");
        assert!(!read.is_due(old, after(2)));
        for odd in [now, now + Duration::from_secs(86_400)] {
            let mut read = LastRead::none(first);
            let stamps = vec![Some((odd, 3)), None];
            assert!(read.is_due(stamps.clone(), after(1)));
            assert!(
                read.is_due(stamps.clone(), after(2)),
                "it could have been written again"
            );
            assert!(
                read.is_due(stamps.clone(), after(4)),
                "once more when it no longer could"
            );
            assert!(!read.is_due(stamps, after(5)), "not for ever");
            assert!(read.is_due(vec![Some((odd, 4)), None], after(6)), "another length");
        }
    }
}
