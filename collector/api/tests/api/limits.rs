//! Queries that take too much: stopped, one way or another, and the store lives on.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use flockscope_api::{Settings, SqlBudgets, SqlLimits};
use flockscope_store::Store;
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use crate::sample::{self, made, span};
use crate::server::{self, Server, admin, get, post, viewer};

/// A query without an end that needs no memory.
const ENDLESS: &str = "SELECT count(*) FROM range(1_000_000) a, range(1_000_000) b WHERE hash(a.range + b.range) = 1";

async fn figure(server: &Server, line: &str) -> Option<f64> {
    let text = server.get("/metrics").await.text();
    let line = text.lines().find(|found| found.starts_with(line))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn until_running(server: &Server, queries: f64) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while figure(server, "flockscope_queries_running").await != Some(queries) {
        assert!(tokio::time::Instant::now() < deadline, "never {queries} queries");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_query_that_runs_too_long_is_stopped() {
    let server = server::of(sample::store_of(&[]));
    let detail = server
        .post("/api/v1/sql", &json!({"query": ENDLESS, "time_ms": 100}))
        .await
        .problem(504, "query-timed-out");
    assert!(detail.contains("0.1 s"), "{detail}");
    assert_eq!(server.sql("SELECT 1").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_query_that_would_need_100_gb_ends_with_a_problem_and_the_store_lives_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(
        &folder.path().join("store.duckdb"),
        flockscope_store::Settings {
            memory_limit: "128MB".into(),
            sandbox_memory: "32MB".into(),
            spill_limit: 64_000_000,
            ..sample::settings()
        },
    )
    .expect("a store");
    store
        .ingest(&[made(span("t", "a", None, "A.f", 0, 10))])
        .expect("stored");
    let server = server::of(store);
    for query in [
        // One value that no memory holds.
        "SELECT len(list(i)) FROM (SELECT i::VARCHAR || repeat('x', 100) AS i FROM range(1_000_000_000) r(i))",
        "SELECT length(string_agg(repeat('x', 1_000), '')) FROM range(100_000_000)",
        // Sorts and groups that would go to the disk.
        "SELECT max(x) FROM (SELECT repeat(i::VARCHAR, 12) AS x, row_number() OVER (ORDER BY hash(i)) AS n FROM range(1_000_000_000) r(i)) WHERE n > 5",
        "SELECT count(*) FROM (SELECT i::VARCHAR || repeat('x', 100) AS x, count(*) FROM range(1_000_000_000) r(i) GROUP BY x)",
    ] {
        let answer = server
            .send(
                viewer(),
                post("/api/v1/sql", &json!({ "query": query, "time_ms": 10_000 })),
            )
            .await;
        let detail = answer.problem(
            answer.status.as_u16(),
            match answer.status.as_u16() {
                422 => "query-too-large",
                504 => "query-timed-out",
                other => panic!("{other}: {}", answer.text()),
            },
        );
        assert!(!detail.contains(&folder.path().display().to_string()), "{detail}");
        assert_eq!(
            server.sql("SELECT count(*) FROM spans").await.json()["rows"],
            json!([[1]])
        );
        server
            .store
            .ingest(&[made(span("t", "a", None, "A.f", 0, 10))])
            .expect("stored");
    }
}

#[tokio::test]
async fn an_answer_of_100_gb_is_cut_and_never_held_in_memory() {
    let store = sample::store_of(&[]);
    let limits = SqlLimits {
        bytes: 32 << 20,
        most_rows: u64::MAX,
        ..Settings::default().sql.of_caller(false)
    };
    let settings = Settings {
        sql: SqlBudgets::new(limits.clone(), limits),
        ..Settings::default()
    };
    let server = server::with(store, settings, None);
    let body = json!({"query": "SELECT repeat('x', 1_000) FROM range(100_000_000)", "rows": 100_000_000});
    let answer = server.send(viewer(), post("/api/v1/sql", &body)).await;
    assert_eq!(
        answer.trailers.get("x-flockscope-cut").map(|cut| cut.as_bytes()),
        Some(b"true".as_slice())
    );
    assert!(answer.bytes.len() < 48 << 20, "{}", answer.bytes.len());
}

#[tokio::test]
async fn a_query_can_be_stopped_by_its_id_and_by_nobody_else() {
    let server = Arc::new(server::of(sample::store_of(&[])));
    let asked = {
        let server = server.clone();
        tokio::spawn(async move {
            let body = json!({"query": ENDLESS, "id": "mine"});
            server.send(viewer(), post("/api/v1/sql", &body)).await
        })
    };
    until_running(&server, 1.0).await;
    let stop = |id: &str| {
        Request::delete(format!("/api/v1/queries/{id}"))
            .body(Body::empty())
            .expect("a request")
    };
    let stranger = flockscope_security::Caller {
        name: "key:other".into(),
        ..viewer()
    };
    server.send(stranger, stop("mine")).await.problem(404, "not-found");
    server.send(viewer(), stop("yours")).await.problem(404, "not-found");
    let again = json!({"query": "SELECT 1", "id": "mine"});
    server
        .send(viewer(), post("/api/v1/sql", &again))
        .await
        .problem(409, "query-id-in-use");
    let stopped = server.send(viewer(), stop("mine")).await;
    assert_eq!((stopped.status.as_u16(), stopped.bytes.len()), (204, 0));
    asked.await.expect("no panic").problem(409, "query-stopped");
    until_running(&server, 0.0).await;
    assert_eq!(
        server.send(viewer(), post("/api/v1/sql", &again)).await.status.as_u16(),
        200
    );
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_query() {
    let server = Arc::new(server::of(sample::store_of(&[])));
    for body in [
        json!({ "query": ENDLESS }),
        // One whose answer has begun, and that nobody reads.
        json!({ "query": "SELECT repeat('x', 1_000) FROM range(100_000_000)", "rows": 100_000_000 }),
    ] {
        let asked = {
            let server = server.clone();
            tokio::spawn(async move { server.post("/api/v1/sql", &body).await })
        };
        until_running(&server, 1.0).await;
        asked.abort();
        until_running(&server, 0.0).await;
    }
    // One that goes away in the middle of its answer.
    let mut request = post(
        "/api/v1/sql",
        &json!({ "query": "SELECT repeat('x', 1_000) FROM range(100_000_000)", "rows": 100_000_000 }),
    );
    request.extensions_mut().insert(admin());
    let Ok(response) = server.router.clone().oneshot(request).await;
    let mut body = response.into_body();
    assert!(body.frame().await.expect("a piece").is_ok());
    until_running(&server, 1.0).await;
    drop(body);
    until_running(&server, 0.0).await;
}

#[tokio::test]
async fn one_that_reads_too_slowly_does_not_hold_a_place() {
    let server = server::of(sample::store_of(&[]));
    let body =
        json!({ "query": "SELECT repeat('x', 1_000) FROM range(100_000_000)", "rows": 100_000_000, "time_ms": 1_500 });
    let mut request = post("/api/v1/sql", &body);
    request.extensions_mut().insert(admin());
    let Ok(response) = server.router.clone().oneshot(request).await;
    until_running(&server, 0.0).await;
    // It can't be taken for whole.
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn users_sql_leaves_places_for_analyses_and_too_many_are_told_to_wait() {
    let settings = Settings {
        queries: 2,
        sql_queries: 1,
        queries_of_caller: 2,
        waiting: 1,
        patience: Duration::from_secs(20),
        ..Settings::default()
    };
    let server = Arc::new(server::with(sample::store_of(&[]), settings, None));
    let ask = |id: &'static str| {
        let server = server.clone();
        tokio::spawn(async move { server.post("/api/v1/sql", &json!({"query": ENDLESS, "id": id})).await })
    };
    let first = ask("first");
    until_running(&server, 1.0).await;
    let second = ask("second");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while figure(&server, "flockscope_queries_waiting").await != Some(1.0) {
        assert!(tokio::time::Instant::now() < deadline, "never waits");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let third = server.sql("SELECT 1").await;
    third.problem(503, "busy");
    assert!(
        third
            .header("retry-after")
            .is_some_and(|seconds| seconds.parse::<u64>().is_ok())
    );
    // Both are stopped: the one that runs, and the one that waits.
    for id in ["second", "first"] {
        let stop = Request::delete(format!("/api/v1/queries/{id}"))
            .body(Body::empty())
            .expect("a request");
        assert_eq!(server.send(admin(), stop).await.status.as_u16(), 204);
    }
    first.await.expect("no panic").problem(409, "query-stopped");
    second.await.expect("no panic").problem(409, "query-stopped");
}

#[tokio::test]
async fn an_analysis_runs_beside_users_sql() {
    let settings = Settings {
        queries: 2,
        sql_queries: 1,
        queries_of_caller: 2,
        ..Settings::default()
    };
    let server = Arc::new(server::with(sample::store_of(&sample::spans()[..500]), settings, None));
    let endless = {
        let server = server.clone();
        tokio::spawn(async move {
            server
                .post("/api/v1/sql", &json!({"query": ENDLESS, "id": "endless"}))
                .await
        })
    };
    until_running(&server, 1.0).await;
    let rows = server.found("/api/v1/red").await;
    assert!(!rows["rows"].as_array().expect("rows").is_empty());
    let stop = Request::delete("/api/v1/queries/endless")
        .body(Body::empty())
        .expect("a request");
    server.send(admin(), stop).await;
    endless.await.expect("no panic").problem(409, "query-stopped");
}

#[tokio::test]
async fn an_analysis_stops_when_its_client_goes_away() {
    // Slow because of many spans with long attributes: what is looked for is in none of them.
    let store = sample::store_of(sample::spans());
    for copy in 0..2 {
        let spans: Vec<_> = sample::spans()
            .iter()
            .cloned()
            .map(|mut span| {
                span.trace_id = format!("{copy}{}", &span.trace_id[1..]);
                span
            })
            .collect();
        store.ingest(&spans).expect("stored");
    }
    let server = Arc::new(server::of(store));
    let asked = {
        let server = server.clone();
        tokio::spawn(async move { server.send(admin(), get("/api/v1/traces?text=%22nosuch%22")).await })
    };
    until_running(&server, 1.0).await;
    asked.abort();
    until_running(&server, 0.0).await;
    let failed = figure(&server, "flockscope_queries_failed_total{kind=\"traces\"}").await;
    assert_eq!(failed, Some(1.0), "it was interrupted rather than finished");
}

/// The API behind a real socket; what is sent to it, and the socket.
async fn over_tcp(server: &Server, body: &serde_json::Value) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let router = server.router.clone().layer(axum::Extension(admin()));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let body = body.to_string();
    let request = format!(
        "POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTE: trailers\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("connected");
    socket.write_all(request.as_bytes()).await.expect("sent");
    socket
}

#[tokio::test]
async fn a_connection_that_is_closed_stops_its_query() {
    let server = server::of(sample::store_of(&[]));
    let socket = over_tcp(&server, &json!({ "query": ENDLESS })).await;
    until_running(&server, 1.0).await;
    drop(socket);
    until_running(&server, 0.0).await;
}

#[tokio::test]
async fn the_trailer_goes_over_the_wire() {
    use tokio::io::AsyncReadExt;
    let server = server::of(sample::store_of(&[]));
    let body = json!({"query": "SELECT repeat('x', 1_000) FROM range(30_000)", "rows": 20_000});
    let mut socket = over_tcp(&server, &body).await;
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).await.expect("an answer");
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains("x-flockscope-cut: unknown"), "{head}");
    assert!(
        rest.ends_with("0\r\nx-flockscope-cut: true\r\n\r\n"),
        "{}",
        &rest[rest.len() - 100..]
    );
}
