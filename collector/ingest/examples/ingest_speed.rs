//! How fast spans are taken, into a sink that only counts: the reply to one span a request over gRPC, and spans a second
//! in requests of 512, over gRPC and over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::serve::ListenerExt;
use flockscope_ingest::{Ingest, Settings, SinkError, SpanSink};
use flockscope_model::Span;
use flockscope_redaction::{Redactor, Rules};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan};
use prost::Message;

#[derive(Default)]
struct Counter(AtomicU64);

impl SpanSink for Counter {
    fn store(&self, spans: &[Span]) -> Result<(), SinkError> {
        self.0.fetch_add(spans.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Spans of about this many bytes, with fifteen attributes.
fn request(first: u64, spans: u64, bytes: usize) -> ExportTraceServiceRequest {
    let text = "the quick brown fox ".repeat(bytes / 15 / 20 + 1);
    let span = |number: u64| OtlpSpan {
        trace_id: [0x5b; 16].to_vec(),
        span_id: number.to_be_bytes().to_vec(),
        name: "Agent.execute".into(),
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_000_000_500,
        attributes: (0..15)
            .map(|key| KeyValue {
                key: format!("input.{key}"),
                value: Some(AnyValue {
                    value: Some(Value::StringValue(text[..bytes / 15].into())),
                }),
                ..KeyValue::default()
            })
            .collect(),
        ..OtlpSpan::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: (first..first + spans).map(span).collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn replies(address: SocketAddr, count: u64) {
    let mut client = TraceServiceClient::connect(format!("http://{address}"))
        .await
        .expect("connected");
    let mut times = Vec::new();
    for number in 1..=count {
        let request = request(number, 1, 3000);
        let started = Instant::now();
        client.export(request).await.expect("taken");
        times.push(started.elapsed());
    }
    times.sort();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "one span of 3 KB a request over gRPC: p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms",
        at(0.5),
        at(0.99),
        at(0.999)
    );
}

async fn batches(grpc: SocketAddr, http: SocketAddr, is_grpc: bool, bytes: usize, ingest: &Ingest) {
    const CLIENTS: u64 = 4;
    let before = ingest.counters().written_spans;
    let started = Instant::now();
    let until = started + Duration::from_secs(8);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            tokio::spawn(async move {
                let message = request(1 + client * 1000, 512, bytes);
                if is_grpc {
                    let mut client = TraceServiceClient::connect(format!("http://{grpc}"))
                        .await
                        .expect("connected");
                    while Instant::now() < until {
                        client.export(message.clone()).await.expect("taken");
                    }
                } else {
                    let body = bytes::Bytes::from(message.encode_to_vec());
                    let client = reqwest::Client::new();
                    while Instant::now() < until {
                        let request = client.post(format!("http://{http}/v1/traces"));
                        let request = request.header("content-type", "application/x-protobuf");
                        let answer = request.body(body.clone()).send().await.expect("an answer");
                        assert_eq!(answer.status(), 200);
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("no panic");
    }
    ingest.flush().await;
    let spans = ingest.counters().written_spans - before;
    println!(
        "requests of 512 spans of {bytes} bytes over {}: {:.0} spans/s",
        if is_grpc { "gRPC" } else { "HTTP" },
        spans as f64 / started.elapsed().as_secs_f64()
    );
}

#[tokio::main]
async fn main() {
    // reqwest is built without a default for TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    for (name, redactor) in [
        ("without redaction", Redactor::off()),
        (
            "with the usual redaction",
            Redactor::new(&Rules::default()).expect("rules"),
        ),
    ] {
        println!("{name}:");
        let sink = Arc::new(Counter::default());
        let ingest =
            Ingest::open(&folder.path().join(name), Settings::default(), Arc::new(redactor), sink).expect("an ingest");
        let (grpc, http) = (serve(ingest.grpc_router()).await, serve(ingest.http_router()).await);
        replies(grpc, 500).await;
        replies(grpc, 20_000).await;
        for bytes in [300, 3000] {
            batches(grpc, http, true, bytes, &ingest).await;
            batches(grpc, http, false, bytes, &ingest).await;
        }
        let counters = ingest.counters();
        println!(
            "within the receiver: reply p50 <= {:?} ms, p99 <= {:?} ms; visible p99 <= {:?} ms; log {} bytes, most memory {} KiB",
            counters.reply.quantile_ms(0.5),
            counters.reply.quantile_ms(0.99),
            counters.visible.quantile_ms(0.99),
            counters.log.bytes,
            most_memory()
        );
    }
}

/// The most that this process ever held, clients included.
fn most_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    line.and_then(|line| line.split_whitespace().nth(1))
        .unwrap_or("?")
        .into()
}
