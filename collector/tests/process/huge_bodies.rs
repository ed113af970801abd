//! Bodies of a gigabyte, really sent: refused early, in little memory, and the process goes on.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use flockscope_client::Connection;
use flockscope_protocol::OtlpStatus;
use http::Request;

use crate::otlp_sender::OtlpSender;
use crate::scene::{PATIENCE, Scene, otlp_http, status, wait_for_spans};

const GIGABYTE: usize = 1 << 30;
const PIECE: usize = 1 << 20;

/// More memory than this may no attempt take. The largest body that is taken has 20 MiB.
const MOST_MEMORY: u64 = 100 << 20;

/// More than this must not be read of a body that is refused: 64 MiB are thrown away so that the client gets to read
/// its answer, and the rest fills the buffers of the system.
const MOST_READ: usize = 256 << 20;

/// The most memory that a process ever had, in bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kibibytes.and_then(|number| number.parse::<u64>().ok()).expect("a size") * 1024
}

/// Sends a head and pieces of a body over HTTP/1.1 until there is an answer: its status, and the bytes that were sent.
fn send_until_answered(address: SocketAddr, head: &str, piece: &[u8]) -> (String, usize) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
    let mut reading = stream.try_clone().expect("a socket");
    let is_answered = AtomicBool::new(false);
    thread::scope(|scope| {
        let answer = scope.spawn(|| {
            let mut answer = Vec::new();
            let mut buffer = [0; 4096];
            while !answer.contains(&b'\n') {
                match reading.read(&mut buffer) {
                    Ok(0) | Err(_) => break,
                    Ok(bytes) => answer.extend_from_slice(&buffer[..bytes]),
                }
            }
            is_answered.store(true, Ordering::SeqCst);
            String::from_utf8_lossy(&answer)
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        });
        let mut sent = 0;
        let _ = stream.write_all(head.as_bytes());
        while sent < GIGABYTE && !is_answered.load(Ordering::SeqCst) && stream.write_all(piece).is_ok() {
            sent += PIECE;
        }
        (answer.join().expect("no panic"), sent)
    })
}

/// Sends the head of a message of a gigabyte over gRPC, and then pieces of it until there is an answer: the status of
/// gRPC, and the bytes that were sent.
async fn send_message(address: SocketAddr, most: usize, ends: bool) -> (String, usize) {
    let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.expect("a connection");
    let path = "opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let request = Request::post(format!("http://{address}/{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .expect("a request");
    let (mut answer, mut body) = client.send_request(request, false).expect("sent");
    // No compression, and the length.
    let mut head = vec![0];
    head.extend_from_slice(&u32::try_from(GIGABYTE).expect("fits").to_be_bytes());
    let mut sent = 0;
    body.send_data(head.into(), ends && most == 0).expect("sent");
    let answer = loop {
        if sent >= most {
            break (&mut answer).await;
        }
        body.reserve_capacity(PIECE);
        tokio::select! {
            answer = &mut answer => break answer,
            room = std::future::poll_fn(|context| body.poll_capacity(context)) => {
                // Without room the stream was reset, and the answer says why.
                let Some(Ok(room)) = room else {
                    break (&mut answer).await;
                };
                sent += room;
                let is_last = ends && sent >= most;
                if body.send_data(vec![0; room].into(), is_last).is_err() {
                    break (&mut answer).await;
                }
            }
        }
    };
    let answer = answer.expect("an answer");
    let code = answer.headers().get("grpc-status").expect("a status");
    let code = code.to_str().expect("a number").to_owned();
    connection.abort();
    (code, sent)
}

async fn otlp_grpc(connection: &Connection) -> SocketAddr {
    match status(connection).await.otlp_grpc {
        OtlpStatus::Listening { address } => address,
        other => panic!("OTLP over gRPC is {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_gigabyte_is_refused_early_and_in_little_memory() {
    let scene = Scene::new();
    let connection = scene.connect().await;
    let (http, grpc) = (otlp_http(&connection).await, otlp_grpc(&connection).await);
    let pid = status(&connection).await.pid;
    let mut ids = BTreeSet::new();
    let mut take_one = |number: u64| {
        let id = format!("{number:016x}");
        let mut sender = OtlpSender::connect(http).expect("a connection");
        sender.send(std::slice::from_ref(&id)).expect("acknowledged");
        ids.insert(id);
    };
    take_one(1);
    let before = peak_memory(pid);
    let zeros = vec![0; PIECE];
    let mut chunk = format!("{PIECE:x}\r\n").into_bytes();
    chunk.extend_from_slice(&zeros);
    chunk.extend_from_slice(b"\r\n");
    let heads = [
        (format!("content-length: {GIGABYTE}"), &zeros),
        ("transfer-encoding: chunked".to_owned(), &chunk),
    ];
    for (number, (length, piece)) in heads.into_iter().enumerate() {
        for kind in ["application/x-protobuf", "application/json"] {
            let head = format!("POST /v1/traces HTTP/1.1\r\nhost: {http}\r\ncontent-type: {kind}\r\n{length}\r\n\r\n");
            let (answer, sent) = tokio::task::block_in_place(|| send_until_answered(http, &head, piece));
            assert!(answer.starts_with("HTTP/1.1 413"), "{length}: {answer:?}");
            assert!(sent < MOST_READ, "{length}: {sent} bytes were read");
            println!("{kind}, {length}: 413 after {} MiB", sent >> 20);
        }
        take_one(2 + number as u64);
    }
    // RESOURCE_EXHAUSTED: the whole message, only its head, and its head and then silence.
    for (most, ends) in [(GIGABYTE, true), (0, true), (0, false)] {
        let (code, sent) = tokio::time::timeout(PATIENCE, send_message(grpc, most, ends))
            .await
            .expect("an answer in time");
        assert_eq!(code, "8", "{most} {ends}");
        assert!(sent < MOST_READ, "{sent} bytes were read");
        println!(
            "gRPC, {most} bytes at most: RESOURCE_EXHAUSTED after {} MiB",
            sent >> 20
        );
    }
    take_one(9);
    let grown = peak_memory(pid) - before;
    println!("the process grew by {} MiB at most", grown >> 20);
    assert!(grown < MOST_MEMORY, "{grown} bytes");
    assert_eq!(status(&connection).await.pid, pid);
    wait_for_spans(&connection, &ids).await;
}
