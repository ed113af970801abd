//! A sink that is slower than what comes.

use std::time::Duration;

use flockscope_ingest::Settings;
use prost::Message;
use tonic::Code;
use tonic_types::StatusExt;

use crate::messages::{large, once, protobuf, request};
use crate::server::{Server, settings};
use crate::sink::{MemorySink, Mood, wait_until};

/// Room for a few spans, and little patience.
fn tight() -> Settings {
    Settings {
        queue_bytes: 20_000,
        wait_for_room: Duration::from_millis(1),
        retry_after: Duration::from_millis(1500),
        ..settings()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_said_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Blocks);
    let server = Server::start(folder.path(), tight(), &sink).await;
    let mut grpc = server.grpc().await;
    let mut acknowledged = Vec::new();
    let refused = loop {
        let number = acknowledged.len() as u64 + 1;
        assert!(number < 1000, "the queue is bounded");
        match grpc.export(request([number])).await {
            Ok(_) => acknowledged.push(number),
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), Code::Unavailable);
    let info = refused.get_details_retry_info().expect("RetryInfo");
    assert_eq!(info.retry_delay, Some(Duration::from_millis(1500)));
    let next = acknowledged.len() as u64 + 1;
    let answer = server.answer(server.post(protobuf([next]))).await;
    assert_eq!((answer.status, answer.retry_after.as_str()), (503, "2"));
    assert_eq!(answer.content_type, "application/x-protobuf");
    let status = tonic_types::Status::decode(&*answer.body).expect("a status");
    assert_eq!(status.code, Code::Unavailable as i32);
    assert!(status.message.contains("queue is full"), "{}", status.message);
    let counters = server.ingest.counters();
    assert_eq!(counters.refused_requests.queue_full, 2);
    assert_eq!(counters.waiting_spans, acknowledged.len() as u64);
    assert!(
        (20_000..24_000).contains(&counters.waiting_bytes),
        "{}",
        counters.waiting_bytes
    );

    sink.set(Mood::Works);
    wait_until("there is room", || server.ingest.counters().waiting_bytes < 20_000).await;
    assert_eq!(server.answer(server.post(protobuf([next]))).await.status, 200);
    server.ingest.flush().await;
    assert_eq!(sink.times(), once(1..=next));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_room_before_it_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Blocks);
    let patient = Settings {
        wait_for_room: Duration::from_secs(60),
        ..tight()
    };
    let server = Server::start(folder.path(), patient, &sink).await;
    assert_eq!(server.answer(server.post(protobuf(1..=50))).await.status, 200);
    assert!(server.ingest.counters().waiting_bytes > 20_000, "full");
    let waits = tokio::spawn(server.post(protobuf([51])).send());
    wait_until("it came", || server.ingest.counters().requests.http_protobuf == 2).await;
    assert!(!waits.is_finished());
    sink.set(Mood::Works);
    assert_eq!(waits.await.expect("no panic").expect("an answer").status(), 200);
    server.ingest.flush().await;
    assert_eq!(sink.times(), once(1..=51));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_gets_the_same_spans_again() {
    let folder = tempfile::tempdir().expect("a folder");
    for mood in [Mood::Fails, Mood::IsFull, Mood::Panics] {
        let sink = MemorySink::new(mood);
        let server = Server::start(&folder.path().join(format!("{mood:?}")), settings(), &sink).await;
        assert_eq!(
            server.answer(server.post(protobuf(1..=4))).await.status,
            200,
            "{mood:?}"
        );
        wait_until("it failed some times", || server.ingest.counters().sink_failures > 3).await;
        let counters = server.ingest.counters();
        assert!(counters.last_error.is_some() && counters.sink_trouble.is_some());
        sink.set(Mood::Works);
        server.ingest.flush().await;
        assert_eq!(sink.times(), once(1..=4), "{mood:?}");
        assert_eq!(server.ingest.counters().waiting_bytes, 0);
        // What waits from now on waits as ever, and not for what went wrong once.
        sink.set(Mood::Blocks);
        assert_eq!(server.answer(server.post(protobuf([5]))).await.status, 200);
        let counters = server.ingest.counters();
        assert_eq!((counters.waiting_spans, counters.sink_trouble), (1, None), "{mood:?}");
        sink.set(Mood::Works);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_while_many_clients_push() {
    const QUEUE: u64 = 4 << 20;
    const BODIES: u64 = 8 << 20;
    const SPAN: usize = 300 << 10;
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Blocks);
    let bounded = Settings {
        queue_bytes: QUEUE as usize,
        bodies_in_flight: BODIES as usize,
        max_http_body: 1 << 20,
        wait_for_room: Duration::from_millis(20),
        ..settings()
    };
    let server = Server::start(folder.path(), bounded, &sink).await;
    let clients: Vec<_> = (0..40_u64)
        .map(|client| {
            let (http, url) = (server.client.clone(), server.url());
            tokio::spawn(async move {
                let mut taken = Vec::new();
                for number in client * 5 + 1..client * 5 + 6 {
                    let body = large(number, SPAN).encode_to_vec();
                    let request = http.post(&url).header("content-type", "application/x-protobuf");
                    match request.body(body).send().await.expect("an answer").status().as_u16() {
                        200 => taken.push(number),
                        503 => {}
                        other => panic!("status {other}"),
                    }
                }
                taken
            })
        })
        .collect();
    let mut most = (0, 0);
    while !clients.iter().all(tokio::task::JoinHandle::is_finished) {
        let counters = server.ingest.counters();
        most = (
            most.0.max(counters.waiting_bytes),
            most.1.max(counters.waiting_body_bytes),
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut taken = Vec::new();
    for client in clients {
        taken.extend(client.await.expect("no panic"));
    }
    // The limit, and what was decoded at that moment by four threads at most.
    assert!(most.0 >= QUEUE && most.0 < QUEUE + 5 * SPAN as u64, "{most:?}");
    assert!(most.1 <= BODIES, "{most:?}");
    assert!(taken.len() < 30, "{} of 200 were taken", taken.len());
    sink.set(Mood::Works);
    server.ingest.flush().await;
    assert_eq!(sink.times(), once(taken));
    assert_eq!(server.ingest.counters().waiting_body_bytes, 0);
}
