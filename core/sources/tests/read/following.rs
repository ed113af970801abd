//! A Flock file that is written while it is followed.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use duckdb::{Connection, params};
use flockscope_model::{ReadReport, Span};
use flockscope_sources::{FlockFollower, Position};
use tempfile::TempDir;

use crate::samples::{folder, unpacked};

/// Flock's table and indexes.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS spans (
        trace_id VARCHAR NOT NULL, span_id VARCHAR PRIMARY KEY, parent_id VARCHAR, name VARCHAR NOT NULL,
        service VARCHAR, operation VARCHAR, kind VARCHAR, start_time BIGINT NOT NULL, end_time BIGINT NOT NULL,
        duration_ms DOUBLE NOT NULL, status_code VARCHAR NOT NULL, status_description VARCHAR,
        attributes JSON, events JSON, links JSON, resource JSON, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
    CREATE INDEX IF NOT EXISTS idx_trace_id ON spans(trace_id);
    CREATE INDEX IF NOT EXISTS idx_service ON spans(service);
    CREATE INDEX IF NOT EXISTS idx_start_time ON spans(start_time);
    CREATE INDEX IF NOT EXISTS idx_name ON spans(name);
    CREATE INDEX IF NOT EXISTS idx_created_at ON spans(created_at);";

/// Inserts one span as Flock does: opens the file, inserts, closes.
fn insert(file: &Path, number: u32, attributes: &str) -> duckdb::Result<()> {
    let connection = Connection::open(file)?;
    connection.execute(
        "INSERT OR REPLACE INTO spans (trace_id, span_id, parent_id, name, service, operation, kind, start_time, end_time,
             duration_ms, status_code, status_description, attributes, events, links, resource)
         VALUES (?, ?, NULL, 'Agent.execute', 'Agent', 'execute', 'INTERNAL', ?, ?, 1.0, 'OK', NULL, ?, '[]', '[]', '{}')",
        params![
            format!("{:032x}", number / 10 + 1),
            format!("{:016x}", number + 1),
            1_795_417_869_681_141_441_i64 + i64::from(number),
            1_795_417_869_682_141_441_i64 + i64::from(number),
            attributes,
        ],
    )?;
    connection.close().map_err(|(_, error)| error)
}

fn new_file(folder: &TempDir) -> std::path::PathBuf {
    let file = folder.path().join("traces.duckdb");
    Connection::open(&file)
        .expect("a database")
        .execute_batch(SCHEMA)
        .expect("the schema");
    file
}

fn drain(follower: &mut FlockFollower, report: &mut ReadReport) -> Vec<Span> {
    let mut spans = follower.poll(report).expect("spans");
    while follower.has_more() {
        spans.extend(follower.poll(report).expect("spans"));
    }
    spans
}

fn ids(spans: &[Span]) -> Vec<u64> {
    spans
        .iter()
        .map(|span| u64::from_str_radix(&span.span_id, 16).expect("a number") - 1)
        .collect()
}

const WRITER_FILE: &str = "FLOCKSCOPE_TEST_WRITER_FILE";
const WRITER_SPANS: &str = "FLOCKSCOPE_TEST_WRITER_SPANS";

/// Not a test of its own: the process that writes like Flock, started by the test below. It does nothing otherwise.
#[test]
fn writer_process() {
    let (Ok(file), Ok(spans)) = (env::var(WRITER_FILE), env::var(WRITER_SPANS)) else {
        return;
    };
    let file = Path::new(&file);
    Connection::open(file)
        .expect("a database")
        .execute_batch(SCHEMA)
        .expect("the schema");
    let attributes = serde_json::json!({ "input.text": "x".repeat(3000) }).to_string();
    let failed = (0..spans.parse().expect("a number"))
        .filter(|number| insert(file, *number, &attributes).is_err())
        .count();
    println!("failed to write: {failed}.");
}

#[test]
fn a_program_that_is_followed_every_20_ms_loses_no_span_and_none_comes_twice() {
    const SPANS: u32 = 400;
    let (live, mirrors) = (folder(), folder());
    let file = live.path().join("traces.duckdb");
    let mut follower = FlockFollower::new(file.clone(), mirrors.path().to_owned()).expect("a follower");
    let mut writer = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "following::writer_process", "--nocapture"])
        .env(WRITER_FILE, &file)
        .env(WRITER_SPANS, SPANS.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a writer");

    let mut report = ReadReport::default();
    let mut seen: HashMap<u64, u32> = HashMap::new();
    let mut polls = 0;
    let mut with_spans = 0;
    let start = Instant::now();
    loop {
        let over = writer.try_wait().expect("the writer").is_some();
        let spans = drain(&mut follower, &mut report);
        polls += 1;
        with_spans += u32::from(!spans.is_empty());
        for id in ids(&spans) {
            *seen.entry(id).or_default() += 1;
        }
        if over {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(300), "the writer does not end");
        thread::sleep(Duration::from_millis(20));
    }
    let output = writer.wait_with_output().expect("the writer's output");
    let output = String::from_utf8_lossy(&output.stdout);
    assert!(output.contains("failed to write: 0."), "{output}");
    assert_eq!(seen.len(), SPANS as usize, "spans are missing after {polls} polls");
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(
        with_spans > 5,
        "spans came in {with_spans} of {polls} polls: that is not following"
    );
    assert_eq!((report.read, report.skipped_total()), (u64::from(SPANS), 0));
    eprintln!("{SPANS} spans in {with_spans} of {polls} polls, {:?}", start.elapsed());
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let (live, mirrors) = (folder(), folder());
    let file = live.path().join("traces.duckdb");
    let mut follower = FlockFollower::new(file.clone(), mirrors.path().to_owned()).expect("a follower");
    let mut report = ReadReport::default();
    assert!(drain(&mut follower, &mut report).is_empty());
    fs::write(&file, b"").expect("an empty file");
    assert!(drain(&mut follower, &mut report).is_empty());
    fs::remove_file(&file).expect("a file");
    // Flock makes the file before its table.
    drop(Connection::open(&file).expect("a database"));
    assert!(drain(&mut follower, &mut report).is_empty());
    Connection::open(&file)
        .expect("a database")
        .execute_batch(SCHEMA)
        .expect("the schema");
    assert!(drain(&mut follower, &mut report).is_empty());
    insert(&file, 0, "{}").expect("a span");
    assert_eq!(ids(&drain(&mut follower, &mut report)), [0]);
    assert!(drain(&mut follower, &mut report).is_empty());
}

#[test]
fn spans_in_the_log_of_a_writer_that_keeps_the_file_open_are_seen() {
    let (live, mirrors) = (folder(), folder());
    let file = new_file(&live);
    // In a copy of the path, because closing a plain handle would drop this process's own lock on the file.
    let writer = Connection::open(&file).expect("a database");
    let mut follower = FlockFollower::new(file, mirrors.path().to_owned()).expect("a follower");
    let mut report = ReadReport::default();
    for number in 0..3_u64 {
        writer
            .execute(
                "INSERT INTO spans (trace_id, span_id, name, start_time, end_time, duration_ms, status_code)
                 VALUES ('1', printf('%016x', ?), 'a', 1, 2, 1e-6, 'OK')",
                [number + 1],
            )
            .expect("a span");
        assert_eq!(ids(&drain(&mut follower, &mut report)), [number]);
    }
    writer.execute_batch("CHECKPOINT").expect("a checkpoint");
    assert!(
        drain(&mut follower, &mut report).is_empty(),
        "a checkpoint alone brings nothing new"
    );
}

#[test]
fn deleted_rows_do_not_hide_new_ones() {
    let (live, mirrors) = (folder(), folder());
    let file = new_file(&live);
    let mut follower = FlockFollower::new(file.clone(), mirrors.path().to_owned()).expect("a follower");
    let mut report = ReadReport::default();
    for number in 0..6 {
        insert(&file, number, "{}").expect("a span");
    }
    assert_eq!(ids(&drain(&mut follower, &mut report)), [0, 1, 2, 3, 4, 5]);
    let sql = |statement: &str| {
        Connection::open(&file)
            .expect("a database")
            .execute_batch(statement)
            .expect(statement);
    };
    // Flock's time to live.
    sql("DELETE FROM spans WHERE span_id < '0000000000000004'");
    insert(&file, 6, "{}").expect("a span");
    assert!(ids(&drain(&mut follower, &mut report)).contains(&6));
    // Flock's "clear", and a program that starts again.
    sql("DELETE FROM spans");
    insert(&file, 7, "{}").expect("a span");
    assert_eq!(ids(&drain(&mut follower, &mut report)), [7]);
    insert(&file, 8, "{}").expect("a span");
    assert_eq!(ids(&drain(&mut follower, &mut report)), [8]);
    // A span that replaces another one comes again. (The other one too, if DuckDB closed the gap.)
    insert(&file, 7, r#"{"again":true}"#).expect("a span");
    let spans = drain(&mut follower, &mut report);
    let last = spans.last().expect("the span");
    assert_eq!(
        (ids(&spans).last(), last.attributes.as_str()),
        (Some(&7), r#"{"again":true}"#)
    );
}

#[test]
fn a_file_that_takes_the_place_of_another_is_read_from_its_start() {
    let (live, mirrors) = (folder(), folder());
    let file = new_file(&live);
    for number in 0..3 {
        insert(&file, number, "{}").expect("a span");
    }
    let mut follower = FlockFollower::new(file.clone(), mirrors.path().to_owned()).expect("a follower");
    let mut report = ReadReport::default();
    assert_eq!(ids(&drain(&mut follower, &mut report)), [0, 1, 2]);
    fs::remove_file(&file).expect("a file");
    assert!(drain(&mut follower, &mut report).is_empty());
    new_file(&live);
    for number in 10..14 {
        insert(&file, number, "{}").expect("a span");
    }
    assert_eq!(ids(&drain(&mut follower, &mut report)), [10, 11, 12, 13]);
    assert!(
        report.notes.iter().any(|note| note.contains("read again")),
        "{:?}",
        report.notes
    );
}

#[test]
fn a_later_process_takes_only_what_is_new() {
    let (live, mirrors) = (folder(), folder());
    let file = new_file(&live);
    for number in 0..3 {
        insert(&file, number, "{}").expect("a span");
    }
    let mut report = ReadReport::default();
    let mut first = FlockFollower::new(file.clone(), mirrors.path().to_owned()).expect("a follower");
    assert_eq!(drain(&mut first, &mut report).len(), 3);
    let kept = serde_json::to_string(first.position()).expect("JSON");
    drop(first);
    insert(&file, 3, "{}").expect("a span");

    let position: Position = serde_json::from_str(&kept).expect("a position");
    let mut second = FlockFollower::resume(file, mirrors.path().to_owned(), position.clone()).expect("a follower");
    assert_eq!(ids(&drain(&mut second, &mut report)), [3]);

    // With another file the position says nothing, and all is read.
    let other = folder();
    let file = new_file(&other);
    insert(&file, 9, "{}").expect("a span");
    let mut third = FlockFollower::resume(file, mirrors.path().to_owned(), position).expect("a follower");
    assert_eq!(ids(&drain(&mut third, &mut report)), [9]);
}

#[test]
fn many_spans_come_in_batches_and_all_of_them() {
    let (live, mirrors) = (folder(), folder());
    let file = new_file(&live);
    let fill = "INSERT INTO spans BY NAME SELECT '1' AS trace_id, printf('%016x', i + 1) AS span_id, 'a.b' AS name,
                    i + 1 AS start_time, i + 2 AS end_time, 1e-6 AS duration_ms, 'OK' AS status_code
                FROM range(25000) r(i)";
    Connection::open(&file)
        .expect("a database")
        .execute_batch(fill)
        .expect("many spans");
    let mut follower = FlockFollower::new(file.clone(), mirrors.path().to_owned()).expect("a follower");
    let mut report = ReadReport::default();
    let mut all = Vec::new();
    let mut largest = 0;
    loop {
        let spans = follower.poll(&mut report).expect("spans");
        largest = largest.max(spans.len());
        all.extend(ids(&spans));
        if !follower.has_more() {
            break;
        }
    }
    assert_eq!(all, (0..25_000).collect::<Vec<u64>>());
    assert!(largest <= 12_000, "{largest} spans in one batch");
}

#[test]
fn a_file_that_turns_bad_is_an_error_and_one_that_is_well_again_is_followed() {
    let (live, mirrors) = (folder(), folder());
    let file = new_file(&live);
    insert(&file, 0, "{}").expect("a span");
    let mut follower = FlockFollower::new(file.clone(), mirrors.path().to_owned()).expect("a follower");
    let mut report = ReadReport::default();
    assert_eq!(drain(&mut follower, &mut report).len(), 1);
    let sound = fs::read(&file).expect("bytes");
    fs::write(&file, b"this is no database, but it is longer than twelve bytes").expect("a text");
    let error = follower.poll(&mut report).expect_err("no database");
    assert!(
        error
            .to_string()
            .contains("traces.duckdb: found a file that is not DuckDB's"),
        "{error}"
    );
    fs::write(&file, &sound[..20_000]).expect("a truncated file");
    let error = follower.poll(&mut report).expect_err("a truncated file");
    assert!(error.to_string().contains("is truncated"), "{error}");
    fs::write(&file, sound).expect("the file");
    insert(&file, 1, "{}").expect("a span");
    assert_eq!(ids(&drain(&mut follower, &mut report)), [1]);
}

#[test]
fn a_poll_costs_little_while_nothing_changes() {
    let (live, mirrors) = (folder(), folder());
    let file = unpacked("flock-2.0.0.duckdb", &live);
    let mut follower = FlockFollower::new(file, mirrors.path().to_owned()).expect("a follower");
    let mut report = ReadReport::default();
    assert_eq!(drain(&mut follower, &mut report).len(), 26);
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            assert!(follower.poll(&mut report).expect("nothing").is_empty());
            start.elapsed()
        })
        .collect();
    times.sort();
    eprintln!(
        "a poll without a change: median {:?}, 99 % {:?}",
        times[100], times[198]
    );
    assert!(times[100] < Duration::from_millis(1), "{:?}", times[100]);
}
