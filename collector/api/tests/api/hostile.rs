//! Parameters and paths that nobody sends by accident.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::sample;
use crate::server;

const ROUTES: &[&str] = &[
    "/api/v1/traces",
    "/api/v1/red",
    "/api/v1/dependencies",
    "/api/v1/critical-path",
    "/api/v1/exceptions",
    "/api/v1/operations",
    "/api/v1/attributes",
    "/api/v1/attributes/a/values",
    "/api/v1/statistics",
    "/api/v1/status",
    "/api/traces",
    "/api/traces/stats",
];

#[tokio::test]
async fn each_refusal_names_the_parameter_the_value_and_what_is_allowed() {
    let server = server::of(sample::store_of(&[]));
    for (uri, name, value, allowed) in [
        ("/api/v1/traces?limit=0", "limit", "0", "1 to 500"),
        ("/api/v1/traces?limit=501", "limit", "501", "1 to 500"),
        ("/api/v1/traces?limit=-1", "limit", "-1", "1 to 500"),
        ("/api/v1/traces?limit=1e3", "limit", "1e3", "1 to 500"),
        ("/api/v1/traces?limit=5&limit=6", "limit", "5, 6", "once"),
        ("/api/v1/traces?cursor=x", "cursor", "x", "next"),
        (
            "/api/v1/traces?cursor=0000000000000001ff",
            "cursor",
            "0000000000000001ff",
            "next",
        ),
        ("/api/v1/traces?status=error", "status", "error", "OK, ERROR, UNSET"),
        ("/api/v1/traces?text=", "text", "", "1 to 4096"),
        ("/api/v1/traces?text=a%00b", "text", "a\0b", "zero bytes"),
        ("/api/v1/traces?attribute=:x", "attribute", ":x", "key:value"),
        (
            "/api/v1/traces?min_duration_ms=NaN",
            "min_duration_ms",
            "NaN",
            "milliseconds",
        ),
        (
            "/api/v1/traces?min_duration_ms=-5",
            "min_duration_ms",
            "-5",
            "milliseconds",
        ),
        (
            "/api/v1/traces?min_duration_ms=5&max_duration_ms=4",
            "max_duration_ms",
            "4",
            "min_duration_ms",
        ),
        ("/api/v1/red?since=yesterday", "since", "yesterday", "RFC 3339"),
        ("/api/v1/red?since=1700000000", "since", "1700000000", "19 digits"),
        (
            "/api/v1/red?group_by=everything",
            "group_by",
            "everything",
            "operation, service",
        ),
        ("/api/v1/red?step=0s", "step", "0s", "more than 0"),
        ("/api/v1/red?step=1y", "step", "1y", "unit"),
        ("/api/v1/dependencies?level=", "level", "", "agent, service, operation"),
    ] {
        let answer = server.get(uri).await;
        let detail = answer.problem(400, "bad-parameter");
        let json = answer.json();
        assert_eq!(
            (json["parameter"].as_str(), json["value"].as_str()),
            (Some(name), Some(value)),
            "{uri}"
        );
        assert!(
            detail.contains(name) && json["allowed"].to_string().contains(allowed),
            "{uri}: {json}"
        );
    }
    for (uri, nearest) in [
        ("/api/v1/traces?servce=A", "service"),
        ("/api/v1/traces?Limit=5", "limit"),
        ("/api/v1/red?groupby=service", "group_by"),
        ("/api/v1/operations?from=1h&untill=2h", "until"),
    ] {
        let answer = server.get(uri).await;
        answer.problem(400, "bad-parameter");
        let json = answer.json();
        assert!(json["nearest"] == nearest || uri.contains("from"), "{uri}: {json}");
    }
    server.get("/api/v1/statistics?x=1").await.problem(400, "bad-parameter");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let server = server::of(sample::store_of(&[]));
    server.get("/api/v1/nosuch").await.problem(404, "not-found");
    server.get("/api").await.problem(404, "not-found");
    server.get("/nosuch").await.problem(404, "not-found");
    server.get("/api/v1/sql").await.problem(405, "wrong-method");
    server
        .post("/api/v1/traces", &serde_json::json!({}))
        .await
        .problem(405, "wrong-method");
}

#[test]
fn no_parameter_makes_a_fault_or_tells_a_path() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let store =
        flockscope_store::Store::open(&folder.path().join("store.duckdb"), sample::settings()).expect("a store");
    store.ingest(&sample::spans()[..50]).expect("stored");
    let server = server::of(store);
    let names = prop::sample::select(vec![
        "limit",
        "cursor",
        "text",
        "service",
        "operation",
        "agent",
        "status",
        "attribute",
        "min_duration_ms",
        "max_duration_ms",
        "since",
        "until",
        "group_by",
        "step",
        "level",
        "x",
    ]);
    let values = prop_oneof![
        "\\PC{0,20}",
        "[0-9a-f]{0,40}",
        "[0-9]{1,25}[smhdw]?",
        prop::sample::select(vec![
            "'; DROP TABLE stored_spans; --",
            "' OR 1=1 --",
            "\\",
            "\"",
            "a:b",
            "%",
            "\u{0}",
            "../../etc/passwd",
            "9223372036854775807",
            "-9223372036854775808",
            "1e308",
            "ERROR",
            "service",
            "1h",
            "{\"a\":1}",
            "$.*",
            "~1/~0",
            "\u{202e}x",
        ])
        .prop_map(str::to_owned),
    ];
    let requests = (
        prop::sample::select(ROUTES),
        prop::collection::vec((names, values), 0..4),
    );
    let mut runner = TestRunner::new(Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let place = folder.path().display().to_string();
    runner
        .run(&requests, |(route, pairs)| {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(pairs)
                .finish();
            let answer = runtime.block_on(server.get(&format!("{route}?{query}")));
            prop_assert!(
                answer.status.as_u16() == 200 || answer.status.is_client_error(),
                "{route}?{query}: {}",
                answer.text()
            );
            prop_assert!(answer.status.as_u16() == 200 || !answer.text().contains(&place));
            Ok(())
        })
        .expect("no fault");
    assert_eq!(server.store.statistics().expect("a row").spans, 50);
}
