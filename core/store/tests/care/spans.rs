//! Spans to test with, and ways to look at what a store holds.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use flockscope_model::{NewSpan, Span};
use flockscope_store::arrow::array::{Array, Int64Array, StringArray};
use flockscope_store::{Limits, Progress, Settings, Store};

#[path = "../../../../tests/data/sample.rs"]
mod bundled;

pub(crate) use bundled::spans as sample;

/// Nanoseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000_000;
/// 2026-11-23, the day of the sample, in days since the epoch.
pub(crate) const SAMPLE_DAY: i64 = 20_780;

/// A day by its number since the epoch.
pub(crate) fn day(number: i64) -> NaiveDate {
    NaiveDate::from_epoch_days(number.try_into().expect("a day")).expect("a day")
}

/// Progress that nobody looks at.
pub(crate) fn silent(_: Progress) {}

/// The sample, moved by so many days, as traces of their own.
pub(crate) fn sample_moved(days: i64) -> Vec<Span> {
    let moved = |span: &Span| Span {
        trace_id: format!("{days}-{}", span.trace_id),
        start_time: span.start_time + days * DAY,
        end_time: span.end_time + days * DAY,
        ..span.clone()
    };
    sample().iter().map(moved).collect()
}

/// A span of a day, so many milliseconds after its midnight.
pub(crate) fn span(trace: &str, id: &str, day: i64, ms: i64) -> Span {
    let found = NewSpan {
        trace_id: trace.into(),
        span_id: id.into(),
        name: format!("Agent.{id}"),
        start_time: day * DAY + ms * 1_000_000,
        end_time: day * DAY + (ms + 10) * 1_000_000,
        attributes: format!(
            "{{\"class\":\"Agent\",\"agent.name\":\"a\",\"input.text\":\"{trace} {id} {}\"}}",
            "x".repeat(200)
        ),
        ..NewSpan::default()
    };
    Span::new(found, |_| {}).expect("a span that can be placed")
}

/// A batch of spans on one day, two to a trace.
pub(crate) fn batch(name: &str, day: i64, spans: i64) -> Vec<Span> {
    (0..spans)
        .map(|n| span(&format!("{name}-{}", n / 2), &format!("s{n}"), day, n))
        .collect()
}

pub(crate) fn open(path: &Path) -> Store {
    Store::open(path, Settings::default()).expect("a store")
}

/// The one number that a query answers.
pub(crate) fn number(store: &Store, query: &str) -> i64 {
    let answer = store
        .sql(query, &Limits::default())
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    let column = answer.batches[0]
        .column(0)
        .as_any()
        .downcast_ref::<Int64Array>()
        .expect("a BIGINT");
    column.value(0)
}

pub(crate) fn count(store: &Store) -> i64 {
    number(store, "SELECT count(*) FROM spans")
}

/// Every span's content, by trace and span id. Fails where a span is there twice.
pub(crate) fn content(store: &Store) -> BTreeMap<(String, String), String> {
    let limits = Limits {
        rows: usize::MAX,
        bytes: usize::MAX,
        ..Limits::default()
    };
    let query = "SELECT trace_id, span_id, CAST(spans AS VARCHAR) AS row FROM spans";
    let answer = store.sql(query, &limits).unwrap_or_else(|error| panic!("{error}"));
    let mut all = BTreeMap::new();
    for batch in &answer.batches {
        let text = |column: usize| {
            batch
                .column(column)
                .as_any()
                .downcast_ref::<StringArray>()
                .expect("text")
        };
        for row in 0..batch.num_rows() {
            let key = (text(0).value(row).to_owned(), text(1).value(row).to_owned());
            let before = all.insert(key.clone(), text(2).value(row).to_owned());
            assert_eq!(before, None, "{key:?} is there twice");
        }
    }
    all
}

/// A sound deep check: nothing damaged, nothing to warn of.
pub(crate) fn assert_healthy(store: &Store) {
    let health = store.check(true, silent).expect("a check");
    assert!(
        health.is_sound()
            && health
                .findings
                .iter()
                .all(|found| !found.what.contains("does not belong")),
        "{health:#?}"
    );
}
