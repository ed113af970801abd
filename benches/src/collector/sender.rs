//! Sends OTLP request bodies as an SDK does: what is refused for now is sent again.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::{BufMut, Bytes};
use http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use super::server::Receivers;

const EXPORT: PathAndQuery = PathAndQuery::from_static("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
const PROTOBUF: &str = "application/x-protobuf";

/// First pause before a body is sent again if the server says nothing; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MOST_DOUBLINGS: u32 = 5;
/// A body that was refused so often in a row will never be taken: about a minute.
const MOST_REFUSALS: u32 = 60;

/// How bodies travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    HttpProtobuf,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::HttpProtobuf => "HTTP/protobuf",
        }
    }
}

/// One connection to the receiver.
pub(crate) struct Sender {
    connection: Connection,
    /// Times that a body was refused for now.
    pub(crate) refusals: u64,
    /// What was said the first time.
    pub(crate) first_refusal: Option<String>,
}

enum Connection {
    Grpc(Grpc<Channel>),
    Http { client: reqwest::Client, url: String },
}

/// What came of a request.
enum Reply {
    Taken(ExportTraceServiceResponse),
    /// To be sent again, after the time that the server named.
    Later(Option<Duration>, String),
}

impl Sender {
    pub(crate) async fn connect(receivers: Receivers, protocol: Protocol) -> Result<Self> {
        let connection = match protocol {
            Protocol::Grpc => {
                let endpoint = Endpoint::from_shared(format!("http://{}", receivers.grpc))?;
                Connection::Grpc(Grpc::new(endpoint.connect().await.context("cannot connect by gRPC")?))
            }
            Protocol::HttpProtobuf => Connection::Http {
                client: reqwest::Client::builder().no_proxy().build()?,
                url: format!("http://{}/v1/traces", receivers.http),
            },
        };
        Ok(Self {
            connection,
            refusals: 0,
            first_refusal: None,
        })
    }

    /// Sends a body until it is taken. That a part of it is rejected for good is an error: all spans are sound.
    pub(crate) async fn send(&mut self, body: Bytes) -> Result<()> {
        for refusal in 0..MOST_REFUSALS {
            match self.send_once(body.clone()).await? {
                Reply::Taken(response) => {
                    let rejected = response.partial_success.unwrap_or_default();
                    ensure!(
                        rejected.rejected_spans == 0,
                        "{} spans were rejected: {}",
                        rejected.rejected_spans,
                        rejected.error_message
                    );
                    return Ok(());
                }
                Reply::Later(pause, why) => {
                    self.first_refusal.get_or_insert(why);
                    self.refusals += 1;
                    tokio::time::sleep(pause.unwrap_or(FIRST_PAUSE * 2_u32.pow(refusal.min(MOST_DOUBLINGS)))).await;
                }
            }
        }
        bail!("a body was refused {MOST_REFUSALS} times in a row");
    }

    async fn send_once(&mut self, body: Bytes) -> Result<Reply> {
        match &mut self.connection {
            Connection::Grpc(grpc) => {
                grpc.ready().await.context("the connection is lost")?;
                match grpc.unary(Request::new(body), EXPORT, BodyCodec).await {
                    Ok(response) => Ok(Reply::Taken(response.into_inner())),
                    Err(status) => refused_by_grpc(&status),
                }
            }
            Connection::Http { client, url } => {
                let request = client.post(url.as_str()).header(CONTENT_TYPE, PROTOBUF).body(body);
                refused_by_http(request.send().await.context("the connection is lost")?).await
            }
        }
    }
}

/// <https://opentelemetry.io/docs/specs/otlp/#failures>
fn refused_by_grpc(status: &Status) -> Result<Reply> {
    let pause = status.get_details_retry_info().and_then(|info| info.retry_delay);
    let is_retryable = match status.code() {
        Code::Unavailable | Code::Aborted | Code::Cancelled | Code::DeadlineExceeded | Code::OutOfRange => true,
        Code::ResourceExhausted => pause.is_some(),
        _ => false,
    };
    ensure!(is_retryable, "gRPC answered {}: {}", status.code(), status.message());
    Ok(Reply::Later(pause, status.message().to_owned()))
}

/// <https://opentelemetry.io/docs/specs/otlp/#failures-1>
async fn refused_by_http(response: reqwest::Response) -> Result<Reply> {
    let status = response.status();
    let pause = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let body = response.bytes().await.context("the connection is lost")?;
    if status.is_success() {
        return Ok(Reply::Taken(ExportTraceServiceResponse::decode(body)?));
    }
    ensure!(matches!(status.as_u16(), 429 | 502..=504), "HTTP answered {status}");
    Ok(Reply::Later(pause.map(Duration::from_secs), status.to_string()))
}

/// Sends bodies that are encoded already.
struct BodyCodec;

impl Codec for BodyCodec {
    type Encode = Bytes;
    type Decode = ExportTraceServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BodyCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, body: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(body);
        Ok(())
    }
}

impl Decoder for BodyCodec {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let response = ExportTraceServiceResponse::decode(from);
        response.map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::http::StatusCode;
    use axum::response::{IntoResponse, Response};
    use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
    use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceRequest};
    use tokio::net::TcpListener;
    use tonic::service::Routes;
    use tonic_types::ErrorDetails;

    use super::*;

    /// Refuses the first requests in one way, and then takes all but so many spans of each.
    #[derive(Clone)]
    struct Receiver {
        refusals: u32,
        code: Code,
        status: StatusCode,
        rejected_spans: i64,
        requests: Arc<AtomicU32>,
    }

    impl Receiver {
        fn new(refusals: u32, code: Code, status: StatusCode) -> Self {
            Self {
                refusals,
                code,
                status,
                rejected_spans: 0,
                requests: Arc::default(),
            }
        }

        fn answer(&self) -> Option<ExportTraceServiceResponse> {
            (self.requests.fetch_add(1, Ordering::Relaxed) >= self.refusals).then(|| ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans: self.rejected_spans,
                    error_message: "no room".into(),
                }),
            })
        }

        /// Both receivers on one port.
        async fn listen(&self) -> Receivers {
            let http = self.clone();
            let router = Routes::new(TraceServiceServer::new(self.clone()))
                .into_axum_router()
                .route(
                    "/v1/traces",
                    axum::routing::post(move || async move { http.over_http() }),
                );
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address: SocketAddr = listener.local_addr().expect("an address");
            tokio::spawn(axum::serve(listener, router).into_future());
            Receivers {
                grpc: address,
                http: address,
            }
        }

        fn over_http(&self) -> Response {
            match self.answer() {
                Some(answer) => answer.encode_to_vec().into_response(),
                None => (self.status, [("retry-after", "0")]).into_response(),
            }
        }
    }

    #[tonic::async_trait]
    impl TraceService for Receiver {
        async fn export(
            &self,
            _: Request<ExportTraceServiceRequest>,
        ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
            let details = ErrorDetails::with_retry_info(Some(Duration::from_millis(1)));
            self.answer()
                .map(tonic::Response::new)
                .ok_or_else(|| Status::with_error_details(self.code, "refused", details))
        }
    }

    async fn sent(receiver: &Receiver, protocol: Protocol) -> (Result<()>, u64) {
        super::super::install_crypto();
        let mut sender = Sender::connect(receiver.listen().await, protocol)
            .await
            .expect("connected");
        let outcome = sender.send(Bytes::new()).await;
        (outcome, sender.refusals)
    }

    #[tokio::test]
    async fn what_is_refused_for_now_is_sent_until_it_is_taken() {
        for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
            let receiver = Receiver::new(3, Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE);
            let (outcome, refusals) = sent(&receiver, protocol).await;
            outcome.expect("taken in the end");
            assert_eq!(refusals, 3, "{protocol:?}");
            assert_eq!(receiver.requests.load(Ordering::Relaxed), 4, "{protocol:?}");
        }
    }

    #[tokio::test]
    async fn what_is_refused_for_good_is_not_sent_again() {
        for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
            let receiver = Receiver::new(1, Code::InvalidArgument, StatusCode::BAD_REQUEST);
            sent(&receiver, protocol).await.0.expect_err("refused");
            assert_eq!(receiver.requests.load(Ordering::Relaxed), 1, "{protocol:?}");
        }
    }

    #[tokio::test]
    async fn a_rejected_span_is_an_error() {
        for protocol in [Protocol::Grpc, Protocol::HttpProtobuf] {
            let receiver = Receiver {
                rejected_spans: 1,
                ..Receiver::new(0, Code::Ok, StatusCode::OK)
            };
            let error = sent(&receiver, protocol).await.0.expect_err("rejected");
            assert_eq!(error.to_string(), "1 spans were rejected: no room");
        }
    }
}
