//! Flock files of every DuckDB that writes them.

use std::fs;

use flockscope_sources::snapshot::BlockSnapshot;
use flockscope_sources::{SourceKind, detect, open};

use crate::samples::{assert_same, folder, read_sound, rows, unpacked};

#[test]
fn files_of_duckdb_1_1_to_2_0_give_the_same_spans() {
    let rows = rows();
    for version in ["1.1.3", "1.3.2", "1.4.1", "2.0.0"] {
        let folder = folder();
        let file = unpacked(&format!("flock-{version}.duckdb"), &folder);
        assert_eq!(detect(&file).expect(version), SourceKind::Flock);
        let spans = read_sound(&file);
        assert_same(&spans, &rows);
        // Flock's JSON is kept byte for byte.
        assert_eq!(Some(spans[0].attributes.as_str()), rows[0]["attributes"].as_str());
        // 2026-11-23 07:12:01 and so on, as Flock's own clock said.
        let created = spans[0].created_at.expect("a time");
        assert_eq!(created, micros(rows[0]["created_at"].as_str().expect("text")));
    }
}

/// Microseconds since the epoch of a time of November 2026.
fn micros(text: &str) -> i64 {
    let part = |range: std::ops::Range<usize>| text[range].parse::<i64>().expect("a number");
    assert!(text.starts_with("2026-11-"));
    // 2026-11-01 is 20,758 days after 1970-01-01.
    let days = 20_758 + part(8..10) - 1;
    let seconds = days * 86_400 + part(11..13) * 3600 + part(14..16) * 60 + part(17..19);
    seconds * 1_000_000 + part(20..26)
}

#[test]
fn rows_that_stand_in_the_write_ahead_log_are_read_too() {
    for version in ["1.1.3", "2.0.0"] {
        let folder = folder();
        let file = unpacked(&format!("flock-{version}-log.duckdb"), &folder);
        unpacked(&format!("flock-{version}-log.duckdb.wal"), &folder);
        assert_same(&read_sound(&file), &rows());
    }
}

#[test]
fn a_log_that_ends_within_an_entry_gives_all_entries_before_it() {
    let folder = folder();
    let file = unpacked("flock-2.0.0-log.duckdb", &folder);
    let log = unpacked("flock-2.0.0-log.duckdb.wal", &folder);
    let whole = fs::read(&log).expect("a log");
    let rows = rows();
    let mut counts = Vec::new();
    for length in (0..=whole.len()).step_by(1501).chain([whole.len() - 1, whole.len()]) {
        fs::write(&log, &whole[..length]).expect("a shorter log");
        let spans = read_sound(&file);
        assert_same(&spans, &rows[..spans.len()]);
        counts.push(spans.len());
    }
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!((counts.first(), counts.last()), (Some(&13), Some(&26)));
}

#[test]
fn reading_leaves_the_file_and_its_log_alone() {
    let folder = folder();
    let file = unpacked("flock-2.0.0-log.duckdb", &folder);
    let log = unpacked("flock-2.0.0-log.duckdb.wal", &folder);
    let state = || (fs::read(&file).expect("bytes"), fs::read(&log).expect("bytes"));
    let before = state();
    assert_eq!(read_sound(&file).len(), 26);
    assert_eq!(state(), before);
    let names: Vec<_> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn progress_counts_rows() {
    let folder = folder();
    let file = unpacked("flock-2.0.0.duckdb", &folder);
    let mut source = open(&file).expect("a source");
    let before = source.progress().expect("known");
    assert_eq!((before.done, before.total), (0, 26));
    source.next_batch(&mut Default::default()).expect("a batch");
    assert_eq!(source.progress().expect("known").done, 26);
}

#[test]
fn a_snapshot_copies_all_at_first_and_nothing_of_what_stayed() {
    let (live, mirrors) = (folder(), folder());
    let file = unpacked("flock-2.0.0.duckdb", &live);
    let mut snapshot = BlockSnapshot::new(file.clone(), mirrors.path()).expect("a snapshot");
    let first = snapshot.refresh().expect("a copy");
    assert!(first.changed && first.attempts == 1);
    assert_eq!(fs::read(&first.path).expect("bytes"), fs::read(&file).expect("bytes"));
    let size = fs::metadata(&file).expect("a file").len();
    assert_eq!(first.copied_bytes, size);

    let second = snapshot.refresh().expect("a copy");
    assert_eq!((second.changed, second.copied_bytes), (false, 0));
    assert_eq!(second.path, first.path);
}

#[test]
fn a_snapshot_copies_only_blocks_that_changed() {
    let (live, mirrors) = (folder(), folder());
    let file = live.path().join("t.duckdb");
    let sql = |statement: &str| {
        duckdb::Connection::open(&file)
            .expect("a database")
            .execute_batch(statement)
            .expect(statement);
    };
    sql("CREATE TABLE spans AS SELECT hash(i) AS a, hash(i + 1) AS b FROM range(400000) r(i)");
    let mut snapshot = BlockSnapshot::new(file.clone(), mirrors.path()).expect("a snapshot");
    let whole = snapshot.refresh().expect("a copy").copied_bytes;
    assert!(whole > 5_000_000, "{whole}");
    sql("INSERT INTO spans VALUES (1, 2)");
    // The other mirror is still empty.
    assert!(snapshot.refresh().expect("a copy").copied_bytes >= whole);
    for round in 0..4 {
        sql("INSERT INTO spans VALUES (1, 2)");
        let refreshed = snapshot.refresh().expect("a copy");
        assert!(refreshed.changed);
        assert!(
            refreshed.copied_bytes < whole / 2,
            "{} of {whole} in round {round}",
            refreshed.copied_bytes
        );
        let copy = duckdb::Connection::open_with_flags(
            &refreshed.path,
            duckdb::Config::default()
                .access_mode(duckdb::AccessMode::ReadOnly)
                .expect("a mode"),
        )
        .expect("a sound copy");
        let (count, sum): (i64, i64) = copy
            .query_row("SELECT count(*), sum(a % 1000)::BIGINT FROM spans", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .expect("all blocks are sound");
        assert_eq!(count, 400_002 + round);
        assert!(sum > 400_000);
    }
}
