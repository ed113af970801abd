//! The write-ahead log: what was acknowledged is in a file before the client hears so.
//!
//! `write` puts a frame into the operating system's memory, where a kill of the process does not reach it. A thread of
//! the log's own syncs it to the disk, at an interval or (interval zero) for every reply, one sync for all who wait. A
//! segment is deleted when the sink has all of its spans; while the sink has everything, the open one is emptied, so
//! that a restart after a kill repeats next to nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use crate::counters::Meters;
use crate::segment::Segment;

/// How often the open segment is looked at when nobody asks for a sync.
const TIDY_INTERVAL: Duration = Duration::from_secs(1);

/// The log of one folder.
pub(crate) struct Log {
    folder: PathBuf,
    segment_bytes: u64,
    sync_interval: Duration,
    state: Mutex<State>,
    /// Something to sync at once, or the end.
    work: Condvar,
    synced: watch::Sender<Synced>,
    meters: Arc<Meters>,
}

struct State {
    active: Option<(u64, Segment)>,
    /// By number: every segment with frames of this run, the active one too.
    kept: BTreeMap<u64, Kept>,
    next: u64,
    appended: u64,
    unsynced: Vec<Arc<File>>,
    active_changed: bool,
    folder_changed: bool,
    ended: bool,
}

struct Kept {
    path: PathBuf,
    bytes: u64,
    /// Frames that the sink does not have yet.
    pending: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Synced {
    /// The last frame that is on the disk.
    through: u64,
    /// The frames of the last sync that failed: after the first number, up to the second.
    failed: (u64, u64),
    ended: bool,
}

/// Where a frame went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Appended {
    /// To be given to [`Log::settle`].
    pub(crate) segment: u64,
    /// To be given to [`Log::on_disk`].
    pub(crate) sequence: u64,
}

impl Log {
    /// A log that begins with the segment of this number. It makes no file until there is something to write.
    pub(crate) fn new(
        folder: &Path,
        first: u64,
        segment_bytes: u64,
        sync_interval: Duration,
        meters: Arc<Meters>,
    ) -> Self {
        Self {
            folder: folder.to_owned(),
            segment_bytes,
            sync_interval,
            state: Mutex::new(State {
                active: None,
                kept: BTreeMap::new(),
                next: first,
                appended: 0,
                unsynced: Vec::new(),
                active_changed: false,
                folder_changed: false,
                ended: false,
            }),
            work: Condvar::new(),
            synced: watch::Sender::new(Synced::default()),
            meters,
        }
    }

    /// Writes a frame. When this returns, a kill of the process can't lose it. On failure nothing of it is there.
    pub(crate) fn append(&self, frame: &[u8]) -> io::Result<Appended> {
        let mut state = self.state.lock();
        if state.ended {
            return Err(io::Error::other("the log is closed"));
        }
        let is_full = state.active.as_ref().is_some_and(|(_, segment)| {
            !segment.is_empty() && segment.length() + frame.len() as u64 > self.segment_bytes
        });
        if is_full || state.active.is_none() {
            let number = state.next;
            let segment = Segment::create(&self.folder, number)?;
            state.next += 1;
            state.folder_changed = true;
            self.retire(&mut state);
            state.kept.insert(
                number,
                Kept {
                    path: segment.path().to_owned(),
                    bytes: segment.length(),
                    pending: 0,
                },
            );
            state.active = Some((number, segment));
        }
        let state = &mut *state;
        let Some((number, segment)) = &mut state.active else {
            return Err(io::Error::other("no segment"));
        };
        segment.append(frame)?;
        if let Some(kept) = state.kept.get_mut(number) {
            kept.bytes = segment.length();
            kept.pending += 1;
        }
        state.appended += 1;
        state.active_changed = true;
        let appended = Appended {
            segment: *number,
            sequence: state.appended,
        };
        if self.sync_interval.is_zero() {
            self.work.notify_one();
        }
        Ok(appended)
    }

    /// With a sync interval of zero, waits until the frame is on the disk; else returns at once.
    pub(crate) async fn on_disk(&self, sequence: u64) -> Result<(), SyncFailed> {
        if !self.sync_interval.is_zero() {
            return Ok(());
        }
        let has_failed = |synced: &Synced| synced.failed.0 < sequence && sequence <= synced.failed.1;
        let mut synced = self.synced.subscribe();
        let seen = synced
            .wait_for(|synced| synced.through >= sequence || has_failed(synced) || synced.ended)
            .await
            .map_err(|_| SyncFailed)?;
        if seen.through >= sequence && !has_failed(&seen) {
            Ok(())
        } else {
            Err(SyncFailed)
        }
    }

    /// The sink has the frames that were written to these segments, one number a frame.
    pub(crate) fn settle(&self, segments: impl IntoIterator<Item = u64>) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        for number in segments {
            if let Some(kept) = state.kept.get_mut(&number) {
                kept.pending = kept.pending.saturating_sub(1);
            }
        }
        self.delete_settled(&mut state);
    }

    /// Empties the open segment where the sink has everything that is in it.
    pub(crate) fn tidy(&self) {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some((number, segment)) = &mut state.active else {
            return;
        };
        let Some(kept) = state.kept.get_mut(number) else {
            return;
        };
        if state.ended || kept.pending > 0 || segment.is_empty() {
            return;
        }
        match segment.empty() {
            Ok(()) => kept.bytes = segment.length(),
            Err(error) => self.meters.failed(format!("the log could not be emptied: {error}")),
        }
    }

    /// Syncs at the interval, until the log ends. For a thread of its own.
    pub(crate) fn keep(&self) {
        let is_group = self.sync_interval.is_zero();
        let pause = if is_group { TIDY_INTERVAL } else { self.sync_interval };
        let mut attempted = 0;
        loop {
            let due = Instant::now() + pause;
            let mut state = self.state.lock();
            while !(state.ended || is_group && state.appended > attempted) {
                if self.work.wait_until(&mut state, due).timed_out() {
                    break;
                }
            }
            if state.ended {
                return;
            }
            let through = state.appended;
            let work = self.unsynced(&mut state);
            drop(state);
            self.sync(work, attempted, through);
            attempted = through;
            self.tidy();
        }
    }

    /// Ends the log. What the sink does not have is synced and stays for the next start; the rest is deleted.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        if state.ended {
            return;
        }
        let through = state.appended;
        if let Some((number, segment)) = state.active.take() {
            if state.kept.get(&number).is_some_and(|kept| kept.pending == 0) {
                state.active_changed = false;
            } else {
                state.unsynced.push(segment.file());
            }
        }
        self.delete_settled(&mut state);
        let work = self.unsynced(&mut state);
        state.ended = true;
        drop(state);
        self.sync(work, 0, through);
        self.end();
    }

    /// Ends the log as a kill would: files stay as they are.
    pub(crate) fn end(&self) {
        self.state.lock().ended = true;
        self.work.notify_all();
        self.synced.send_modify(|synced| synced.ended = true);
    }

    /// Bytes and number of its files of this run.
    pub(crate) fn size(&self) -> (u64, u64) {
        let state = self.state.lock();
        (
            state.kept.values().map(|kept| kept.bytes).sum(),
            state.kept.len() as u64,
        )
    }

    /// Closes the active segment; it is deleted when it is settled.
    fn retire(&self, state: &mut State) {
        if let Some((_, segment)) = state.active.take() {
            if state.active_changed {
                state.unsynced.push(segment.file());
                state.active_changed = false;
            }
            drop(segment);
            self.delete_settled(state);
        }
    }

    /// Deletes every closed segment that the sink has all of.
    fn delete_settled(&self, state: &mut State) {
        let active = state.active.as_ref().map(|(number, _)| *number);
        state.kept.retain(|number, kept| {
            if Some(*number) == active || kept.pending > 0 {
                return true;
            }
            if let Err(error) = std::fs::remove_file(&kept.path) {
                self.meters
                    .failed(format!("a finished segment of the log could not be deleted: {error}"));
            }
            false
        });
    }

    fn unsynced(&self, state: &mut State) -> (Vec<Arc<File>>, bool) {
        let mut files = std::mem::take(&mut state.unsynced);
        if std::mem::take(&mut state.active_changed)
            && let Some((_, segment)) = &state.active
        {
            files.push(segment.file());
        }
        (files, std::mem::take(&mut state.folder_changed))
    }

    fn sync(&self, (files, is_folder_changed): (Vec<Arc<File>>, bool), after: u64, through: u64) {
        let mut outcome = files.iter().try_for_each(|file| file.sync_data());
        if is_folder_changed && cfg!(unix) {
            // The name of a new file is on the disk only when its folder was synced.
            outcome = outcome.and_then(|()| File::open(&self.folder)?.sync_all());
        }
        match outcome {
            Ok(()) => self.synced.send_modify(|synced| synced.through = through),
            Err(error) => {
                self.meters.sync_failed(format!("the log could not be synced: {error}"));
                // The system may have forgotten what it could not write: go on in another file.
                self.retire(&mut self.state.lock());
                self.synced.send_modify(|synced| synced.failed = (after, through));
            }
        }
    }
}

/// The disk did not take what was written.
#[derive(Debug)]
pub(crate) struct SyncFailed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;
    use crate::record::tests::full_span;
    use crate::segment::{HEAD, segments_of};

    fn files(folder: &Path) -> Vec<u64> {
        let (found, _) = segments_of(folder).expect("a folder");
        found.into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn a_segment_is_deleted_when_the_sink_has_all_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let frame = frame::encode(&[full_span(1)]).expect("a frame");
        // Two frames fill a segment.
        let size = (HEAD + 2 * frame.len()) as u64;
        let log = Log::new(folder.path(), 5, size, Duration::from_secs(1), Arc::default());
        let places: Vec<u64> = (0..5).map(|_| log.append(&frame).expect("room").segment).collect();
        assert_eq!(places, [5, 5, 6, 6, 7]);
        assert_eq!(files(folder.path()), [5, 6, 7]);
        log.settle([5, 6, 6]);
        assert_eq!(files(folder.path()), [5, 7], "one frame of 5 is missing");
        log.settle([5, 7]);
        assert_eq!(files(folder.path()), [7], "the open one stays");
        log.tidy();
        assert_eq!(log.size(), (HEAD as u64, 1));
        assert_eq!(log.append(&frame).expect("room").segment, 7);
        log.close();
        assert_eq!(files(folder.path()), [7], "its frame was not settled");
        assert!(log.append(&frame).is_err());
    }

    #[test]
    fn an_open_segment_with_unsettled_frames_is_not_emptied() {
        let folder = tempfile::tempdir().expect("a folder");
        let frame = frame::encode(&[full_span(1)]).expect("a frame");
        let log = Log::new(folder.path(), 1, 1 << 20, Duration::from_secs(1), Arc::default());
        log.append(&frame).expect("room");
        log.append(&frame).expect("room");
        log.settle([1]);
        log.tidy();
        assert_eq!(log.size().0, (HEAD + 2 * frame.len()) as u64);
        log.settle([1]);
        log.close();
        assert_eq!(files(folder.path()), Vec::<u64>::new(), "nothing to repeat");
    }

    #[tokio::test]
    async fn with_an_interval_of_zero_a_frame_is_synced_before_the_reply() {
        let folder = tempfile::tempdir().expect("a folder");
        let frame = frame::encode(&[full_span(1)]).expect("a frame");
        let log = Arc::new(Log::new(folder.path(), 1, 1 << 20, Duration::ZERO, Arc::default()));
        let first = log.append(&frame).expect("room");
        assert_eq!(log.synced.borrow().through, 0, "nobody has synced yet");
        let keeper = std::thread::spawn({
            let log = Arc::clone(&log);
            move || log.keep()
        });
        log.on_disk(first.sequence).await.expect("synced");
        assert!(log.synced.borrow().through >= first.sequence);
        let waits = log.append(&frame).expect("room");
        log.end();
        keeper.join().expect("the thread ends");
        // Ended with or without a sync of the second: the waiting reply must not hang.
        let _ = log.on_disk(waits.sequence).await;
    }
}
