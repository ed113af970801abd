//! Ten thousand requests that were changed at random: no panic, no status of 500, and sound ones still pass.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tonic::Code;

use crate::grpc::export;
use crate::messages::{json, once, protobuf};
use crate::server::{Server, settings};
use crate::sink::{MemorySink, Mood};

const CLIENTS: usize = 4;
const EACH: usize = 2500;

/// One change to the bytes of a message.
#[derive(Debug, Clone)]
enum Change {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Repeat(prop::sample::Index, prop::sample::Index, usize),
    Remove(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        4 => (place(), 1_u8..).prop_map(|(at, bits)| Change::Flip(at, bits)),
        1 => place().prop_map(Change::Cut),
        2 => (place(), vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (place(), place(), 2_usize..40).prop_map(|(from, to, times)| Change::Repeat(from, to, times)),
        2 => (place(), place()).prop_map(|(from, to)| Change::Remove(from, to)),
    ]
}

fn apply(mut message: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if message.is_empty() {
            break;
        }
        let stretch = |from: &prop::sample::Index, to: &prop::sample::Index| {
            let (from, to) = (from.index(message.len()), to.index(message.len()));
            from.min(to)..from.max(to)
        };
        match change {
            Change::Flip(at, bits) => {
                let at = at.index(message.len());
                message[at] ^= bits;
            }
            Change::Cut(at) => message.truncate(at.index(message.len())),
            Change::Insert(at, bytes) => {
                let at = at.index(message.len());
                message.splice(at..at, bytes.iter().copied());
            }
            Change::Repeat(from, to, times) => {
                let range = stretch(from, to);
                let end = range.end;
                let again = message[range].repeat(*times);
                message.splice(end..end, again);
            }
            Change::Remove(from, to) => drop(message.drain(stretch(from, to))),
        }
    }
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_changed_requests_do_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let sink = MemorySink::new(Mood::Works);
    let server = Server::start(folder.path(), settings(), &sink).await;
    let channel = server.channel().await;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (channel, http, url) = (channel.clone(), server.client.clone(), server.url());
            tokio::spawn(async move {
                let seed = TestRng::from_seed(RngAlgorithm::ChaCha, &[client as u8 + 1; 32]);
                let mut runner = TestRunner::new_with_rng(Config::default(), seed);
                let changes = vec(change(), 1..5);
                let mut refused = 0;
                for round in 0..EACH {
                    let changes = changes.new_tree(&mut runner).expect("a value").current();
                    let is_refused = match round % 3 {
                        0 => match export(&channel, apply(protobuf(1..=2), &changes)).await {
                            Ok(_) => false,
                            Err(status) => {
                                assert_eq!(status.code(), Code::InvalidArgument, "{changes:?}: {status}");
                                true
                            }
                        },
                        form => {
                            let (kind, body) = if form == 1 {
                                ("application/x-protobuf", protobuf(1..=2))
                            } else {
                                ("application/json", json(1..=2))
                            };
                            let request = http.post(&url).header("content-type", kind);
                            let response = request.body(apply(body, &changes)).send().await.expect("an answer");
                            let status = response.status().as_u16();
                            assert!([200, 400].contains(&status), "{status}: {changes:?}");
                            status == 400
                        }
                    };
                    refused += u64::from(is_refused);
                }
                refused
            })
        })
        .collect();
    let mut refused = 0;
    for client in clients {
        refused += client.await.expect("no panic");
    }
    assert!(refused > 2000, "only {refused} of the changes mattered");
    println!(
        "{} changed requests: {refused} refused, the others could be read",
        CLIENTS * EACH
    );
    let counters = server.ingest.counters();
    assert_eq!(counters.refused_requests.malformed, refused);
    assert_eq!(counters.refused_requests.internal, 0);
    server.ingest.flush().await;
    let before = sink.spans().len();
    assert_eq!(server.answer(server.post(protobuf(100..=101))).await.status, 200);
    server.ingest.flush().await;
    let new = sink.spans().split_off(before);
    assert_eq!(
        new.into_iter()
            .map(|span| (span.span_id, 1))
            .collect::<std::collections::BTreeMap<_, _>>(),
        once(100..=101)
    );
}
