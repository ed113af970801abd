//! How long things took: counts in fixed buckets, cheap enough for every request.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Upper bounds of the buckets in microseconds; one more bucket takes what is longer.
pub const BOUNDS_US: [u64; 24] = [
    50, 100, 150, 200, 300, 400, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 7_500, 10_000, 20_000, 50_000, 100_000,
    150_000, 200_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
];

/// Counts that many threads add to.
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts one duration, `times` over.
    pub(crate) fn record(&self, taken: Duration, times: u64) {
        let us = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(times, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(us.saturating_mul(times), Ordering::Relaxed);
    }

    /// What was counted until now.
    pub(crate) fn snapshot(&self) -> Latency {
        let buckets: Vec<u64> = self.buckets.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        Latency {
            count: buckets.iter().sum(),
            sum_us: self.sum_us.load(Ordering::Relaxed),
            buckets,
        }
    }
}

/// Durations that were counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Their sum in microseconds.
    pub sum_us: u64,
    /// How many in each bucket of [`BOUNDS_US`] (not cumulative), and last those that were longer.
    pub buckets: Vec<u64>,
}

impl Latency {
    /// An upper bound in milliseconds of this share (0 to 1) of all durations: the bound of the bucket that it falls
    /// into. `None` where nothing was counted, or it lies beyond the last bound.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bound, count) in BOUNDS_US.iter().zip(&self.buckets) {
            seen += count;
            if seen >= rank {
                return Some(*bound as f64 / 1000.0);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let histogram = Histogram::default();
        histogram.record(Duration::from_micros(120), 98);
        histogram.record(Duration::from_micros(2_000), 1);
        histogram.record(Duration::from_secs(60), 1);
        let latency = histogram.snapshot();
        assert_eq!(latency.count, 100);
        assert_eq!(latency.sum_us, 98 * 120 + 2_000 + 60_000_000);
        assert_eq!(latency.quantile_ms(0.5), Some(0.15));
        assert_eq!(latency.quantile_ms(0.99), Some(2.0), "a bound belongs to its bucket");
        assert_eq!(latency.quantile_ms(1.0), None);
        assert_eq!(Latency::default().quantile_ms(0.5), None);
    }
}
