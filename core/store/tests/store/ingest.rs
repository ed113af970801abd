use flockscope_model::{NewSpan, Promoted, Span};
use flockscope_store::{Ingested, Limits, Settings, Store, StoreError, Window};

use crate::sample::{self, made, span};

fn count(store: &Store, query: &str) -> i64 {
    let answer = store
        .sql(query, &Limits::default())
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    let column = answer.batches[0].column(0).clone();
    column
        .as_any()
        .downcast_ref::<flockscope_store::arrow::array::Int64Array>()
        .unwrap_or_else(|| panic!("{query}: not a BIGINT"))
        .value(0)
}

#[test]
fn a_span_that_comes_again_replaces_the_first() {
    let store = Store::in_memory(Settings::default()).expect("a store");
    let first = store
        .ingest(&[span("a", None, "A.f", 0, 10), span("b", Some("a"), "A.g", 1, 2)])
        .expect("stored");
    assert_eq!(first, Ingested { stored: 2, replaced: 0 });
    let second = store
        .ingest(&[span("b", Some("a"), "A.h", 100_000, 100_005)])
        .expect("stored");
    assert_eq!(second, Ingested { stored: 1, replaced: 1 });
    let names: Vec<String> = store
        .timeline("t")
        .expect("a timeline")
        .into_iter()
        .map(|row| row.name)
        .collect();
    assert_eq!(names, ["A.f", "A.h"]);
}

#[test]
fn of_the_same_span_twice_in_a_batch_the_last_one_stays() {
    let store = Store::in_memory(Settings::default()).expect("a store");
    let batch = [
        span("a", None, "A.f", 0, 10),
        span("a", None, "A.g", 0, 10),
        span("b", None, "A.h", 0, 10),
    ];
    assert_eq!(
        store.ingest(&batch).expect("stored"),
        Ingested { stored: 2, replaced: 1 }
    );
    assert_eq!(count(&store, "SELECT count(*) FROM spans WHERE name = 'A.g'"), 1);
    assert_eq!(count(&store, "SELECT count(*) FROM spans"), 2);
}

#[test]
fn the_same_span_id_in_two_traces_is_two_spans() {
    let store = Store::in_memory(Settings::default()).expect("a store");
    let other = Span {
        trace_id: "u".into(),
        ..span("a", None, "A.f", 0, 10)
    };
    store.ingest(&[span("a", None, "A.f", 0, 10)]).expect("stored");
    assert_eq!(
        store.ingest(&[other]).expect("stored"),
        Ingested { stored: 1, replaced: 0 }
    );
    assert_eq!(store.traces(Window::default(), None).expect("traces").len(), 2);
}

#[test]
fn loading_the_sample_twice_changes_nothing() {
    let store = sample::store();
    let before = store.statistics().expect("statistics");
    let mut again = Ingested::default();
    for batch in sample::spans().chunks(1_500) {
        again += store.ingest(batch).expect("stored");
    }
    assert_eq!(
        again,
        Ingested {
            stored: 6797,
            replaced: 6797
        }
    );
    assert_eq!(store.statistics().expect("statistics"), before);
}

#[test]
fn every_span_keeps_its_text_byte_for_byte() {
    let awkward = made(NewSpan {
        attributes: "{\"output.value\": \"\\u00e9 '\\\"; DROP TABLE spans; --\", \"n\":1.0e2, \"a\":  [1,2 ]}".into(),
        events: "[{\"name\":\"log\",\"timestamp\":1795418104536729317,\"attributes\":{\"x\":\"🦆\"}}]".into(),
        ..NewSpan {
            trace_id: "t'".into(),
            span_id: "s".into(),
            name: "Ünï.çödé".into(),
            start_time: 5,
            end_time: 6,
            ..NewSpan::default()
        }
    });
    let store = sample::store_of(std::slice::from_ref(&awkward));
    let quoted = |text: &str| text.replace('\'', "''");
    let query = format!(
        "SELECT count(*) FROM spans WHERE attributes::VARCHAR = '{}' AND events::VARCHAR = '{}' AND name = 'Ünï.çödé'
         AND attributes->>'output.value' LIKE 'é%' AND trace_id = 't'''",
        quoted(&awkward.attributes),
        quoted(&awkward.events)
    );
    assert_eq!(count(&store, &query), 1);
}

#[test]
fn promoted_columns_say_what_the_json_says() {
    let store = sample::store();
    for (column, json) in [
        ("module", "attributes->>'module'"),
        ("class", "attributes->>'class'"),
        ("function", "attributes->>'function'"),
        ("correlation_id", "attributes->>'correlation_id'"),
        ("task_id", "attributes->>'task_id'"),
        ("workflow_name", "attributes->>'workflow.name'"),
        ("service_name", "resource->>'service.name'"),
        ("exception_type", "events->0->'attributes'->>'exception.type'"),
        (
            "exception_message",
            "nullif(events->0->'attributes'->>'exception.message', '')",
        ),
        ("event_count::BIGINT", "json_array_length(events)"),
    ] {
        let query = format!("SELECT count(*) FROM spans WHERE {column} IS DISTINCT FROM ({json})");
        assert_eq!(count(&store, &query), 0, "{column}");
        let filled = format!("SELECT count(*) FROM spans WHERE {column} IS NOT NULL");
        assert!(count(&store, &filled) > 0, "{column} is never filled");
    }
}

#[test]
fn a_span_with_a_megabyte_of_attributes_is_stored_whole() {
    let text = "x".repeat(1 << 20);
    let large = made(NewSpan {
        attributes: serde_json::json!({ "input.text": text, "correlation_id": "c" }).to_string(),
        trace_id: "t".into(),
        span_id: "s".into(),
        name: "A.f".into(),
        start_time: 5,
        end_time: 6,
        ..NewSpan::default()
    });
    assert_eq!(Promoted::of(&large).correlation_id.as_deref(), Some("c"));
    let store = sample::store_of(&[large]);
    assert_eq!(
        count(&store, "SELECT length(attributes->>'input.text')::BIGINT FROM spans"),
        1 << 20
    );
}

#[test]
fn a_store_is_there_again_when_it_is_opened_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("deep/er/store.duckdb");
    {
        let store = Store::open(&path, Settings::default()).expect("a new store");
        store.ingest(&[span("a", None, "A.f", 0, 10)]).expect("stored");
    }
    {
        let store = Store::open(&path, Settings::default()).expect("the same store");
        assert_eq!(store.statistics().expect("statistics").spans, 1);
    }
    let store = Store::open_read_only(&path, Settings::default()).expect("the same store");
    assert_eq!(
        store
            .red(Default::default(), Window::default(), None)
            .expect("red")
            .len(),
        1
    );
    assert!(
        store.ingest(&[span("b", None, "A.f", 0, 10)]).is_err(),
        "a read-only store took a span"
    );
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = folder.path().join("text.duckdb");
    std::fs::write(&text, "not a database").expect("written");
    let error = Store::open(&text, Settings::default()).err().expect("refused");
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert_eq!(std::fs::read(&text).expect("still there"), b"not a database");

    let other = folder.path().join("other.duckdb");
    {
        let connection = duckdb::Connection::open(&other).expect("a database");
        connection
            .execute_batch("CREATE TABLE cows (name VARCHAR)")
            .expect("a table");
    }
    let error = Store::open(&other, Settings::default()).err().expect("refused");
    assert!(error.to_string().contains("cows"), "{error}");
}

#[test]
fn a_store_from_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("store.duckdb");
    drop(Store::open(&path, Settings::default()).expect("a new store"));
    {
        let connection = duckdb::Connection::open(&path).expect("a database");
        connection
            .execute_batch("UPDATE flockscope_meta SET value = '99'")
            .expect("changed");
    }
    let error = Store::open(&path, Settings::default()).err().expect("refused");
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
}
