//! Calls and queries that end before they are done.

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use flockscope_store::arrow::array::Int64Array;
use flockscope_store::{Bounds, Limits, Part, Settings, SpanSelection, StopSignal, Store, StoreError, Window, calls};

use crate::sample::{self, span};

const ENDLESS: &str = "SELECT count(*) FROM range(1_000_000) a, range(1_000_000) b WHERE hash(a.range + b.range) = 1";

fn bounds(rows: usize) -> Bounds {
    Bounds {
        rows,
        time: Duration::from_secs(60),
        stop: StopSignal::new(),
    }
}

#[test]
fn a_call_gives_its_first_rows_in_their_order() {
    let store = sample::store();
    let all = store.operations(Window::default()).expect("rows");
    for rows in [1, all.len() - 1, all.len(), all.len() + 1] {
        let found = store
            .ask_within(&calls::operations(Window::default()), &bounds(rows))
            .expect("rows");
        assert_eq!(found.rows, all[..rows.min(all.len())]);
        assert_eq!(found.cut, rows < all.len());
    }
}

#[test]
fn a_call_ends_when_its_time_is_over_and_when_it_is_stopped() {
    let store = sample::store();
    let no_time = Bounds {
        time: Duration::ZERO,
        ..bounds(10)
    };
    // It reads all of the JSON.
    let error = store
        .ask_within(&calls::attribute_keys(Window::default()), &no_time)
        .expect_err("no time");
    assert!(matches!(error, StoreError::TimedOut(_)), "{error}");
    let stopped = bounds(10);
    stopped.stop.stop();
    let error = store.ask_within(&calls::statistics(), &stopped).expect_err("stopped");
    assert!(matches!(error, StoreError::Cancelled), "{error}");
    let error = store
        .spans_each(&SpanSelection::Newest, &stopped, |_| ControlFlow::Continue(()))
        .expect_err("stopped");
    assert!(matches!(error, StoreError::Cancelled), "{error}");
    assert_eq!(store.statistics().expect("a row").spans, 6797);
}

#[test]
fn sql_comes_in_parts_until_it_is_stopped_from_another_thread() {
    let store = sample::store();
    let stop = StopSignal::new();
    let (first, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let query = scope.spawn(|| {
            let mut rows = 0;
            let outcome = store.sql_each(
                "SELECT i FROM range(1_000_000_000_000) r(i)",
                &Limits {
                    rows: usize::MAX,
                    bytes: usize::MAX,
                    ..Limits::default()
                },
                &stop,
                |part| {
                    if let Part::Rows(batch) = part {
                        rows += batch.num_rows();
                        let _ = first.send(());
                    }
                    ControlFlow::Continue(())
                },
            );
            (outcome, rows)
        });
        has_begun.recv_timeout(Duration::from_secs(20)).expect("rows");
        stop.stop();
        let (outcome, rows) = query.join().expect("no panic");
        assert!(matches!(outcome, Err(StoreError::Cancelled)), "{outcome:?}");
        assert!(rows > 0);
    });
    let early = store
        .sql_each(
            "FROM range(100_000)",
            &Limits::default(),
            &StopSignal::new(),
            |part| match part {
                Part::Columns(_) => ControlFlow::Continue(()),
                Part::Rows(_) => ControlFlow::Break(()),
            },
        )
        .expect("ended");
    assert!(early.cut && early.rows < 100_000, "{early:?}");
}

#[test]
fn a_query_with_a_budget_of_memory_answers_and_waits_for_its_connection() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings {
        sandboxes: 1,
        sandbox_memory: "64MB".into(),
        ..Settings::default()
    };
    let store = Store::open(&folder.path().join("s.duckdb"), settings).expect("a store");
    store.ingest(&[span("a", None, "A.f", 0, 10)]).expect("stored");
    let limit = |store: &Store| {
        let answer = store
            .sql("SELECT current_setting('operator_memory_limit')", &Limits::default())
            .expect("an answer");
        format!("{:?}", answer.batches[0].column(0))
    };
    assert!(limit(&store).contains("61.0 MiB"), "{}", limit(&store));
    let no_internals = Limits {
        internals: false,
        ..Limits::default()
    };
    let refused = store
        .sql("SELECT current_setting('temp_directory')", &no_internals)
        .expect_err("refused");
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    // More than the budget.
    let sorted = store
        .sql(
            "SELECT count(*) FROM (SELECT i::VARCHAR || repeat('x', 50) AS x, count(*) FROM range(2_000_000) r(i) GROUP BY x)",
            &Limits::default(),
        )
        .expect("an answer");
    let counted: &Int64Array = sorted.batches[0].column(0).as_any().downcast_ref().expect("a number");
    assert_eq!(counted.values(), &[2_000_000]);
    // The one connection is lent: the next query waits, until its own time is over.
    let stop = StopSignal::new();
    thread::scope(|scope| {
        let (begun, has_begun) = mpsc::channel();
        let (store, stop_it) = (&store, stop.clone());
        scope.spawn(move || {
            let _ = store.sql_each(
                &format!("SELECT 1 UNION ALL {ENDLESS}"),
                &Limits::default(),
                &stop_it,
                |_| {
                    let _ = begun.send(());
                    ControlFlow::Continue(())
                },
            );
        });
        has_begun.recv_timeout(Duration::from_secs(20)).expect("it runs");
        let short = Limits {
            time: Duration::from_millis(50),
            ..Limits::default()
        };
        let error = store.sql("SELECT 1", &short).expect_err("it waits");
        assert!(matches!(error, StoreError::TimedOut(_)), "{error}");
        stop.stop();
    });
    // The file is closed and opened again: the connections go and come with it.
    store.compact(|_| {}).expect("compacted");
    assert!(limit(&store).contains("61.0 MiB"));
}

#[test]
fn the_version_changes_when_and_only_when_spans_come_or_go() {
    let store = sample::store_of(&[]);
    let empty = store.version();
    store.ingest(&[]).expect("nothing");
    store.statistics().expect("a row");
    store.sql("SELECT 1", &Limits::default()).expect("an answer");
    assert_eq!(store.version(), empty);
    store.ingest(&[span("a", None, "A.f", 0, 10)]).expect("stored");
    let one = store.version();
    assert_ne!(one, empty);
    store.clear().expect("cleared");
    assert!(![empty, one].contains(&store.version()));
}

#[test]
fn the_newest_spans_come_in_order_also_when_many_began_at_once() {
    let spans: Vec<_> = (0..5_000_i64)
        .map(|number| span(&format!("s{number}"), None, "A.f", number / 1_700, 10))
        .collect();
    let store = sample::store_of(&spans);
    for most in [1, 999, 1_000, 1_001, 1_700, 4_999, 5_000, 6_000] {
        let mut starts = Vec::new();
        let ending = store
            .spans_each(&SpanSelection::Newest, &bounds(most), |batch| {
                let column = batch.column_by_name("start_time").expect("a column").clone();
                let column = column
                    .as_any()
                    .downcast_ref::<flockscope_store::arrow::array::Int64Array>()
                    .expect("numbers")
                    .clone();
                starts.extend(column.values().iter().copied());
                ControlFlow::Continue(())
            })
            .expect("spans");
        let mut expected: Vec<i64> = spans.iter().map(|span| span.start_time).collect();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        expected.truncate(most);
        assert_eq!(starts, expected, "{most}");
        assert_eq!((ending.rows, ending.cut), (starts.len(), most < 5_000), "{most}");
    }
}
