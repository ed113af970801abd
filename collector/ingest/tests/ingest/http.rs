//! OTLP over HTTP, by the specification.

use std::time::Duration;

use flockscope_ingest::Settings;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::messages::{gzip, json, large, once, protobuf, request_of, span, zstd};
use crate::server::{Answer, Server, settings};
use crate::sink::{MemorySink, Mood};

async fn server(folder: &tempfile::TempDir, settings: Settings) -> (Server, std::sync::Arc<MemorySink>) {
    let sink = MemorySink::new(Mood::Works);
    (Server::start(folder.path(), settings, &sink).await, sink)
}

#[tokio::test(flavor = "multi_thread")]
async fn protobuf_and_json_plain_and_compressed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, sink) = server(&folder, settings()).await;
    let encoded = |builder: reqwest::RequestBuilder, encoding: &str| builder.header("content-encoding", encoding);
    let ok = [
        server.post(protobuf([1])),
        encoded(server.post(gzip(&protobuf([2]))), "gzip"),
        encoded(server.post(zstd(&protobuf([3]))), "zstd"),
        encoded(server.post(protobuf([4])), "identity"),
    ];
    for request in ok {
        let answer = server.answer(request).await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (200, "application/x-protobuf")
        );
        // Nothing was rejected: the field is not set, so that the message is empty.
        assert_eq!(answer.body, b"");
    }
    let json_type = ("content-type", "application/json; charset=utf-8");
    let ok = [
        server
            .client
            .post(server.url())
            .header(json_type.0, json_type.1)
            .body(json([5])),
        encoded(server.post_json(gzip(&json([6]))), "GZIP"),
        encoded(server.post_json(zstd(&json([7]))), "zstd"),
    ];
    for request in ok {
        let answer = server.answer(request).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"));
        assert_eq!(answer.body, b"{}");
    }
    // An empty request is a success.
    assert_eq!(server.answer(server.post(Vec::new())).await.status, 200);
    assert_eq!(server.answer(server.post_json(b"{}".to_vec())).await.status, 200);
    server.ingest.flush().await;
    assert_eq!(sink.times(), once(1..=7));
    let stored = sink.spans();
    assert_eq!(stored[0].service, "Agent");
    assert_eq!(stored[0].operation, "execute");
    let counters = server.ingest.counters();
    assert_eq!((counters.requests.http_protobuf, counters.requests.http_json), (5, 4));
    assert_eq!(
        (counters.received_spans.http_protobuf, counters.received_spans.http_json),
        (4, 3)
    );
    assert_eq!((counters.accepted_spans, counters.written_spans), (7, 7));
    assert_eq!((counters.reply.count, counters.visible.count), (9, 7));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_that_can_not_be_stored_are_a_partial_success() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, sink) = server(&folder, settings()).await;
    let mut no_trace = span(1, "a");
    no_trace.trace_id = vec![0; 16];
    let mut no_time = span(2, "b");
    no_time.start_time_unix_nano = 0;
    let body = request_of(vec![no_trace, span(3, "c"), no_time]).encode_to_vec();
    let answer = server.answer(server.post(body)).await;
    assert_eq!(answer.status, 200);
    let reply = ExportTraceServiceResponse::decode(&*answer.body).expect("a reply");
    let partial = reply.partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 2);
    assert_eq!(
        partial.error_message,
        "1 spans rejected: no trace id; 1 spans rejected: no start time"
    );

    let body = String::from_utf8(json([4, 5]))
        .expect("text")
        .replace("0000000000000004", "");
    let answer = server.answer(server.post_json(body.into())).await;
    let reply: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(
        reply,
        serde_json::json!({"partialSuccess": {
            "rejectedSpans": "1",
            "errorMessage": "1 spans rejected: no span id",
        }})
    );
    server.ingest.flush().await;
    assert_eq!(sink.times(), once([3, 5]));
    assert_eq!(server.ingest.counters().rejected_spans.invalid, 3);
}

fn assert_status(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let message = if answer.content_type == "application/json" {
        let body: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert!(body["code"].is_u64());
        body["message"].as_str().expect("a message").to_owned()
    } else {
        assert_eq!(answer.content_type, "application/x-protobuf");
        tonic_types::Status::decode(&*answer.body).expect("a status").message
    };
    assert!(message.contains(words), "{message}");
    assert_eq!(answer.retry_after, "", "not to be sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_otlp_is_refused_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, sink) = server(&folder, settings()).await;
    let typed = |kind: &str| server.client.post(server.url()).header("content-type", kind).body("x");
    assert_status(&server.answer(typed("text/plain")).await, 415, "\"text/plain\"");
    assert_status(
        &server.answer(server.client.post(server.url()).body("x")).await,
        415,
        "content type",
    );
    for encoding in ["deflate", "br", "gzip, gzip", "../../etc"] {
        let request = server.post(protobuf([1])).header("content-encoding", encoding);
        assert_status(&server.answer(request).await, 415, encoding);
    }
    assert_status(&server.answer(server.post(b"not protobuf".to_vec())).await, 400, "");
    assert_status(
        &server
            .answer(server.post_json(b"{\"resourceSpans\": 7}".to_vec()))
            .await,
        400,
        "",
    );
    let not_gzip = server.post(protobuf([1])).header("content-encoding", "gzip");
    assert_status(&server.answer(not_gzip).await, 400, "not gzip");
    let mut cut = zstd(&protobuf(1..100));
    cut.truncate(cut.len() / 2);
    let cut = server.post(cut).header("content-encoding", "zstd");
    assert_status(&server.answer(cut).await, 400, "not zstd");
    for request in [
        server.client.get(server.url()),
        server.client.put(server.url()),
        server.client.delete(server.url()),
    ] {
        assert_eq!(server.answer(request).await.status, 405);
    }
    let elsewhere = server.url().replace("traces", "metrics");
    assert_eq!(server.answer(server.client.post(elsewhere)).await.status, 404);
    let refused = server.ingest.counters().refused_requests;
    assert_eq!((refused.malformed, refused.unsupported), (4, 6));
    server.ingest.flush().await;
    assert_eq!(sink.spans(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_the_limit_are_refused_however_they_come() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = Settings {
        max_http_body: 1 << 20,
        ..settings()
    };
    let (server, sink) = server(&folder, small).await;
    let body = large(1, 3 << 20).encode_to_vec();
    assert_status(&server.answer(server.post(body.clone())).await, 413, "1048576");
    // In pieces, without a length in front.
    let mut stream = TcpStream::connect(server.http_address()).await.expect("connected");
    let head = "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("written");
    for piece in body.chunks(64 << 10) {
        stream
            .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
            .await
            .expect("written");
        stream.write_all(piece).await.expect("written");
        stream.write_all(b"\r\n").await.expect("written");
    }
    stream.write_all(b"0\r\n\r\n").await.expect("written");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .expect("an answer, and the end of the connection");
    assert!(
        answer.starts_with(b"HTTP/1.1 413"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    // Small on the wire.
    let bombs = [("gzip", gzip(&body)), ("zstd", zstd(&body))];
    for (encoding, bomb) in bombs {
        assert!(bomb.len() < 8000);
        let answer = server
            .answer(server.post(bomb).header("content-encoding", encoding))
            .await;
        assert_status(&answer, 413, "after decompression");
    }
    assert_eq!(server.ingest.counters().refused_requests.too_large, 4);
    // Just below the limit.
    let fits = large(2, (1 << 20) - 1000).encode_to_vec();
    assert_eq!(server.answer(server.post(fits)).await.status, 200);
    server.ingest.flush().await;
    assert_eq!(sink.times(), once([2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_empty_messages_is_weighed_before_it_is_decoded() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, _) = server(&folder, settings()).await;
    // A million spans of two bytes each: a gigabyte if they were decoded.
    let spans = [0x12, 0x00].repeat(1_000_000);
    let wrap = |field: u8, inner: &[u8]| {
        let mut outer = vec![field << 3 | 2];
        prost::encode_length_delimiter(inner.len(), &mut outer).expect("encoded");
        outer.extend_from_slice(inner);
        outer
    };
    let body = wrap(1, &wrap(2, &spans));
    assert_status(&server.answer(server.post(body)).await, 413, "when decoded");
    let spans = vec!["{}"; 1_000_000].join(",");
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    assert_status(&server.answer(server.post_json(body.into())).await, 413, "when decoded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let hurried = Settings {
        body_time_limit: Duration::from_millis(20),
        ..settings()
    };
    let (server, _) = server(&folder, hurried).await;
    let mut stream = TcpStream::connect(server.http_address()).await.expect("connected");
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .await
        .expect("an answer, and the end of the connection");
    assert!(
        answer.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(server.ingest.counters().refused_requests.slow, 1);
    assert_eq!(server.ingest.counters().waiting_body_bytes, 0);
}
