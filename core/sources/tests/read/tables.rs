//! Parquet and DuckDB files that Flock did not write.

use std::fs;
use std::path::Path;

use duckdb::Connection;
use flockscope_model::{Repair, SkipReason, StatusCode};
use flockscope_sources::{SourceKind, detect};

use crate::samples::{assert_same, folder, read, read_sound, rows, unpacked};

fn run(file: &Path, sql: &str) {
    Connection::open(file)
        .expect("a database")
        .execute_batch(sql)
        .expect(sql);
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_str().expect("UTF-8").replace('\'', "''"))
}

#[test]
fn a_parquet_file_and_a_partitioned_folder_give_the_rows_of_the_file_they_came_from() {
    let folder = folder();
    let flock = unpacked("flock-2.0.0.duckdb", &folder);
    // Names that mean something to DuckDB.
    let odd = folder.path().join("it's [a] *folder?");
    fs::create_dir(&odd).expect("a folder");
    let file = odd.join("spans{1}.PARQUET");
    run(
        &flock,
        &format!(
            "COPY (SELECT * FROM spans ORDER BY rowid) TO {} (FORMAT parquet)",
            quoted(&file)
        ),
    );
    assert_eq!(detect(&file).expect("a kind"), SourceKind::Parquet);
    assert_same(&read_sound(&file), &rows());
    assert_eq!(detect(&odd).expect("a kind"), SourceKind::Parquet);
    assert_same(&read_sound(&odd), &rows());

    let archive = folder.path().join("archive");
    run(
        &flock,
        &format!(
            "COPY (SELECT *, CASE WHEN rowid < 10 THEN DATE '2026-11-22' ELSE DATE '2026-11-23' END AS day FROM spans ORDER BY rowid)
             TO {} (FORMAT parquet, PARTITION_BY (day))",
            quoted(&archive)
        ),
    );
    assert!(archive.join("day=2026-11-22").is_dir());
    assert_eq!(detect(&archive).expect("a kind"), SourceKind::Parquet);
    assert_same(&read_sound(&archive), &rows());
}

#[test]
fn columns_of_other_types_are_read_and_missing_ones_are_made_up() {
    let folder = folder();
    let file = folder.path().join("other.duckdb");
    run(
        &file,
        "CREATE TABLE spans AS SELECT
             '\\xAB\\x12'::BLOB AS trace_id, i::UTINYINT AS span_id, 'a.b' AS NAME, TIMESTAMP_NS '2026-11-23 07:12:01.000000001' AS start_time,
             1.5 AS duration_ms, MAP {'k': 'v'} AS attributes, [{'name': 'e', 'timestamp': 3}] AS events, 2 AS status_code, 'x' AS extra
         FROM range(1, 3) r(i)",
    );
    let spans = read_sound(&file);
    let ids: Vec<_> = spans
        .iter()
        .map(|span| (span.trace_id.as_str(), span.span_id.as_str()))
        .collect();
    assert_eq!(ids, [("ab12", "1"), ("ab12", "2")]);
    let span = &spans[0];
    assert_eq!(
        (span.service.as_str(), span.operation.as_str(), span.kind.as_str()),
        ("a", "b", "INTERNAL")
    );
    assert_eq!(span.end_time - span.start_time, 1_500_000);
    assert_eq!(span.start_time % 1_000_000_000, 1);
    assert_eq!(span.status_code, StatusCode::Error);
    assert_eq!(
        (span.attributes.as_str(), span.links.as_str(), span.resource.as_str()),
        (r#"{"k":"v"}"#, "[]", "{}")
    );
    assert_eq!(span.events, r#"[{"name":"e","timestamp":3}]"#);
    assert_eq!(span.created_at, None);
}

#[test]
fn faults_in_rows_are_counted_or_mended() {
    let folder = folder();
    let file = folder.path().join("faults.duckdb");
    run(
        &file,
        "CREATE TABLE spans (trace_id VARCHAR, span_id VARCHAR, parent_id VARCHAR, name VARCHAR, start_time UBIGINT, end_time HUGEINT,
                             attributes VARCHAR, repair VARCHAR);
         INSERT INTO spans VALUES
             (NULL, '1', NULL, 'n', 1, 2, NULL, NULL), ('1', NULL, NULL, 'n', 1, 2, NULL, NULL), ('1', '2', NULL, 'n', NULL, 2, NULL, NULL),
             ('1', '3', NULL, 'n', 10413792000000000000, 10413792000000000001, NULL, NULL),
             ('1', '4', NULL, 'n', 5, 170141183460469231731687303715884105727, NULL, NULL),
             ('1', '5', '5', NULL, 5, 4, '{broken', 'mended before'),
             ('1', '6', NULL, 'n', 5, 6, '[1]', NULL)",
    );
    let (spans, report) = read(&file).expect("a file");
    assert_eq!(spans.len(), 2);
    assert_eq!(
        report.skipped.into_iter().collect::<Vec<_>>(),
        [
            (SkipReason::NoTraceId, 1),
            (SkipReason::NoSpanId, 1),
            (SkipReason::NoStartTime, 1),
            (SkipReason::TimeOutOfRange, 2)
        ]
    );
    for (repair, count) in [
        (Repair::NegativeDuration, 1),
        (Repair::OwnParent, 1),
        (Repair::NoName, 1),
        (Repair::InvalidJson, 2),
    ] {
        assert_eq!(report.repaired.get(&repair), Some(&count), "{repair}");
    }
    assert!(
        spans[0]
            .repair
            .as_deref()
            .is_some_and(|repair| repair.ends_with("; mended before")),
        "{:?}",
        spans[0].repair
    );
    assert_eq!(spans[1].attributes, r#"{"flockscope.invalid_json":"[1]"}"#);
}

#[test]
fn a_store_is_told_from_a_flock_file_and_its_view_is_read() {
    let folder = folder();
    let file = folder.path().join("store.duckdb");
    let archived = folder.path().join("archive.parquet");
    run(
        &file,
        &format!(
            "COPY (SELECT '1' AS trace_id, '1' AS span_id, 'old' AS name, 1 AS start_time, 2 AS end_time)
                 TO {archived} (FORMAT parquet);
             CREATE TABLE flockscope_meta (key VARCHAR, value VARCHAR);
             CREATE TABLE recent (trace_id VARCHAR, span_id VARCHAR, name VARCHAR, start_time BIGINT, end_time BIGINT);
             INSERT INTO recent VALUES ('1', '2', 'new', 3, 4);
             CREATE VIEW spans AS FROM read_parquet({archived}) UNION ALL FROM recent",
            archived = quoted(&archived)
        ),
    );
    assert_eq!(detect(&file).expect("a kind"), SourceKind::Store);
    let names: Vec<String> = read_sound(&file).into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["old", "new"]);
    assert_eq!(
        detect(&unpacked("flock-1.4.1.duckdb", &folder)).expect("a kind"),
        SourceKind::Flock
    );
}

#[test]
fn a_view_in_a_strangers_file_reads_nothing_outside_its_folder() {
    let (elsewhere, folder) = (folder(), folder());
    let secret = elsewhere.path().join("secret.csv");
    fs::write(&secret, "trace_id,span_id,name,start_time,end_time\n1,2,secret,1,2\n").expect("a file");
    let file = folder.path().join("trap.duckdb");
    run(
        &file,
        &format!("CREATE VIEW spans AS FROM read_csv({})", quoted(&secret)),
    );
    let error = read(&file).expect_err("no access");
    assert!(
        error.to_string().contains("trap.duckdb: DuckDB could not read it"),
        "{error}"
    );
    assert!(!error.to_string().contains("secret,"), "{error}");
}
