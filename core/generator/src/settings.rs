//! What to generate.

use std::time::Duration;

use thiserror::Error;

/// How much each span carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// Attributes as in the sample, about 3.5 KB a span.
    #[default]
    Full,
    /// The attributes that analyses read, about 300 bytes a span.
    Lean,
}

/// What to generate. The default is 10,000 full spans over a day.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How many spans to make in all. The last trace is cut off to end exactly here.
    pub spans: u64,
    /// The same seed gives the same spans.
    pub seed: u64,
    /// How much each span carries.
    pub shape: Shape,
    /// Nanoseconds since the epoch: no trace starts earlier.
    pub start_time: i64,
    /// Traces start evenly over this time; the last ones end after it.
    pub span_of_time: Duration,
    /// `None`: the agents fail as they did in the sample (0.6 % of the spans), and failures end what they hit.
    /// `Some(share)`: they never fail; instead each span by itself is an error with this chance, from 0 to 1.
    pub error_rate: Option<f64>,
    /// `None`: traces of all sizes as in the sample, 1 to about 480 spans. `Some(n)`: every trace has exactly n spans.
    pub spans_per_trace: Option<usize>,
    /// Adds `gen_ai.*` attributes (model, tokens, cost) to the spans of engines. The sample has none.
    pub with_gen_ai: bool,
    /// Adds `service.version` and `deployment.environment.name` to the resource. The sample has none.
    pub with_deployment: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            spans: 10_000,
            seed: 1,
            shape: Shape::Full,
            start_time: 1_795_392_000_000_000_000, // 2026-11-23 00:00 UTC, the day of the sample
            span_of_time: Duration::from_secs(24 * 60 * 60),
            error_rate: None,
            spans_per_trace: None,
            with_gen_ai: false,
            with_deployment: false,
        }
    }
}

/// Settings that nothing can be generated from.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SettingsError {
    /// A share outside of 0 to 1.
    #[error("the error rate is {0}, but must be from 0 to 1 (0.05 makes 5 % of the spans errors)")]
    ErrorRate(f64),
    /// Traces of no spans.
    #[error("spans per trace is 0, but must be at least 1")]
    SpansPerTrace,
    /// A start that a span can't have.
    #[error("the start time is {0} ns since the epoch, but must be later than 0")]
    StartTime(i64),
    /// Times that don't fit 64 bits of nanoseconds.
    #[error(
        "{span_of_time:?} from {start_time} ns since the epoch on ends after the year 2200, which is the latest allowed"
    )]
    TimeOutOfRange {
        /// The wanted start.
        start_time: i64,
        /// The wanted length.
        span_of_time: Duration,
    },
}

/// 2200-01-01: leaves room for traces that outlast the wanted time.
const LATEST_TIME: i128 = 7_258_118_400_000_000_000;

impl Settings {
    /// Says what is wrong with the settings, if anything is.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        if let Some(rate) = self.error_rate
            && !(0.0..=1.0).contains(&rate)
        {
            return Err(SettingsError::ErrorRate(rate));
        }
        if self.spans_per_trace == Some(0) {
            return Err(SettingsError::SpansPerTrace);
        }
        if self.start_time <= 0 {
            return Err(SettingsError::StartTime(self.start_time));
        }
        let length = i128::try_from(self.span_of_time.as_nanos()).unwrap_or(i128::MAX);
        if length.saturating_add(self.start_time.into()) > LATEST_TIME {
            return Err(SettingsError::TimeOutOfRange {
                start_time: self.start_time,
                span_of_time: self.span_of_time,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_settings_are_refused_with_the_value_and_what_is_allowed() {
        let said = |settings: Settings| settings.check().expect_err("wrong").to_string();
        let rate = |rate| Settings {
            error_rate: Some(rate),
            ..Settings::default()
        };
        assert!(said(rate(1.5)).contains("1.5"));
        assert!(said(rate(f64::NAN)).contains("NaN"));
        assert!(rate(1.0).check().is_ok());
        assert!(
            said(Settings {
                spans_per_trace: Some(0),
                ..Settings::default()
            })
            .contains("at least 1")
        );
        assert!(
            said(Settings {
                start_time: 0,
                ..Settings::default()
            })
            .contains("later than 0")
        );
        assert!(
            said(Settings {
                span_of_time: Duration::MAX,
                ..Settings::default()
            })
            .contains("2200")
        );
    }
}
