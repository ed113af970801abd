//! The two receivers on sockets.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use flockscope_ingest::{Ingest, Settings, SpanSink};
use flockscope_redaction::Redactor;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

/// Short times, so that a test is quick.
pub(crate) fn settings() -> Settings {
    Settings {
        gather_time: Duration::from_millis(5),
        shortest_retry_pause: Duration::from_millis(2),
        longest_retry_pause: Duration::from_millis(20),
        ..Settings::default()
    }
}

pub(crate) fn open(folder: &Path, settings: Settings, sink: &Arc<impl SpanSink>) -> Ingest {
    let sink: Arc<dyn SpanSink> = Arc::clone(sink) as _;
    Ingest::open(folder, settings, Arc::new(Redactor::off()), sink).expect("an ingest")
}

/// A router on a port of its own, for as long as this lives.
pub(crate) struct Serving {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn serve(router: Router) -> Serving {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("a socket"));
    let task = tokio::spawn(async move {
        axum::serve(listener, router).await.expect("served");
    });
    Serving { address, task }
}

pub(crate) struct Server {
    pub(crate) ingest: Ingest,
    grpc: Serving,
    http: Serving,
    pub(crate) client: reqwest::Client,
}

impl Server {
    pub(crate) async fn start(folder: &Path, settings: Settings, sink: &Arc<impl SpanSink>) -> Self {
        let ingest = open(folder, settings, sink);
        // reqwest is built without a default for TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            grpc: serve(ingest.grpc_router()).await,
            http: serve(ingest.http_router()).await,
            ingest,
            client: reqwest::Client::new(),
        }
    }

    pub(crate) fn grpc_address(&self) -> SocketAddr {
        self.grpc.address
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(format!("http://{}", self.grpc.address))
            .expect("an address")
            .connect()
            .await
            .expect("connected")
    }

    pub(crate) async fn grpc(&self) -> TraceServiceClient<Channel> {
        TraceServiceClient::new(self.channel().await)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1/traces", self.http.address)
    }

    pub(crate) fn http_address(&self) -> SocketAddr {
        self.http.address
    }

    /// A request in protobuf, ready to be changed.
    pub(crate) fn post(&self, body: Vec<u8>) -> reqwest::RequestBuilder {
        self.client
            .post(self.url())
            .header("content-type", "application/x-protobuf")
            .body(body)
    }

    pub(crate) fn post_json(&self, body: Vec<u8>) -> reqwest::RequestBuilder {
        self.client
            .post(self.url())
            .header("content-type", "application/json")
            .body(body)
    }

    /// Status, `Retry-After` and body of a request's answer.
    pub(crate) async fn answer(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status().as_u16(),
            retry_after: header(&response, "retry-after"),
            content_type: header(&response, "content-type"),
            body: response.bytes().await.expect("a body").to_vec(),
        }
    }
}

fn header(response: &reqwest::Response, name: &str) -> String {
    let value = response.headers().get(name).map(|value| value.to_str().expect("text"));
    value.unwrap_or_default().to_owned()
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: String,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}
