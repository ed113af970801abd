//! The spans to measure with.

use std::time::Duration;

use anyhow::{Context, Result};
use flockscope_generator::{Generator, Settings, Shape};
use flockscope_model::Span;

/// Spans that are stored in one go.
pub(crate) const BATCH: usize = 20_000;

/// Spans of the trace that is looked up among all others.
pub(crate) const LOOKED_UP_SPANS: u64 = 1_000;

/// Spans as in the sample, about 3.5 KB of attributes each, over a day.
pub(crate) fn full(spans: u64) -> Result<Generator> {
    generator(Settings {
        spans,
        ..Settings::default()
    })
}

/// Spans with about 300 bytes of attributes each.
pub(crate) fn lean(spans: u64, hours: u64) -> Result<Generator> {
    generator(Settings {
        spans,
        shape: Shape::Lean,
        span_of_time: Duration::from_secs(hours * 3600),
        ..Settings::default()
    })
}

/// One trace of [`LOOKED_UP_SPANS`] lean spans, in the middle of the time of [`lean`].
pub(crate) fn looked_up(hours: u64) -> Result<Vec<Span>> {
    let defaults = Settings::default();
    let middle = i64::try_from(hours * 1800)? * 1_000_000_000;
    let mut generator = generator(Settings {
        spans: LOOKED_UP_SPANS,
        // Another seed, so that its ids are no other trace's.
        seed: 2,
        shape: Shape::Lean,
        start_time: defaults.start_time + middle,
        spans_per_trace: Some(usize::try_from(LOOKED_UP_SPANS)?),
        ..defaults
    })?;
    generator.next_batch(usize::MAX).context("the generator made no spans")
}

/// Full spans that are in neither of the sets.
pub(crate) fn others(spans: u64, seed: u64) -> Result<Generator> {
    generator(Settings {
        spans,
        seed,
        ..Settings::default()
    })
}

/// Spans of either shape from a moment on, in nanoseconds since the epoch.
pub(crate) fn starting(
    start_time: i64,
    span_of_time: Duration,
    shape: Shape,
    spans: u64,
    seed: u64,
) -> Result<Generator> {
    generator(Settings {
        spans,
        seed,
        shape,
        start_time,
        span_of_time,
        ..Settings::default()
    })
}

fn generator(settings: Settings) -> Result<Generator> {
    Ok(Generator::new(settings)?)
}
