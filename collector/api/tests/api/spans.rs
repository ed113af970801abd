//! Spans that clients hand over.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::sample;
use crate::server::{self, Server, admin, viewer};

const LINES: &str = "application/x-ndjson";

fn lines(media_type: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post("/api/v1/spans")
        .header("content-type", media_type)
        .body(body.into())
        .expect("a request")
}

/// All spans of a trace, as the API gives them.
async fn spans(server: &Server, trace: &str) -> Vec<Value> {
    let found = server.found(&format!("/api/v1/traces/{trace}")).await;
    found["spans"].as_array().expect("spans").clone()
}

#[tokio::test]
async fn what_one_store_gives_another_takes() {
    let one = server::sample();
    let newest = one.found("/api/v1/traces?limit=1").await;
    let trace = newest["rows"][0]["trace_id"].as_str().expect("an id").to_owned();
    let given = spans(&one, &trace).await;
    let body: String = given.iter().map(|span| format!("{span}\n")).collect();
    let other = server::of(sample::store_of(&[]));
    let taken = other.send(admin(), lines(LINES, format!("{body}\n\r\n"))).await;
    assert_eq!(taken.status.as_u16(), 200, "{}", taken.text());
    assert_eq!(
        taken.json(),
        json!({"stored": given.len(), "replaced": 0, "left_out": 0})
    );
    assert_eq!(spans(&other, &trace).await, given);
    let again = other
        .send(admin(), lines("application/x-ndjson; charset=utf-8", body))
        .await;
    assert_eq!(again.json()["replaced"], given.len());
    assert_eq!(spans(&other, &trace).await, given);
}

#[tokio::test]
async fn what_is_no_span_is_refused_with_its_line_and_nothing_is_stored() {
    let server = server::of(sample::store_of(&[]));
    let sound = r#"{"trace_id":"a","span_id":"b","name":"A.f","start_time":1,"end_time":2}"#;
    let refused = server
        .send(admin(), lines(LINES, format!("{sound}\n{{\"trace_id\": 1}}\n")))
        .await;
    let detail = refused.problem(400, "bad-body");
    assert!(
        detail.contains("line 2") && detail.contains("nothing was stored"),
        "{detail}"
    );
    server
        .send(admin(), lines("application/json", sound))
        .await
        .problem(415, "wrong-media-type");
    server
        .send(viewer(), lines(LINES, sound))
        .await
        .problem(403, "admin-only");
    server
        .send(admin(), lines(LINES, vec![b'x'; (64 << 20) + 1]))
        .await
        .problem(413, "body-too-large");
    assert_eq!(server.store.statistics().expect("a row").spans, 0);

    let unplaced = sound.replace("\"b\"", "\"0000\"");
    let taken = server.send(admin(), lines(LINES, format!("{unplaced}\n{sound}"))).await;
    assert_eq!(taken.json(), json!({"stored": 1, "replaced": 0, "left_out": 1}));
}
