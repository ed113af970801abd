//! The API as it is asked in these tests: its router, with a caller in each request as the security layers put one there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use flockscope_api::{Api, BackupMade, Check, Measurement, MeasurementKind, Process, ProcessError, Setting, Settings};
use flockscope_protocol::{Event, OtlpStatus, ProcessStatus};
use flockscope_security::{Caller, Role};
use flockscope_store::Store;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tower::ServiceExt;

use crate::sample;

pub(crate) struct Server {
    pub(crate) router: Router,
    pub(crate) store: Arc<Store>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) process: Arc<TestProcess>,
}

#[derive(Default)]
pub(crate) struct TestProcess {
    pub(crate) stops: AtomicUsize,
    pub(crate) ingest_is_ill: std::sync::atomic::AtomicBool,
}

impl Process for TestProcess {
    fn status(&self) -> ProcessStatus {
        ProcessStatus {
            pid: 7,
            instance: "word".into(),
            version: "0.1.0".into(),
            started_at: 5,
            store: Some("/secret/store.duckdb".into()),
            following: None,
            otlp_grpc: OtlpStatus::Listening {
                address: ([127, 0, 0, 1], 4317).into(),
            },
            otlp_http: OtlpStatus::Off,
            ends_when_idle_for_s: Some(600),
            spans: 0,
            traces: 0,
            notes: vec!["the Flock file /secret/traces.duckdb can't be followed".into()],
        }
    }

    fn configuration(&self) -> Vec<Setting> {
        let setting = |name: &str, public| Setting {
            name: name.into(),
            value: json!(1),
            source: "default".into(),
            public,
        };
        vec![setting("ttl_days", true), setting("store", false)]
    }

    fn measurements(&self) -> Vec<Measurement> {
        vec![Measurement {
            name: "ingest_spans".into(),
            help: "Spans taken in".into(),
            kind: MeasurementKind::Counter,
            value: 41.0,
            labels: vec![("receiver".into(), "gr\"pc".into())],
        }]
    }

    fn checks(&self) -> Vec<Check> {
        vec![Check {
            name: "ingest".into(),
            ok: !self.ingest_is_ill.load(Ordering::SeqCst),
            detail: None,
        }]
    }

    fn backup(&self, store: &Store, folder: Option<&Path>) -> Result<BackupMade, ProcessError> {
        if let Some(folder) = folder {
            std::fs::create_dir(folder).expect("a folder");
            return Ok(BackupMade {
                name: "named".into(),
                spans: store.statistics()?.spans.cast_unsigned(),
                bytes: 0,
            });
        }
        Err(ProcessError::Failed("no room at /secret/backups".into()))
    }

    fn stop(&self) {
        self.stops.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn of(store: Store) -> Server {
    with(store, Settings::default(), None)
}

/// One with the sample.
pub(crate) fn sample() -> Server {
    of(sample::store_of(sample::spans()))
}

pub(crate) fn with(store: Store, settings: Settings, viewer: Option<PathBuf>) -> Server {
    let store = Arc::new(store);
    let (events, _) = broadcast::channel(8);
    let process = Arc::new(TestProcess::default());
    let api = Api {
        store: store.clone(),
        events: events.clone(),
        process: process.clone(),
        instance: "word".into(),
        settings,
        viewer,
    };
    Server {
        router: api.router(),
        store,
        events,
        process,
    }
}

pub(crate) fn admin() -> Caller {
    Caller {
        name: "local".into(),
        role: Role::Admin,
        is_local: true,
    }
}

pub(crate) fn viewer() -> Caller {
    Caller {
        name: "key:v".into(),
        role: Role::Viewer,
        is_local: false,
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).expect("UTF-8")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Asserts that this is a sound problem of the status and kind, and returns its detail.
    pub(crate) fn problem(&self, status: u16, kind: &str) -> String {
        let json = self.json();
        assert_eq!(self.status.as_u16(), status, "{json}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{json}");
        assert_eq!(json["status"], status, "{json}");
        assert_eq!(json["type"], format!("/problems/{kind}"), "{json}");
        assert!(json["title"].as_str().is_some_and(|title| !title.is_empty()));
        json["detail"].as_str().expect("a detail").to_owned()
    }
}

impl Server {
    pub(crate) async fn send(&self, caller: Caller, request: Request<Body>) -> Answer {
        let mut request = request;
        request.extensions_mut().insert(caller);
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body");
        let trailers = body.trailers().cloned().unwrap_or_default();
        Answer {
            status: parts.status,
            headers: parts.headers,
            trailers,
            bytes: body.to_bytes().to_vec(),
        }
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(admin(), get(uri)).await
    }

    /// The JSON of an answer with status 200.
    pub(crate) async fn found(&self, uri: &str) -> Value {
        let answer = self.get(uri).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answer {
        self.send(admin(), post(uri, body)).await
    }

    pub(crate) async fn sql(&self, query: &str) -> Answer {
        self.post("/api/v1/sql", &json!({ "query": query })).await
    }
}

pub(crate) fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body(Body::empty()).expect("a request")
}

pub(crate) fn post(uri: &str, body: &Value) -> Request<Body> {
    Request::post(uri)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("a request")
}
