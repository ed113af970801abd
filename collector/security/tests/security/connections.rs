//! Clients that are slow, many, or too big.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use flockscope_security::{Face, Limits, Security};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::server::{DEADLINE, Server, TOKEN, bearer, eventually, local, read_reply, routes};

async fn start(limits: Limits) -> Server {
    let security = Security::new(local()).expect("settings");
    Server::start_with(security.protect(routes(), Face::Api), None, limits).await
}

async fn is_served(server: &Server) -> bool {
    let (name, value) = bearer(TOKEN);
    server.get("/who", &[(name, &value)]).await.status == 200
}

/// Waits until the server has closed the connection, and gives what it said before.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is a close too.
    let _ = timeout(DEADLINE, stream.read_to_end(&mut bytes))
        .await
        .expect("it is closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn request(server: &Server, line: &str, more: &str) -> String {
    let port = server.address.port();
    format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {TOKEN}\r\n{more}\r\n")
}

#[tokio::test]
async fn slow_clients_are_cut_while_others_are_served() {
    let limits = Limits {
        header_time: Duration::from_millis(1_500),
        ..Limits::on_loopback()
    };
    let server = start(limits).await;
    let mut slow = JoinSet::new();
    for number in 0..40_u64 {
        let mut stream = server.connect().await;
        let head = request(&server, "GET /who", "X-Slow: ");
        slow.spawn(async move {
            let bytes = head.bytes().take(head.len() - 4).chain(std::iter::repeat(b'x'));
            // Some say nothing at all, others a byte now and then, for ever.
            if number % 4 != 0 {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        break;
                    }
                    sleep(Duration::from_millis(20 + number)).await;
                }
            }
            until_closed(&mut stream).await
        });
    }
    let mut served = 0;
    let all = async {
        while let Some(said) = slow.join_next().await {
            assert!(!said.expect("no panic").contains("200 OK"));
            assert!(is_served(&server).await);
            served += 1;
        }
    };
    timeout(DEADLINE, all).await.expect("all are cut");
    assert_eq!(served, 40);
}

#[tokio::test]
async fn a_connection_may_wait_longer_between_requests_than_in_a_header() {
    let limits = Limits {
        header_time: Duration::from_millis(600),
        ..Limits::on_loopback()
    };
    let server = start(limits).await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream
            .write_all(request(&server, "GET /who", "").as_bytes())
            .await
            .expect("sent");
        let mut buffer = [0; 2_000];
        let length = stream.read(&mut buffer).await.expect("an answer");
        assert!(String::from_utf8_lossy(&buffer[..length]).contains("200 OK"));
        // Longer than a header may take: nothing is waited for here but time itself.
        sleep(Duration::from_millis(900)).await;
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_ends_the_request() {
    let limits = Limits {
        body_pause: Duration::from_millis(200),
        ..Limits::on_loopback()
    };
    let server = start(limits).await;
    let mut stream = server.connect().await;
    let head = request(&server, "POST /length", "Content-Length: 10\r\n");
    stream.write_all(format!("{head}123").as_bytes()).await.expect("sent");
    let said = until_closed(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 4"), "{said}");
    let mut stream = server.connect().await;
    let head = request(&server, "POST /length", "Content-Length: 3\r\nConnection: close\r\n");
    stream.write_all(format!("{head}123").as_bytes()).await.expect("sent");
    assert_eq!(read_reply(&mut stream).await.text(), "3");
}

#[tokio::test]
async fn a_header_that_is_too_big_is_refused() {
    let server = start(Limits::on_loopback()).await;
    for more in [
        format!("X-Big: {}\r\n", "x".repeat(100_000)),
        (0..200).map(|number| format!("X-{number}: y\r\n")).collect(),
    ] {
        let mut stream = server.connect().await;
        let head = request(&server, "GET /who", &more);
        // The server may close before it has read all.
        let _ = stream.write_all(head.as_bytes()).await;
        let said = until_closed(&mut stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    }
    assert!(is_served(&server).await);
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_wait_their_turn() {
    let limits = Limits {
        connections: 8,
        connections_per_address: 8,
        ..Limits::default()
    };
    let server = crate::server::shared(start(limits).await);
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let server = Arc::clone(&server);
        clients.spawn(async move { is_served(&server).await });
    }
    let served = timeout(DEADLINE, clients.join_all()).await.expect("all are answered");
    assert_eq!(served, vec![true; 200]);
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let limits = Limits {
        connections_per_address: 5,
        ..Limits::default()
    };
    let server = start(limits).await;
    let mut open = Vec::new();
    let mut closed = 0;
    for _ in 0..12 {
        let mut stream = server.connect().await;
        let _ = stream.write_all(request(&server, "GET /who", "").as_bytes()).await;
        let mut buffer = [0; 2_000];
        match timeout(DEADLINE, stream.read(&mut buffer)).await.expect("in time") {
            Ok(length) if length > 0 => open.push(stream),
            _ => closed += 1,
        }
    }
    assert_eq!((open.len(), closed), (5, 7));
    drop(open);
    let connected = || async {
        let mut stream = server.connect().await;
        let head = request(&server, "GET /who", "Connection: close\r\n");
        let _ = stream.write_all(head.as_bytes()).await;
        until_closed(&mut stream).await
    };
    eventually(connected, |said| said.contains("200 OK")).await;
}

#[tokio::test]
async fn a_server_that_ends_finishes_what_is_open_and_takes_no_more() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let router = {
        let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
        let slow = move || async move {
            entered.notify_one();
            release.notified().await;
            "done"
        };
        Router::new().route("/slow", get(slow))
    };
    let limits = Limits {
        end_time: DEADLINE,
        ..Limits::on_loopback()
    };
    let mut server = Server::start_with(router, None, limits).await;
    let mut stream = server.connect().await;
    stream
        .write_all(request(&server, "GET /slow", "").as_bytes())
        .await
        .expect("sent");
    let mut idle = server.connect().await;
    entered.notified().await;
    server.begin_stop();
    let address = server.address;
    // The listener is closed before the open request is done.
    let refused = eventually(|| TcpStream::connect(address), Result::is_err).await;
    assert!(refused.is_err());
    until_closed(&mut idle).await;
    release.notify_one();
    let reply = read_reply(&mut stream).await;
    assert_eq!((reply.status, reply.text()), (200, "done"));
    server.ended().await;
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_server() {
    let limits = Limits {
        end_time: Duration::from_millis(200),
        ..Limits::on_loopback()
    };
    let mut server = start(limits).await;
    let mut stream = server.connect().await;
    stream
        .write_all(request(&server, "GET /endless", "").as_bytes())
        .await
        .expect("sent");
    let mut buffer = [0; 12];
    stream.read_exact(&mut buffer).await.expect("the start of an answer");
    assert_eq!(&buffer, b"HTTP/1.1 200");
    server.begin_stop();
    server.ended().await;
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn a_client_that_opens_and_resets_streams_is_cut() {
    let server = start(Limits::on_loopback()).await;
    let stream = server.connect().await;
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    let address = format!("http://{}/who", server.address);
    let flood = async {
        loop {
            // Many at a time, so that they come before the server has looked at the first.
            for _ in 0..100 {
                let request = axum::http::Request::get(&address).body(()).expect("a request");
                match client.send_request(request, false) {
                    Ok((_, mut body)) => body.send_reset(h2::Reason::CANCEL),
                    Err(_) => break,
                }
            }
            tokio::task::yield_now().await;
            match client.ready().await {
                Ok(ready) => client = ready,
                Err(_) => break,
            }
        }
    };
    timeout(DEADLINE, flood).await.expect("it is cut");
    let error = connection.await.expect("no panic").expect_err("cut");
    assert_eq!(error.reason(), Some(h2::Reason::ENHANCE_YOUR_CALM), "{error}");
    assert!(is_served(&server).await);
}
