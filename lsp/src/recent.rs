//! Figures of a large store while spans come. To ask about all of it for every span takes too long, so it is read whole
//! now and then, and meanwhile only from a moment shortly before that on: as both were read at once, what is recent takes
//! the place of what was, and no span counts twice.

use std::collections::HashMap;

use flockscope_analytics::calls::Call;
use flockscope_model::rows::FunctionRow;
use serde::Deserialize;

use crate::figures::Key;

/// A row of all spans, or of the recent ones.
#[derive(Debug, Deserialize)]
pub(crate) struct Part {
    is_recent: bool,
    figures: FunctionRow,
}

/// All rows as they were at one time, and the part of them that may still grow.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    rows: Vec<FunctionRow>,
    /// Those of the spans since a moment, as they were at that time.
    recent: HashMap<Key, FunctionRow>,
    /// That moment, in nanoseconds since the epoch; without it there is no such part.
    since: Option<i64>,
}

/// What is known of one operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Known {
    pub(crate) row: FunctionRow,
    /// Calls that came after the percentiles were worked out. Everything else in the row has them.
    pub(crate) later_calls: i64,
}

impl Whole {
    /// The question about both parts. One statement sees the store at one time.
    pub(crate) fn call(since: i64) -> Call<Part> {
        Call::own(format!(
            "SELECT false AS is_recent, f AS figures FROM functions() AS f
             UNION ALL SELECT true, f FROM functions(since := {since}) AS f"
        ))
    }

    pub(crate) fn new(parts: Vec<Part>, since: i64) -> Self {
        let mut whole = Self {
            since: Some(since),
            ..Self::default()
        };
        for part in parts {
            if part.is_recent {
                whole.recent.insert(Key::from(&part.figures), part.figures);
            } else {
                whole.rows.push(part.figures);
            }
        }
        whole
    }

    /// A whole that is read anew whenever spans come.
    pub(crate) fn alone(rows: Vec<FunctionRow>) -> Self {
        Self {
            rows,
            ..Self::default()
        }
    }

    /// From when on spans are asked for to bring this up to date.
    pub(crate) fn since(&self) -> Option<i64> {
        self.since
    }

    /// What was known at the time of this reading.
    pub(crate) fn known(&self) -> Vec<Known> {
        let known = |row: &FunctionRow| Known {
            row: row.clone(),
            later_calls: 0,
        };
        self.rows.iter().map(known).collect()
    }

    /// What is known now that the recent part is this.
    pub(crate) fn known_with(&self, recent: Vec<FunctionRow>) -> Vec<Known> {
        let mut order = Vec::with_capacity(recent.len());
        let mut now: HashMap<Key, FunctionRow> = HashMap::with_capacity(recent.len());
        for row in recent {
            let key = Key::from(&row);
            order.push(key.clone());
            now.insert(key, row);
        }
        let mut all = Vec::with_capacity(self.rows.len() + order.len());
        for row in &self.rows {
            let key = Key::from(row);
            all.extend(brought_up(row, self.recent.get(&key), now.remove(&key)));
        }
        let new = order.iter().filter_map(|key| now.remove(key));
        all.extend(new.map(|row| Known { row, later_calls: 0 }));
        all
    }
}

/// A row whose recent part was one and is another now. `None`: its spans are gone.
fn brought_up(whole: &FunctionRow, before: Option<&FunctionRow>, now: Option<FunctionRow>) -> Option<Known> {
    if before == now.as_ref() {
        return Some(Known {
            row: whole.clone(),
            later_calls: 0,
        });
    }
    let none = FunctionRow::default();
    let before = before.unwrap_or(&none);
    if before.calls == whole.calls {
        // All its spans are recent.
        return now.map(|row| Known { row, later_calls: 0 });
    }
    let now = now.unwrap_or_default();
    let mut row = FunctionRow {
        calls: whole.calls - before.calls + now.calls,
        errors: whole.errors - before.errors + now.errors,
        total_ms: f64::max(whole.total_ms - before.total_ms + now.total_ms, 0.0),
        input_tokens: whole.input_tokens - before.input_tokens + now.input_tokens,
        output_tokens: whole.output_tokens - before.output_tokens + now.output_tokens,
        cost: f64::max(whole.cost - before.cost + now.cost, 0.0),
        ..whole.clone()
    };
    let later_calls = (now.calls - before.calls).max(0);
    if now.calls > 0 {
        if now.slowest_ms >= row.slowest_ms {
            row.slowest_ms = now.slowest_ms;
            row.slowest_trace_id = now.slowest_trace_id;
        }
        if (now.last_time, &now.last_span_id) >= (row.last_time, &row.last_span_id) {
            row.last_time = now.last_time;
            row.last_ms = now.last_ms;
            row.last_trace_id = now.last_trace_id;
            row.last_span_id = now.last_span_id;
        }
        if now.last_error_time.is_some() && now.last_error_time >= row.last_error_time {
            row.last_error_time = now.last_error_time;
            row.last_error_trace_id = now.last_error_trace_id;
            row.last_error_type = now.last_error_type;
            row.last_error_message = now.last_error_message;
        }
    }
    Some(Known { row, later_calls })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A span as far as the figures of functions go.
    #[derive(Debug, Clone)]
    struct Sample {
        function: u8,
        start: i64,
        ms: u32,
        failed: bool,
    }

    fn sample(times: std::ops::Range<i64>) -> impl Strategy<Value = Sample> {
        (0..4_u8, times, 1..1_000_u32, any::<bool>()).prop_map(|(function, start, ms, failed)| Sample {
            function,
            start,
            ms,
            failed,
        })
    }

    /// The analysis `functions` of these spans. The number of a span makes its id.
    fn functions(samples: &[(usize, Sample)], since: i64) -> Vec<FunctionRow> {
        let mut groups: BTreeMap<u8, Vec<&(usize, Sample)>> = BTreeMap::new();
        for sample in samples.iter().filter(|(_, sample)| sample.start >= since) {
            groups.entry(sample.1.function).or_default().push(sample);
        }
        let row = |(function, mut group): (u8, Vec<&(usize, Sample)>)| {
            group.sort_by_key(|(number, sample)| (sample.start, *number));
            let id = |number: usize| format!("{number:04}");
            let last = group.last().expect("a group has spans");
            let slowest = group
                .iter()
                .max_by_key(|(number, sample)| (sample.ms, sample.start, *number));
            let slowest = slowest.expect("a group has spans");
            let error = group.iter().rev().find(|(_, sample)| sample.failed);
            let mut durations: Vec<u32> = group.iter().map(|(_, sample)| sample.ms).collect();
            durations.sort_unstable();
            FunctionRow {
                name: function.to_string(),
                module: Some("m".into()),
                calls: group.len() as i64,
                errors: group.iter().filter(|(_, sample)| sample.failed).count() as i64,
                p50_ms: f64::from(durations[durations.len() / 2]),
                total_ms: durations.iter().map(|ms| f64::from(*ms)).sum(),
                input_tokens: durations.iter().map(|ms| i64::from(*ms)).sum(),
                last_time: last.1.start,
                last_ms: f64::from(last.1.ms),
                last_trace_id: id(last.0),
                last_span_id: id(last.0),
                slowest_ms: f64::from(slowest.1.ms),
                slowest_trace_id: id(slowest.0),
                last_error_time: error.map(|(_, sample)| sample.start),
                last_error_trace_id: error.map(|(number, _)| id(*number)),
                ..FunctionRow::default()
            }
        };
        groups.into_iter().map(row).collect()
    }

    fn reading(samples: &[(usize, Sample)], since: i64) -> Whole {
        let part = |is_recent| move |figures| Part { is_recent, figures };
        let whole = functions(samples, i64::MIN).into_iter().map(part(false));
        let recent = functions(samples, since).into_iter().map(part(true));
        Whole::new(whole.chain(recent).collect(), since)
    }

    fn sorted(mut known: Vec<Known>) -> Vec<Known> {
        known.sort_by(|one, other| one.row.name.cmp(&other.row.name));
        known
    }

    const SINCE: i64 = 50;

    proptest! {
        #[test]
        fn what_came_since_a_reading_counts_as_in_a_reading_of_all(
            before in prop::collection::vec(sample(0..100), 0..30),
            after in prop::collection::vec(sample(SINCE..150), 0..30),
        ) {
            let all: Vec<(usize, Sample)> = before.iter().chain(&after).cloned().enumerate().collect();
            let early = &all[..before.len()];
            let found = sorted(reading(early, SINCE).known_with(functions(&all, SINCE)));
            let expected = functions(&all, i64::MIN);
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.into_iter().zip(expected) {
                let new = after.iter().filter(|sample| sample.function.to_string() == expected.name).count() as i64;
                if found.later_calls == 0 {
                    // Of the percentiles nothing is missing.
                    prop_assert_eq!(found.row, expected);
                } else {
                    prop_assert_eq!(found.later_calls, new);
                    prop_assert_eq!(FunctionRow { p50_ms: expected.p50_ms, ..found.row }, expected);
                }
            }
        }
    }

    #[test]
    fn calls_that_percentiles_do_not_have_are_counted() {
        let sample = |start, ms| Sample {
            function: 1,
            start,
            ms,
            failed: false,
        };
        let all = [(0, sample(10, 5)), (1, sample(60, 7)), (2, sample(70, 900))];
        let reading = reading(&all[..2], SINCE);
        let known = reading.known_with(functions(&all, SINCE));
        assert_eq!((known[0].row.calls, known[0].later_calls), (3, 1));
        assert_eq!((known[0].row.last_ms, known[0].row.slowest_ms), (900.0, 900.0));
        // Nothing came.
        assert_eq!(reading.known_with(functions(&all[..2], SINCE)), reading.known());
        // What was recent is gone.
        let known = reading.known_with(Vec::new());
        assert_eq!((known[0].row.calls, known[0].row.total_ms), (1, 5.0));
    }
}
