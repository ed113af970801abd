//! On a full disk spans are refused, to be sent again, and taken again when there is room.
//!
//! The full disk is a small tmpfs in a mount namespace of its own. Where that is not permitted (some containers), a
//! limit to the size of files takes its place: the log sees the same writes that stop half way.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flockscope_ingest::Settings;
use prost::Message;

use crate::messages::{large, once};
use crate::server::{Server, open, settings};
use crate::sink::{MemorySink, Mood};

const MODE: &str = "FLOCKSCOPE_TEST_DISK";
const FOLDER: &str = "FLOCKSCOPE_TEST_FOLDER";

#[test]
fn a_full_disk_refuses_and_recovers() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let own_disk = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(folder.path())
        .output()
        .is_ok_and(|output| output.status.success());
    let (mode, script) = if own_disk {
        (
            "tmpfs",
            "mount -t tmpfs -o size=4m none \"$1\" && exec \"$2\" --exact disk_full::child --nocapture",
        )
    } else {
        // In blocks of 512 bytes, or 1,024 in bash.
        (
            "limit",
            "trap '' XFSZ; ulimit -S -f 2000; exec \"$2\" --exact disk_full::child --nocapture",
        )
    };
    eprintln!("full disk by {mode}");
    let mut command = if own_disk {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    let output = command
        .args(["-c", script, "sh"])
        .arg(folder.path())
        .arg(program)
        .env(MODE, mode)
        .env(FOLDER, folder.path())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
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
    let Ok(mode) = std::env::var(MODE) else {
        return;
    };
    let folder = std::env::var(FOLDER).expect("a folder");
    let folder = Path::new(&folder);
    let log = folder.join("log");
    let ballast = folder.join("ballast");
    let is_tmpfs = mode == "tmpfs";
    if is_tmpfs {
        std::fs::write(&ballast, vec![1; 2 << 20]).expect("room");
    }
    let one_file = Settings {
        // The limit is one to the size of a file.
        segment_bytes: if is_tmpfs { 500_000 } else { 1 << 30 },
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
    if is_tmpfs {
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
