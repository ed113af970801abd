//! Figures in few words.

/// A duration, with three digits at most: `0.42 ms`, `12.3 ms`, `1.23 s`, `4 min 5 s`.
pub(crate) fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 0.0995 => format!("{:.0} µs", ms * 1_000.0),
        ms if ms < 9.995 => format!("{ms:.2} ms"),
        ms if ms < 99.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms if ms < 9_995.0 => format!("{:.2} s", ms / 1_000.0),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms if ms < 3_600_000.0 => {
            let seconds = (ms / 1_000.0).round() as u64;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
        ms => {
            let minutes = (ms / 60_000.0).round() as u64;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

/// How long ago a time was, both in nanoseconds since the epoch: `just now`, `3 s ago`, `2 days ago`.
pub(crate) fn ago(time: i64, now: i64) -> String {
    let seconds = now.saturating_sub(time).max(0) / 1_000_000_000;
    match seconds {
        0 => "just now".into(),
        1..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..172_800 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// A stretch of time in nanoseconds, for "the … before": `day`, `6 hours`, `90 s`.
pub(crate) fn stretch(nanoseconds: i64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    let of = |length: i64, one: &str| {
        (seconds > 0 && seconds % length == 0).then(|| match seconds / length {
            1 => one.to_owned(),
            more => format!("{more} {one}s"),
        })
    };
    of(86_400, "day")
        .or_else(|| of(3_600, "hour"))
        .or_else(|| of(60, "minute"))
        .unwrap_or_else(|| format!("{seconds} s"))
}

/// A number with a mark at each thousand.
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// A number and its word.
pub(crate) fn counted(number: i64, one: &str, more: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { more })
}

/// A part of a whole as a percentage: `0.4 %`, `25 %`.
pub(crate) fn share(part: i64, whole: i64) -> String {
    if whole <= 0 {
        return "0 %".into();
    }
    let percent = part as f64 * 100.0 / whole as f64;
    match percent {
        0.0 => "0 %".into(),
        p if p < 0.1 => "< 0.1 %".into(),
        p if p < 9.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_few_digits_and_never_a_wrong_unit() {
        for (ms, words) in [
            (0.0, "0 µs"),
            (0.0421, "42 µs"),
            (0.0996, "0.10 ms"),
            (0.42, "0.42 ms"),
            (9.999, "10.0 ms"),
            (12.34, "12.3 ms"),
            (99.96, "100 ms"),
            (999.6, "1.00 s"),
            (1_234.0, "1.23 s"),
            (59_940.0, "59.9 s"),
            (65_000.0, "1 min 5 s"),
            (7_260_000.0, "2 h 1 min"),
        ] {
            assert_eq!(duration(ms), words, "{ms}");
        }
    }

    #[test]
    fn stretches_are_in_their_largest_whole_unit() {
        let second = 1_000_000_000;
        for (seconds, words) in [
            (86_400, "day"),
            (7 * 86_400, "7 days"),
            (3_600, "hour"),
            (5_400, "90 minutes"),
        ] {
            assert_eq!(stretch(seconds * second), words);
        }
        assert_eq!((stretch(7 * second), stretch(0)), ("7 s".into(), "0 s".into()));
    }

    #[test]
    fn times_and_counts_and_shares() {
        let now = 1_000_000_000_000_000_000;
        for (seconds, words) in [
            (-5, "just now"),
            (0, "just now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3_600, "1 h ago"),
            (172_800, "2 days ago"),
        ] {
            assert_eq!(ago(now - seconds * 1_000_000_000, now), words);
        }
        assert_eq!(
            [0, 999, 1_000, 1_234_567, -1_000].map(count),
            ["0", "999", "1,000", "1,234,567", "-1,000"]
        );
        assert_eq!(counted(1, "call", "calls"), "1 call");
        assert_eq!(share(1, 3), "33 %");
        assert_eq!(share(1, 40), "2.5 %");
        assert_eq!(share(1, 100_000), "< 0.1 %");
        assert_eq!((share(0, 5), share(1, 0)), ("0 %".to_owned(), "0 %".to_owned()));
    }
}
