//! What was acknowledged is in the log.

use std::path::Path;
use std::time::Duration;

use flockscope_ingest::{Refused, Settings};
use flockscope_otlp::decode_protobuf;

use crate::messages::{json, once, protobuf, request};
use crate::server::{Server, open, settings};
use crate::sink::{MemorySink, Mood, wait_until};

pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let folder = tempfile::tempdir().expect("a folder");
    let down = MemorySink::new(Mood::Fails);
    let server = Server::start(folder.path(), settings(), &down).await;
    let mut grpc = server.grpc().await;
    for number in 0..40 {
        let numbers = number * 10 + 1..number * 10 + 11;
        match number % 3 {
            0 => drop(grpc.export(request(numbers)).await.expect("acknowledged")),
            1 => assert_eq!(server.answer(server.post(protobuf(numbers))).await.status, 200),
            _ => assert_eq!(server.answer(server.post_json(json(numbers))).await.status, 200),
        }
    }
    assert_eq!(down.spans(), []);
    // As a kill: nobody closes anything.
    drop((server, grpc));

    let sink = MemorySink::new(Mood::Works);
    let ingest = open(folder.path(), settings(), &sink);
    ingest.flush().await;
    assert_eq!(sink.times(), once(1..=400));
    let counters = ingest.counters();
    assert_eq!(counters.log.replayed_spans, 400);
    assert_eq!((counters.log.torn_ends, counters.log.damaged_segments), (0, 0));
    ingest.close();
    assert_eq!(files(folder.path()), Vec::<String>::new(), "the sink has all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_of_an_earlier_run_and_new_ones_both_arrive() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Fails);
    let first = open(folder.path(), settings(), &sink);
    first
        .accept(decode_protobuf(&protobuf(1..=5)).expect("decoded"))
        .await
        .expect("taken");
    drop(first);
    let second = open(folder.path(), settings(), &sink);
    second
        .accept(decode_protobuf(&protobuf(6..=9)).expect("decoded"))
        .await
        .expect("taken");
    wait_until("the replay is tried", || second.counters().sink_failures > 2).await;
    assert!(second.counters().log.is_replaying);
    sink.set(Mood::Works);
    second.flush().await;
    assert_eq!(sink.times(), once(1..=9));
    assert!(!second.counters().log.is_replaying);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_leaves_nothing_that_a_restart_would_repeat() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let first = open(folder.path(), settings(), &sink);
    first
        .accept(decode_protobuf(&protobuf(1..=500)).expect("decoded"))
        .await
        .expect("taken");
    first.flush().await;
    assert_eq!(sink.times(), once(1..=500));
    drop(first);
    let second = open(folder.path(), settings(), &sink);
    second.flush().await;
    assert_eq!(second.counters().log.replayed_spans, 0);
    assert_eq!(sink.times(), once(1..=500));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_drains_the_queue_and_then_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let slow = Settings {
        gather_time: Duration::from_secs(3600),
        ..settings()
    };
    let ingest = open(folder.path(), slow, &sink);
    let decoded = decode_protobuf(&protobuf(1..=3)).expect("decoded");
    ingest.accept(decoded.clone()).await.expect("taken");
    assert_eq!(ingest.counters().waiting_spans, 3);
    ingest.close();
    assert_eq!(sink.times(), once(1..=3));
    let refused = ingest.accept(decoded).await.expect_err("closed");
    assert!(matches!(refused, Refused::Closing { .. }) && refused.retry_after().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_does_not_wait_for_ever_and_keeps_what_the_sink_does_not_take() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::IsFull);
    let hurried = Settings {
        close_time_limit: Duration::from_millis(30),
        ..settings()
    };
    let ingest = open(folder.path(), hurried, &sink);
    ingest
        .accept(decode_protobuf(&protobuf(1..=3)).expect("decoded"))
        .await
        .expect("taken");
    ingest.close();
    let error = ingest.counters().last_error.expect("an error");
    assert!(error.message.contains("no room"), "{}", error.message);
    drop(ingest);
    sink.set(Mood::Works);
    let again = open(folder.path(), settings(), &sink);
    again.flush().await;
    assert_eq!(sink.times(), once(1..=3));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_interval_of_zero_many_replies_share_a_sync() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let synced = Settings {
        sync_interval: Duration::ZERO,
        ..settings()
    };
    let ingest = open(folder.path(), synced, &sink);
    let requests = (1..=60).map(|number| {
        let ingest = ingest.clone();
        tokio::spawn(async move {
            ingest
                .accept(decode_protobuf(&protobuf([number])).expect("decoded"))
                .await
        })
    });
    for request in requests.collect::<Vec<_>>() {
        assert_eq!(request.await.expect("no panic").expect("taken").accepted, 1);
    }
    ingest.flush().await;
    assert_eq!(sink.times(), once(1..=60));
    assert_eq!(ingest.counters().log.sync_failures, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn segments_are_deleted_as_the_sink_gets_their_spans() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Fails);
    let small = Settings {
        segment_bytes: 4 << 10,
        ..settings()
    };
    let ingest = open(folder.path(), small, &sink);
    for number in 1..=100 {
        ingest
            .accept(decode_protobuf(&protobuf([number])).expect("decoded"))
            .await
            .expect("taken");
    }
    let counters = ingest.counters();
    assert!(counters.log.segments > 5 && files(folder.path()).len() as u64 == counters.log.segments);
    sink.set(Mood::Works);
    ingest.flush().await;
    assert_eq!(sink.times(), once(1..=100));
    assert_eq!(files(folder.path()).len(), 1, "the open one");
    assert!(ingest.counters().log.bytes < 100, "and it is empty");
}
