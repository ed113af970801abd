//! How figures are written: durations, counts, shares, times. English, with a comma every three digits.

use chrono::DateTime;

/// Stands for a figure that is missing or not finite.
pub(crate) const NONE: &str = "—";

/// Greater figures are written with an exponent. As milliseconds it is 31,000 years.
const MOST: f64 = 1e15;

/// A duration in milliseconds, in the unit that reads best: `17.0 s`, `4.67 ms`, `52 µs`.
pub(crate) fn duration(ms: f64) -> String {
    if !ms.is_finite() {
        return NONE.into();
    }
    let size = ms.abs();
    // Bounds are a little below the round figure where rounding would reach it: 999.7 ms is 1.00 s.
    if size == 0.0 {
        "0 ms".into()
    } else if size < 0.0995 {
        significant(ms * 1e3, "µs")
    } else if size < 999.5 {
        significant(ms, "ms")
    } else if size < 59_950.0 {
        significant(ms / 1e3, "s")
    } else if size > MOST {
        format!("{:.1e} s", ms / 1e3)
    } else {
        let sign = if ms < 0.0 { "-" } else { "" };
        let seconds = (size / 1e3).round();
        let (hours, minutes, seconds) = (
            (seconds / 3600.0).floor(),
            (seconds / 60.0).floor() % 60.0,
            seconds % 60.0,
        );
        if hours > 0.0 {
            format!("{sign}{} h {minutes:02} min", grouped(&format!("{hours:.0}")))
        } else {
            format!("{sign}{minutes} min {seconds:02} s")
        }
    }
}

/// Three significant digits.
fn significant(value: f64, unit: &str) -> String {
    let size = value.abs();
    let decimals = if size >= 99.95 {
        0
    } else if size >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {unit}")
}

/// Milliseconds without their unit, for columns that name it: `17,014.23`.
pub(crate) fn ms(ms: f64) -> String {
    decimal(ms, 2)
}

/// A number with so many decimals.
pub(crate) fn decimal(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NONE.into();
    }
    if value.abs() > MOST {
        return format!("{value:.1e}");
    }
    grouped(&format!("{value:.decimals$}"))
}

/// A whole number.
pub(crate) fn count(count: i64) -> String {
    grouped(&count.to_string())
}

/// A number of things with their word: `1 span`, `1,234 spans`.
pub(crate) fn counted(number: i64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A share from 0 to 1 as a percentage: `4.9 %`. A share that is not nothing never reads `0 %`, and one that is not
/// everything never `100 %`.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NONE.into();
    }
    let percent = share * 100.0;
    if percent == 0.0 {
        "0 %".into()
    } else if percent > 0.0 && percent < 0.05 {
        "<0.1 %".into()
    } else if percent > 99.95 && percent < 100.0 {
        ">99.9 %".into()
    } else if percent == 100.0 {
        "100 %".into()
    } else {
        format!("{} %", decimal(percent, 1))
    }
}

/// `part / whole`, from 0 to 1; 0 where that has no meaning.
pub(crate) fn share(part: f64, whole: f64) -> f64 {
    let share = part / whole;
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
}

/// A time, in UTC to the millisecond.
pub(crate) fn time(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns)
        .format("%Y-%m-%d %H:%M:%S%.3f")
        .to_string()
}

/// A time, in UTC to the second.
pub(crate) fn second(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns)
        .format("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// A time as RFC 3339 has it, as charts want it.
pub(crate) fn rfc3339(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns)
        .format("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string()
}

fn grouped(number: &str) -> String {
    let whole_end = number.find('.').unwrap_or(number.len());
    let whole_start = usize::from(number.starts_with('-'));
    let mut out = String::with_capacity(number.len() + 4);
    for (index, c) in number.char_indices() {
        if index > whole_start && index < whole_end && (whole_end - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_the_unit_that_reads_best() {
        let cases = [
            (0.0, "0 ms"),
            (0.0004, "0.40 µs"),
            (0.052, "52.0 µs"),
            (0.3, "0.30 ms"),
            (4.674, "4.67 ms"),
            (99.96, "100 ms"),
            (999.7, "1.00 s"),
            (17_014.2, "17.0 s"),
            (59_960.0, "1 min 00 s"),
            (125_000.0, "2 min 05 s"),
            (3_723_000.0, "1 h 02 min"),
            (f64::NAN, "—"),
            (-5.0, "-5.00 ms"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text, "{ms}");
        }
        assert_eq!(duration(1e300), "1.0e297 s");
        assert_eq!(super::ms(-1e300), "-1.0e300");
    }

    #[test]
    fn numbers_have_a_comma_every_three_digits() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(-123), "-123");
        assert_eq!(count(i64::MIN), "-9,223,372,036,854,775,808");
        assert_eq!(ms(17_014.234), "17,014.23");
        assert_eq!(counted(1, "span"), "1 span");
        assert_eq!(counted(0, "span"), "0 spans");
    }

    #[test]
    fn a_share_that_is_not_nothing_never_reads_as_nothing() {
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.0001), "<0.1 %");
        assert_eq!(percent(0.0488), "4.9 %");
        assert_eq!(percent(0.9999), ">99.9 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(share(1.0, 0.0), 0.0);
        assert_eq!(share(3.0, 4.0), 0.75);
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(time(1_700_000_000_123_456_789), "2023-11-14 22:13:20.123");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert!(time(i64::MAX).starts_with("2262-"));
    }
}
