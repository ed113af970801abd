//! The onward export, to endpoints that fail in every way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use flockscope_ingest::{BreakerState, OnwardCounters, OnwardProtocol, OnwardSettings, Settings};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::messages::{large, once, protobuf, request};
use crate::server::{Server, Serving, serve, settings};
use crate::sink::{MemorySink, Mood, wait_until};

/// How the endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Takes,
    /// 503, or `UNAVAILABLE`, with this time.
    IsBusy(Option<Duration>),
    /// 400, or `INVALID_ARGUMENT`.
    Refuses,
    RejectsOne,
    /// No answer at all.
    Hangs,
}

#[derive(Debug)]
struct Endpoint {
    state: Mutex<(Answer, BTreeMap<String, usize>, usize)>,
    key: Mutex<String>,
}

impl Endpoint {
    fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new((answer, BTreeMap::new(), 0)),
            key: Mutex::default(),
        })
    }

    fn set(&self, answer: Answer) {
        self.state.lock().expect("no panic").0 = answer;
    }

    fn times(&self) -> BTreeMap<String, usize> {
        self.state.lock().expect("no panic").1.clone()
    }

    fn calls(&self) -> usize {
        self.state.lock().expect("no panic").2
    }

    fn take(&self, request: &ExportTraceServiceRequest) -> Answer {
        let mut state = self.state.lock().expect("no panic");
        state.2 += 1;
        if matches!(state.0, Answer::Takes | Answer::RejectsOne) {
            let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
            for span in scopes.flat_map(|scope| &scope.spans) {
                let id = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
                *state.1.entry(id).or_default() += 1;
            }
        }
        state.0
    }

    fn reply(answer: Answer) -> ExportTraceServiceResponse {
        ExportTraceServiceResponse {
            partial_success: (answer == Answer::RejectsOne).then(|| ExportTracePartialSuccess {
                rejected_spans: 1,
                error_message: "one too many".into(),
            }),
        }
    }

    async fn http(self: &Arc<Self>) -> Serving {
        let router = Router::new().route("/base/v1/traces", post(http_endpoint));
        serve(router.with_state(Arc::clone(self))).await
    }

    async fn grpc(self: &Arc<Self>) -> Serving {
        let service = TraceServiceServer::from_arc(Arc::clone(self)).accept_compressed(CompressionEncoding::Gzip);
        serve(Router::new().route_service("/opentelemetry.proto.collector.trace.v1.TraceService/Export", service)).await
    }
}

async fn http_endpoint(State(endpoint): State<Arc<Endpoint>>, headers: HeaderMap, body: Bytes) -> Response {
    assert_eq!(headers["content-encoding"], "gzip");
    *endpoint.key.lock().expect("no panic") = headers["x-key"].to_str().expect("text").into();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*body), &mut plain).expect("gzip");
    let request = ExportTraceServiceRequest::decode(&*plain).expect("a request");
    let answer = endpoint.take(&request);
    match answer {
        Answer::Takes | Answer::RejectsOne => Endpoint::reply(answer).encode_to_vec().into_response(),
        Answer::IsBusy(None) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Answer::IsBusy(Some(wait)) => (
            StatusCode::SERVICE_UNAVAILABLE,
            [("retry-after", wait.as_secs().to_string())],
        )
            .into_response(),
        Answer::Refuses => StatusCode::BAD_REQUEST.into_response(),
        Answer::Hangs => std::future::pending().await,
    }
}

#[tonic::async_trait]
impl TraceService for Endpoint {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        *self.key.lock().expect("no panic") = request
            .metadata()
            .get("x-key")
            .expect("a key")
            .to_str()
            .expect("text")
            .into();
        let answer = self.take(request.get_ref());
        match answer {
            Answer::Takes | Answer::RejectsOne => Ok(tonic::Response::new(Self::reply(answer))),
            Answer::IsBusy(wait) => Err(Status::with_error_details(
                Code::Unavailable,
                "busy",
                ErrorDetails::with_retry_info(wait),
            )),
            Answer::Refuses => Err(Status::invalid_argument("no")),
            Answer::Hangs => std::future::pending().await,
        }
    }
}

struct Case {
    endpoint: Arc<Endpoint>,
    address: Serving,
    server: Server,
    folder: tempfile::TempDir,
    settings: Settings,
}

impl Case {
    async fn new(protocol: OnwardProtocol, answer: Answer, change: impl FnOnce(&mut OnwardSettings)) -> Self {
        let endpoint = Endpoint::new(answer);
        let address = match protocol {
            OnwardProtocol::Grpc => endpoint.grpc().await,
            OnwardProtocol::HttpProtobuf => endpoint.http().await,
        };
        let folder = tempfile::tempdir().expect("a folder");
        let url = match protocol {
            OnwardProtocol::Grpc => format!("http://{}", address.address),
            OnwardProtocol::HttpProtobuf => format!("http://{}/base/", address.address),
        };
        let mut onward = OnwardSettings {
            headers: vec![("x-key".into(), "secret".into())],
            shortest_pause: Duration::from_millis(2),
            longest_pause: Duration::from_millis(10),
            breaker_pause: Duration::from_millis(10),
            ..OnwardSettings::new(folder.path().join("onward"), url, protocol)
        };
        change(&mut onward);
        let settings = Settings {
            onward: Some(onward),
            ..settings()
        };
        let sink = MemorySink::new(Mood::Works);
        Self {
            server: Server::start(&folder.path().join("log"), settings.clone(), &sink).await,
            endpoint,
            address,
            folder,
            settings,
        }
    }

    fn counters(&self) -> OnwardCounters {
        self.server.ingest.counters().onward.expect("an onward export")
    }

    /// Sends a request with these spans to our receiver, and waits until it is in the sink.
    async fn send(&self, numbers: impl IntoIterator<Item = u64>) {
        assert_eq!(
            self.server.answer(self.server.post(protobuf(numbers))).await.status,
            200
        );
        self.server.ingest.flush().await;
    }

    async fn sent(&self, spans: u64) {
        wait_until("spans are sent on", || self.counters().sent_spans == spans).await;
    }
}

const BOTH: [OnwardProtocol; 2] = [OnwardProtocol::Grpc, OnwardProtocol::HttpProtobuf];

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_sent_on_with_the_headers() {
    for protocol in BOTH {
        let case = Case::new(protocol, Answer::Takes, |_| {}).await;
        // More than one request takes.
        case.send(1..=1300).await;
        case.sent(1300).await;
        assert_eq!(case.endpoint.times(), once(1..=1300), "{protocol:?}");
        assert_eq!(*case.endpoint.key.lock().expect("no panic"), "secret");
        let counters = case.counters();
        assert_eq!(counters.sent_requests, 3);
        assert_eq!(
            (counters.waiting_spans, counters.retries, counters.dropped_spans),
            (0, 0, 0)
        );
        case.endpoint.set(Answer::RejectsOne);
        case.send(2001..=2010).await;
        case.sent(1309).await;
        assert_eq!(case.counters().rejected_spans, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_endpoint_opens_the_breaker_and_gets_all_later() {
    for protocol in BOTH {
        let case = Case::new(protocol, Answer::IsBusy(None), |onward| onward.breaker_failures = 3).await;
        case.send(1..=20).await;
        wait_until("the breaker opens", || case.counters().breaker == BreakerState::Open).await;
        wait_until("and tries again", || case.endpoint.calls() > 5).await;
        assert_eq!(case.endpoint.times(), once([]));
        assert_eq!(case.counters().waiting_spans, 20);
        case.endpoint.set(Answer::Takes);
        case.sent(20).await;
        assert_eq!(case.endpoint.times(), once(1..=20), "{protocol:?}");
        assert_eq!(case.counters().breaker, BreakerState::Closed);
        assert!(case.counters().retries >= 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_breaker_sends_nothing() {
    let case = Case::new(OnwardProtocol::Grpc, Answer::IsBusy(None), |onward| {
        onward.breaker_failures = 2;
        onward.breaker_pause = Duration::from_secs(3600);
    })
    .await;
    case.send(1..=3).await;
    wait_until("the breaker opens", || case.counters().breaker == BreakerState::Open).await;
    for number in 4..=10 {
        case.send([number]).await;
    }
    assert_eq!(case.endpoint.calls(), 2);
    assert_eq!(case.counters().waiting_spans, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_the_endpoint_asks_for_is_given() {
    for protocol in BOTH {
        let busy = Answer::IsBusy(Some(Duration::from_secs(3600)));
        let case = Case::new(protocol, busy, |_| {}).await;
        case.send(1..=3).await;
        wait_until("it was asked", || case.counters().retries == 1).await;
        // With pauses of 10 ms at most it would long have been asked again.
        for number in 4..=30 {
            case.send([number]).await;
        }
        assert_eq!(case.endpoint.calls(), 1, "{protocol:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_dropped_and_counted() {
    for protocol in BOTH {
        let case = Case::new(protocol, Answer::Refuses, |_| {}).await;
        case.send(1..=7).await;
        wait_until("it is refused", || case.counters().refused_spans == 7).await;
        case.endpoint.set(Answer::Takes);
        case.send(8..=9).await;
        case.sent(2).await;
        assert_eq!(case.endpoint.times(), once(8..=9), "{protocol:?}");
        assert_eq!(
            (case.counters().retries, case.counters().breaker),
            (0, BreakerState::Closed)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_hangs_or_is_not_there_holds_nobody_up() {
    for protocol in BOTH {
        let case = Case::new(protocol, Answer::Hangs, |onward| {
            onward.timeout = Duration::from_millis(20)
        })
        .await;
        for number in 1..=20 {
            case.send([number]).await;
        }
        wait_until("it is given up and tried again", || case.counters().retries >= 2).await;
        case.endpoint.set(Answer::Takes);
        case.sent(20).await;
        let Case { server, address, .. } = case;
        drop(address);
        assert_eq!(server.answer(server.post(protobuf([21]))).await.status, 200);
        server.ingest.flush().await;
        server.ingest.close();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_on_disk_is_bounded_and_survives_a_restart() {
    const LIMIT: u64 = 1 << 20;
    let case = Case::new(OnwardProtocol::HttpProtobuf, Answer::IsBusy(None), |onward| {
        onward.queue_bytes = LIMIT;
        onward.breaker_failures = 1;
        onward.breaker_pause = Duration::from_secs(3600);
    })
    .await;
    let mut grpc = case.server.grpc().await;
    for number in 1..=100 {
        grpc.export(large(number, 30_000)).await.expect("taken");
        case.server.ingest.flush().await;
        let folder = std::fs::read_dir(case.folder.path().join("onward")).expect("a folder");
        let bytes: u64 = folder
            .map(|file| file.expect("a file").metadata().expect("a file").len())
            .sum();
        assert!(bytes <= LIMIT, "{bytes}");
    }
    let counters = case.counters();
    assert_eq!(counters.waiting_spans + counters.dropped_spans, 100);
    assert!(
        counters.waiting_spans > 20 && counters.dropped_spans > 50,
        "{counters:?}"
    );
    let first_kept = counters.dropped_spans + 1;

    case.server.ingest.close();
    let Case {
        endpoint,
        address,
        server,
        folder,
        settings,
    } = case;
    drop((server, grpc));
    endpoint.set(Answer::Takes);
    let sink = MemorySink::new(Mood::Works);
    let server = Server::start(&folder.path().join("log"), settings, &sink).await;
    server.grpc().await.export(request([101])).await.expect("taken");
    wait_until("all are sent", || {
        endpoint.times().contains_key(&crate::messages::id(101))
    })
    .await;
    assert_eq!(endpoint.times(), once(first_kept..=101));
    drop(address);
}
