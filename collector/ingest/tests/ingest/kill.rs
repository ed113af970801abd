//! A process that is killed with SIGKILL while spans come: every acknowledged one is in its log.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;

use crate::messages::{id, request};
use crate::server::{Server, open, settings};
use crate::sink::{MemorySink, Mood, wait_until};

const FOLDER: &str = "FLOCKSCOPE_TEST_LOG";
const KILLS: u64 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = Vec::new();
    let mut sent = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "kill::child", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address = lines
            .map(|line| line.expect("a line"))
            .find_map(|line| line.split("listens at ").nth(1).map(str::to_owned))
            .expect("its address");
        let replies = Arc::new(AtomicU64::new(0));
        let clients: Vec<_> = (0..4)
            .map(|client| {
                let (address, replies) = (address.clone(), Arc::clone(&replies));
                let first = sent + 1 + client * 100_000;
                tokio::spawn(async move {
                    let mut client = TraceServiceClient::connect(address).await.expect("connected");
                    let mut acknowledged = Vec::new();
                    for number in first.. {
                        match client.export(request([number])).await {
                            Ok(_) => {
                                acknowledged.push(number);
                                replies.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(_) => break,
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        sent += 400_000;
        // At another moment each time, with requests on their way.
        wait_until("there are replies", || replies.load(Ordering::Relaxed) > 20 + 33 * kill).await;
        child.kill().expect("killed");
        child.wait().expect("ended");
        for client in clients {
            acknowledged.extend(client.await.expect("no panic"));
        }
    }
    assert!(
        acknowledged.len() > 400,
        "only {} were acknowledged",
        acknowledged.len()
    );
    let sink = MemorySink::new(Mood::Works);
    let ingest = open(folder.path(), settings(), &sink);
    ingest.flush().await;
    let times = sink.times();
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|number| !times.contains_key(&id(**number)))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(times.values().all(|count| *count == 1));
    assert_eq!(ingest.counters().log.damaged_segments, 0);
    println!(
        "{KILLS} kills: {} spans acknowledged, {} in the log, 0 lost",
        acknowledged.len(),
        times.len()
    );
}

/// The process that is killed. Its sink takes nothing, so that all must be in the log.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let sink = MemorySink::new(Mood::Blocks);
    let server = Server::start(folder.as_ref(), settings(), &sink).await;
    println!("listens at http://{}", server.grpc_address());
    // Not for ever, should nobody kill it.
    tokio::time::sleep(Duration::from_secs(60)).await;
}
