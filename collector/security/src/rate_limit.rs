//! How often a caller may ask.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use governor::clock::{Clock, MonotonicClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::refusal::seconds;
use crate::route_class::RouteClass;
use crate::settings::RateLimits;

/// After so many requests, callers that have not asked for a while are forgotten.
const CARE: u64 = 1_024;

type Limiter<C> = RateLimiter<String, HashMapStateStore<String>, C, StateInformationMiddleware>;

/// The limits of each route class, for each caller by name.
pub(crate) struct RateLimiters<C: Clock = MonotonicClock> {
    sql: Option<Limiter<C>>,
    changes: Option<Limiter<C>>,
    other: Option<Limiter<C>>,
    clock: C,
    requests: AtomicU64,
}

/// What is left to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Until the whole limit is there again.
    pub(crate) reset: Duration,
}

/// A caller who asked too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) allowance: Allowance,
    /// Until the next request is allowed.
    pub(crate) pause: Duration,
}

impl RateLimiters {
    pub(crate) fn new(limits: &RateLimits) -> Self {
        Self::with_clock(limits, MonotonicClock)
    }
}

impl<C: Clock + Clone> RateLimiters<C> {
    fn with_clock(limits: &RateLimits, clock: C) -> Self {
        let limiter = |limit: Option<NonZeroU32>| {
            limit.map(|limit| Limiter::new(Quota::per_minute(limit), HashMapStateStore::default(), clock.clone()))
        };
        Self {
            sql: limiter(limits.sql),
            changes: limiter(limits.changes),
            other: limiter(limits.other),
            clock,
            requests: AtomicU64::new(0),
        }
    }

    /// Counts a request. `None`: there is no limit for it.
    pub(crate) fn check(&self, class: RouteClass, caller: &str) -> Result<Option<Allowance>, Exceeded> {
        let limiter = match class {
            RouteClass::Sql => &self.sql,
            RouteClass::Change => &self.changes,
            RouteClass::Other => &self.other,
        };
        let Some(limiter) = limiter else {
            return Ok(None);
        };
        if self.requests.fetch_add(1, Ordering::Relaxed) % CARE == CARE - 1 {
            limiter.retain_recent();
        }
        match limiter.check_key(&caller.to_owned()) {
            Ok(state) => {
                let quota = state.quota();
                let remaining = state.remaining_burst_capacity();
                Ok(Some(allowance(quota, remaining)))
            }
            Err(until) => Err(Exceeded {
                allowance: allowance(until.quota(), 0),
                pause: until.wait_time_from(self.clock.now()),
            }),
        }
    }
}

fn allowance(quota: Quota, remaining: u32) -> Allowance {
    let limit = quota.burst_size().get();
    let used = limit.saturating_sub(remaining);
    Allowance {
        limit,
        remaining,
        reset: quota.replenish_interval().saturating_mul(used),
    }
}

impl Allowance {
    /// `RateLimit-Limit`, `-Remaining` and `-Reset`
    /// ([draft-ietf-httpapi-ratelimit-headers-06](https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-ratelimit-headers-06)),
    /// the form that clients know.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert("ratelimit-limit", HeaderValue::from(self.limit));
        headers.insert("ratelimit-remaining", HeaderValue::from(self.remaining));
        headers.insert("ratelimit-reset", HeaderValue::from(seconds(self.reset)));
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn a_caller_has_its_own_limit_and_recovers() {
        let clock = FakeRelativeClock::default();
        let limits = RateLimits {
            sql: NonZeroU32::new(3),
            changes: None,
            other: NonZeroU32::new(100),
        };
        let limiters = RateLimiters::with_clock(&limits, clock.clone());
        let sql = |caller| limiters.check(RouteClass::Sql, caller);
        for remaining in [2, 1, 0] {
            let allowance = sql("a").expect("allowed").expect("limited");
            assert_eq!((allowance.limit, allowance.remaining), (3, remaining));
            let used = u64::from(3 - remaining);
            assert_eq!(allowance.reset, Duration::from_secs(20 * used));
        }
        let exceeded = sql("a").expect_err("too many");
        assert_eq!(exceeded.pause, Duration::from_secs(20), "a minute for three");
        assert!(sql("b").is_ok(), "another caller");
        assert!(limiters.check(RouteClass::Other, "a").is_ok(), "another class");
        assert_eq!(limiters.check(RouteClass::Change, "a"), Ok(None), "no limit");
        clock.advance(Duration::from_secs(19));
        assert_eq!(sql("a").expect_err("too early").pause, Duration::from_secs(1));
        clock.advance(Duration::from_secs(1));
        assert!(sql("a").is_ok());
        assert!(sql("a").is_err());
        clock.advance(Duration::from_secs(60));
        assert_eq!(sql("a").expect("allowed").expect("limited").remaining, 2);
    }

    #[test]
    fn callers_that_do_not_come_back_are_forgotten() {
        let clock = FakeRelativeClock::default();
        let limiters = RateLimiters::with_clock(&RateLimits::default(), clock.clone());
        for number in 0..20_000 {
            clock.advance(Duration::from_millis(100));
            assert!(limiters.check(RouteClass::Sql, &format!("caller {number}")).is_ok());
        }
        let kept = limiters.sql.as_ref().expect("limited").len();
        assert!(kept < 3_000, "{kept}");
    }
}
