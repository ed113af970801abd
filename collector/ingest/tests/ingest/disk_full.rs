//! On a full disk spans are refused, to be sent again, and taken again when there is room.

use std::time::Duration;

use flockscope_ingest::Settings;
use prost::Message;

use crate::messages::{large, once};
use crate::server::{Server, open, settings};
use crate::sink::{MemorySink, Mood};

#[path = "../../../../tests/faults/full_disk.rs"]
mod full_disk;

#[test]
fn a_full_disk_refuses_and_recovers() {
    let folder = tempfile::tempdir().expect("a folder");
    full_disk::run_child(folder.path(), 4, Some(2000)).expect("one of the two ways");
}

/// Sends spans of 50 KB until one is refused: the number of that one.
async fn fill(server: &Server, first: u64) -> u64 {
    for number in first..first + 1000 {
        let answer = server.answer(server.post(large(number, 50_000).encode_to_vec())).await;
        if answer.status != 200 {
            assert_eq!((answer.status, answer.retry_after.as_str()), (503, "1"));
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(said.contains("could not be kept") && !said.contains('/'), "{said}");
            return number;
        }
    }
    panic!("the disk was never full");
}

#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(disk) = full_disk::disk() else {
        return;
    };
    let folder = disk.folder.as_path();
    let log = folder.join("log");
    let ballast = folder.join("ballast");
    if disk.is_own {
        std::fs::write(&ballast, vec![1; 2 << 20]).expect("room");
    }
    let one_file = Settings {
        // The limit is one to the size of a file.
        segment_bytes: if disk.is_own { 500_000 } else { 1 << 30 },
        sync_interval: Duration::from_millis(5),
        ..settings()
    };
    let sink = MemorySink::new(Mood::Fails);
    let server = Server::start(&log, one_file.clone(), &sink).await;
    let mut next = fill(&server, 1).await;
    assert!(next > 5, "only {next}");
    // Again and again.
    for _ in 0..3 {
        next = fill(&server, next).await;
    }
    assert_eq!(server.ingest.counters().refused_requests.disk, 4);
    if disk.is_own {
        std::fs::remove_file(&ballast).expect("removed");
        let more = fill(&server, next).await;
        assert!(more > next + 10, "there was room again");
        next = more;
    }
    // As after a kill: nothing torn and nothing damaged is in the log, in spite of writes that stopped half way.
    drop(server);
    let sink = MemorySink::new(Mood::Works);
    let ingest = open(&log, one_file, &sink);
    ingest.flush().await;
    assert_eq!(sink.times(), once(1..next));
    let counters = ingest.counters();
    assert_eq!((counters.log.torn_ends, counters.log.damaged_segments), (0, 0));
}
