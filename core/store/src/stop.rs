//! Stopping a query from outside, or when its time is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// DuckDB drops an interrupt that comes while it prepares, so it comes again after this time until the query has ended.
const AGAIN: Duration = Duration::from_millis(5);

/// Waits are cut to this, so that an endless time is no special case.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// A handle by which somebody else stops a query. All clones are one; it stays stopped.
#[derive(Debug, Clone, Default)]
pub struct StopSignal(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stopped: Mutex<Option<Ended>>,
    changed: Condvar,
}

impl StopSignal {
    /// A signal that nobody gave yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the queries that run under this signal, and those that are still to begin.
    pub fn stop(&self) {
        self.give(Ended::BySignal);
    }

    /// Stops the query because one of the store's own calls needs the memory.
    pub(crate) fn give_way(&self) {
        self.give(Ended::GivenWay);
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        self.lock().is_some()
    }

    fn give(&self, cause: Ended) {
        self.lock().get_or_insert(cause);
        self.0.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Ended>> {
        self.0.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a query did not come to its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    ByTime,
    BySignal,
    GivenWay,
}

/// Watches over one query, in a thread of its own: interrupts it when its time is over or its signal was given.
pub(crate) struct Watch {
    signal: StopSignal,
    ended: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Option<Ended>>>,
}

impl Watch {
    pub(crate) fn start(signal: &StopSignal, time: Duration, interrupt: impl Fn() + Send + 'static) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let thread = {
            let (signal, ended) = (signal.clone(), ended.clone());
            thread::spawn(move || watch(&signal, time, &ended, interrupt))
        };
        Self {
            signal: signal.clone(),
            ended,
            thread: Some(thread),
        }
    }

    /// Ends the watch, and says why it had to interrupt, if it had to.
    pub(crate) fn stop(mut self) -> Option<Ended> {
        self.end()
    }

    fn end(&mut self) -> Option<Ended> {
        {
            // Under the lock: the watching thread either has not looked yet, or waits for the notice.
            let _held = self.signal.lock();
            self.ended.store(true, Ordering::SeqCst);
        }
        self.signal.0.changed.notify_all();
        // The thread only waits and interrupts: it cannot panic.
        self.thread.take()?.join().unwrap_or_default()
    }
}

impl Drop for Watch {
    // Also when the query panicked: its connection must not be interrupted once it is closed.
    fn drop(&mut self) {
        self.end();
    }
}

fn watch(signal: &StopSignal, time: Duration, ended: &AtomicBool, interrupt: impl Fn()) -> Option<Ended> {
    let start = Instant::now();
    let mut cause = None;
    let mut stopped = signal.lock();
    while !ended.load(Ordering::SeqCst) {
        let left = time.saturating_sub(start.elapsed());
        cause = cause.or(*stopped).or(left.is_zero().then_some(Ended::ByTime));
        let wait = if cause.is_some() {
            interrupt();
            AGAIN
        } else {
            left.min(LONGEST_WAIT)
        };
        stopped = signal
            .0
            .changed
            .wait_timeout(stopped, wait)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
    cause
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_signal_interrupts_again_and_again_until_the_query_has_ended() {
        let signal = StopSignal::new();
        let (interrupted, interrupts) = mpsc::channel();
        let watch = Watch::start(&signal, Duration::MAX, move || {
            let _ = interrupted.send(());
        });
        assert!(interrupts.try_recv().is_err());
        signal.stop();
        for _ in 0..3 {
            interrupts.recv_timeout(Duration::from_secs(10)).expect("interrupted");
        }
        assert_eq!(watch.stop(), Some(Ended::BySignal));
    }

    #[test]
    fn a_query_that_ends_in_time_is_left_alone() {
        let watch = Watch::start(&StopSignal::new(), Duration::MAX, || panic!("interrupted"));
        assert_eq!(watch.stop(), None);
    }

    #[test]
    fn time_is_a_cause_of_its_own() {
        let (interrupted, interrupts) = mpsc::channel();
        let watch = Watch::start(&StopSignal::new(), Duration::ZERO, move || {
            let _ = interrupted.send(());
        });
        interrupts.recv_timeout(Duration::from_secs(10)).expect("interrupted");
        assert_eq!(watch.stop(), Some(Ended::ByTime));
    }
}
