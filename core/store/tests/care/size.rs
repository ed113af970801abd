use flockscope_generator::{Generator, Shape};
use flockscope_store::Store;

use crate::spans::{DAY, assert_healthy, count, day, number, open, silent};

const FIRST_DAY: i64 = 20_000;

/// Spans over so many days, some of them archived.
fn filled(store: &Store, days: u64, spans: u64) {
    let settings = flockscope_generator::Settings {
        spans,
        shape: Shape::Full,
        start_time: FIRST_DAY * DAY,
        span_of_time: std::time::Duration::from_secs(days * 86_400 - 7_200),
        ..flockscope_generator::Settings::default()
    };
    let mut generator = Generator::new(settings).expect("sound settings");
    while let Some(batch) = generator.next_batch(10_000) {
        store.ingest(&batch).expect("stored");
    }
}

#[test]
fn the_oldest_days_go_first_until_the_store_fits() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    filled(&store, 10, 100_000);
    store.archive(day(FIRST_DAY + 3), silent).expect("archived");
    store.compact(silent).expect("compacted");
    let full = store.size().expect("a size");
    assert_eq!(store.limit_size(full.on_disk()).expect("within").spans, 0);
    let limit = full.on_disk() * 6 / 10;
    let limited = store.limit_size(limit).expect("limited");
    assert!(
        limited.fits && limited.size.on_disk() <= limit,
        "{limited:?} of {full:?}"
    );
    assert!(limited.compacted);
    let before = limited.before.expect("something went");
    assert_eq!(before % DAY, 0);
    assert_eq!(count(&store) + limited.spans as i64, 100_000);
    assert_eq!(
        number(
            &store,
            &format!("SELECT count(*) FROM spans WHERE start_time < {before}")
        ),
        0
    );
    assert_eq!(
        number(
            &store,
            &format!("SELECT count(*) FROM trace_times WHERE min_start < {before}")
        ),
        0
    );
    // Not more than was needed: the day before would not have fitted.
    assert!(limited.size.on_disk() > limit / 2, "{limited:?}");
    assert_healthy(&store);
    // It can be filled again, and what is on the disk is what the file system says.
    let again = store.limit_size(limit).expect("within");
    assert_eq!((again.spans, again.compacted), (0, false));
    assert_eq!(
        std::fs::metadata(store.path()).expect("the file").len(),
        again.size.file
    );
}

#[test]
fn within_one_day_the_oldest_hours_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    filled(&store, 1, 50_000);
    store.compact(silent).expect("compacted");
    let limit = store.size().expect("a size").on_disk() * 7 / 10;
    let limited = store.limit_size(limit).expect("limited");
    assert!(limited.fits, "{limited:?}");
    let before = limited.before.expect("something went");
    assert_eq!(before % (DAY / 24), 0);
    assert!((1..50_000).contains(&count(&store)));
    assert_healthy(&store);
}

#[test]
fn a_limit_below_an_empty_store_is_said_not_to_fit() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    filled(&store, 1, 1_000);
    let limited = store.limit_size(1_000).expect("limited");
    assert!(!limited.fits);
}
