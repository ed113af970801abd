//! Figures now against before: the version of the program that ran last against the one before it, or a stretch of time
//! against the one before.

use std::collections::HashMap;

use flockscope_analytics::calls::Call;
use flockscope_client::{ClientError, Connection};
use serde::Deserialize;

use crate::figures::{KEY, KEY_COLUMNS, Key};
use crate::words;

/// What `auto` compares where spans name no two versions.
const DAY: i64 = 24 * 3_600 * 1_000_000_000;

/// Fewer calls than this on a side say nothing about a percentile.
const FEWEST_CALLS: i64 = 5;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Comparison {
    /// Versions where spans name two of them (`service.version`), else a day and the day before.
    #[default]
    Auto,
    /// Versions alone.
    Version,
    /// So many nanoseconds up to the latest span, and as many before.
    Window(i64),
    /// Nothing.
    Off,
}

/// What changed, as it was at one time.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    of: HashMap<Key, Change>,
    /// What it is compared with: `1.2`, `the day before`.
    pub(crate) before: String,
}

/// Figures of one row now and before.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
pub(crate) struct Change {
    pub(crate) calls: i64,
    pub(crate) calls_before: i64,
    pub(crate) errors: i64,
    pub(crate) errors_before: i64,
    pub(crate) p95_ms: Option<f64>,
    pub(crate) p95_before_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct ChangeRow {
    key: Key,
    change: Change,
}

#[derive(Debug, Deserialize)]
struct VersionRow {
    version: String,
}

impl Changes {
    pub(crate) fn of(&self, key: &Key) -> Option<&Change> {
        self.of.get(key)
    }
}

impl Change {
    /// The 95th percentile now as a multiple of the one before; none where there are too few calls to say.
    pub(crate) fn p95_ratio(&self) -> Option<f64> {
        let (now, before) = (self.p95_ms?, self.p95_before_ms?);
        let is_enough = self.calls >= FEWEST_CALLS && self.calls_before >= FEWEST_CALLS;
        (is_enough && before > 0.0).then(|| now / before)
    }

    /// Shares of calls that failed, now and before; none where there are too few calls to say.
    pub(crate) fn error_rates(&self) -> Option<(f64, f64)> {
        let is_enough = self.calls >= FEWEST_CALLS && self.calls_before >= FEWEST_CALLS;
        is_enough.then(|| {
            (
                self.errors as f64 / self.calls as f64,
                self.errors_before as f64 / self.calls_before as f64,
            )
        })
    }
}

/// Asks the store.
pub(crate) async fn read(connection: &Connection, comparison: Comparison) -> Result<Changes, ClientError> {
    let window = match comparison {
        Comparison::Off => return Ok(Changes::default()),
        Comparison::Window(window) => Some(window),
        Comparison::Auto | Comparison::Version => None,
    };
    if let Some(window) = window {
        return windows(connection, window).await;
    }
    // Each service has versions of its own.
    let versions = Call::<VersionRow>::own(format!(
        "{VERSIONS} SELECT version FROM versions WHERE age = 2 ORDER BY latest DESC"
    ));
    match connection.ask(&versions).await?.as_slice() {
        [] if comparison == Comparison::Auto => windows(connection, DAY).await,
        [] => Ok(Changes::default()),
        [only] => by_version(connection, format!("version {}", only.version)).await,
        _ => by_version(connection, "the version before".into()).await,
    }
}

/// The versions of each service that ran last, with 1 for the latest. A version that came back counts by its last span.
const VERSIONS: &str = "WITH versions AS (
   SELECT coalesce(service_name, '') AS program, service_version AS version, max(start_time) AS latest,
          row_number() OVER (PARTITION BY program ORDER BY max(start_time) DESC, version) AS age
   FROM spans WHERE service_version IS NOT NULL GROUP BY program, version
   QUALIFY age <= 2)";

async fn by_version(connection: &Connection, before: String) -> Result<Changes, ClientError> {
    let call = changes_call(
        &format!("{VERSIONS},"),
        "spans JOIN versions ON program = coalesce(service_name, '') AND version = service_version",
        "age = 1",
    );
    collected(connection, &call, before).await
}

async fn windows(connection: &Connection, window: i64) -> Result<Changes, ClientError> {
    let latest = "(SELECT max(start_time) FROM spans)";
    let call = changes_call(
        "WITH",
        &format!("spans WHERE start_time > {latest} - {}", window.saturating_mul(2)),
        &format!("start_time > {latest} - {window}"),
    );
    let before = format!("the {} before", words::stretch(window));
    collected(connection, &call, before).await
}

async fn collected(connection: &Connection, call: &Call<ChangeRow>, before: String) -> Result<Changes, ClientError> {
    let rows = connection.ask(call).await?;
    Ok(Changes {
        of: rows.into_iter().map(|row| (row.key, row.change)).collect(),
        before,
    })
}

/// `chosen`: which spans count; `now`: which of them are not from before.
fn changes_call(with: &str, chosen: &str, now: &str) -> Call<ChangeRow> {
    Call::own(format!(
        "{with} chosen AS (
           SELECT {KEY_COLUMNS}, duration_ms, status_code = 'ERROR' AS has_failed, {now} AS is_now FROM {chosen})
         SELECT {KEY} AS key,
                {{'calls': count(*) FILTER (is_now), 'calls_before': count(*) FILTER (NOT is_now),
                  'errors': count(*) FILTER (is_now AND has_failed),
                  'errors_before': count(*) FILTER (NOT is_now AND has_failed),
                  'p95_ms': quantile_cont(duration_ms, 0.95) FILTER (is_now),
                  'p95_before_ms': quantile_cont(duration_ms, 0.95) FILTER (NOT is_now)}} AS change
         FROM chosen GROUP BY {KEY_COLUMNS}
         HAVING count(*) FILTER (is_now) > 0 AND count(*) FILTER (NOT is_now) > 0"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_calls_say_nothing() {
        let mut change = Change {
            calls: 5,
            calls_before: 5,
            errors: 1,
            errors_before: 0,
            p95_ms: Some(30.0),
            p95_before_ms: Some(20.0),
        };
        assert_eq!(
            (change.p95_ratio(), change.error_rates()),
            (Some(1.5), Some((0.2, 0.0)))
        );
        change.calls_before = 4;
        assert_eq!((change.p95_ratio(), change.error_rates()), (None, None));
        change.calls_before = 50;
        change.p95_before_ms = Some(0.0);
        assert_eq!(change.p95_ratio(), None);
    }
}
