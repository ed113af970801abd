//! On a full disk nothing is lost that was acknowledged, and the process goes on when there is space again.

use flockscope_store::{Store, StoreError, Window};

use crate::spans::{assert_healthy, batch, content, count, day, open, silent};

#[path = "../../../../tests/faults/full_disk.rs"]
mod full_disk;

const BATCH: i64 = 500;

#[test]
fn nothing_acknowledged_is_lost_on_a_full_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    full_disk::run_child(folder.path(), 48, Some(20_000)).expect("one of the two ways");
}

fn is_full<T>(outcome: Result<T, StoreError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(StoreError::DiskFull { .. }) => true,
        Err(error) => panic!("not said to be a full disk: {error}"),
    }
}

/// Stores batches until the disk is full. Returns how many there are then.
fn fill(store: &Store, mut stored: i64) -> i64 {
    loop {
        if is_full(store.ingest(&batch(&format!("b{stored}"), 100 + stored % 3, BATCH))) {
            return stored;
        }
        stored += 1;
    }
}

#[test]
fn child() {
    let Some(disk) = full_disk::disk() else {
        return;
    };
    let folder = disk.folder.as_path();
    let path = folder.join("s.duckdb");
    let ballast = folder.join("ballast");
    if disk.is_own {
        std::fs::write(&ballast, vec![1; 16 << 20]).expect("room");
    }
    let store = open(&path);
    let mut stored = fill(&store, 0);
    assert!(stored > 2, "only {stored} batches fitted");
    // Again and again: nothing of the refused batches is there, and reading goes on.
    for _ in 0..3 {
        stored = fill(&store, stored);
        assert_eq!(count(&store), stored * BATCH);
        assert!(!store.traces(Window::default(), Some(10)).expect("traces").is_empty());
    }
    let before = content(&store);
    // Work that needs space leaves the store as it was; a failed checkpoint makes DuckDB give up the open file.
    let backup = folder.join("backup");
    for round in 0..2 {
        let compacted = store.compact(silent).map(drop);
        if disk.is_own {
            let message = compacted.as_ref().expect_err("a full disk").to_string();
            assert!(
                message.contains("FATAL"),
                "DuckDB was to give up the file, and did not: {message}"
            );
        }
        let refused = [
            is_full(store.backup(&backup, silent)),
            is_full(compacted),
            is_full(store.archive(day(200), silent)),
        ];
        assert!(
            !disk.is_own || refused[..2] == [true, true],
            "round {round}: {refused:?}"
        );
        assert_eq!(content(&store), before, "round {round}");
        assert!(refused[0] != backup.exists());
    }
    if disk.is_own {
        std::fs::remove_file(&ballast).expect("removed");
        store
            .ingest(&batch(&format!("b{stored}"), 100, BATCH))
            .expect("there is space again");
        stored += 1;
        assert_eq!(count(&store), stored * BATCH);
    }
    assert_healthy(&store);
    drop(store);
    let store = open(&path);
    assert_eq!(count(&store), stored * BATCH);
    assert_healthy(&store);
}
