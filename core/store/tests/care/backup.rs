use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use flockscope_store::{Settings, Store, StoreError, restore};

use crate::spans::{assert_healthy, batch, content, count, day, number, open, silent};

const BATCH: i64 = 50;

#[test]
fn a_backup_of_a_store_in_use_is_a_prefix_of_what_was_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    store.ingest(&batch("old", 100, 20_000)).expect("stored");
    store.ingest(&batch("older", 99, 1_000)).expect("stored");
    store.archive(day(100), silent).expect("archived");
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !ended.load(Ordering::SeqCst) {
                store
                    .ingest(&batch(&format!("b{number:06}"), 101, BATCH))
                    .expect("stored");
                number += 1;
            }
        });
        for number in 0..3 {
            let target = folder.path().join(format!("backup{number}"));
            let manifest = store.backup(&target, silent).expect("backed up");
            assert_eq!(manifest.archived_spans, 1_000);
        }
        ended.store(true, Ordering::SeqCst);
    });
    let mut before = 0;
    for name in ["backup0", "backup1", "backup2"] {
        let path = folder.path().join(format!("{name}-restored/s.duckdb"));
        let restored = restore(&folder.path().join(name), &path, false, silent).expect("restored");
        assert_eq!(restored.kept, None);
        let copy = open(&path);
        let new = number(&copy, "SELECT count(*) FROM spans WHERE trace_id[1] = 'b'");
        assert_eq!(count(&copy), 21_000 + new);
        // Whole batches, and none after one that is missing.
        assert_eq!(new % BATCH, 0);
        let last = number(
            &copy,
            "SELECT coalesce(max(trace_id[2:7]::BIGINT), -1) FROM spans WHERE trace_id[1] = 'b'",
        );
        assert_eq!(new, (last + 1) * BATCH);
        assert!(new >= before);
        before = new;
        assert_eq!(restored.manifest.stored_spans as i64, 20_000 + new);
        assert_healthy(&copy);
    }
    assert!(before > 0);
    assert_healthy(&store);
}

#[test]
fn a_backup_can_be_read_where_it_lies() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    store.ingest(&batch("a", 100, 100)).expect("stored");
    store.archive(day(101), silent).expect("archived");
    store.ingest(&batch("b", 101, 100)).expect("stored");
    let backup = folder.path().join("it's a backup");
    store.backup(&backup, silent).expect("backed up");
    let expected = content(&store);
    // The original is gone.
    let path = store.path().to_owned();
    drop(store);
    std::fs::remove_dir_all(format!("{}.d", path.display())).expect("removed");
    std::fs::remove_file(&path).expect("removed");
    let read = Store::open_read_only(&backup.join("store.duckdb"), Settings::default()).expect("a store");
    assert_eq!(content(&read), expected);
}

#[test]
fn a_restore_over_a_store_must_be_asked_for_and_can_be_undone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.duckdb");
    let backup = folder.path().join("backup");
    let store = open(&path);
    store.ingest(&batch("a", 100, 100)).expect("stored");
    store.backup(&backup, silent).expect("backed up");
    store.backup(&backup, silent).expect_err("a backup is there already");
    store.ingest(&batch("b", 100, 100)).expect("stored");
    store.archive(day(101), silent).expect("archived");
    drop(store);
    assert!(matches!(
        restore(&backup, &path, false, silent),
        Err(StoreError::Exists { .. })
    ));
    assert_eq!(count(&open(&path)), 200);
    let restored = restore(&backup, &path, true, silent).expect("restored");
    assert_eq!(count(&open(&path)), 100);
    let kept = restored.kept.expect("the old one is kept");
    let old = open(&kept);
    assert_eq!(count(&old), 200);
    assert_healthy(&old);
}

#[test]
fn a_damaged_log_is_kept_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.duckdb");
    let backup = folder.path().join("backup");
    let store = open(&path);
    store.ingest(&batch("a", 100, 100)).expect("stored");
    store.backup(&backup, silent).expect("backed up");
    drop(store);
    // A store as a crash leaves it, with more in its log.
    let crashed = folder.path().join("crashed.duckdb");
    let store = open(&path);
    for name in ["b", "c", "d"] {
        store.ingest(&batch(name, 100, 100)).expect("stored");
    }
    std::fs::copy(&path, &crashed).expect("copied");
    let mut log = std::fs::read(folder.path().join("s.duckdb.wal")).expect("a log");
    drop(store);
    let middle = log.len() / 2;
    log[middle] ^= 0x55;
    std::fs::write(folder.path().join("crashed.duckdb.wal"), &log).expect("written");
    let file = std::fs::read(&crashed).expect("a store");

    let restored = restore(&backup, &crashed, true, silent).expect("restored");
    let kept = restored.kept.expect("the old one is kept");
    assert!(std::fs::read(&kept).expect("kept") == file, "the file was changed");
    let kept_log = PathBuf::from(format!("{}.wal", kept.display()));
    assert!(std::fs::read(kept_log).expect("kept") == log, "the log was changed");
    assert_eq!(count(&open(&crashed)), 100);
}

#[test]
fn a_restore_leaves_what_is_not_of_the_store_in_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.duckdb");
    let backup = folder.path().join("s.duckdb.d/backups/one");
    let store = open(&path);
    store.ingest(&batch("a", 100, 100)).expect("stored");
    std::fs::create_dir(folder.path().join("s.duckdb.d/backups")).expect("a folder");
    store.backup(&backup, silent).expect("backed up");
    drop(store);
    // As the core process keeps its log there.
    let log = folder.path().join("s.duckdb.d/ingest/00000001.spans");
    std::fs::create_dir_all(log.parent().expect("a folder")).expect("a folder");
    std::fs::write(&log, "accepted, not stored yet").expect("written");
    for _ in 0..2 {
        restore(&backup, &path, true, silent).expect("restored");
        assert_eq!(std::fs::read(&log).expect("still there"), b"accepted, not stored yet");
        assert_eq!(count(&open(&path)), 100);
    }
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.duckdb");
    let backup = folder.path().join("backup");
    let store = open(&path);
    store.ingest(&batch("a", 100, 100)).expect("stored");
    store.archive(day(101), silent).expect("archived");
    store.ingest(&batch("b", 101, 100)).expect("stored");
    store.backup(&backup, silent).expect("backed up");
    drop(store);
    let refused = |what: &str| {
        let error = restore(&backup, &path, true, silent).expect_err(what);
        assert!(matches!(error, StoreError::BadBackup { .. }), "{what}: {error}");
        assert_eq!(count(&open(&path)), 200, "{what}");
        error.to_string()
    };
    for file in ["store.duckdb", "store.duckdb.d/archive/day=1970-04-11/spans-1.parquet"] {
        let sound = std::fs::read(backup.join(file)).expect("a file");
        let mut damaged = sound.clone();
        damaged[sound.len() / 2] ^= 1;
        std::fs::write(backup.join(file), &damaged).expect("written");
        assert!(refused(file).contains("SHA-256"));
        std::fs::write(backup.join(file), &sound[1..]).expect("written");
        assert!(refused(file).contains("bytes instead of"));
        std::fs::remove_file(backup.join(file)).expect("removed");
        refused(file);
        std::fs::write(backup.join(file), &sound).expect("written");
    }
    let manifest = std::fs::read_to_string(backup.join("manifest.json")).expect("a manifest");
    for (what, to) in [
        ("\"format\": 1", "\"format\": 2"),
        ("\"path\": \"store.duckdb\"", "\"path\": \"../../store.duckdb\""),
        ("day=1970-04-11/spans-1", "../../../spans-1"),
        ("{", "["),
    ] {
        assert!(manifest.contains(what));
        std::fs::write(backup.join("manifest.json"), manifest.replacen(what, to, 1)).expect("written");
        refused(to);
    }
    std::fs::write(backup.join("manifest.json"), &manifest).expect("written");
    restore(&backup, &path, true, silent).expect("sound again");
}
