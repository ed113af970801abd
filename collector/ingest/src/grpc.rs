//! OTLP over gRPC: `TraceService/Export`. <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc>
//!
//! tonic speaks gRPC here, with a codec that hands over the bytes of a message. The generated service would decode it
//! first, and answer a malformed message with `INTERNAL`; the specification wants `INVALID_ARGUMENT`, and the same checks
//! must come before decoding as over HTTP. What tonic itself finds wrong with a request's frame (an invalid flag, a
//! frame that stops, data that does not decompress) stays `INTERNAL`, and an unknown encoding `UNIMPLEMENTED`.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use http_body_util::Full;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::body::{self, Encoding, Share};
use crate::counters::Protocol;
use crate::http::reply;
use crate::ingest::{self, Ingest};
use crate::refused::Refused;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// The flag and the length before a message, and room for a compressed one that grew.
pub(crate) const FRAME_HEAD: usize = 64;
/// Replies that are smaller are not compressed: they would grow, and cost more time than the rest of the request.
const SMALL_REPLY: usize = 1024;

impl Ingest {
    /// The receiver for OTLP over gRPC, without any protection. It must be served with HTTP/2.
    pub fn grpc_router(&self) -> Router {
        Router::new()
            .route(EXPORT, post(export))
            .fallback(unknown)
            .with_state(self.clone())
    }
}

/// Any other service or method, as gRPC answers it.
async fn unknown(headers: HeaderMap) -> Response {
    if is_grpc(&headers) {
        Status::unimplemented("").into_http()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    value.starts_with(b"application/grpc")
}

async fn export(State(ingest): State<Ingest>, request: Request) -> Response {
    let started = Instant::now();
    if !is_grpc(request.headers()) {
        // <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    ingest.meters().request(Protocol::Grpc);
    let (parts, body) = request.into_parts();
    let settings = ingest.settings();
    let limit = settings.max_grpc_message.saturating_add(FRAME_HEAD);
    let (body, share) = match body::read(body, limit, announced, settings.body_time_limit, ingest.bodies()).await {
        Ok(read) => read,
        Err(mut refused) => {
            if let Refused::TooLarge { limit, .. } = &mut refused {
                *limit = settings.max_grpc_message;
            }
            ingest.meters().refused(&refused);
            return status(&refused).into_http();
        }
    };
    let request = Request::from_parts(parts, Full::new(body));
    let service = Service {
        ingest: ingest.clone(),
        started,
        _share: share,
    };
    let mut grpc = Grpc::new(BytesCodec)
        .max_decoding_message_size(settings.max_grpc_message)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .send_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Zstd);
    let mut response = grpc.unary(service, request).await;
    count_refused_by_tonic(&ingest, response.headers_mut());
    response.map(Body::new)
}

/// The size of the first message, which stands in the four bytes behind its flag.
fn announced(start: &[u8]) -> Option<u64> {
    let (_, rest) = start.split_first()?;
    let length = rest.first_chunk()?;
    Some(u32::from_be_bytes(*length).into())
}

/// Marks a status that was made and counted here, for [`count_refused_by_tonic`]; never sent.
const OURS: &str = "x-counted";

/// Counts what tonic refused, and says of a message over the limit that it must not come again.
///
/// tonic answers it with `OUT_OF_RANGE`, which an OTLP client sends again and again
/// (<https://opentelemetry.io/docs/specs/otlp/#failures>); `RESOURCE_EXHAUSTED` without `RetryInfo` is final.
fn count_refused_by_tonic(ingest: &Ingest, headers: &mut HeaderMap) {
    // Only an error has its status among the headers: a reply has it in the trailers.
    let Some(code) = headers
        .get(Status::GRPC_STATUS)
        .map(HeaderValue::as_bytes)
        .map(Code::from_bytes)
    else {
        return;
    };
    if headers.remove(OURS).is_some() {
        return;
    }
    let limit = ingest.settings().max_grpc_message;
    let refused = match code {
        Code::OutOfRange => {
            headers.insert(Status::GRPC_STATUS, HeaderValue::from(Code::ResourceExhausted as i32));
            Refused::TooLarge { limit, what: "" }
        }
        Code::ResourceExhausted => Refused::TooLarge { limit, what: "" },
        Code::Unimplemented => Refused::Unsupported { message: String::new() },
        _ => Refused::Malformed { message: String::new() },
    };
    ingest.meters().refused(&refused);
}

struct Service {
    ingest: Ingest,
    started: Instant,
    /// Held until the request is done.
    _share: Share,
}

impl tower::Service<tonic::Request<Bytes>> for Service {
    type Response = tonic::Response<ExportTraceServiceResponse>;
    type Error = Status;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Status>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let ingest = self.ingest.clone();
        let started = self.started;
        Box::pin(async move {
            let outcome = ingest.take(ingest::Request {
                body: request.into_inner(),
                encoding: Encoding::Identity,
                limit: ingest.settings().max_grpc_message,
                protocol: Protocol::Grpc,
            });
            match ingest.counted(outcome.await, started) {
                Ok(accepted) => {
                    let reply = reply(accepted);
                    let is_small = reply.encoded_len() < SMALL_REPLY;
                    let mut response = tonic::Response::new(reply);
                    if is_small {
                        response.disable_compression();
                    }
                    Ok(response)
                }
                Err(refused) => {
                    let mut status = status(&refused);
                    status
                        .metadata_mut()
                        .insert(OURS, tonic::metadata::MetadataValue::from_static("1"));
                    Err(status)
                }
            }
        })
    }
}

/// With `RetryInfo` where the request may be sent again.
/// <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-throttling>
fn status(refused: &Refused) -> Status {
    let message = refused.to_string();
    match refused.retry_after() {
        Some(wait) => {
            Status::with_error_details(refused.grpc_code(), message, ErrorDetails::with_retry_info(Some(wait)))
        }
        None => Status::new(refused.grpc_code(), message),
    }
}

/// Takes a message as it is, and writes a reply.
#[derive(Debug, Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = ExportTraceServiceResponse;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for BytesCodec {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn encode(&mut self, reply: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&reply.encode_to_vec());
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
