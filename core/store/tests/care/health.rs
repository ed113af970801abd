use std::path::{Path, PathBuf};

use flockscope_store::{Health, Settings, Severity, Store, StoreError, examine, rescue};

use crate::crash;
use crate::spans::{assert_healthy, batch, content, count, day, number, open, sample_moved, silent};

fn examined(path: &Path) -> Health {
    examine(path, Settings::default(), true, silent)
}

fn said(health: &Health) -> String {
    health
        .findings
        .iter()
        .map(|finding| format!("{:?}: {}\n", finding.severity, finding.what))
        .collect()
}

/// The sample in a store that was closed well.
fn sound_store(folder: &Path) -> PathBuf {
    let path = folder.join("sound.duckdb");
    let store = open(&path);
    store.ingest(&sample_moved(0)).expect("stored");
    store.ingest(&batch("old", 100, 100)).expect("stored");
    store.archive(day(101), silent).expect("archived");
    path
}

/// A small and well spread sequence of numbers.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[test]
fn a_sound_store_has_no_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sound_store(folder.path());
    let health = examined(&path);
    assert!(health.is_sound() && health.deep, "{}", said(&health));
    assert_eq!((health.stored_spans, health.archived_spans), (Some(6797), Some(100)));
    assert_eq!(health.schema_version.as_deref(), Some("1"));
    assert_eq!(
        health.worst().filter(|worst| *worst > Severity::Note),
        None,
        "{}",
        said(&health)
    );
    assert_healthy(&open(&path));
}

#[test]
fn damage_anywhere_is_found_or_harmless() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sound_store(folder.path());
    let expected = content(&open(&path));
    let sound = std::fs::read(&path).expect("the file");
    let damaged_path = folder.path().join("damaged.duckdb");
    copy_folder(&path, &damaged_path);
    let mut state = 7;
    let (mut found, mut harmless) = (0, 0);
    for round in 0..60 {
        let mut bytes = sound.clone();
        // Headers have a good share of the places.
        let at = match round {
            0..12 => (round * 1021) as usize,
            _ => (random(&mut state) % sound.len() as u64) as usize,
        };
        bytes[at] ^= 1 << (random(&mut state) % 8);
        std::fs::write(&damaged_path, &bytes).expect("written");
        let health = examined(&damaged_path);
        assert_eq!(
            std::fs::read(&damaged_path).expect("the file"),
            bytes,
            "an examination changes nothing"
        );
        if health.is_sound() {
            let store = Store::open_read_only(&damaged_path, Settings::default()).expect("said to be sound");
            assert_eq!(content(&store), expected, "byte {at} was said to be sound");
            harmless += 1;
        } else {
            assert!(health.findings[0].advice.contains("restore"), "{health:?}");
            found += 1;
        }
    }
    assert!(found > 30, "{found} found, {harmless} harmless");
    println!("60 changed bits: {found} found, {harmless} harmless");
}

#[test]
fn what_is_broken_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sound_store(folder.path());
    let sound = std::fs::read(&path).expect("the file");
    let damaged = folder.path().join("damaged.duckdb");
    let of = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).expect("written");
        let health = examined(&damaged);
        assert!(!health.is_sound());
        said(&health)
    };
    let flipped = |at: usize| {
        let mut bytes = sound.clone();
        bytes[at] ^= 4;
        bytes
    };
    assert!(of(b"not a database").contains("no DuckDB file"));
    assert!(of(&flipped(9)).contains("no DuckDB file"));
    assert!(of(&flipped(100)).contains("the main header is damaged"));
    assert!(of(&flipped(4200)).contains("the first database header is damaged"));
    assert!(of(&flipped(8300)).contains("the second database header is damaged"));
    assert!(of(&sound[..5000]).contains("truncated: it has only 5000 bytes"));
    assert!(of(&sound[..sound.len() - 600_000]).contains("truncated: it has"));
    assert!(of(&flipped(12_288 + 262_144 + 5_000)).contains("block 1 is damaged"));
    let missing = examined(&folder.path().join("nothing.duckdb"));
    assert!(said(&missing).contains("no such file"));
    assert!(said(&examined(folder.path())).contains("Error"));
}

const LOG_FOLDER: &str = "FLOCKSCOPE_TEST_LOG";

/// Stores batches and ends without closing, so that they are in the log only.
fn cut_to(path: &Path, length: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a file");
    file.set_len(length).expect("cut");
}

fn is_truncated<T>(outcome: Result<T, StoreError>) -> bool {
    match outcome {
        Err(error @ StoreError::Truncated { .. }) => {
            let said = error.to_string();
            said.contains("is truncated") && said.contains("flockscope restore") && said.contains("--rescue")
        }
        _ => false,
    }
}

#[test]
fn a_file_that_lost_its_end_is_not_opened_to_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sound_store(folder.path());
    let sound = std::fs::read(&path).expect("a file");
    let blocks = sound.len() as u64 / 262_144;
    assert!(blocks > 4, "{blocks}");
    for length in [0, 12, 5_000, 12_288, sound.len() as u64 / 2, sound.len() as u64 - 1] {
        std::fs::write(&path, &sound[..length as usize]).expect("written");
        assert!(is_truncated(Store::open(&path, Settings::default())), "{length}");
        assert_eq!(
            std::fs::metadata(&path).expect("there").len(),
            length,
            "it was left as it was"
        );
        let health = examined(&path);
        assert!(!health.is_sound(), "{length}: {}", said(&health));
    }
    std::fs::write(&path, &sound).expect("written");
    assert_healthy(&open(&path));
}

#[test]
fn an_open_store_whose_file_loses_its_end_takes_nothing_more_and_writes_over_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sound_store(folder.path());
    let store = open(&path);
    // All that storing needs is in memory: DuckDB alone would notice nothing.
    store.ingest(&batch("before", 101, 100)).expect("stored");
    let expected = content(&store);
    let half = std::fs::metadata(&path).expect("there").len() / 2;
    cut_to(&path, half);
    for _ in 0..2 {
        assert!(is_truncated(store.ingest(&batch("after", 101, 100))));
    }
    assert!(is_truncated(store.compact(silent)));
    assert_eq!(content(&store).len(), expected.len());
    drop(store);
    assert_eq!(std::fs::metadata(&path).expect("there").len(), half);
    assert!(is_truncated(Store::open(&path, Settings::default())));
    // What shares a vector of 2,048 rows with what is missing can't be read, but the sound day of the archive can.
    let new = folder.path().join("new.duckdb");
    let rescued = rescue(&path, &new, Settings::default(), silent).expect("rescued");
    let saved = content(&open(&new));
    assert_eq!(saved.len() as u64, rescued.spans);
    assert!(saved.len() >= 100, "{rescued:?}");
    assert!(saved.keys().all(|key| expected.contains_key(key)));
}

#[test]
fn child_that_leaves_a_log() {
    let Ok(folder) = std::env::var(LOG_FOLDER) else {
        return;
    };
    let store = open(&Path::new(&folder).join("s.duckdb"));
    for number in 0..10 {
        store.ingest(&batch(&format!("b{number}"), 100, 20)).expect("stored");
    }
    std::process::abort();
}

#[test]
fn a_damaged_log_is_never_silently_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = folder.path().join("made");
    std::fs::create_dir(&made).expect("a folder");
    assert!(!crash::run(
        "health::child_that_leaves_a_log",
        &[(LOG_FOLDER, made.to_str().expect("text"))]
    ));
    let file = std::fs::read(made.join("s.duckdb")).expect("a file");
    let log = std::fs::read(made.join("s.duckdb.wal")).expect("a log");
    let path = folder.path().join("damaged.duckdb");
    let lay = |log: &[u8]| {
        let _ = std::fs::remove_dir_all(folder.path().join("damaged.duckdb.d"));
        std::fs::write(&path, &file).expect("written");
        std::fs::write(folder.path().join("damaged.duckdb.wal"), log).expect("written");
    };
    lay(&log);
    let health = examined(&path);
    assert_eq!(said(&health), "", "the log is sound");
    let mut state = 3;
    for round in 0..40 {
        let at = (random(&mut state) % log.len() as u64) as usize;
        let mut bytes = log.clone();
        bytes[at] ^= 1 << (random(&mut state) % 8);
        lay(&bytes);
        assert!(!examined(&path).is_sound(), "byte {at} of {}", log.len());
        match Store::open(&path, Settings::default()) {
            // What DuckDB can't replay it refuses itself.
            Err(StoreError::DamagedLog { .. } | StoreError::NotAStore { .. }) => {}
            Err(error) => panic!("byte {at}: {error}"),
            Ok(store) => assert_eq!(count(&store), 200, "byte {at}: batches were dropped without a word"),
        }
        if round % 4 > 0 {
            continue;
        }
        let saved = rescue(&path, &folder.path().join("saved.duckdb"), Settings::default(), silent)
            .map(|rescued| rescued.spans);
        if let Ok(spans) = saved {
            // Whole batches.
            assert_eq!(spans % 20, 0, "byte {at}");
            assert_healthy(&open(&folder.path().join("saved.duckdb")));
        }
        let _ = std::fs::remove_file(folder.path().join("saved.duckdb"));
        let _ = std::fs::remove_dir_all(folder.path().join("saved.duckdb.d"));
    }
    // A write that a crash cut off was never acknowledged.
    lay(&log[..log.len() - 3]);
    assert!(said(&examined(&path)).contains("Note: ") && examined(&path).is_sound());
    assert_eq!(count(&open(&path)), 180);
}

#[test]
fn a_rescue_saves_what_can_be_read_and_invents_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sound_store(folder.path());
    let expected = content(&open(&path));
    let sound = std::fs::read(&path).expect("the file");
    let damaged = folder.path().join("damaged.duckdb");
    copy_folder(&path, &damaged);
    let (mut whole, mut some) = (0, 0);
    for block in 0..(sound.len() - 12_288) / 262_144 {
        let mut bytes = sound.clone();
        bytes[12_288 + block * 262_144 + 4_000] ^= 1;
        std::fs::write(&damaged, &bytes).expect("written");
        let new = folder.path().join(format!("new{block}/s.duckdb"));
        match rescue(&damaged, &new, Settings::default(), silent) {
            Err(StoreError::BeyondRescue { .. }) => assert!(!new.exists()),
            Err(error) => panic!("block {block}: {error}"),
            Ok(rescued) => {
                let store = open(&new);
                let saved = content(&store);
                assert_eq!(saved.len() as u64, rescued.spans);
                for (id, row) in &saved {
                    assert!(
                        row == &expected[id] || row.contains("rescued without"),
                        "block {block}: {row}"
                    );
                }
                assert!(saved.len() as u64 + rescued.lost_rows >= expected.len() as u64 || !rescued.losses.is_empty());
                assert_healthy(&store);
                if saved == expected {
                    whole += 1
                } else {
                    some += 1
                }
                if saved != expected {
                    assert!(!rescued.losses.is_empty(), "block {block}: lost without a word");
                }
            }
        }
        assert_eq!(
            std::fs::read(&damaged).expect("the file"),
            bytes,
            "a rescue changes nothing"
        );
    }
    assert!(some > 0, "{whole} whole, {some} in part");
    // With a damaged header the other one serves.
    let mut bytes = sound.clone();
    bytes[8_300] ^= 1;
    std::fs::write(&damaged, &bytes).expect("written");
    let rescued = rescue(
        &damaged,
        &folder.path().join("header.duckdb"),
        Settings::default(),
        silent,
    )
    .expect("saved");
    assert!(
        rescued.losses.iter().any(|loss| loss.contains("a header")),
        "{rescued:?}"
    );
}

#[test]
fn wrong_times_and_spans_that_are_there_twice_are_found_and_mended() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = sound_store(folder.path());
    {
        let connection = duckdb::Connection::open(&path).expect("DuckDB");
        connection
            .execute_batch(
                "DELETE FROM trace_times WHERE trace_id = (SELECT min(trace_id) FROM stored_spans);
                 INSERT INTO stored_spans FROM stored_spans LIMIT 3;",
            )
            .expect("damaged");
    }
    let health = examined(&path);
    let said = said(&health);
    assert!(
        said.contains("1 traces are not found by their times") && said.contains("3 spans are there more than once"),
        "{said}"
    );
    let new = folder.path().join("new.duckdb");
    let rescued = rescue(&path, &new, Settings::default(), silent).expect("saved");
    assert_eq!(rescued.spans, 6897);
    let store = open(&new);
    assert_healthy(&store);
    assert_eq!(number(&store, "SELECT count(*) FROM stored_spans"), 6797);
}

/// The folder beside a store, under the name of another.
fn copy_folder(from: &Path, to: &Path) {
    let beside = |path: &Path| PathBuf::from(format!("{}.d", path.display()));
    for entry in walk(&beside(from)) {
        let target = beside(to).join(entry.strip_prefix(beside(from)).expect("below it"));
        std::fs::create_dir_all(target.parent().expect("a folder")).expect("made");
        std::fs::copy(&entry, &target).expect("copied");
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(walk(&path))
        } else {
            files.push(path)
        }
    }
    files
}
