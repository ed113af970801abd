//! Each route gives what the store's own call gives, and the parameters reach it.

use flockscope_store::{GroupBy, Level, Window};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{sample, server};

fn rows(rows: impl Serialize) -> Value {
    json!({ "rows": rows, "cut": false })
}

#[tokio::test]
async fn every_route_gives_what_the_store_gives() {
    let server = server::sample();
    let store = &server.store;
    let times: Vec<i64> = {
        let mut starts: Vec<i64> = sample::spans().iter().map(|span| span.start_time).collect();
        starts.sort_unstable();
        starts
    };
    let window = Window {
        since: Some(times[2_000]),
        until: Some(times[5_000]),
    };
    let query = format!("since={}&until={}", times[2_000], times[5_000]);
    let all = Window::default();
    let cases = [
        (
            "/api/v1/red".to_owned(),
            rows(store.red(GroupBy::Operation, all, None).expect("rows")),
        ),
        (
            format!("/api/v1/red?group_by=agent&step=1m&{query}"),
            rows(store.red(GroupBy::Agent, window, Some(60_000_000_000)).expect("rows")),
        ),
        (
            "/api/v1/dependencies".to_owned(),
            rows(store.dependencies(Level::Agent, all).expect("rows")),
        ),
        (
            format!("/api/v1/dependencies?level=service&{query}"),
            rows(store.dependencies(Level::Service, window).expect("rows")),
        ),
        (
            format!("/api/v1/critical-path?{query}"),
            rows(store.critical_path(window).expect("rows")),
        ),
        (
            "/api/v1/exceptions".to_owned(),
            rows(store.exceptions(all).expect("rows")),
        ),
        (
            format!("/api/v1/operations?{query}"),
            rows(store.operations(window).expect("rows")),
        ),
        (
            format!("/api/v1/attributes?{query}"),
            rows(store.attribute_keys(window).expect("rows")),
        ),
        (
            "/api/v1/attributes/agent.name/values?limit=1000".to_owned(),
            rows(store.attribute_values("agent.name", all, 1_000).expect("rows")),
        ),
        (
            "/api/v1/statistics".to_owned(),
            serde_json::to_value(store.statistics().expect("a row")).expect("JSON"),
        ),
    ];
    for (uri, expected) in cases {
        let found = server.found(&uri).await;
        assert!(
            expected
                .get("rows")
                .is_none_or(|rows| !rows.as_array().expect("rows").is_empty()),
            "{uri}: an empty case shows nothing"
        );
        assert_same(&found, &expected, &uri);
    }
}

/// The same, but for the last digits of fractions: DuckDB sums them up in another order each time.
fn assert_same(found: &Value, expected: &Value, at: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            assert!(found.keys().eq(expected.keys()), "{at}");
            for (key, found) in found {
                assert_same(found, &expected[key], &format!("{at}.{key}"));
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{at}");
            for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
                assert_same(found, expected, &format!("{at}[{number}]"));
            }
        }
        _ => match (found.as_f64(), expected.as_f64()) {
            (Some(one), Some(other)) if found.is_f64() => {
                assert!((one - other).abs() <= 1e-9 * other.abs(), "{at}: {one} {other}");
            }
            _ => assert_eq!(found, expected, "{at}"),
        },
    }
}

#[tokio::test]
async fn figures_are_those_that_plain_counting_gives() {
    let server = server::sample();
    let statistics = server.found("/api/v1/statistics").await;
    let count = |of: &dyn Fn(&flockscope_model::Span) -> String| {
        let distinct: std::collections::HashSet<String> = sample::spans().iter().map(of).collect();
        distinct.len()
    };
    assert_eq!(statistics["spans"], sample::spans().len());
    assert_eq!(statistics["traces"], count(&|span| span.trace_id.clone()));
    assert_eq!(statistics["services"], count(&|span| span.service.clone()));
    let errors = sample::spans()
        .iter()
        .filter(|span| span.status_code.as_str() == "ERROR");
    assert_eq!(statistics["errors"], errors.count());
    let red = server.found("/api/v1/red?group_by=service").await;
    for row in red["rows"].as_array().expect("rows") {
        let service = row["service"].as_str().expect("a service");
        let calls = sample::spans().iter().filter(|span| span.service == service);
        assert_eq!(row["calls"], calls.count(), "{service}");
    }
}

#[tokio::test]
async fn values_beyond_the_limit_are_cut_and_say_so() {
    let server = server::sample();
    let few = server.found("/api/v1/attributes/function/values?limit=3").await;
    assert_eq!(
        (few["rows"].as_array().map(Vec::len), &few["cut"]),
        (Some(3), &json!(true))
    );
    let none = server.found("/api/v1/attributes/no%20such~key%2Fat'all/values").await;
    assert_eq!(none, json!({"rows": [], "cut": false}));
}

#[tokio::test]
async fn one_trace_comes_whole_with_its_attributes_as_json() {
    let server = server::sample();
    let id = &sample::spans()[1_000].trace_id;
    let answer = server.found(&format!("/api/v1/traces/{id}")).await;
    let expected: Vec<_> = sample::spans().iter().filter(|span| span.trace_id == *id).collect();
    assert_eq!(answer["trace_id"], **id);
    assert_eq!(answer["cut"], false);
    let spans = answer["spans"].as_array().expect("spans");
    assert_eq!(spans.len(), expected.len());
    assert!(
        spans
            .windows(2)
            .all(|two| two[0]["start_time"].as_i64() <= two[1]["start_time"].as_i64())
    );
    for span in expected {
        let found = spans
            .iter()
            .find(|found| found["span_id"] == *span.span_id)
            .expect("each span");
        let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        assert_eq!(found["attributes"], json(&span.attributes));
        assert_eq!(found["events"], json(&span.events));
        assert_eq!(found["resource"], json(&span.resource));
        assert_eq!(found["parent_id"], json!(span.parent_id));
        assert_eq!(found["start_time"], span.start_time);
        assert_eq!(found["status_code"], span.status_code.as_str());
        assert_eq!(found["status_description"], json!(span.status_description));
    }
    let timeline = server.found(&format!("/api/v1/traces/{id}/timeline")).await;
    let expected = rows(server.store.timeline(id).expect("rows"));
    assert_same(&timeline, &expected, "timeline");
    let hint = server.get("/api/v1/traces/nosuch").await.problem(404, "not-found");
    assert!(hint.contains("nosuch"), "{hint}");
    server
        .get("/api/v1/traces/nosuch/timeline")
        .await
        .problem(404, "not-found");
}
