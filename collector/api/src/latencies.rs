//! How long queries took, by kind of query.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Figures are those of the last five to ten minutes: two halves, the older of which is forgotten at a turn.
const HALF: Duration = Duration::from_secs(300);

/// The quantiles that are told.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

#[derive(Default)]
pub(crate) struct Latencies(Mutex<BTreeMap<&'static str, Class>>);

struct Class {
    turned: Instant,
    recent: Histogram<u64>,
    older: Histogram<u64>,
    count: u64,
    sum: Duration,
    failures: u64,
}

/// Figures of one kind of query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latency {
    pub(crate) class: &'static str,
    /// Seconds, for each of [`QUANTILES`].
    pub(crate) quantiles: [f64; 3],
    /// Since the start of the process.
    pub(crate) count: u64,
    /// Since the start of the process.
    pub(crate) sum: f64,
    /// Since the start of the process.
    pub(crate) failures: u64,
}

fn histogram() -> Option<Histogram<u64>> {
    // Microseconds up to an hour, to three digits.
    Histogram::new_with_bounds(1, 3_600_000_000, 3).ok()
}

impl Latencies {
    /// Notes a query that has ended.
    pub(crate) fn record(&self, class: &'static str, took: Duration, failed: bool) {
        let mut classes = self.classes();
        if !classes.contains_key(class)
            && let (Some(recent), Some(older)) = (histogram(), histogram())
        {
            let new = Class {
                turned: Instant::now(),
                recent,
                older,
                count: 0,
                sum: Duration::ZERO,
                failures: 0,
            };
            classes.insert(class, new);
        }
        let Some(found) = classes.get_mut(class) else {
            return;
        };
        found.turn();
        found.count += 1;
        found.sum += took;
        found.failures += u64::from(failed);
        found
            .recent
            .saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1));
    }

    /// All figures, by the name of the kind.
    pub(crate) fn all(&self) -> Vec<Latency> {
        let mut classes = self.classes();
        let all = classes.iter_mut().map(|(name, class)| {
            class.turn();
            let mut both = class.recent.clone();
            // Both have the same bounds.
            let _ = both.add(&class.older);
            Latency {
                class: name,
                quantiles: QUANTILES.map(|quantile| both.value_at_quantile(quantile) as f64 / 1e6),
                count: class.count,
                sum: class.sum.as_secs_f64(),
                failures: class.failures,
            }
        });
        all.collect()
    }

    fn classes(&self) -> MutexGuard<'_, BTreeMap<&'static str, Class>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Class {
    fn turn(&mut self) {
        let halves = self.turned.elapsed().as_secs() / HALF.as_secs();
        if halves == 0 {
            return;
        }
        self.turned = Instant::now();
        std::mem::swap(&mut self.recent, &mut self.older);
        self.recent.reset();
        if halves > 1 {
            self.older.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let latencies = Latencies::default();
        for ms in 1..=1_000 {
            latencies.record("red", Duration::from_millis(ms), ms > 990);
        }
        let all = latencies.all();
        let [red] = all.as_slice() else {
            panic!("one kind: {all:?}");
        };
        for (found, expected) in red.quantiles.iter().zip([0.5, 0.95, 0.99]) {
            assert!((found - expected).abs() < 0.002, "{found} for {expected}");
        }
        assert_eq!((red.count, red.failures), (1_000, 10));
        assert!((red.sum - 500.5).abs() < 1e-6);
    }
}
