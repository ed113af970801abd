//! The queue on disk: frames in segments, as in the log, bounded in bytes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flockscope_model::Span;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::frame::{self, Stretch, stretches};
use crate::ingest::make_folder;
use crate::record;
use crate::segment::{self, Head, Segment, segments_of};

/// Segments of the queue are small: the oldest is dropped whole, and sent again from its start after a restart.
const LARGEST_SEGMENT: u64 = 4 << 20;
const SMALLEST_SEGMENT: u64 = 64 << 10;

pub(crate) struct OnwardQueue {
    folder: PathBuf,
    limit: u64,
    segment_bytes: u64,
    state: Mutex<State>,
    arrived: Notify,
    lost_at_open: u64,
}

struct State {
    /// Oldest first.
    stored: VecDeque<Stored>,
    /// The last of `stored`, while it is open.
    active: Option<Segment>,
    next: u64,
    ended: bool,
}

struct Stored {
    number: u64,
    path: PathBuf,
    bytes: u64,
    frames: VecDeque<FramePlace>,
}

#[derive(Debug, Clone, Copy)]
struct FramePlace {
    offset: u64,
    bytes: u64,
    spans: u64,
}

/// The oldest frame of the queue.
#[derive(Debug)]
pub(crate) struct Front {
    segment: u64,
    path: PathBuf,
    place: FramePlace,
}

impl Front {
    /// How many spans it has.
    pub(crate) fn spans(&self) -> u64 {
        self.place.spans
    }

    /// Reads its spans.
    pub(crate) fn read(&self) -> io::Result<Vec<Span>> {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a damaged frame");
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.place.offset))?;
        let mut bytes = Vec::new();
        file.take(self.place.bytes).read_to_end(&mut bytes)?;
        let payload = frame::frame_at(&bytes).ok_or_else(damaged)?;
        record::decode(payload).map_err(|_| damaged())
    }
}

/// What did not get, or did not stay, in the queue.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    pub(crate) spans: u64,
    pub(crate) error: Option<io::Error>,
}

impl OnwardQueue {
    /// Opens the queue of a folder with what is in it.
    pub(crate) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        make_folder(folder)?;
        let (found, next) = segments_of(folder)?;
        let mut stored = VecDeque::new();
        let mut lost_at_open = 0;
        for (number, path) in found {
            let file = std::fs::read(&path)?;
            let mut frames = VecDeque::new();
            let head = segment::head_of(&file);
            if head == Head::Unknown {
                set_aside(&path);
                continue;
            }
            if head == Head::Known {
                for stretch in stretches(&file, segment::HEAD) {
                    match stretch {
                        Stretch::Frame { offset, payload } => frames.push_back(FramePlace {
                            offset: offset as u64,
                            bytes: (frame::HEAD + payload.len()) as u64,
                            spans: record::count(payload).unwrap_or_default(),
                        }),
                        // How many spans were in it can't be known; they are in the store.
                        Stretch::Damaged { .. } => lost_at_open += 1,
                        Stretch::Torn { .. } => {}
                    }
                }
            }
            if frames.is_empty() {
                std::fs::remove_file(&path)?;
            } else {
                stored.push_back(Stored {
                    number,
                    path,
                    bytes: file.len() as u64,
                    frames,
                });
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            limit,
            segment_bytes: (limit / 8).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT),
            state: Mutex::new(State {
                stored,
                active: None,
                next,
                ended: false,
            }),
            arrived: Notify::new(),
            lost_at_open,
        })
    }

    /// Frames that were found damaged; each had at least a span.
    pub(crate) fn lost_at_open(&self) -> u64 {
        self.lost_at_open
    }

    /// Adds spans as one frame. Where the queue is full, its oldest segments make room.
    pub(crate) fn push(&self, spans: &[Span]) -> Lost {
        let mut lost = Lost::default();
        let count = spans.len() as u64;
        let Some(frame) = frame::encode(spans) else {
            lost.spans = count;
            return lost;
        };
        let mut state = self.state.lock();
        if state.ended {
            lost.spans = count;
            return lost;
        }
        let size = frame.len() as u64;
        while state.bytes() + size > self.limit
            && let Some(oldest) = state.stored.pop_front()
        {
            if state.stored.is_empty() {
                state.active = None;
            }
            lost.spans += oldest.frames.iter().map(|frame| frame.spans).sum::<u64>();
            if let Err(error) = std::fs::remove_file(&oldest.path) {
                lost.error = Some(error);
            }
        }
        if size > self.limit {
            lost.spans += count;
            return lost;
        }
        match state.append(&self.folder, self.segment_bytes, &frame) {
            Ok(offset) => {
                if let Some(last) = state.stored.back_mut() {
                    last.bytes = offset + size;
                    last.frames.push_back(FramePlace {
                        offset,
                        bytes: size,
                        spans: count,
                    });
                }
                drop(state);
                self.arrived.notify_one();
            }
            Err(error) => {
                lost.spans += count;
                lost.error = Some(error);
            }
        }
        lost
    }

    /// Waits for the oldest frame.
    pub(crate) async fn front(&self) -> Front {
        loop {
            if let Some(front) = self.try_front() {
                return front;
            }
            self.arrived.notified().await;
        }
    }

    fn try_front(&self) -> Option<Front> {
        let state = self.state.lock();
        let oldest = state.stored.iter().find(|stored| !stored.frames.is_empty())?;
        Some(Front {
            segment: oldest.number,
            path: oldest.path.clone(),
            place: *oldest.frames.front()?,
        })
    }

    /// Takes a frame out of the queue; `false` where it was dropped meanwhile, to make room.
    pub(crate) fn done(&self, front: &Front) -> io::Result<bool> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let Some(at) = state.stored.iter().position(|stored| stored.number == front.segment) else {
            return Ok(false);
        };
        let is_last = at + 1 == state.stored.len();
        let Some(stored) = state.stored.get_mut(at) else {
            return Ok(false);
        };
        if stored
            .frames
            .pop_front_if(|frame| frame.offset == front.place.offset)
            .is_none()
        {
            return Ok(false);
        }
        if stored.frames.is_empty() && !state.ended {
            match &mut state.active {
                Some(active) if is_last => {
                    active.empty()?;
                    stored.bytes = active.length();
                }
                _ => {
                    let path = stored.path.clone();
                    state.stored.remove(at);
                    std::fs::remove_file(path)?;
                }
            }
        }
        Ok(true)
    }

    /// Spans and bytes in the queue.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let state = self.state.lock();
        let spans = state
            .stored
            .iter()
            .flat_map(|stored| &stored.frames)
            .map(|frame| frame.spans);
        (spans.sum(), state.bytes())
    }

    /// Leaves the files as they are from now on.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        state.active = None;
    }
}

/// Another version may have written it, and can still send it.
fn set_aside(path: &Path) {
    match segment::set_aside(path) {
        Ok(aside) => tracing::warn!(
            "a segment of what waits to be sent onward is kept as {}: it is of another version, or no segment of spans",
            aside.display()
        ),
        Err(error) => tracing::warn!(
            "{} is of another version, or no segment of spans, and could not be set aside: {error}",
            path.display()
        ),
    }
}

impl State {
    fn bytes(&self) -> u64 {
        self.stored.iter().map(|stored| stored.bytes).sum()
    }

    /// Writes a frame to the active segment, or to a new one: where it begins.
    fn append(&mut self, folder: &Path, segment_bytes: u64, frame: &[u8]) -> io::Result<u64> {
        let is_full = |active: &Segment| !active.is_empty() && active.length() + frame.len() as u64 > segment_bytes;
        if self.active.as_ref().is_none_or(is_full) {
            let segment = Segment::create(folder, self.next)?;
            self.stored.push_back(Stored {
                number: self.next,
                path: segment.path().to_owned(),
                bytes: segment.length(),
                frames: VecDeque::new(),
            });
            self.next += 1;
            self.active = Some(segment);
        }
        let active = self.active.as_mut().ok_or_else(|| io::Error::other("no segment"))?;
        let offset = active.length();
        active.append(frame)?;
        Ok(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::full_span;

    fn send_one(queue: &OnwardQueue) -> Option<Vec<Span>> {
        let front = queue.try_front()?;
        let spans = front.read().expect("sound");
        assert_eq!(spans.len() as u64, front.spans());
        assert!(queue.done(&front).expect("deleted"));
        Some(spans)
    }

    fn files(folder: &Path) -> usize {
        segments_of(folder).expect("a folder").0.len()
    }

    #[test]
    fn spans_leave_in_the_order_in_which_they_came_and_their_files_with_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let queue = OnwardQueue::open(folder.path(), 512 << 10).expect("a queue");
        // 64 KiB a segment: about 200 spans of 300 bytes.
        for number in 0..500 {
            assert_eq!(queue.push(&[full_span(number)]).spans, 0);
        }
        assert!(files(folder.path()) > 2);
        for number in 0..250 {
            assert_eq!(send_one(&queue), Some(vec![full_span(number)]));
        }
        queue.end();
        let queue = OnwardQueue::open(folder.path(), 512 << 10).expect("a queue");
        let again = send_one(&queue).expect("a span");
        let first = (0..=250)
            .find(|number| again == [full_span(*number)])
            .expect("one of the segment");
        queue.push(&[full_span(500)]);
        for number in first + 1..=500 {
            assert_eq!(send_one(&queue), Some(vec![full_span(number)]));
        }
        assert_eq!(send_one(&queue), None);
        assert_eq!((queue.waiting().0, files(folder.path())), (0, 1), "the open one, empty");
        queue.push(&[full_span(501)]);
        assert_eq!(send_one(&queue), Some(vec![full_span(501)]));
    }

    #[test]
    fn a_segment_of_another_version_is_kept_and_not_sent() {
        let folder = tempfile::tempdir().expect("a folder");
        let queue = OnwardQueue::open(folder.path(), 512 << 10).expect("a queue");
        queue.push(&[full_span(1)]);
        queue.end();
        let (found, _) = segments_of(folder.path()).expect("a folder");
        let path = &found[0].1;
        let mut bytes = std::fs::read(path).expect("a segment");
        // The version, after the magic of eight bytes.
        bytes[8] = 99;
        std::fs::write(path, &bytes).expect("written");
        let queue = OnwardQueue::open(folder.path(), 512 << 10).expect("a queue");
        assert_eq!(send_one(&queue), None);
        queue.push(&[full_span(2)]);
        assert_eq!(send_one(&queue), Some(vec![full_span(2)]));
        assert_eq!(
            std::fs::read(path.with_extension("spans.damaged")).expect("kept"),
            bytes
        );
    }

    #[test]
    fn a_full_queue_drops_its_oldest_and_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let limit = 256 << 10;
        let queue = OnwardQueue::open(folder.path(), limit).expect("a queue");
        let mut lost = 0;
        for number in 0..3000 {
            lost += queue.push(&[full_span(number)]).spans;
            assert!(queue.waiting().1 <= limit);
        }
        let (waiting, _) = queue.waiting();
        assert!(waiting > 300 && lost > 300);
        assert_eq!(waiting + lost, 3000);
        assert_eq!(
            send_one(&queue),
            Some(vec![full_span(lost as usize)]),
            "the oldest that is left"
        );
    }

    #[test]
    fn a_frame_that_was_dropped_while_it_was_sent_is_not_taken_out_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let queue = OnwardQueue::open(folder.path(), 128 << 10).expect("a queue");
        queue.push(&[full_span(0)]);
        let front = queue.try_front().expect("a frame");
        let mut lost = 0;
        for number in 1..1000 {
            lost += queue.push(&[full_span(number)]).spans;
        }
        assert!(lost > 0);
        assert!(!queue.done(&front).expect("nothing to do"));
        assert_eq!(queue.waiting().0 + lost, 1000);
    }
}
