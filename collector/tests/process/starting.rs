//! How a process is started and found.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use flockscope_client::{ALREADY_SERVED, ClientError, Connection};
use flockscope_protocol::{DiscoveryFile, DiscoveryRecord, OtlpStatus, process_folder};

use crate::scene::{PROGRAM, Scene, file_mode, is_alive, pid_of, status, wait_until};

#[test]
fn eight_clients_that_start_at_once_end_with_one_process() {
    let scene = Scene::new();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let mut client = Command::new(PROGRAM);
            client.arg("start").arg("--store").arg(scene.store());
            client.stdout(Stdio::piped()).spawn().expect("a client")
        })
        .collect();
    let pids: Vec<String> = clients
        .into_iter()
        .map(|client| {
            let output = client.wait_with_output().expect("its end");
            assert!(output.status.success(), "{}", scene.log());
            String::from_utf8(output.stdout).expect("a number")
        })
        .collect();
    let record = scene.record().expect("a process");
    assert_eq!(pids, vec![format!("{}\n", record.pid); 8]);
    assert!(is_alive(record.pid));
}

#[test]
fn a_process_outlives_its_starter_in_a_session_of_its_own() {
    let scene = Scene::new();
    let mut client = Command::new(PROGRAM);
    client.arg("start").arg("--store").arg(scene.store());
    let output = client.output().expect("a client");
    assert!(output.status.success(), "{}", scene.log());
    let pid: u32 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a number");
    assert!(is_alive(pid));
    assert_eq!(
        rustix::process::getsid(Some(pid_of(pid))).expect("a session"),
        pid_of(pid)
    );
}

#[tokio::test]
async fn what_lets_in_is_for_the_owner_only() {
    let scene = Scene::new();
    scene.connect().await;
    let folder = process_folder(&scene.store());
    for name in ["serve.json", "token", "serve.log"] {
        assert_eq!(file_mode(&folder.join(name)), 0o600, "{name}");
    }
    let log = scene.log();
    assert!(
        log.contains("ready") && !log.contains(&scene.record().expect("a record").token),
        "{log}"
    );
}

#[tokio::test]
async fn a_second_process_is_refused_and_told_which_is_the_first() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let output = scene.serve_command().output().expect("its end");
    assert_eq!(output.status.code(), Some(ALREADY_SERVED.into()));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let pid = status(&connection).await.pid;
    assert!(message.contains(&format!("another process ({pid})")), "{message}");
    assert!(message.contains("flockscope stop"), "{message}");
    assert_eq!(scene.record().expect("a record").pid, pid);
}

#[tokio::test]
async fn a_taken_port_is_an_error_for_a_person_and_a_note_for_a_client() {
    let scene = Scene::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    scene.set(&format!("otlp.grpc_address={address}"));

    let output = scene.serve_command().output().expect("its end");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in [
        address.to_string(),
        std::process::id().to_string(),
        "--grpc-address".into(),
    ] {
        assert!(message.contains(&part), "{part} is not in {message}");
    }

    let connection = scene.connect().await;
    let found = status(&connection).await;
    assert!(matches!(&found.otlp_grpc, OtlpStatus::Unavailable { reason } if reason.contains(&address.to_string())));
    assert!(matches!(found.otlp_http, OtlpStatus::Listening { .. }));
    assert!(
        found.notes.iter().any(|note| note.contains("OTLP over gRPC")),
        "{:?}",
        found.notes
    );

    // As soon as the other one lets go of it, the port is taken.
    drop(taken);
    wait_until("the receiver listens", || {
        TcpListener::bind(address).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
    });
}

#[tokio::test]
async fn the_record_of_a_process_that_is_gone_is_replaced() {
    let scene = Scene::new();
    let unused = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    leave_record(&scene, unused);
    let connection = scene.connect().await;
    let record = scene.record().expect("a record");
    assert_ne!(record.instance, "of yesterday");
    assert_eq!(record.pid, status(&connection).await.pid);
    let notes = scene.notes();
    assert!(
        matches!(&notes[..], [note] if note.contains("from now on")),
        "nobody has seen the other one: {notes:?}"
    );
}

#[tokio::test]
async fn somebody_else_at_the_port_of_the_record_is_not_taken_for_the_process() {
    let scene = Scene::new();
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
    leave_record(&scene, stranger.local_addr().expect("an address"));
    let asked = thread::spawn(move || {
        let (stream, _) = stranger.accept().expect("a connection");
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).expect("a line");
            if line.trim().is_empty() {
                break;
            }
            head.push(line);
        }
        let body = r#"{"status":"ok","instance":"another one"}"#;
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.get_mut().write_all(answer.as_bytes()).expect("sent");
        // It goes on listening until the test has ended.
        (head.concat(), stranger)
    });
    let connection = scene.connect().await;
    assert_eq!(scene.record().expect("a record").pid, status(&connection).await.pid);
    let (head, _stranger) = asked.join().expect("no panic");
    assert!(head.starts_with("GET /healthz"), "{head}");
    assert!(
        !head.to_lowercase().contains("authorization") && !head.contains("a token"),
        "{head}"
    );
}

#[tokio::test]
async fn a_file_that_holds_no_record_is_replaced() {
    let scene = Scene::new();
    fs::create_dir(process_folder(&scene.store())).expect("a folder");
    fs::write(DiscoveryFile::of_store(&scene.store()).path(), "{\"pid\": 7").expect("a file");
    scene.connect().await;
    assert!(scene.record().is_some());
}

#[tokio::test]
async fn a_process_that_can_not_start_says_why() {
    let scene = Scene::new();
    fs::write(scene.store(), "this is no database").expect("a file");
    let Err(error) = Connection::open(&scene.located(), scene.options()).await else {
        panic!("it started");
    };
    let message = error.to_string();
    assert!(matches!(error, ClientError::NotStarted { .. }), "{message}");
    assert!(message.contains("is not a Flockscope store"), "{message}");
    assert!(message.contains("serve.log"), "{message}");

    let scene = Scene::new();
    scene.set("retention.days=soon");
    let Err(error) = Connection::open(&scene.located(), scene.options()).await else {
        panic!("it started");
    };
    assert!(error.to_string().contains("retention-days is \"soon\""), "{error}");
}

#[tokio::test]
async fn without_leave_to_start_one_a_missing_process_is_an_error() {
    let scene = Scene::new();
    let Err(error) = scene.find().await else {
        panic!("there is none");
    };
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
    assert!(!process_folder(&scene.store()).exists(), "nothing was made");
}

#[tokio::test]
async fn an_address_that_others_can_reach_is_refused_without_sign_in() {
    for key in ["api.address", "otlp.grpc_address", "otlp.http_address"] {
        let scene = Scene::new();
        scene.set(&format!("{key}=0.0.0.0:0"));
        let output = scene.serve_command().output().expect("its end");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{key}: {message}");
        assert!(message.contains("FLOCK_TRACE_AUTH_ENABLED"), "{key}: {message}");
        assert!(!scene.store().exists(), "{key}");
    }
}

/// The record of a process that was killed.
fn leave_record(scene: &Scene, address: std::net::SocketAddr) {
    fs::create_dir(process_folder(&scene.store())).expect("a folder");
    let record = DiscoveryRecord {
        pid: std::process::id(),
        instance: "of yesterday".into(),
        address,
        tls: false,
        token: "a token".into(),
        version: "0.0.0".into(),
        started_at: 1,
    };
    DiscoveryFile::of_store(&scene.store()).write(&record).expect("written");
}
