use std::time::Duration;

use flockscope_store::{Limits, Settings, Store, StoreError};

use crate::sample::{self, span};

fn small() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::open(&folder.path().join("store.duckdb"), Settings::default()).expect("a store");
    store
        .ingest(&[span("a", None, "A.f", 0, 10), span("b", Some("a"), "A.g", 1, 2)])
        .expect("stored");
    (folder, store)
}

#[test]
fn everything_that_only_reads_is_allowed() {
    let (_folder, store) = small();
    for query in [
        "SELECT created_at FROM spans",
        "WITH s AS (SELECT * FROM spans) SELECT count(*) FROM s",
        "FROM spans",
        "FROM red()",
        "VALUES (1), (2)",
        "TABLE spans",
        "DESCRIBE spans",
        "SUMMARIZE spans",
        "SHOW TABLES",
        "SHOW ALL TABLES",
        "EXPLAIN SELECT * FROM spans",
        "EXPLAIN ANALYZE SELECT * FROM spans",
        "EXPLAIN (FORMAT json) SELECT * FROM spans",
        "PIVOT spans ON service USING count(*)",
        "PIVOT (SELECT service, status_code FROM spans) ON status_code IN ('OK', 'ERROR') USING count(*)",
        "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
        "SELECT 'drop table spans; copy to' AS \"update\"",
        "SELECT 1;",
        "-- a comment\nSELECT 1 /* and another */ ;  ",
        "SELECT attributes->>'x' FROM spans WHERE name LIKE '%delete%'",
    ] {
        let answer = store.sql(query, &Limits::default());
        assert!(
            answer.is_ok(),
            "{query}: {}",
            answer.err().map(|e| e.to_string()).unwrap_or_default()
        );
    }
}

#[test]
fn everything_else_is_refused_and_changes_nothing() {
    let (folder, store) = small();
    let out = folder.path().join("out.csv");
    let inside = store.archive_folder().join("out.parquet");
    let out = out.display();
    let inside_text = inside.display();
    for query in [
        "".to_owned(),
        " ; ".into(),
        "-- nothing".into(),
        "SELECT 1; SELECT 2".into(),
        format!("SELECT 1; COPY spans TO '{out}'"),
        format!("COPY spans TO '{out}'"),
        format!("COPY spans TO '{inside_text}'"),
        format!("COPY (SELECT 1) TO '{inside_text}'"),
        format!("EXPLAIN ANALYZE COPY spans TO '{inside_text}'"),
        format!("explain /* x */ (analyze) COPY spans TO '{inside_text}'"),
        format!("EXPORT DATABASE '{}'", store.archive_folder().display()),
        format!("ATTACH '{inside_text}' AS x"),
        "ATTACH ':memory:' AS x".into(),
        "DELETE FROM stored_spans".into(),
        "EXPLAIN ANALYZE DELETE FROM stored_spans".into(),
        "UPDATE stored_spans SET name = 'x'".into(),
        "INSERT INTO trace_times VALUES ('x', 1, 2)".into(),
        "WITH x AS (SELECT 1) INSERT INTO trace_times SELECT 'x', 1, 2".into(),
        "DROP VIEW spans".into(),
        "CREATE TABLE x AS SELECT 1".into(),
        "CREATE TEMP TABLE x AS SELECT 1".into(),
        "CREATE OR REPLACE MACRO red() AS TABLE SELECT 1".into(),
        "ALTER TABLE stored_spans DROP COLUMN name".into(),
        "SET threads = 1".into(),
        "SET VARIABLE x = 1".into(),
        "RESET threads".into(),
        "PRAGMA enable_profiling".into(),
        "IMPORT DATABASE 'x'".into(),
        "INSTALL httpfs".into(),
        "LOAD httpfs".into(),
        "CHECKPOINT".into(),
        "VACUUM".into(),
        "BEGIN".into(),
        "COMMIT".into(),
        "PREPARE x AS SELECT 1".into(),
        "CALL pragma_version()".into(),
        "COMMENT ON VIEW spans IS 'x'".into(),
        "USE temp".into(),
    ] {
        let answer = store.sql(&query, &Limits::default());
        assert!(answer.is_err(), "{query} was allowed");
    }
    for query in [
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "SELECT * FROM read_text('/etc/passwd')".into(),
        "SELECT * FROM '/etc/passwd'".into(),
        "SELECT * FROM glob('/etc/*')".into(),
        format!("SELECT * FROM read_blob('{}')", store.path().display()),
        format!(
            "SELECT * FROM read_text('{}/../../../../../../../etc/passwd')",
            store.archive_folder().display()
        ),
        "SELECT * FROM read_csv('http://localhost/x.csv')".into(),
        format!(
            "SELECT (SELECT count(*) FROM (SELECT * FROM read_blob('{}')))",
            store.path().display()
        ),
        format!("EXPLAIN ANALYZE SELECT * FROM read_text('{}')", store.path().display()),
        format!(
            "WITH x AS MATERIALIZED (FROM Read_Csv('{}')) FROM x",
            store.path().display()
        ),
        format!(
            "PIVOT (SELECT size FROM read_blob('{}')) ON size USING count(*)",
            store.path().display()
        ),
        format!("FROM query('FROM read_blob(''{}'')')", store.path().display()),
        format!("FROM '{}'", store.path().display()),
        "FROM force_checkpoint()".into(),
        "FROM arrow_scan(1::POINTER, 2::POINTER, 3::POINTER)".into(),
        "SELECT getenv('HOME')".into(),
    ] {
        assert!(store.sql(&query, &Limits::default()).is_err(), "{query} was allowed");
    }
    assert!(!inside.exists());
    assert_eq!(
        std::fs::read_dir(folder.path())
            .expect("the folder")
            .filter(|entry| { entry.as_ref().is_ok_and(|entry| entry.file_name() == "out.csv") })
            .count(),
        0
    );
    assert_eq!(store.statistics().expect("statistics").spans, 2);
}

#[test]
fn refusals_name_what_is_allowed() {
    let (_folder, store) = small();
    let error = store
        .sql("DELETE FROM stored_spans", &Limits::default())
        .expect_err("refused")
        .to_string();
    assert!(error.contains("SELECT") && error.contains("DELETE"), "{error}");
    let error = store
        .sql("SELECT 1; SELECT 2", &Limits::default())
        .expect_err("refused")
        .to_string();
    assert!(error.contains("2 statements"), "{error}");
    let error = store
        .sql("COPY spans TO '/x.csv'", &Limits::default())
        .expect_err("refused")
        .to_string();
    assert!(error.contains("SELECT") && error.contains("files"), "{error}");
    let error = store
        .sql("SELECT servce FROM spans", &Limits::default())
        .expect_err("wrong")
        .to_string();
    assert!(error.contains("servce") && error.contains("service"), "{error}");
}

#[test]
fn a_long_answer_is_cut_and_says_so() {
    let (_folder, store) = small();
    let limits = Limits {
        rows: 5_000,
        ..Limits::default()
    };
    let answer = store
        .sql("SELECT i FROM range(1_000_000_000) r(i)", &limits)
        .expect("an answer");
    assert!(answer.cut);
    assert_eq!(answer.row_count(), 5_000);
    let exact = store
        .sql("SELECT i FROM range(5_000) r(i)", &limits)
        .expect("an answer");
    assert_eq!((exact.row_count(), exact.cut), (5_000, false));
    let none = store.sql("SELECT i FROM range(0) r(i)", &limits).expect("an answer");
    assert_eq!((none.row_count(), none.cut, none.schema.fields().len()), (0, false, 1));
}

#[test]
fn wide_rows_are_cut_by_their_bytes() {
    let (_folder, store) = small();
    let limits = Limits {
        bytes: 1 << 20,
        ..Limits::default()
    };
    let answer = store
        .sql("SELECT repeat('x', 10_000) FROM range(9_000)", &limits)
        .expect("an answer");
    assert!(answer.cut && answer.row_count() < 9_000, "{} rows", answer.row_count());
}

#[test]
fn a_query_that_runs_too_long_is_stopped() {
    let (_folder, store) = small();
    let limits = Limits {
        time: Duration::from_millis(100),
        ..Limits::default()
    };
    let query = "SELECT count(*) FROM range(1_000_000) a, range(1_000_000) b WHERE hash(a.range + b.range) = 1";
    let error = store.sql(query, &limits).expect_err("stopped");
    assert!(matches!(error, StoreError::TimedOut(_)), "{error}");
    // The store goes on.
    assert_eq!(store.sql("SELECT 1", &limits).expect("an answer").row_count(), 1);
}

#[test]
fn a_query_that_needs_too_much_memory_is_an_error() {
    let store = Store::in_memory(Settings {
        memory_limit: "64MB".into(),
        threads: Some(1),
        ..Settings::default()
    })
    .expect("a store");
    let error = store
        .sql(
            "SELECT list(i) FROM (SELECT i::VARCHAR || repeat('x', 100) AS i FROM range(10_000_000) r(i))",
            &Limits::default(),
        )
        .expect_err("too much");
    assert!(matches!(error, StoreError::OutOfMemory { .. }), "{error}");
}

#[test]
fn hostile_names_stay_text() {
    let name = "x'); DROP VIEW spans; --";
    let store = sample::store_of(&[span("a", None, name, 0, 1)]);
    assert_eq!(
        store.timeline("t'; DROP VIEW spans; --").expect("no such trace").len(),
        0
    );
    assert_eq!(
        store
            .attribute_values("a'b\"c/d~e", Default::default(), 5)
            .expect("no values")
            .len(),
        0
    );
    assert_eq!(store.operations(Default::default()).expect("operations")[0].name, name);
}

/// Whether this process has a lock on a file, as the system lists it: device and inode.
/// <https://man7.org/linux/man-pages/man5/proc_locks.5.html>
#[cfg(target_os = "linux")]
fn is_locked(path: &std::path::Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let inode = std::fs::metadata(path).expect("the store").ino();
    let ours = format!(" {} ", std::process::id());
    let locks = std::fs::read_to_string("/proc/locks").expect("the system's locks");
    locks
        .lines()
        .any(|line| line.contains(&ours) && line.contains(&format!(":{inode} ")))
}

#[test]
#[cfg(target_os = "linux")]
fn a_query_that_would_read_the_stores_own_file_does_not_even_open_it() {
    let (folder, store) = small();
    let path = folder.path().join("store.duckdb");
    assert!(is_locked(&path));
    let file = path.display();
    for query in [
        format!("FROM read_csv('{file}')"),
        format!("EXPLAIN FROM read_csv('{file}')"),
        format!("FROM read_text('{file}')"),
        format!("SELECT json_serialize_plan('FROM read_csv(''{file}'')')"),
        format!("SELECT json_serialize_plan('SELECT json_serialize_plan(''FROM read_csv(''''{file}'''')'')')"),
        format!("SELECT json_serialize_plan('FROM read_' || 'csv(''{file}'')')"),
        format!("SELECT json_serialize_plan(t) FROM (SELECT 'FROM read_csv(''{file}'')' AS t)"),
        format!("PIVOT (SELECT json_serialize_plan('FROM read_csv(''{file}'')') AS a, 1 AS b) ON b USING first(a)"),
    ] {
        let outcome = store.sql(&query, &Limits::default());
        assert!(matches!(outcome, Err(StoreError::Refused(_))), "{query}");
        assert!(is_locked(&path), "{query}");
    }
    let planned = store.sql("SELECT json_serialize_plan('FROM spans')", &Limits::default());
    assert_eq!(
        planned
            .map(|answer| answer.row_count())
            .map_err(|error| error.to_string()),
        Ok(1)
    );
}
