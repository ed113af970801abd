//! Filters and limits to spans.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use flockscope_ingest::{Filter, Ingest, Settings};
use flockscope_otlp::from_request;
use flockscope_redaction::{Redactor, Rules};
use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;

use crate::messages::{attribute, once, protobuf, request, request_of, span};
use crate::server::{Server, settings};
use crate::sink::{MemorySink, Mood};

#[tokio::test(flavor = "multi_thread")]
async fn unwanted_spans_count_as_accepted_and_are_not_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let filtered = Settings {
        filter: Filter::new(Some(["agent".into()]), ["Agent.save".into()]),
        ..settings()
    };
    let server = Server::start(folder.path(), filtered, &sink).await;
    let spans = vec![
        span(1, "Agent.execute"),
        span(2, "Agent.save"),
        span(3, "Store.get"),
        span(4, "ticket_workflow_1"),
    ];
    let reply = server.grpc().await.export(request_of(spans)).await.expect("taken");
    assert_eq!(reply.into_inner().partial_success, None);
    server.ingest.flush().await;
    assert_eq!(sink.times(), once([1]));
    let counters = server.ingest.counters();
    assert_eq!((counters.accepted_spans, counters.filtered_spans), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_beyond_the_limit_of_a_request_are_rejected_for_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let limited = Settings {
        max_spans_per_request: 10,
        ..settings()
    };
    let server = Server::start(folder.path(), limited, &sink).await;
    let reply = server.grpc().await.export(request(1..=25)).await.expect("taken");
    let partial = reply.into_inner().partial_success.expect("a partial success");
    assert_eq!(partial.rejected_spans, 15);
    assert_eq!(partial.error_message, "15 spans rejected: a request may hold 10");
    server.ingest.flush().await;
    assert_eq!(sink.times(), once(1..=10));
    assert_eq!(server.ingest.counters().rejected_spans.surplus, 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_rate_a_request_is_refused_whole_until_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let limited = Settings {
        spans_per_second: NonZeroU32::new(20),
        ..settings()
    };
    let server = Server::start(folder.path(), limited, &sink).await;
    let mut grpc = server.grpc().await;
    grpc.export(request(1..=20)).await.expect("as many as a second allows");
    let refused = grpc.export(request(21..=40)).await.expect_err("too many");
    assert_eq!(refused.code(), Code::Unavailable);
    let wait = refused
        .get_details_retry_info()
        .and_then(|info| info.retry_delay)
        .expect("a time");
    assert!(
        wait > Duration::from_millis(1) && wait <= Duration::from_secs(1),
        "{wait:?}"
    );
    let answer = server.answer(server.post(protobuf(21..=40))).await;
    assert_eq!((answer.status, answer.retry_after.as_str()), (503, "1"));
    assert!(
        tonic_types::Status::decode(&*answer.body)
            .expect("a status")
            .message
            .contains("20 spans a second")
    );
    assert_eq!(server.ingest.counters().refused_requests.rate, 2);
    // As a client does.
    tokio::time::sleep(wait).await;
    while let Err(status) = grpc.export(request(21..=40)).await {
        let wait = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay)
            .expect("a time");
        tokio::time::sleep(wait).await;
    }
    server.ingest.flush().await;
    assert_eq!(sink.times(), once(1..=40));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_gets_neither_into_the_log_nor_into_the_sink() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Fails);
    let redactor = Redactor::new(&Rules::default()).expect("the usual rules");
    let ingest =
        Ingest::open(folder.path(), settings(), Arc::new(redactor), Arc::clone(&sink) as _).expect("an ingest");
    let mut with_secret = span(1, "Agent.execute");
    with_secret.attributes.push(attribute("api_key", "hunter2-hunter2"));
    ingest
        .accept(from_request(request_of(vec![with_secret])))
        .await
        .expect("taken");
    let mut logged = Vec::new();
    for file in std::fs::read_dir(folder.path()).expect("a folder") {
        logged.extend(std::fs::read(file.expect("a file").path()).expect("read"));
    }
    let holds = |text: &str| logged.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("api_key") && !holds("hunter2"));
    sink.set(Mood::Works);
    ingest.flush().await;
    let stored = &sink.spans()[0].attributes;
    assert!(stored.contains("api_key") && !stored.contains("hunter2"), "{stored}");
    assert_eq!(ingest.counters().redacted_values, 1);
}
