use crate::spans::{assert_healthy, batch, content, count, open, silent};
use std::sync::atomic::{AtomicBool, Ordering};

use flockscope_store::{Expired, Window};

#[test]
fn a_compacted_store_holds_the_same_in_less_space() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    for number in 0..20 {
        store
            .ingest(&batch(&format!("d{number}"), 100 + number, 10_000))
            .expect("stored");
    }
    // Closed, so that it is in the file and not only in the log.
    let path = store.path().to_owned();
    drop(store);
    let store = open(&path);
    let Expired { spans, .. } = store.expire(125 * crate::spans::DAY, 10).expect("expired");
    assert_eq!(spans, 150_000);
    let (before, traces) = (
        content(&store),
        store.traces(Window::default(), Some(100)).expect("traces"),
    );
    let compacted = store.compact(silent).expect("compacted");
    assert!(compacted.after.file < compacted.before.file / 2, "{compacted:?}");
    assert_eq!(content(&store), before);
    assert_eq!(store.traces(Window::default(), Some(100)).expect("traces"), traces);
    // Sandbox and limits hold in the file that was opened anew.
    store
        .sql("FROM read_text('/etc/hostname')", &flockscope_store::Limits::default())
        .expect_err("refused");
    store.ingest(&batch("after", 130, 10)).expect("stored");
    drop(store);
    let store = open(&path);
    assert_eq!(count(&store), 50_010);
    assert_healthy(&store);
}

#[test]
fn readers_and_writers_only_wait_while_a_store_is_compacted() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    store.ingest(&batch("first", 100, 20_000)).expect("stored");
    let ended = AtomicBool::new(false);
    let stored = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut stored = 0;
            while !ended.load(Ordering::SeqCst) {
                store.ingest(&batch(&format!("b{stored}"), 101, 10)).expect("stored");
                stored += 1;
            }
            stored
        });
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                assert!(count(&store) >= 20_000);
            }
        });
        for _ in 0..5 {
            store.compact(silent).expect("compacted");
        }
        ended.store(true, Ordering::SeqCst);
        writer.join().expect("the writer")
    });
    assert_eq!(count(&store), 20_000 + 10 * stored);
    assert_healthy(&store);
}
