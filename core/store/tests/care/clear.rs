use flockscope_store::Cleared;

use crate::spans::{self, SAMPLE_DAY, assert_healthy, count, day, open, silent, span};

#[test]
fn everything_goes_the_archive_too_and_the_store_can_be_used_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.duckdb");
    let store = open(&path);
    store.ingest(spans::sample()).expect("stored");
    store.ingest(&spans::sample_moved(5)).expect("stored");
    store.archive(day(SAMPLE_DAY + 2), silent).expect("archived");
    assert_eq!(store.archived_days().expect("days").len(), 1);
    let traces = store.statistics().expect("a row").traces as u64;
    let spans = count(&store) as u64;
    store.set_source_position("flock", "42").expect("kept");
    assert_eq!(store.clear().expect("cleared"), Cleared { spans, traces });
    assert_eq!(count(&store), 0);
    assert!(store.archived_days().expect("days").is_empty());
    assert_eq!(store.clear().expect("cleared"), Cleared::default());
    // What was read of a source stays read.
    assert_eq!(store.source_position("flock").expect("kept").as_deref(), Some("42"));
    store.ingest(&[span("t", "a", 100, 0)]).expect("stored");
    drop(store);
    let store = open(&path);
    assert_eq!(count(&store), 1);
    assert_healthy(&store);
    assert!(
        std::fs::read_dir(store.archive_folder())
            .expect("the archive")
            .next()
            .is_none_or(|entry| {
                entry.is_ok_and(|entry| std::fs::read_dir(entry.path()).is_ok_and(|mut files| files.next().is_none()))
            })
    );
}
