//! What hovers say of a function beside its figures: self time, the last hour, its last inputs and output, the stack of its
//! last exception. Read from the newest spans, so that it costs the same on a store of any size.

use std::collections::HashMap;

use flockscope_analytics::calls::{Call, quoted};
use flockscope_client::{ClientError, Connection};
use serde::Deserialize;

use crate::figures::{Figures, KEY, KEY_COLUMNS, Key};
use crate::newest::start_of;

/// Newest spans that self times are summed over, and that exceptions are looked for in.
const MOST_SPANS: u32 = 100_000;

/// Parts of the last hour.
pub(crate) const PARTS: usize = 24;
const HOUR: i64 = 3_600 * 1_000_000_000;

/// Functions whose last inputs and output are held, those that ran last; and how much of each.
const MOST_SAMPLES: usize = 1_000;
const MOST_VALUES: usize = 8;
const LONGEST_VALUE: usize = 200;

/// Stacks that are held, and how much of each from its end: there stands what happened.
const MOST_STACKS: usize = 500;
const LONGEST_STACK: usize = 20_000;

/// What is known beside figures, as it was at one time.
#[derive(Debug, Default)]
pub(crate) struct Details {
    of: HashMap<Key, Detail>,
    /// Self time of all spans that were read.
    all_self_ms: f64,
    /// Whether the store holds more spans than were read.
    pub(crate) is_part: bool,
}

/// What is known of one row of figures.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Detail {
    /// Time that was spent in the function itself.
    pub(crate) self_ms: f64,
    /// Median durations in the parts of the hour up to the store's latest span; 0 where there were no calls.
    pub(crate) last_hour: Option<[f64; PARTS]>,
    /// What the latest call got and gave, by attribute key.
    pub(crate) values: Vec<(String, String)>,
    pub(crate) error: Option<Failure>,
}

/// The latest exception with a stack.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Failure {
    pub(crate) time: i64,
    pub(crate) trace_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) stack: String,
}

#[derive(Debug, Deserialize)]
struct SelfRow {
    key: Key,
    self_ms: f64,
    is_part: bool,
}

#[derive(Debug, Deserialize)]
struct HourRow {
    key: Key,
    part: i64,
    p50_ms: f64,
}

#[derive(Debug, Deserialize)]
struct SampleRow {
    key: Key,
    names: Vec<String>,
    texts: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct FailureRow {
    key: Key,
    failure: Failure,
}

impl Details {
    pub(crate) fn of(&self, key: &Key) -> Option<&Detail> {
        self.of.get(key)
    }

    /// The latest exceptions with a stack, one for each row of figures at most.
    pub(crate) fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.of.values().filter_map(|detail| detail.error.as_ref())
    }

    /// A self time as a part of all, 0 to 1.
    pub(crate) fn share(&self, self_ms: f64) -> f64 {
        if self.all_self_ms > 0.0 {
            self_ms / self.all_self_ms
        } else {
            0.0
        }
    }
}

/// Asks the store about the functions that figures are known of.
pub(crate) async fn read(connection: &Connection, figures: &Figures) -> Result<Details, ClientError> {
    let mut details = Details::default();
    for row in connection.ask(&self_call()).await? {
        details.all_self_ms += row.self_ms;
        details.is_part = row.is_part;
        details.of.entry(row.key).or_default().self_ms = row.self_ms;
    }
    for row in connection.ask(&hour_call()).await? {
        let detail = details.of.entry(row.key).or_default();
        let parts = detail.last_hour.get_or_insert([0.0; PARTS]);
        if let Some(part) = usize::try_from(row.part).ok().and_then(|part| parts.get_mut(part)) {
            *part = row.p50_ms;
        }
    }
    if let Some(call) = samples_call(figures) {
        for row in connection.ask(&call).await? {
            let values = row.names.into_iter().zip(row.texts).collect();
            details.of.entry(row.key).or_default().values = values;
        }
    }
    for row in connection.ask(&failures_call()).await? {
        details.of.entry(row.key).or_default().error = Some(row.failure);
    }
    Ok(details)
}

/// Self time is the part of a duration that no child covers, however the children overlap.
fn self_call() -> Call<SelfRow> {
    Call::own(format!(
        "WITH newest AS (
           SELECT {KEY_COLUMNS}, trace_id, span_id, parent_id, start_time, end_time, duration_ms
           FROM spans WHERE start_time >= {}),
         children AS (
           SELECT c.trace_id, c.parent_id, greatest(c.start_time, p.start_time) AS begun,
                  least(c.end_time, p.end_time) AS ended
           FROM newest c JOIN newest p ON p.trace_id = c.trace_id AND p.span_id = c.parent_id),
         stretches AS (
           SELECT trace_id, parent_id, ended, greatest(begun, coalesce(max(ended) OVER (
             PARTITION BY trace_id, parent_id ORDER BY begun, ended
             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), begun)) AS begun
           FROM children),
         covered AS (
           SELECT trace_id, parent_id, sum(greatest(ended - begun, 0)) / 1e6 AS ms FROM stretches GROUP BY ALL)
         SELECT {KEY} AS key, sum(greatest(duration_ms - coalesce(ms, 0), 0)) AS self_ms,
                (SELECT count(*) FROM spans) > {MOST_SPANS} AS is_part
         FROM newest s LEFT JOIN covered c ON c.trace_id = s.trace_id AND c.parent_id = s.span_id
         GROUP BY {KEY_COLUMNS}",
        start_of(MOST_SPANS)
    ))
}

fn hour_call() -> Call<HourRow> {
    Call::own(format!(
        "WITH latest AS (SELECT max(start_time) AS time FROM spans)
         SELECT {KEY} AS key, ((start_time - (time - {HOUR}) - 1) * {PARTS} // {HOUR})::BIGINT AS part,
                median(duration_ms) AS p50_ms
         FROM spans, latest
         WHERE start_time > (SELECT time FROM latest) - {HOUR}
         GROUP BY part, {KEY_COLUMNS}"
    ))
}

/// The latest spans are known by their ids.
fn samples_call(figures: &Figures) -> Option<Call<SampleRow>> {
    let mut latest: Vec<_> = figures.rows().iter().collect();
    latest.sort_by_key(|row| std::cmp::Reverse(row.last_time));
    latest.truncate(MOST_SAMPLES);
    let earliest = latest.last()?.last_time;
    let ids: Vec<String> = latest.iter().map(|row| quoted(&row.last_span_id)).collect();
    Some(Call::own(format!(
        "WITH found AS (
           SELECT {KEY_COLUMNS}, start_time, span_id, attributes FROM spans
           WHERE start_time >= {earliest} AND span_id IN ({})),
         pairs AS (
           SELECT {KEY_COLUMNS}, start_time, span_id, e.key AS attribute, left(e.value->>'$', {LONGEST_VALUE}) AS value
           FROM found, json_each(attributes) e
           WHERE e.key LIKE 'input.%' OR e.key LIKE 'output.%')
         SELECT {KEY} AS key, list(attribute ORDER BY attribute)[1:{MOST_VALUES}] AS names,
                list(coalesce(value, 'null') ORDER BY attribute)[1:{MOST_VALUES}] AS texts
         FROM pairs
         GROUP BY start_time, span_id, {KEY_COLUMNS}
         QUALIFY row_number() OVER (PARTITION BY {KEY_COLUMNS} ORDER BY start_time DESC, span_id DESC) = 1",
        ids.join(", ")
    )))
}

fn failures_call() -> Call<FailureRow> {
    Call::own(format!(
        "WITH failed AS (
           SELECT {KEY_COLUMNS}, start_time, span_id, trace_id, exception_type, exception_message,
                  list_filter(events->>'$[*].attributes.\"exception.stacktrace\"', lambda s : s IS NOT NULL)[1] AS stack
           FROM spans WHERE status_code = 'ERROR' AND event_count > 0 AND start_time >= {}),
         latest AS (
           SELECT * FROM failed WHERE stack IS NOT NULL
           QUALIFY row_number() OVER (PARTITION BY {KEY_COLUMNS} ORDER BY start_time DESC, span_id DESC) = 1)
         SELECT {KEY} AS key, {{'time': start_time, 'trace_id': trace_id, 'type': exception_type,
                'message': left(exception_message, 1000), 'stack': right(stack, {LONGEST_STACK})}} AS failure
         FROM latest ORDER BY start_time DESC LIMIT {MOST_STACKS}",
        start_of(MOST_SPANS)
    ))
}
