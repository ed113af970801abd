//! The store's file is cut while a process serves it, and while none does. What was acknowledged since is not lost, the
//! next start says what is wrong, and nothing is deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use flockscope_client::Connection;
use flockscope_store::{Settings, Severity, Store, examine, rescue, restore};

use crate::otlp_sender::OtlpSender;
use crate::scene::{PATIENCE, Scene, otlp_http, span_ids, status, wait_for_spans};

/// Spans that are in the file and in the backup.
const OLD: u64 = 20_000;

/// Spans that are acknowledged after the file was cut.
const NEW: u64 = 500;

fn ids(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(|number| format!("{number:016x}")).collect()
}

/// A store with spans in its file, closed, and a backup of it.
async fn stored_and_backed_up(scene: &Scene) -> (BTreeSet<String>, PathBuf) {
    let connection = scene.connect().await;
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    let old = ids(1..OLD + 1);
    for part in old.chunks(1000) {
        sender.send(part).expect("acknowledged");
    }
    let old: BTreeSet<String> = old.into_iter().collect();
    wait_for_spans(&connection, &old).await;
    connection.stop().await.expect("ended");
    let backup = scene.path("backup");
    let store = Store::open(&scene.store(), Settings::default()).expect("nobody holds it");
    store.backup(&backup, |_| {}).expect("backed up");
    (old, backup)
}

fn cut_in_half(path: &Path) -> u64 {
    let file = OpenOptions::new().write(true).open(path).expect("a file");
    let half = file.metadata().expect("a file").len() / 2;
    file.set_len(half).expect("cut");
    half
}

/// What a store consists of, and the log of what was accepted: each file and its length.
fn files_of(scene: &Scene) -> BTreeMap<PathBuf, u64> {
    let mut files = BTreeMap::new();
    let mut rest = vec![scene.store(), scene.path("store.duckdb.wal")];
    rest.extend(["ingest", "archive"].map(|name| scene.path("store.duckdb.d").join(name)));
    while let Some(path) = rest.pop() {
        match fs::read_dir(&path) {
            Ok(entries) => rest.extend(entries.map(|entry| entry.expect("an entry").path())),
            Err(_) if path.exists() => {
                let length = fs::metadata(&path).expect("a file").len();
                files.insert(path, length);
            }
            Err(_) => {}
        }
    }
    files
}

/// What somebody reads who starts the process by hand, and who lets a client start it.
async fn is_refused_with_advice(scene: &Scene) {
    let output = scene.serve_command().output().expect("a process");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let client = match Connection::open(&scene.located(), scene.options()).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("a process serves a truncated file"),
    };
    for said in [said, client] {
        for words in ["is truncated", "flockscope restore", "flockscope doctor --rescue"] {
            assert!(said.contains(words), "{words:?} in {said}");
        }
    }
    assert!(scene.log().contains("is truncated"), "{}", scene.log());
    let health = examine(&scene.store(), Settings::default(), false, |_| {});
    assert_eq!(health.worst(), Some(Severity::Error));
    assert!(
        health
            .findings
            .iter()
            .any(|finding| finding.what.contains("is truncated"))
    );
}

#[tokio::test]
async fn a_file_that_is_cut_under_the_process_loses_nothing_that_is_acknowledged_from_then_on() {
    let scene = Scene::new();
    let (old, backup) = stored_and_backed_up(&scene).await;
    let connection = scene.connect().await;
    // All that storing needs is in memory: DuckDB alone would notice nothing, and write over what is missing.
    let mut expected = old.clone();
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    let warm = ids(OLD + 1..OLD + 2);
    sender.send(&warm).expect("acknowledged");
    expected.extend(warm.iter().cloned());
    wait_for_spans(&connection, &expected).await;
    let half = cut_in_half(&scene.store());

    // Spans are taken on, and wait in the log; who asks for the status is told.
    let new = ids(1_000_000..1_000_000 + NEW);
    for part in new.chunks(100) {
        sender.send(part).expect("acknowledged");
    }
    let deadline = std::time::Instant::now() + PATIENCE;
    let notes = loop {
        let notes = status(&connection).await.notes.join("\n");
        if notes.contains("is truncated") {
            break notes;
        }
        assert!(std::time::Instant::now() < deadline, "{notes:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(notes.contains("wait to be stored"), "{notes}");
    // Answers are right or errors: DuckDB still has in memory what it read.
    let limits = flockscope_store::Limits {
        rows: 1_000_000,
        ..flockscope_store::Limits::default()
    };
    if let Ok(answer) = connection.sql("SELECT span_id FROM spans", &limits, None).await
        && answer.whole().await.is_ok()
    {
        assert!(span_ids(&connection).await.iter().eq(&expected));
    }
    connection.stop().await.expect("ended");
    assert_eq!(fs::metadata(scene.store()).expect("there").len(), half, "written over");

    let before = files_of(&scene);
    assert!(
        before.keys().any(|path| path.to_string_lossy().contains("ingest")),
        "{before:?}"
    );
    is_refused_with_advice(&scene).await;
    assert_eq!(files_of(&scene), before, "nothing was deleted, nothing changed");

    // What can be read is saved elsewhere, and invents nothing.
    let saved = scene.path("saved.duckdb");
    let rescued = rescue(&scene.store(), &saved, Settings::default(), |_| {}).expect("rescued");
    assert!(rescued.spans <= OLD + 1, "{rescued:?}");
    assert_eq!(files_of(&scene), before, "a rescue changes nothing");

    // The backup, and on top of it what waited in the log. What stood in DuckDB's own log is kept aside with the file.
    let restored = restore(&backup, &scene.store(), true, |_| {}).expect("restored");
    assert!(
        restored
            .kept
            .is_some_and(|kept| fs::metadata(kept).is_ok_and(|kept| kept.len() == half))
    );
    let connection = scene.connect().await;
    // The segment of the log may still have held the one before, which then comes again.
    let waited: BTreeSet<String> = old.into_iter().chain(new).collect();
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let found: BTreeSet<String> = span_ids(&connection).await.into_iter().collect();
        assert!(found.iter().all(|id| waited.contains(id) || warm.contains(id)));
        if waited.is_subset(&found) {
            break;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{} of {}",
            found.len(),
            waited.len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    println!(
        "cut while it ran: {NEW} spans acknowledged after that, all stored over the backup of {OLD}; {} of the file rescued",
        rescued.spans
    );
}

#[tokio::test]
async fn a_file_that_was_cut_while_no_process_ran_is_refused_and_restored() {
    let scene = Scene::new();
    let (old, backup) = stored_and_backed_up(&scene).await;
    let sound = fs::read(scene.store()).expect("a file");
    for length in [sound.len() / 2, 5_000, 0] {
        fs::write(scene.store(), &sound[..length]).expect("cut");
        let before = files_of(&scene);
        is_refused_with_advice(&scene).await;
        assert_eq!(files_of(&scene), before, "{length}");
    }
    restore(&backup, &scene.store(), true, |_| {}).expect("restored");
    let connection = scene.connect().await;
    wait_for_spans(&connection, &old).await;
}
