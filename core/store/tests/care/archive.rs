use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use flockscope_model::Span;
use flockscope_store::{GroupBy, Ingested, Level, Settings, Store, StoreError, Window};
use serde_json::Value;

use crate::spans::{
    self, DAY, SAMPLE_DAY, assert_healthy, batch, content, count, day, number, open, sample_moved, silent, span,
};

/// Every answer that the analyses give.
fn answers(store: &Store) -> Value {
    let late = Window {
        since: Some((SAMPLE_DAY - 1) * DAY + DAY / 2),
        until: Some((SAMPLE_DAY + 1) * DAY),
    };
    let mut answers = Vec::new();
    for window in [Window::default(), late] {
        answers.push(said(&store.traces(window, Some(500)).expect("traces")));
        for group in [GroupBy::Operation, GroupBy::Service, GroupBy::Agent, GroupBy::Module] {
            answers.push(said(&store.red(group, window, None).expect("red")));
        }
        answers.push(said(
            &store
                .red(GroupBy::Service, window, Some(DAY / 24))
                .expect("red by time"),
        ));
        for level in [Level::Agent, Level::Service, Level::Operation] {
            answers.push(said(&store.dependencies(level, window).expect("dependencies")));
        }
        answers.push(said(&store.critical_path(window).expect("critical_path")));
        answers.push(said(&store.exceptions(window).expect("exceptions")));
        answers.push(said(&store.operations(window).expect("operations")));
        answers.push(said(&store.attribute_keys(window).expect("attribute_keys")));
        answers.push(said(
            &store.attribute_values("class", window, 100).expect("attribute_values"),
        ));
    }
    answers.push(said(&store.statistics().expect("statistics")));
    answers.push(said(&store.traces_like("-", 10).expect("traces_like")));
    for trace in store
        .traces(Window::default(), None)
        .expect("traces")
        .iter()
        .step_by(97)
    {
        answers.push(said(&store.timeline(&trace.trace_id).expect("a timeline")));
    }
    Value::Array(answers)
}

fn said(answer: &impl serde::Serialize) -> Value {
    serde_json::to_value(answer).expect("rows")
}

/// The same, but for the last digits of fractions: they are summed up in another order.
fn assert_same(now: &Value, before: &Value, at: &str) {
    match (now, before) {
        (Value::Array(now), Value::Array(before)) => {
            assert_eq!(now.len(), before.len(), "{at}");
            now.iter()
                .zip(before)
                .enumerate()
                .for_each(|(n, (now, before))| assert_same(now, before, &format!("{at}[{n}]")));
        }
        (Value::Object(now), Value::Object(before)) => {
            assert_eq!(now.len(), before.len(), "{at}");
            now.iter()
                .for_each(|(key, now)| assert_same(now, &before[key], &format!("{at}.{key}")));
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
            assert!(
                (a - b).abs() <= 1e-12 * a.abs().max(b.abs()),
                "{at}: {a} instead of {b}"
            );
        }
        _ => assert_eq!(now, before, "{at}"),
    }
}

#[test]
fn every_analysis_gives_the_same_answer_from_the_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    for days in [-3, -1, 0] {
        for batch in sample_moved(days).chunks(3_000) {
            store.ingest(batch).expect("stored");
        }
    }
    let (before, rows) = (answers(&store), content(&store));
    assert_eq!(rows.len(), 3 * 6797);
    let archived = store.archive(day(SAMPLE_DAY), silent).expect("archived");
    assert_eq!(
        archived.iter().map(|day| day.day).collect::<Vec<_>>(),
        [day(SAMPLE_DAY - 3), day(SAMPLE_DAY - 1)]
    );
    assert_eq!(number(&store, "SELECT count(*) FROM stored_spans"), 6797);
    assert_same(&answers(&store), &before, "half archived");
    assert_eq!(content(&store), rows);
    // All of it, and opened again.
    store.archive(day(SAMPLE_DAY + 1), silent).expect("archived");
    assert_eq!(number(&store, "SELECT count(*) FROM stored_spans"), 0);
    let path = store.path().to_owned();
    drop(store);
    let store = open(&path);
    assert_same(&answers(&store), &before, "all archived");
    assert_eq!(content(&store), rows);
    assert_healthy(&store);
}

#[test]
fn the_files_are_plain_parquet_sorted_by_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    let mut spans = batch("t", 100, 5_000);
    spans.reverse();
    store.ingest(&spans).expect("stored");
    let archived = store.archive(day(101), silent).expect("archived");
    assert_eq!(archived[0].file, "day=1970-04-11/spans-1.parquet");
    let file = store.archive_folder().join(&archived[0].file);
    assert_eq!(std::fs::metadata(&file).expect("the file").len(), archived[0].bytes);
    let connection = duckdb::Connection::open_in_memory().expect("DuckDB");
    let text = |query: &str| -> String {
        connection
            .query_row(&query.replace("FILE", &format!("'{}'", file.display())), [], |row| {
                row.get(0)
            })
            .unwrap_or_else(|error| panic!("{query}: {error}"))
    };
    assert_eq!(
        text(
            "SELECT string_agg(DISTINCT type || ':' || coalesce(converted_type, '-'), ' ' ORDER BY type || ':' || coalesce(converted_type, '-')) FROM parquet_schema(FILE) WHERE num_children IS NULL"
        ),
        "BYTE_ARRAY:UTF8 DOUBLE:- INT32:INT_32 INT64:INT_64 INT64:TIMESTAMP_MICROS"
    );
    assert_eq!(
        text("SELECT string_agg(DISTINCT compression, ' ') FROM parquet_metadata(FILE)"),
        "ZSTD"
    );
    assert_eq!(
        text("SELECT (list(start_time) = list_sort(list(start_time)))::VARCHAR FROM read_parquet(FILE)"),
        "true"
    );
}

#[test]
fn late_spans_are_merged_into_the_day_s_next_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    store.ingest(&batch("early", 100, 1_000)).expect("stored");
    store.archive(day(101), silent).expect("archived");
    store.ingest(&batch("late", 100, 500)).expect("stored");
    assert_eq!(
        (count(&store), number(&store, "SELECT count(*) FROM stored_spans")),
        (1_500, 500)
    );
    let archived = store.archive(day(101), silent).expect("archived");
    assert_eq!(
        (archived[0].spans, archived[0].file.as_str()),
        (1_500, "day=1970-04-11/spans-2.parquet")
    );
    assert_eq!(
        (count(&store), number(&store, "SELECT count(*) FROM stored_spans")),
        (1_500, 0)
    );
    let folder_of_day = store.archive_folder().join("day=1970-04-11");
    assert_eq!(files(&folder_of_day), ["spans-2.parquet"]);
    assert_eq!(store.archive(day(101), silent).expect("nothing to do"), []);
    assert_healthy(&store);
}

#[test]
fn a_span_that_comes_again_replaces_the_one_in_the_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    for number in 100..103 {
        store
            .ingest(&batch(&format!("day{number}"), number, 100))
            .expect("stored");
    }
    store.archive(day(103), silent).expect("archived");
    // Of a known trace of the archive, but not there yet: the day stays where it is.
    let new = span("day101-3", "new", 101, 3);
    assert_eq!(
        store.ingest(&[new]).expect("stored"),
        Ingested { stored: 1, replaced: 0 }
    );
    assert_eq!(store.archived_days().expect("days").len(), 3);
    let again = Span {
        name: "Agent.again".into(),
        start_time: 105 * DAY,
        end_time: 105 * DAY,
        ..span("day101-3", "s6", 101, 6)
    };
    assert_eq!(
        store.ingest(&[again]).expect("stored"),
        Ingested { stored: 1, replaced: 1 }
    );
    assert_eq!(count(&store), 301);
    assert_eq!(
        number(
            &store,
            "SELECT count(*) FROM spans WHERE trace_id = 'day101-3' AND span_id = 's6'"
        ),
        1
    );
    assert_eq!(
        number(&store, "SELECT count(*) FROM spans WHERE name = 'Agent.again'"),
        1
    );
    let days: Vec<_> = store
        .archived_days()
        .expect("days")
        .into_iter()
        .map(|entered| entered.day)
        .collect();
    assert_eq!(days, [day(100), day(102)]);
    assert!(!store.archive_folder().join("day=1970-04-12").exists());
    assert_healthy(&store);
}

#[test]
fn a_day_can_be_brought_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    store.ingest(&spans::sample_moved(0)).expect("stored");
    let before = content(&store);
    store.archive(day(SAMPLE_DAY + 1), silent).expect("archived");
    assert_eq!(store.unarchive(day(SAMPLE_DAY)).expect("brought back"), 6797);
    assert_eq!(number(&store, "SELECT count(*) FROM stored_spans"), 6797);
    assert_eq!(content(&store), before);
    assert_eq!(store.archived_days().expect("days"), []);
    assert_eq!(files(&store.archive_folder()), [""; 0]);
    assert_eq!(store.unarchive(day(SAMPLE_DAY)).expect("not there"), 0);
    assert_healthy(&store);
}

#[test]
fn storing_and_reading_go_on_while_days_are_archived() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(&folder.path().join("s.duckdb"));
    for number in 100..104 {
        store
            .ingest(&batch(&format!("old{number}"), number, 5_000))
            .expect("stored");
    }
    let ended = AtomicBool::new(false);
    let stored = thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut stored = 0;
            while !ended.load(Ordering::SeqCst) {
                // New spans of the days that are being archived, and old ones again.
                let number = 100 + stored % 4;
                store
                    .ingest(&batch(&format!("new{stored}"), number, 2))
                    .expect("stored");
                let again = store
                    .ingest(&batch(&format!("old{number}"), number, 2))
                    .expect("replaced");
                assert_eq!(again, Ingested { stored: 2, replaced: 2 });
                stored += 1;
            }
            stored
        });
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                let count = number(&store, "SELECT count(*) FROM spans WHERE starts_with(trace_id, 'old')");
                assert_eq!(count, 20_000);
            }
        });
        for _ in 0..3 {
            match store.archive(day(110), silent) {
                // Replacing again and again what is being archived may win; nothing may be lost by it.
                Ok(_) | Err(StoreError::Database(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        ended.store(true, Ordering::SeqCst);
        writer.join().expect("the writer")
    });
    assert!(stored > 0);
    assert_eq!(count(&store), 20_000 + 2 * stored);
    assert_healthy(&store);
}

#[test]
fn a_store_that_moves_with_its_folder_keeps_its_archive() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().join("here/s.duckdb");
    let there = folder.path().join("there's/t.duckdb");
    {
        let store = open(&here);
        store.ingest(&batch("t", 100, 10)).expect("stored");
        store.archive(day(101), silent).expect("archived");
    }
    std::fs::create_dir(there.parent().expect("a folder")).expect("made");
    std::fs::rename(&here, &there).expect("moved");
    std::fs::rename(beside(&here), beside(&there)).expect("moved");
    let store = Store::open_read_only(&there, Settings::default()).expect("a store");
    assert_eq!(count(&store), 10);
    assert_eq!(store.timeline("t-0").expect("a timeline").len(), 2);
    drop(store);
    assert_eq!(count(&open(&there)), 10);
}

#[test]
fn a_missing_day_does_not_keep_the_store_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("s.duckdb");
    let store = open(&path);
    for number in 100..103 {
        store.ingest(&batch(&format!("d{number}"), number, 10)).expect("stored");
    }
    store.archive(day(103), silent).expect("archived");
    let files: Vec<_> = store
        .archived_days()
        .expect("days")
        .into_iter()
        .map(|day| store.archive_folder().join(day.file))
        .collect();
    drop(store);
    std::fs::remove_file(&files[1]).expect("removed");
    std::fs::write(&files[0], "no Parquet at all").expect("damaged");
    let store = open(&path);
    assert_eq!(count(&store), 10);
    let health = store.check(false, silent).expect("a check");
    let said: Vec<&str> = health.findings.iter().map(|finding| finding.what.as_str()).collect();
    assert!(
        said.iter()
            .any(|what| what.contains("day=1970-04-12/spans-1.parquet of the archive is missing (10 spans)")),
        "{said:?}"
    );
    assert!(
        said.iter()
            .any(|what| what.contains("day=1970-04-11/spans-1.parquet of the archive is damaged")),
        "{said:?}"
    );
    assert!(!health.is_sound());
}

#[test]
fn a_store_in_memory_says_that_it_cannot_be_archived() {
    let store = Store::in_memory(Settings::default()).expect("a store");
    let error = store.archive(day(100), silent).expect_err("refused").to_string();
    assert_eq!(error, "a store in memory can't be archived: only a store in a file can");
}

fn beside(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".d");
    name.into()
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
