//! The disk fills up under a process that takes spans in: they are refused, to be sent again, and nothing acknowledged is
//! lost.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use flockscope_client::{ConnectOptions, Connection, Located};

use crate::otlp_sender::OtlpSender;
use crate::scene::{PATIENCE, PROGRAM, is_alive, otlp_http, span_ids, status};

#[path = "../../../tests/faults/full_disk.rs"]
mod full_disk;

/// Spans of a request.
const REQUEST: u64 = 200;

/// The limit to the size of files that the tests of the parts fall back to would not pass on to a process with several
/// files that grow.
#[test]
fn a_process_on_a_full_disk_refuses_for_a_while_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    match full_disk::run_child(folder.path(), 64, None) {
        Some(said) => println!("{said}"),
        None => eprintln!("NOT TESTED: no file system can be mounted here, so no disk can be filled up"),
    }
}

/// Sends requests until one is refused: that must be for want of room, and to be sent again.
fn fill(sender: &mut OtlpSender, acknowledged: &mut BTreeSet<String>, next: &mut u64) {
    for _ in 0..2000 {
        let ids: Vec<String> = (*next..*next + REQUEST).map(|id| format!("{id:016x}")).collect();
        match sender.send(&ids) {
            Ok(()) => {
                acknowledged.extend(ids);
                *next += REQUEST;
            }
            Err(error) => {
                let said = error.to_string();
                assert!(said.starts_with("503: ") && said.contains("send again"), "{said}");
                return;
            }
        }
    }
    panic!("the disk was never full");
}

#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Some(disk) = full_disk::disk() else {
        return;
    };
    assert!(disk.is_own);
    let folder = disk.folder.as_path();
    let ballast = folder.join("ballast");
    fs::write(&ballast, vec![1; 32 << 20]).expect("room");
    let store = folder.join("store.duckdb");
    let mut process = Command::new(PROGRAM)
        .arg("serve")
        .arg("--store")
        .arg(&store)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("a process");
    let pid = process.id();
    let options = || ConnectOptions {
        start: false,
        wait: PATIENCE,
        ..ConnectOptions::default()
    };
    let located = Located::Store { file: store.clone() };
    let deadline = Instant::now() + PATIENCE;
    let connection = loop {
        match Connection::open(&located, options()).await {
            Ok(connection) => break connection,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    let (mut acknowledged, mut next) = (BTreeSet::new(), 1);
    // Again and again: what the store frees may give room for a few more.
    for _ in 0..4 {
        fill(&mut sender, &mut acknowledged, &mut next);
        assert_eq!(status(&connection).await.pid, pid, "it answers on");
    }
    let when_full = acknowledged.len();
    assert!(when_full > 1000, "{when_full}");
    assert!(is_alive(pid));

    fs::remove_file(&ballast).expect("removed");
    // By itself, without a restart. The first tries may come before the log has noticed.
    let before = acknowledged.len();
    let deadline = Instant::now() + PATIENCE;
    while acknowledged.len() < before + 1000 {
        let ids: Vec<String> = (next..next + REQUEST).map(|id| format!("{id:016x}")).collect();
        match sender.send(&ids) {
            Ok(()) => {
                acknowledged.extend(ids);
                next += REQUEST;
            }
            Err(error) => {
                assert!(Instant::now() < deadline, "{error}");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found: BTreeSet<String> = span_ids(&connection).await.into_iter().collect();
        // What was refused may have been kept, but no more than that was sent.
        if acknowledged.is_subset(&found) {
            break;
        }
        assert!(Instant::now() < deadline, "{} of {}", found.len(), acknowledged.len());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(status(&connection).await.pid, pid);
    connection.stop().await.expect("ended");
    assert!(process.wait().expect("its end").success());
    println!(
        "full disk: {when_full} spans acknowledged until 4 refusals, {} in all, 0 lost",
        acknowledged.len()
    );
}
