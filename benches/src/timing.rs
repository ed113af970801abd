//! Clocks and medians.

use std::time::{Duration, Instant};

use anyhow::Result;

/// Runs it and says how long it took.
pub(crate) fn timed<T>(act: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    let outcome = act()?;
    Ok((outcome, start.elapsed()))
}

/// The value below which a share of the values lies (the nearest rank); zero for none.
pub(crate) fn percentile(mut values: Vec<Duration>, share: f64) -> Duration {
    values.sort_unstable();
    let rank = (values.len() as f64 * share).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

pub(crate) fn median(values: Vec<Duration>) -> Duration {
    percentile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let milliseconds = |values: &[u64]| {
            values
                .iter()
                .map(|value| Duration::from_millis(*value))
                .collect::<Vec<_>>()
        };
        assert_eq!(median(milliseconds(&[9, 1, 5])), Duration::from_millis(5));
        assert_eq!(percentile(milliseconds(&[4, 3, 2, 1]), 0.95), Duration::from_millis(4));
        assert_eq!(percentile(milliseconds(&[7]), 0.5), Duration::from_millis(7));
        assert_eq!(median(Vec::new()), Duration::ZERO);
    }
}
