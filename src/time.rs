//! Times and durations as people write them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDate, NaiveDateTime};

const EXPECTED: &str = "expected a time ago (15m, 2h, 7d), RFC 3339 (2026-11-23T09:30:00Z), a day in UTC (2026-11-23), or \
                        nanoseconds since the epoch (19 digits)";

/// Reads a moment, in nanoseconds since the epoch.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    moment_at(text, i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

fn moment_at(text: &str, now: i64) -> Result<i64, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Fewer digits are seconds or milliseconds: they would silently mean a moment in 1970.
        return match text.parse::<i64>() {
            Ok(ns) if ns == 0 || ns >= 100_000_000_000_000_000 => Ok(ns),
            _ => Err(EXPECTED.to_owned()),
        };
    }
    if let Ok(ago) = duration(text) {
        let ago = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
        return Ok(now.saturating_sub(ago));
    }
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let minute = || {
        [
            "%Y-%m-%dT%H:%M:%S%.f",
            "%Y-%m-%d %H:%M:%S%.f",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%d %H:%M",
        ]
        .into_iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
    };
    let in_utc = || Some(day().or_else(minute)?.and_utc());
    let time = DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.to_utc())
        .or_else(in_utc);
    time.and_then(|time| time.timestamp_nanos_opt())
        .ok_or_else(|| EXPECTED.to_owned())
}

/// Reads a duration: a number and `ms`, `s`, `m`, `h`, `d` or `w`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number and its unit: ms, s, m, h, d or w (90s, 15m, 7d)".to_owned();
    let unit_start = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_start);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())
}

/// Reads a duration that is more than nothing, in nanoseconds.
pub(crate) fn step(text: &str) -> Result<i64, String> {
    match i64::try_from(duration(text)?.as_nanos()) {
        Ok(0) => Err("must be more than 0".into()),
        Ok(step) => Ok(step),
        Err(_) => Err("must be less than 292 years".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_435_200_000_000_000; // 2026-11-23T12:00:00Z

    #[test]
    fn moments_are_read_in_all_their_forms() {
        for (text, expected) in [
            ("15m", NOON - 900_000_000_000),
            ("1.5h", NOON - 5_400_000_000_000),
            ("2026-11-23T13:00:00+01:00", NOON),
            ("2026-11-23 12:00", NOON),
            ("2026-11-23T12:00:00.25", NOON + 250_000_000),
            ("2026-11-23", NOON - 12 * 3_600_000_000_000),
            ("1795435200000000000", NOON),
            ("0", 0),
        ] {
            assert_eq!(moment_at(text, NOON), Ok(expected), "{text}");
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
            "2026-13-01",
            "99999999999999999999",
            "-1h",
            "nan h",
        ] {
            assert!(moment_at(text, NOON).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert!(duration("30").is_err() && duration("h").is_err() && duration("1e400d").is_err());
        assert!(step("0s").is_err() && step("9999w").is_ok() && step("99999w").is_err());
    }
}
