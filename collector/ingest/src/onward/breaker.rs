//! A circuit breaker: after some failures in a row nothing is tried for a while, then one request.

use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

/// Whether requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All are.
    Closed,
    /// None is, until its pause is over.
    Open,
    /// One is on its way; its outcome decides.
    HalfOpen,
}

pub(crate) struct Breaker {
    most_failures: u32,
    pause: Duration,
    inner: Mutex<Inner>,
}

enum Inner {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

impl Breaker {
    pub(crate) fn new(most_failures: u32, pause: Duration) -> Self {
        Self {
            most_failures: most_failures.max(1),
            pause,
            inner: Mutex::new(Inner::Closed { failures: 0 }),
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        match *self.inner.lock() {
            Inner::Closed { .. } => BreakerState::Closed,
            Inner::Open { .. } => BreakerState::Open,
            Inner::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// Whether a request may be sent now; else when to ask again.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Instant> {
        let mut inner = self.inner.lock();
        match *inner {
            Inner::Open { until } if now < until => Err(until),
            Inner::Open { .. } => {
                *inner = Inner::HalfOpen;
                Ok(())
            }
            Inner::Closed { .. } | Inner::HalfOpen => Ok(()),
        }
    }

    /// The endpoint answered, be it with a refusal.
    pub(crate) fn answered(&self) {
        *self.inner.lock() = Inner::Closed { failures: 0 };
    }

    /// The endpoint did not answer, or said that it can't.
    pub(crate) fn failed(&self, now: Instant) {
        let mut inner = self.inner.lock();
        let failures = match *inner {
            Inner::Closed { failures } => failures + 1,
            Inner::Open { .. } | Inner::HalfOpen => self.most_failures,
        };
        *inner = if failures >= self.most_failures {
            Inner::Open {
                until: now + self.pause,
            }
        } else {
            Inner::Closed { failures }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_when_one_request_passed() {
        let breaker = Breaker::new(3, Duration::from_secs(10));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        breaker.failed(start);
        breaker.failed(start);
        breaker.answered();
        breaker.failed(start);
        breaker.failed(start);
        assert_eq!(breaker.state(), BreakerState::Closed, "not three in a row");
        breaker.failed(start);
        assert_eq!(breaker.state(), BreakerState::Open);
        assert_eq!(breaker.admit(at(9)), Err(at(10)));
        assert_eq!(breaker.admit(at(10)), Ok(()));
        assert_eq!(breaker.state(), BreakerState::HalfOpen);
        breaker.failed(at(11));
        assert_eq!(breaker.admit(at(20)), Err(at(21)), "one failure opens it again");
        assert_eq!(breaker.admit(at(21)), Ok(()));
        breaker.answered();
        assert_eq!(breaker.state(), BreakerState::Closed);
        assert_eq!(breaker.admit(at(21)), Ok(()));
    }
}
