//! Spans that come in, whatever happens to the process.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use flockscope_client::Located;
use flockscope_store::{Settings, Store};

use crate::flock_writer::{self, write_span};
use crate::otlp_sender::OtlpSender;
use crate::scene::{Scene, otlp_http, span_ids, wait_for_spans, wait_until};

/// Kills of the process, each while spans come in.
const KILLS: usize = 20;

/// Senders at the same time.
const SENDERS: usize = 3;

#[derive(Default)]
struct Sent {
    /// Handed to the socket, whatever became of it.
    all: Mutex<BTreeSet<String>>,
    acknowledged: Mutex<BTreeSet<String>>,
    count: AtomicUsize,
    is_over: AtomicBool,
}

#[tokio::test]
async fn every_acknowledged_span_survives_twenty_kills() {
    let scene = Scene::new();
    let sent = Arc::new(Sent::default());
    for round in 0..KILLS {
        let connection = scene.connect().await;
        let address = otlp_http(&connection).await;
        let before = sent.count.load(Ordering::SeqCst);
        sent.is_over.store(false, Ordering::SeqCst);
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let sent = sent.clone();
                thread::spawn(move || send_until_killed(address, round, sender, &sent))
            })
            .collect();
        // Killed after another number of acknowledged requests each time, in the middle of the next ones.
        let enough = before + 5 + round * 7;
        wait_until("requests are acknowledged", || {
            sent.count.load(Ordering::SeqCst) >= enough
        });
        scene.kill();
        sent.is_over.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.join().expect("no panic");
        }
    }
    let connection = scene.connect().await;
    // The log of the last run is stored before others are let in, or soon after.
    let acknowledged = sent.acknowledged.lock().expect("no panic").clone();
    let found = loop {
        let found: BTreeSet<String> = span_ids(&connection).await.into_iter().collect();
        if acknowledged.is_subset(&found) || !scene.log().contains("still being stored") {
            break found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let lost = acknowledged.difference(&found).count();
    assert_eq!(lost, 0, "of {} acknowledged spans", acknowledged.len());
    let all = sent.all.lock().expect("no panic").clone();
    assert!(found.is_subset(&all), "spans that nobody sent");
    assert!(acknowledged.len() > KILLS * SENDERS, "{}", acknowledged.len());
    // None came twice.
    assert_eq!(span_ids(&connection).await.len(), found.len());
    println!(
        "{KILLS} kills: {} spans sent, {} acknowledged, {} found, {lost} lost",
        all.len(),
        acknowledged.len(),
        found.len()
    );
}

fn send_until_killed(address: std::net::SocketAddr, round: usize, sender: usize, sent: &Sent) {
    let Ok(mut connection) = OtlpSender::connect(address) else {
        return;
    };
    for request in 0.. {
        if sent.is_over.load(Ordering::SeqCst) {
            return;
        }
        let ids: Vec<String> = (0..1 + request % 9)
            .map(|span| format!("{:04x}{:02x}{:08x}{:02x}", round + 1, sender, request, span))
            .collect();
        sent.all.lock().expect("no panic").extend(ids.iter().cloned());
        if connection.send(&ids).is_err() {
            return;
        }
        sent.acknowledged.lock().expect("no panic").extend(ids);
        sent.count.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_flock_file_is_followed_while_otlp_comes_in() {
    let scene = Scene::new();
    let file = scene.path(".flock/traces.duckdb");
    let located = Located::Flock {
        file: file.clone(),
        store: scene.store(),
        keeps_history: true,
    };
    let secret = r#"{"input.api_key": "sk-1234567890abcdefghijklmnop", "agent.name": "intake"}"#;
    write_span(&file, 1, secret);
    let connection = scene.connect_to(&located).await;
    let mut expected = BTreeSet::from([flock_writer::span_id(1)]);
    wait_for_spans(&connection, &expected).await;
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    for number in 2..=20 {
        write_span(&file, number, secret);
        expected.insert(flock_writer::span_id(number));
        let id = format!("{number:016x}");
        sender.send(std::slice::from_ref(&id)).expect("acknowledged");
        expected.insert(id);
    }
    wait_for_spans(&connection, &expected).await;
    let status = crate::scene::status(&connection).await;
    assert_eq!(status.following.as_deref(), Some(&*file.to_string_lossy()));
    assert_eq!((status.spans, status.notes), (39, Vec::new()));

    // What a program writes while no process runs is there with the next one; what was secret is not.
    connection.stop().await.expect("ended");
    write_span(&file, 21, secret);
    expected.insert(flock_writer::span_id(21));
    let connection = scene.connect_to(&located).await;
    wait_for_spans(&connection, &expected).await;
    connection.stop().await.expect("ended");
    let store = Store::open(&scene.store(), Settings::default()).expect("nobody holds it");
    let all = store.sql(
        "SELECT string_agg(attributes::VARCHAR, ' ') AS text FROM spans",
        &flockscope_store::Limits::default(),
    );
    let text = format!("{:?}", all.expect("readable").batches);
    assert!(
        text.contains("intake") && !text.contains("sk-1234567890"),
        "a secret was stored"
    );
}

#[tokio::test]
async fn the_mirror_of_a_file_forgets_what_was_in_another_one_of_its_name() {
    let scene = Scene::new();
    let file = scene.path("copy.duckdb");
    let located = Located::Flock {
        file: file.clone(),
        store: scene.store(),
        keeps_history: false,
    };
    (1..=3).for_each(|number| write_span(&file, number, "{}"));
    let connection = scene.connect_to(&located).await;
    wait_for_spans(&connection, &(1..=3).map(flock_writer::span_id).collect()).await;
    for number in [7, 8] {
        let other = scene.path("other.duckdb");
        write_span(&other, number, "{}");
        std::fs::rename(&other, &file).expect("in its place");
        wait_for_spans(&connection, &BTreeSet::from([flock_writer::span_id(number)])).await;
    }
    // A killed process would leave its copy of the file behind.
    connection.stop().await.expect("ended");
}
