//! Times and durations in parameters.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;

/// What a time may be, in words.
pub(crate) const MOMENT: &str = "RFC 3339 (2026-11-23T09:30:00Z), nanoseconds since the epoch (19 digits), or a span of time back from now (15m, 1h, 7d)";

/// What a span of time may be, in words.
pub(crate) const SPAN: &str = "a whole number with a unit: ms, s, m, h, d or w (90s, 15m, 7d)";

/// A moment, in nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) ns: i64,
    /// Whether it was given as a span back from now, so that it moves on.
    pub(crate) moves: bool,
}

/// Now, in nanoseconds since the epoch.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

/// Reads a moment; `None` if it is none.
pub(crate) fn moment(text: &str, now: i64) -> Option<Moment> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Fewer digits are seconds or milliseconds: they would silently mean a moment in 1970.
        let ns: i64 = text.parse().ok()?;
        return (ns == 0 || ns >= 100_000_000_000_000_000).then_some(Moment { ns, moves: false });
    }
    if let Some(span) = span(text) {
        return Some(Moment {
            ns: now.saturating_sub(span),
            moves: true,
        });
    }
    // In a query string a plus sign is a blank: the one before the zone's hours often comes unescaped.
    let text = text.replace(' ', "+");
    let time = DateTime::parse_from_rfc3339(&text).ok()?.timestamp_nanos_opt()?;
    (time >= 0).then_some(Moment { ns: time, moves: false })
}

/// Reads a span of time, in nanoseconds; `None` if it is none, or too long for 64 bits.
pub(crate) fn span(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let unit: i64 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "w" => 604_800_000_000_000,
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_435_200_000_000_000; // 2026-11-23T12:00:00Z

    #[test]
    fn moments_are_read_in_all_their_forms() {
        for (text, ns, moves) in [
            ("15m", NOON - 900_000_000_000, true),
            ("250ms", NOON - 250_000_000, true),
            ("2026-11-23T13:00:00+01:00", NOON, false),
            ("2026-11-23T13:00:00 01:00", NOON, false),
            ("2026-11-23T12:00:00.25Z", NOON + 250_000_000, false),
            ("1795435200000000000", NOON, false),
            ("0", 0, false),
        ] {
            assert_eq!(moment(text, NOON), Some(Moment { ns, moves }), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "yesterday",
            "1795435200",
            "15",
            "7x",
            "2026-13-01T00:00:00Z",
            "2026-11-23",
            "1600-01-01T00:00:00Z",
            "99999999999999999999",
            "99999999999d",
            "-1h",
            "1e3s",
            "١h",
        ] {
            assert_eq!(moment(text, NOON), None, "{text}");
        }
    }
}
