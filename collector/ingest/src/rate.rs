//! A limit to the spans a second.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::refused::Refused;

/// Lets so many spans a second pass, and as many at once after a pause of a second.
pub(crate) struct Rate {
    limit: NonZeroU32,
    limiter: DefaultDirectRateLimiter,
    clock: DefaultClock,
}

impl Rate {
    pub(crate) fn new(limit: NonZeroU32) -> Self {
        Self {
            limit,
            limiter: RateLimiter::direct(Quota::per_second(limit)),
            clock: DefaultClock::default(),
        }
    }

    /// Takes what a request has out of the allowance, or says when it will be there. A request of more spans than a
    /// second allows costs a full second, as it could else never pass.
    pub(crate) fn admit(&self, spans: usize) -> Result<(), Refused> {
        let spans = u32::try_from(spans).unwrap_or(u32::MAX).min(self.limit.get());
        let Some(spans) = NonZeroU32::new(spans) else {
            return Ok(());
        };
        let retry_after = match self.limiter.check_n(spans) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(not_yet)) => not_yet.wait_time_from(self.clock.now()),
            Err(_) => Duration::from_secs(1),
        };
        Err(Refused::Rate {
            limit: self.limit.get(),
            retry_after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_passes_and_then_a_time_is_said() {
        let rate = Rate::new(NonZeroU32::new(10).expect("not zero"));
        rate.admit(0).expect("nothing costs nothing");
        rate.admit(9).expect("nine of ten");
        rate.admit(1).expect("ten of ten");
        let refused = rate.admit(10).expect_err("refused");
        let wait = refused.retry_after().expect("a time");
        assert!(
            wait <= Duration::from_secs(1) && wait > Duration::from_millis(100),
            "{wait:?}"
        );
    }

    #[test]
    fn a_request_over_a_second_s_worth_passes_when_a_second_s_worth_is_there() {
        let rate = Rate::new(NonZeroU32::new(10).expect("not zero"));
        rate.admit(1_000_000).expect("as a full second");
        rate.admit(10).expect_err("nothing is left");
    }
}
