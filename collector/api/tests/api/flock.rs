//! Flock's five routes give what Flock's own code gives. `tests/data/flock-api.json` was made by running the functions of
//! `flock/dashboard/service.py` (flock-core 0.5.7) on the bundled sample: see `tests/data/flock_api.py`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::server;

fn flock() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/flock-api.json");
    serde_json::from_slice(&std::fs::read(file).expect("the fixture")).expect("JSON")
}

#[tokio::test]
async fn spans_are_those_of_flock_key_by_key() {
    let server = server::sample();
    let answer = server.get("/api/traces").await;
    assert_eq!(
        answer.header("x-flockscope-cut").or(Some("trailer")),
        answer.header("x-flockscope-cut")
    );
    let found = answer.json();
    let found = found.as_array().expect("spans");
    let flock = flock();
    let expected = &flock["spans"];
    assert_eq!(found.len() as u64, expected["count"]);
    assert!(
        found
            .windows(2)
            .all(|two| two[0]["start_time"].as_i64() >= two[1]["start_time"].as_i64())
    );
    assert_eq!(found[0], expected["first"][0]);
    for list in ["first", "errors", "roots"] {
        for span in expected[list].as_array().expect("spans") {
            let same = found
                .iter()
                .find(|found| found["context"]["span_id"] == span["context"]["span_id"]);
            assert_eq!(same, Some(span), "{list}");
        }
    }
    let ids: BTreeSet<&str> = found
        .iter()
        .map(|span| span["context"]["span_id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids.len(), found.len());
}

#[tokio::test]
async fn services_and_stats_are_those_of_flock() {
    let server = server::sample();
    let flock = flock();
    assert_eq!(server.found("/api/traces/services").await, flock["services"]);
    let found = server.found("/api/traces/stats").await;
    let (Value::Object(found), Value::Object(expected)) = (&found, &flock["stats"]) else {
        panic!("objects");
    };
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (key, value) in expected {
        if key == "database_size_mb" {
            assert!(found[key].is_number());
        } else {
            assert_eq!(&found[key], value, "{key}");
        }
    }
}

#[tokio::test]
async fn queries_answer_as_flock_does() {
    let server = server::sample();
    for case in flock()["queries"].as_array().expect("queries") {
        let query = case["query"].as_str().expect("a query");
        let expected = &case["answer"];
        let answer = server.post("/api/traces/query", &json!({ "query": query })).await;
        let found = answer.json();
        if expected.get("error").is_some() {
            // The viewer asks `response.ok`, then reads `error`.
            assert!(answer.status.is_client_error(), "{query}: {found}");
            assert!(
                found["error"].as_str().is_some_and(|error| !error.is_empty()),
                "{query}: {found}"
            );
            assert_eq!(
                (&found["results"], &found["columns"]),
                (&json!([]), &json!([])),
                "{query}"
            );
            continue;
        }
        assert_eq!(answer.status.as_u16(), 200, "{query}: {found}");
        assert_eq!(found["row_count"], expected["row_count"], "{query}");
        let keys = |value: &Value| {
            value
                .as_object()
                .map(|object| object.keys().cloned().collect::<Vec<_>>())
        };
        assert_eq!(keys(&found), keys(expected), "{query}");
        if query.starts_with("SELECT * FROM spans") {
            // We have more columns than Flock, behind Flock's own.
            let flocks = expected["columns"].as_array().expect("columns");
            assert_eq!(
                &found["columns"].as_array().expect("columns")[..flocks.len()],
                flocks.as_slice()
            );
        } else {
            assert_eq!(found["columns"], expected["columns"], "{query}");
        }
        let rows = |value: &Value| value["results"].as_array().expect("rows").clone();
        for (found, expected) in rows(&found).iter().zip(rows(expected)) {
            for (key, value) in expected.as_object().expect("a row") {
                assert_eq!(&found[key], value, "{query}: {key}");
            }
        }
    }
}

#[tokio::test]
async fn clearing_answers_as_flock_does_and_is_for_admins() {
    let server = server::sample();
    let clear = || {
        axum::http::Request::post("/api/traces/clear")
            .body(axum::body::Body::empty())
            .expect("a request")
    };
    let refused = server.send(server::viewer(), clear()).await;
    assert_eq!(refused.status.as_u16(), 403);
    assert_eq!(server.store.statistics().expect("a row").spans, 6797);
    let answer = server.send(server::admin(), clear()).await;
    assert_eq!(
        answer.json(),
        json!({"success": true, "deleted_count": 6797, "error": null})
    );
    assert_eq!(server.found("/api/traces").await, json!([]));
    assert_eq!(
        server.found("/api/traces/stats").await,
        json!({"total_spans": 0, "total_traces": 0, "services_count": 0, "oldest_trace": null, "newest_trace": null,
               "database_size_mb": 0.0})
    );
}
