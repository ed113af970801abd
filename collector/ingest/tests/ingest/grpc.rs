//! OTLP over gRPC, by the specification.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use flockscope_ingest::Settings;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::messages::{large, once, protobuf, request, request_of, span};
use crate::server::{Server, settings};
use crate::sink::{MemorySink, Mood};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Sends and receives messages as bytes.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// Calls a method with a message of any bytes.
pub(crate) async fn call(channel: &Channel, path: &'static str, message: Vec<u8>) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.expect("connected");
    let reply = client.unary(Request::new(message.into()), PathAndQuery::from_static(path), Raw);
    reply.await.map(tonic::Response::into_inner)
}

pub(crate) async fn export(channel: &Channel, message: Vec<u8>) -> Result<Bytes, Status> {
    call(channel, EXPORT, message).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_within_its_limit_is_taken_whatever_all_bodies_may_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let narrow = Settings {
        max_grpc_message: 1 << 20,
        max_http_body: 10_000,
        bodies_in_flight: 10_000,
        wait_for_room: Duration::from_millis(1),
        ..settings()
    };
    let server = Server::start(folder.path(), narrow, &sink).await;
    let message = large(1, 500_000).encode_to_vec();
    export(&server.channel().await, message).await.expect("taken");
    server.ingest.flush().await;
    assert_eq!(sink.times(), once([1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_gzip_and_zstd() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let server = Server::start(folder.path(), settings(), &sink).await;
    let channel = server.channel().await;
    let plain = TraceServiceClient::new(channel.clone());
    let compressed = [CompressionEncoding::Gzip, CompressionEncoding::Zstd].map(|encoding| {
        TraceServiceClient::new(channel.clone())
            .send_compressed(encoding)
            .accept_compressed(encoding)
    });
    for (mut client, number) in [plain].into_iter().chain(compressed).zip(0_u64..) {
        let reply = client
            .export(request(number * 50 + 1..number * 50 + 51))
            .await
            .expect("taken");
        assert_eq!(reply.into_inner().partial_success, None);
    }
    server.ingest.flush().await;
    assert_eq!(sink.times(), once(1..=150));
    let counters = server.ingest.counters();
    assert_eq!((counters.requests.grpc, counters.received_spans.grpc), (3, 150));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_spans_are_counted_in_the_reply_even_when_it_is_compressed() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let server = Server::start(folder.path(), settings(), &sink).await;
    let mut client = server.grpc().await.accept_compressed(CompressionEncoding::Zstd);
    let mut wrong = span(1, "a");
    wrong.span_id = Vec::new();
    let reply = client
        .export(request_of(vec![wrong, span(2, "b")]))
        .await
        .expect("taken");
    let partial = reply.into_inner().partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 1);
    assert_eq!(partial.error_message, "1 spans rejected: no span id");
    server.ingest.flush().await;
    assert_eq!(sink.times(), once([2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_must_not_be_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let small = Settings {
        max_grpc_message: 100_000,
        ..settings()
    };
    let server = Server::start(folder.path(), small, &sink).await;
    let channel = server.channel().await;
    let plain = TraceServiceClient::new(channel.clone());
    let gzip = TraceServiceClient::new(channel.clone()).send_compressed(CompressionEncoding::Gzip);
    let zstd = TraceServiceClient::new(channel.clone()).send_compressed(CompressionEncoding::Zstd);
    // Far over it, and by a byte or so.
    for bytes in [3 << 20, 99_950] {
        for client in [&plain, &gzip, &zstd] {
            let message = large(1, bytes);
            assert!(message.encoded_len() > 100_000);
            let refused = client.clone().export(message).await.expect_err("refused");
            assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
            assert!(refused.get_details_retry_info().is_none());
        }
    }
    assert_eq!(server.ingest.counters().refused_requests.too_large, 6);
    for mut client in [plain, gzip, zstd] {
        client.export(large(2, 90_000)).await.expect("taken");
    }
    server.ingest.flush().await;
    assert_eq!(sink.spans().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_an_invalid_argument() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let server = Server::start(folder.path(), settings(), &sink).await;
    let channel = server.channel().await;
    let mut cut = protobuf([1]);
    cut.truncate(cut.len() - 1);
    for message in [b"\xff\xff\xff".to_vec(), cut] {
        let refused = export(&channel, message).await.expect_err("refused");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    assert_eq!(
        export(&channel, Vec::new()).await.expect("an empty request"),
        Bytes::new()
    );
    let other = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
    let refused = call(&channel, other, Vec::new()).await.expect_err("refused");
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(server.ingest.counters().refused_requests.malformed, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_grpc_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let server = Server::start(folder.path(), settings(), &sink).await;
    let url = format!("http://{}{EXPORT}", server.grpc_address());
    let json = server
        .client
        .post(&url)
        .header("content-type", "application/json")
        .body("{}");
    assert_eq!(server.answer(json).await.status, 415);
    assert_eq!(server.answer(server.client.get(&url)).await.status, 405);
    let elsewhere = format!("http://{}/v1/traces", server.grpc_address());
    assert_eq!(server.answer(server.client.post(elsewhere)).await.status, 404);
}
