//! A log that was cut or changed.

use std::path::{Path, PathBuf};

use flockscope_otlp::decode_protobuf;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::acknowledge::files;
use crate::messages::{id, once, protobuf};
use crate::server::{open, settings};
use crate::sink::{MemorySink, Mood};

/// A log of so many requests with one span each, as a kill left it: its only file.
async fn log_of(folder: &Path, count: u64) -> PathBuf {
    let sink = MemorySink::new(Mood::Fails);
    let ingest = open(folder, settings(), &sink);
    for number in 1..=count {
        ingest
            .accept(decode_protobuf(&protobuf([number])).expect("decoded"))
            .await
            .expect("taken");
    }
    drop(ingest);
    let names = files(folder);
    assert_eq!(names.len(), 1);
    folder.join(&names[0])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_cut_costs_only_the_last_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = log_of(folder.path(), 20).await;
    let length = std::fs::metadata(&path).expect("a file").len();
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("a file");
    file.set_len(length - 7).expect("cut");
    let sink = MemorySink::new(Mood::Works);
    let ingest = open(folder.path(), settings(), &sink);
    ingest.flush().await;
    assert_eq!(sink.times(), once(1..=19));
    let log = ingest.counters().log;
    assert_eq!((log.torn_ends, log.damaged_segments, log.replayed_spans), (1, 0, 19));
    ingest
        .accept(decode_protobuf(&protobuf([20])).expect("decoded"))
        .await
        .expect("sent again");
    ingest.close();
    assert_eq!(sink.times(), once(1..=20));
    assert_eq!(files(folder.path()), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_bit_costs_one_request_and_the_file_is_kept_aside() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let flip = (any_index(), 0_u8..8);
    for _ in 0..25 {
        let folder = tempfile::tempdir().expect("a folder");
        let path = log_of(folder.path(), 6).await;
        let mut bytes = std::fs::read(&path).expect("a file");
        let (place, bit) = flip.new_tree(&mut runner).expect("a value").current();
        // Not in the head of the file, which decides about all of it.
        let place = 16 + place.index(bytes.len() - 16);
        bytes[place] ^= 1 << bit;
        std::fs::write(&path, &bytes).expect("written");
        let sink = MemorySink::new(Mood::Works);
        let ingest = open(folder.path(), settings(), &sink);
        ingest.flush().await;
        let times = sink.times();
        assert_eq!(times.len(), 5, "byte {place}, bit {bit}: {times:?}");
        assert!(
            times
                .iter()
                .all(|(id, count)| *count == 1 && once(1..=6).contains_key(id))
        );
        let log = ingest.counters().log;
        let is_last = !times.contains_key(&id(6));
        if log.damaged_segments == 1 {
            let aside = path.with_extension("spans.damaged");
            assert_eq!(std::fs::read(aside).expect("kept"), bytes);
        } else {
            // A length that reaches beyond the end of the file looks like an end that was not written.
            assert!(is_last && log.torn_ends == 1, "byte {place}, bit {bit}: {log:?}");
        }
    }
}

fn any_index() -> impl Strategy<Value = proptest::sample::Index> {
    proptest::prelude::any::<proptest::sample::Index>()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_log_is_kept_aside_and_the_rest_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = log_of(folder.path(), 3).await;
    let mut newer = std::fs::read(&path).expect("a file");
    newer[8] = 200;
    std::fs::write(folder.path().join("00000000000000000000.spans"), newer).expect("written");
    std::fs::write(
        folder.path().join("00000000000000000077.spans"),
        "not a log at all, but long enough",
    )
    .expect("written");
    std::fs::write(folder.path().join("00000000000000000078.spans"), "").expect("written");
    let sink = MemorySink::new(Mood::Works);
    let ingest = open(folder.path(), settings(), &sink);
    ingest.flush().await;
    assert_eq!(sink.times(), once(1..=3));
    let log = ingest.counters().log;
    assert_eq!((log.damaged_segments, log.torn_ends), (2, 1));
    ingest.close();
    assert_eq!(
        files(folder.path()),
        [
            "00000000000000000000.spans.damaged",
            "00000000000000000077.spans.damaged"
        ]
    );
}
