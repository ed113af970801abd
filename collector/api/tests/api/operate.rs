//! The process: status, configuration, what only an admin may do, health, metrics.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::Request;
use flockscope_api::Settings;
use flockscope_security::Caller;
use serde_json::json;
use tower::ServiceExt;

use crate::sample;
use crate::server::{self, admin, get, post, viewer};

#[tokio::test]
async fn the_status_counts_and_hides_paths_from_viewers() {
    let server = server::sample();
    let status = server.found("/api/v1/status").await;
    assert_eq!((&status["spans"], &status["traces"]), (&json!(6797), &json!(191)));
    assert_eq!(status["store"], "/secret/store.duckdb");
    assert_eq!(status["notes"].as_array().map(Vec::len), Some(1));
    let answer = server.send(viewer(), get("/api/v1/status")).await;
    assert!(!answer.text().contains("/secret"), "{}", answer.text());
    let status = answer.json();
    assert_eq!((&status["store"], &status["spans"]), (&json!(null), &json!(6797)));
    server.store.clear().expect("cleared");
    assert_eq!(server.found("/api/v1/status").await["spans"], 0);
}

#[tokio::test]
async fn viewers_see_public_settings_only() {
    let server = server::of(sample::store_of(&[]));
    let names = |json: serde_json::Value| -> Vec<String> {
        let settings = json["settings"].as_array().expect("settings").clone();
        settings
            .iter()
            .map(|setting| setting["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(
        names(server.found("/api/v1/configuration").await),
        ["ttl_days", "store"]
    );
    let seen = server.send(viewer(), get("/api/v1/configuration")).await.json();
    assert_eq!(names(seen), ["ttl_days"]);
}

#[tokio::test]
async fn only_admins_clear_back_up_and_stop() {
    let server = server::sample();
    let confirmed = json!({"confirm": "all traces"});
    for route in ["/api/v1/clear", "/api/v1/backup", "/api/v1/stop"] {
        let refused = server.send(viewer(), post(route, &confirmed)).await;
        refused.problem(403, "admin-only");
    }
    assert_eq!(server.store.statistics().expect("a row").spans, 6797);
    assert_eq!(server.process.stops.load(Ordering::SeqCst), 0);
    for body in [
        json!({}),
        json!({"confirm": "yes"}),
        json!({"confirm": true}),
        json!({"confirm": "all traces", "x": 1}),
    ] {
        let refused = server.post("/api/v1/clear", &body).await;
        assert_eq!(refused.status.as_u16(), 400, "{body}");
    }
    assert_eq!(server.store.statistics().expect("a row").spans, 6797);
    let detail = server.post("/api/v1/backup", &json!({})).await.problem(500, "internal");
    assert!(!detail.contains("/secret"), "{detail}");
    assert_eq!(server.post("/api/v1/stop", &json!({})).await.status.as_u16(), 202);
    assert_eq!(server.process.stops.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn only_an_admin_of_this_machine_says_where_a_backup_goes() {
    let server = server::sample();
    let folder = tempfile::tempdir().expect("a folder");
    let named = json!({"folder": folder.path().join("saved")});
    let far_admin = Caller {
        is_local: false,
        ..admin()
    };
    let refused = server.send(far_admin, post("/api/v1/backup", &named)).await;
    refused.problem(400, "bad-body");
    for wrong in [
        json!({"folder": "saved"}),
        json!({"folder": 1}),
        json!({"to": "/saved"}),
    ] {
        assert_eq!(
            server.post("/api/v1/backup", &wrong).await.status.as_u16(),
            400,
            "{wrong}"
        );
    }
    assert!(!folder.path().join("saved").exists());
    let made = server.post("/api/v1/backup", &named).await;
    assert_eq!(made.json()["spans"], 6797, "{}", made.text());
    assert!(folder.path().join("saved").is_dir());
}

#[tokio::test]
async fn health_says_little_and_to_everybody() {
    let server = server::of(sample::store_of(&[]));
    // Without any caller.
    let Ok(response) = server.router.clone().oneshot(get("/healthz")).await;
    let bytes = axum::body::to_bytes(response.into_body(), 1_000).await.expect("a body");
    assert_eq!(bytes, r#"{"status":"ok","instance":"word"}"#.as_bytes());
    assert_eq!(
        server.found("/readyz").await,
        json!({"status": "ready", "checks": [{"name": "store", "ok": true}, {"name": "ingest", "ok": true}]})
    );
    server.process.ingest_is_ill.store(true, Ordering::SeqCst);
    let answer = server.get("/readyz").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["status"]),
        (503, &json!("not ready"))
    );
}

#[tokio::test]
async fn without_a_caller_nothing_is_told() {
    let server = server::sample();
    for uri in [
        "/api/traces",
        "/api/v1/traces",
        "/api/v1/statistics",
        "/api/v1/events",
        "/metrics",
    ] {
        let Ok(response) = server.router.clone().oneshot(get(uri)).await;
        assert_eq!(response.status().as_u16(), 401, "{uri}");
    }
    let clear = Request::post("/api/traces/clear")
        .body(Body::empty())
        .expect("a request");
    let Ok(response) = server.router.clone().oneshot(clear).await;
    assert_eq!(response.status().as_u16(), 401);
}

#[tokio::test]
async fn metrics_are_open_metrics_and_hold_the_figures() {
    let server = server::sample();
    server.found("/api/v1/red").await;
    server.found("/api/v1/red").await;
    server.sql("SELECT nosuch").await.problem(400, "sql-error");
    let answer = server.get("/metrics").await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = answer.text();
    for line in [
        "# TYPE flockscope_ingest_spans counter",
        "flockscope_ingest_spans_total{receiver=\"gr\\\"pc\"} 41.0",
        "flockscope_queries_total{kind=\"red\"} 2.0",
        "flockscope_queries_failed_total{kind=\"sql\"} 1.0",
        "flockscope_queries_running 0.0",
        "flockscope_store_bytes{part=\"file\"} 0.0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    for quantile in ["0.5", "0.95", "0.99"] {
        let start = format!("flockscope_query_seconds{{kind=\"red\",quantile=\"{quantile}\"}} ");
        let seconds = text
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap_or_else(|| panic!("{start}"));
        assert!(seconds.parse::<f64>().is_ok_and(|seconds| seconds > 0.0), "{seconds}");
    }
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let mut different = names.clone();
    different.dedup();
    assert_eq!(names, different, "each family once");
}

#[tokio::test]
async fn metrics_can_be_left_out() {
    let settings = Settings {
        metrics: false,
        ..Settings::default()
    };
    let server = server::with(sample::store_of(&[]), settings, None);
    server.send(admin(), get("/metrics")).await.problem(404, "not-found");
    assert_eq!(server.get("/healthz").await.status.as_u16(), 200);
}
