//! Spans between the receivers and the writer: bounded in bytes, in the order in which they were accepted.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use flockscope_model::Span;
use parking_lot::{Condvar, Mutex};
use tokio::sync::{Notify, watch};

/// The spans of one request.
pub(crate) struct Batch {
    pub(crate) spans: Vec<Span>,
    /// What they hold in memory.
    pub(crate) bytes: usize,
    /// The segment of the log that has them.
    pub(crate) segment: u64,
    pub(crate) arrived: Instant,
}

/// How the writer gathers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gather {
    pub(crate) time: Duration,
    pub(crate) spans: usize,
    pub(crate) bytes: usize,
}

pub(crate) struct Queue {
    limit: usize,
    gather: Gather,
    state: Mutex<State>,
    /// The first batch came, enough came, somebody is in a hurry, or (while it is drained) some were stored.
    arrived: Condvar,
    /// The writer stored something.
    room: Notify,
    /// Number of the last batch that was stored. The replay of the log counts as the first.
    stored: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    batches: VecDeque<Batch>,
    /// Of the batches that wait.
    spans: usize,
    bytes: usize,
    /// Of the batches that the writer took and has not stored.
    spans_taken: usize,
    bytes_taken: usize,
    pushed: u64,
    /// Somebody waits for what is there now: no waiting for more.
    is_urgent: bool,
    is_draining: bool,
    ended: bool,
}

/// Number of the replay, in the count of batches.
const REPLAY: u64 = 1;

impl Queue {
    pub(crate) fn new(limit: usize, gather: Gather) -> Self {
        Self {
            limit,
            gather,
            state: Mutex::new(State {
                pushed: REPLAY,
                ..State::default()
            }),
            arrived: Condvar::new(),
            room: Notify::new(),
            stored: watch::Sender::new(0),
        }
    }

    /// Waits until there is room, at most until then. `false`: it stayed full.
    ///
    /// Who asked may push once, whatever its size: the limit is exceeded by at most as much as is decoded at a time.
    pub(crate) async fn room(&self, due: Instant) -> bool {
        if self.has_room() {
            return true;
        }
        let wait = async {
            loop {
                let notified = self.room.notified();
                tokio::pin!(notified);
                // From here on a notification is not missed.
                notified.as_mut().enable();
                if self.has_room() {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout_at(due.into(), wait).await.is_ok()
    }

    pub(crate) fn has_room(&self) -> bool {
        let state = self.state.lock();
        state.bytes + state.bytes_taken < self.limit
    }

    /// Adds a batch at the end.
    pub(crate) fn push(&self, batch: Batch) {
        let mut state = self.state.lock();
        let was_empty = state.batches.is_empty();
        state.spans += batch.spans.len();
        state.bytes += batch.bytes;
        state.pushed += 1;
        state.batches.push_back(batch);
        if was_empty || self.is_enough(&state) {
            self.arrived.notify_one();
        }
    }

    fn is_enough(&self, state: &State) -> bool {
        state.spans >= self.gather.spans || state.bytes >= self.gather.bytes || state.is_urgent || state.is_draining
    }

    /// Waits for batches and gathers some. `None`: the queue ended, or was drained.
    ///
    /// What was taken still counts as held until [`Queue::stored`] is called.
    pub(crate) fn take(&self) -> Option<Vec<Batch>> {
        let mut state = self.state.lock();
        loop {
            if state.ended {
                return None;
            }
            match state.batches.front() {
                None if state.is_draining => return None,
                None => self.arrived.wait(&mut state),
                Some(_) if self.is_enough(&state) => break,
                Some(first) => {
                    let due = first.arrived + self.gather.time;
                    if Instant::now() >= due {
                        break;
                    }
                    self.arrived.wait_until(&mut state, due);
                }
            }
        }
        let mut taken: Vec<Batch> = Vec::new();
        let (mut spans, mut bytes) = (0, 0);
        while let Some(batch) = state.batches.pop_front_if(|batch| {
            taken.is_empty()
                || (spans + batch.spans.len() <= self.gather.spans && bytes + batch.bytes <= self.gather.bytes)
        }) {
            spans += batch.spans.len();
            bytes += batch.bytes;
            taken.push(batch);
        }
        state.is_urgent &= !state.batches.is_empty();
        state.spans -= spans;
        state.bytes -= bytes;
        state.spans_taken += spans;
        state.bytes_taken += bytes;
        Some(taken)
    }

    /// So many batches, the oldest that were taken, are in the sink, and their spans no longer held.
    pub(crate) fn stored(&self, batches: u64) {
        {
            let mut state = self.state.lock();
            state.spans_taken = 0;
            state.bytes_taken = 0;
            self.set_stored(&state, |stored| stored.saturating_add(batches));
        }
        self.room.notify_waiters();
    }

    /// The log of an earlier run is in the sink.
    pub(crate) fn replayed(&self) {
        self.set_stored(&self.state.lock(), |stored| stored.max(REPLAY));
    }

    /// Under the lock, so that [`Queue::drain`] misses nothing.
    fn set_stored(&self, state: &State, change: impl FnOnce(u64) -> u64) {
        self.stored.send_modify(|stored| *stored = change(*stored));
        if state.is_draining {
            self.arrived.notify_all();
        }
    }

    /// Waits until everything that was pushed before is in the sink. Returns at once when the queue ended.
    pub(crate) async fn flush(&self) {
        let pushed = {
            let mut state = self.state.lock();
            if state.ended {
                return;
            }
            state.is_urgent = !state.batches.is_empty();
            self.arrived.notify_one();
            state.pushed
        };
        // An error is the end of the queue.
        let _ = self.stored.subscribe().wait_for(|stored| *stored >= pushed).await;
    }

    /// [`Queue::flush`] for a thread, with a limit of time: whether it was met.
    pub(crate) fn drain(&self, limit: Duration) -> bool {
        let mut state = self.state.lock();
        state.is_draining = true;
        self.arrived.notify_all();
        let pushed = state.pushed;
        let due = Instant::now() + limit;
        while *self.stored.borrow() < pushed {
            if state.ended || self.arrived.wait_until(&mut state, due).timed_out() {
                return false;
            }
        }
        !state.ended
    }

    /// Ends it: the writer takes nothing more.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        self.arrived.notify_all();
        drop(state);
        // Whoever waits for something to be stored waits no longer.
        self.stored.send_replace(u64::MAX);
        self.room.notify_waiters();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.lock().ended
    }

    /// Waits for a time, or for the end: whether it ended.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let due = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.ended {
            if self.arrived.wait_until(&mut state, due).timed_out() {
                break;
            }
        }
        state.ended
    }

    /// Spans and bytes that the sink does not have yet.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let state = self.state.lock();
        (
            (state.spans + state.spans_taken) as u64,
            (state.bytes + state.bytes_taken) as u64,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::tests::full_span;

    fn batch(number: usize, bytes: usize) -> Batch {
        Batch {
            spans: vec![full_span(number)],
            bytes,
            segment: 1,
            arrived: Instant::now(),
        }
    }

    fn queue(gather: Gather) -> Queue {
        Queue::new(1000, gather)
    }

    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn who_drains_is_woken_when_all_is_stored() {
        let queue = Arc::new(queue(Gather {
            time: LONG,
            spans: 10,
            bytes: 1000,
        }));
        queue.state.lock().pushed = 1;
        let drained = std::thread::spawn({
            let queue = queue.clone();
            move || queue.drain(Duration::from_secs(20))
        });
        // Once the flag can be seen, the lock was given up: by waiting.
        while !queue.state.lock().is_draining {
            std::thread::yield_now();
        }
        queue.stored(1);
        assert!(drained.join().expect("no panic"));
    }

    #[test]
    fn the_writer_gets_batches_in_order_and_within_its_limits() {
        let queue = queue(Gather {
            time: LONG,
            spans: 3,
            bytes: 500,
        });
        for number in 0..4 {
            queue.push(batch(number, 10));
        }
        let ids = |batches: Vec<Batch>| {
            batches
                .into_iter()
                .map(|b| b.spans[0].span_id.clone())
                .collect::<Vec<_>>()
        };
        let expected = |range: std::ops::Range<usize>| range.map(|n| full_span(n).span_id).collect::<Vec<_>>();
        assert_eq!(
            ids(queue.take().expect("batches")),
            expected(0..3),
            "three spans are enough"
        );
        queue.stored(3);
        queue.push(batch(4, 495));
        assert_eq!(
            ids(queue.take().expect("batches")),
            expected(3..4),
            "both would be over 500 bytes"
        );
        queue.stored(1);
    }

    #[test]
    fn what_was_taken_counts_until_it_is_stored() {
        let queue = queue(Gather {
            time: Duration::ZERO,
            spans: 10,
            bytes: 5000,
        });
        queue.push(batch(1, 1000));
        assert!(!queue.has_room());
        let taken = queue.take().expect("a batch");
        assert!(!queue.has_room());
        assert_eq!(queue.waiting(), (1, 1000));
        queue.stored(taken.len() as u64);
        assert!(queue.has_room());
        assert_eq!(queue.waiting(), (0, 0));
    }

    #[tokio::test]
    async fn room_is_waited_for_and_then_refused() {
        let queue = Arc::new(queue(Gather {
            time: Duration::ZERO,
            spans: 10,
            bytes: 5000,
        }));
        assert!(queue.room(Instant::now()).await);
        queue.push(batch(1, 1000));
        assert!(!queue.room(Instant::now() + Duration::from_millis(1)).await);
        let waits = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.room(Instant::now() + LONG).await }
        });
        tokio::task::yield_now().await;
        queue.take().expect("a batch");
        queue.stored(1);
        assert!(waits.await.expect("no panic"));
    }

    #[tokio::test]
    async fn a_flush_does_not_wait_for_more_to_gather() {
        let queue = Arc::new(queue(Gather {
            time: LONG,
            spans: 10,
            bytes: 5000,
        }));
        queue.replayed();
        queue.flush().await;
        let writer = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                while let Some(batches) = queue.take() {
                    queue.stored(batches.len() as u64);
                }
            }
        });
        queue.push(batch(1, 10));
        queue.flush().await;
        assert_eq!(queue.waiting(), (0, 0));
        queue.end();
        writer.join().expect("the thread ends");
    }
}
