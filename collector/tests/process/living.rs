//! How a process lives and ends, and what its clients notice of it.

use std::process::Stdio;
use std::time::Duration;

use flockscope_client::{ClientError, ConnectOptions, Connection};
use flockscope_protocol::Event;
use flockscope_store::{Settings, Store};
use futures_util::StreamExt;
use rustix::process::{Signal, kill_process};

use crate::otlp_sender::OtlpSender;
use crate::scene::{PATIENCE, Scene, is_alive, otlp_http, pid_of, status};

#[tokio::test]
async fn a_client_whose_process_is_killed_goes_on_with_another_and_a_note() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let first = scene.record().expect("a record");
    assert_eq!(connection.statistics().await.expect("an answer").spans, 0);
    scene.kill();
    assert_eq!(scene.record().expect("left behind").instance, first.instance);

    assert_eq!(connection.statistics().await.expect("an answer").spans, 0);
    let second = scene.record().expect("a record");
    assert_ne!(second.instance, first.instance);
    assert!(!is_alive(first.pid) && is_alive(second.pid));
    let notes = scene.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].contains("from now on") && notes[0].contains(&first.pid.to_string()),
        "{notes:?}"
    );
    assert!(
        notes[1].contains("had ended") && notes[1].contains(&second.pid.to_string()),
        "{notes:?}"
    );
}

#[tokio::test]
async fn many_calls_at_once_start_one_process_and_give_one_note() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    scene.kill();
    let calls = (0..12).map(|_| {
        let connection = connection.clone();
        tokio::spawn(async move { connection.statistics().await.map(|found| found.spans) })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.expect("no panic").expect("an answer"), 0);
    }
    // One about the first process, one about the second.
    assert_eq!(scene.notes().len(), 2, "{:?}", scene.notes());
}

#[tokio::test]
async fn without_leave_to_start_one_a_killed_process_is_an_error() {
    let scene = Scene::new();
    scene.connect().await;
    let connection = scene.find().await.expect("it runs");
    scene.kill();
    let error = connection.statistics().await.expect_err("nobody is there");
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
}

#[tokio::test]
async fn nobody_needs_it_and_it_ends() {
    let scene = Scene::new();
    let options = ConnectOptions {
        idle: Some(Duration::from_secs(1)),
        ..scene.options()
    };
    let connection = Connection::open(&scene.located(), options).await.expect("a process");
    assert_eq!(status(&connection).await.ends_when_idle_for_s, Some(1));
    scene.wait_until_free();
    assert_eq!(scene.record(), None);
    assert!(scene.log().contains("nobody needed it any more"), "{}", scene.log());
}

#[tokio::test]
async fn told_to_stop_it_stores_all_closes_the_store_and_is_gone() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let mut events = Box::pin(connection.events());
    // The first event shows that it is listened to.
    let listening = tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            let is_last = event == Event::Stopping;
            seen.push(event);
            if is_last {
                break;
            }
        }
        seen
    });
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    let ids: Vec<String> = (1..=500).map(|number| format!("{number:016x}")).collect();
    for part in ids.chunks(50) {
        sender.send(part).expect("acknowledged");
    }
    let pid = status(&connection).await.pid;
    connection.stop().await.expect("ended");
    assert_eq!(scene.record(), None);
    let store = Store::open(&scene.store(), Settings::default()).expect("nobody holds it");
    assert_eq!(store.statistics().expect("readable").spans, 500);
    drop(store);
    let seen = tokio::time::timeout(PATIENCE, listening)
        .await
        .expect("in time")
        .expect("no panic");
    assert_eq!(seen.last(), Some(&Event::Stopping), "{seen:?}");
    scene.wait_until_free();
    let error = scene.find().await.err().map(|error| error.to_string());
    assert!(
        error.is_some_and(|error| error.contains("no process serves")),
        "{pid} is gone"
    );
}

#[tokio::test]
async fn a_signal_ends_it_in_order() {
    let scene = Scene::new();
    for signal in [Signal::TERM, Signal::INT] {
        let mut command = scene.serve_command();
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process");
        crate::scene::wait_until("it is ready", || {
            scene.record().is_some_and(|record| record.pid == child.id())
        });
        kill_process(pid_of(child.id()), signal).expect("it lives");
        let output = child.wait_with_output().expect("its end");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(said, "ready\nended: a signal came\n");
        assert_eq!(scene.record(), None);
    }
}

#[tokio::test]
async fn events_go_on_with_the_next_process() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let mut events = Box::pin(connection.events());
    let mut next = async || tokio::time::timeout(PATIENCE, events.next()).await.expect("in time");
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    // Nobody can tell from outside when the stream listens, so spans are sent until one is told of.
    let mut sent = 0;
    let first = loop {
        sent += 1;
        sender.send(&[format!("{sent:016x}")]).expect("acknowledged");
        tokio::select! {
            event = next() => break event,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    };
    assert!(matches!(first, Some(Event::SpansStored { .. })), "{first:?}");

    scene.kill();
    // What the old process had told is read to its end first.
    let mut event = next().await;
    while matches!(event, Some(Event::SpansStored { .. })) {
        event = next().await;
    }
    assert_eq!(event, Some(Event::Missed { events: 0 }));
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    sender.send(&["00000000000000ff".into()]).expect("acknowledged");
    loop {
        match next().await {
            Some(Event::SpansStored { traces, operations, .. }) => {
                // What was acknowledged before the kill and not stored comes first.
                if traces.iter().any(|trace| trace.ends_with("ff")) {
                    assert_eq!(
                        (operations[0].service.as_str(), operations[0].operation.as_str()),
                        ("Flock", "run")
                    );
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_panic_of_a_thread_stands_in_the_log_with_its_place_and_ends_nothing() {
    let scene = Scene::new();
    std::fs::write(scene.path("store.duckdb.panics"), "").expect("a file");
    let connection = scene.connect().await;
    crate::scene::wait_until("it is told", || scene.log().contains("a fault of this program"));
    let log = scene.log();
    let line = log.lines().find(|line| line.contains("a fault of this program"));
    let line = line.expect("a line");
    assert!(
        line.contains("ERROR") && line.contains("on purpose, for a test"),
        "{line}"
    );
    assert!(line.contains("tests/process/serve.rs:"), "{line}");
    let mut sender = OtlpSender::connect(otlp_http(&connection).await).expect("a connection");
    sender.send(&["00000000000000aa".into()]).expect("acknowledged");
    assert!(is_alive(status(&connection).await.pid));
    assert_eq!(
        crate::scene::file_mode(&flockscope_client::log_file(&scene.store())),
        0o600
    );
}
