//! A server of a few routes, and a client that sends exactly the bytes it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::routing::{delete, get, post};
use flockscope_security::{Admin, Caller, Face, Limits, Secret, Security, Settings, Tls, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// What a test waits for comes within this time, or never.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

pub(crate) fn local() -> Settings {
    Settings::local(Secret::new(TOKEN))
}

/// As if the process listened on a network address. In truth it is loopback here too.
pub(crate) fn network() -> Settings {
    Settings {
        api_is_loopback: false,
        otlp_is_loopback: false,
        ..local()
    }
}

pub(crate) fn routes() -> Router {
    let who = |caller: Caller| async move { format!("{} {} {}", caller.name, caller.role, caller.is_local) };
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/", get(who))
        .route("/who", get(who).post(who))
        .route("/api/v1/sql", post(|_: Caller| async { "rows" }))
        .route("/api/traces/clear", post(|_: Admin| async { "cleared" }))
        .route(
            "/api/v1/queries/{id}",
            delete(|_: Caller, Path(id): Path<String>| async { id }),
        )
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/v1/traces", post(|caller: Caller| async move { caller.name }))
        .route("/endless", get(|| async { Body::new(Endless) }))
}

/// A body that never ends and says little.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start(settings: Settings, face: Face) -> Self {
        let security = Security::new(settings).expect("settings");
        Self::start_with(security.protect(routes(), face), None, Limits::default()).await
    }

    pub(crate) async fn start_with(router: Router, tls: Option<Tls>, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(listener, router, tls, limits, async {
            let _ = stopped.await;
        }));
        Self {
            address,
            stop: Some(stop),
            task,
        }
    }

    pub(crate) fn begin_stop(&mut self) {
        let _ = self.stop.take().expect("not stopped yet").send(());
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(self) {
        let ended = timeout(DEADLINE, self.task).await.expect("it ends");
        ended.expect("no panic").expect("no error");
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends a request with these header lines and no body. A Host is added if there is none.
    pub(crate) async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Reply {
        let has_host = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = format!("127.0.0.1:{}", self.address.port());
        let mut text = format!("{method} {target} HTTP/1.1\r\n");
        let host = (!has_host).then_some(("Host", host.as_str()));
        for (name, value) in host.iter().chain(headers) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("Content-Length: 0\r\nConnection: close\r\n\r\n");
        self.send(&text).await
    }

    pub(crate) async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Reply {
        self.ask("GET", target, headers).await
    }

    /// Sends bytes as they are, and reads until the server closes the connection.
    pub(crate) async fn send(&self, text: &str) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.expect("sent");
        read_reply(&mut stream).await
    }
}

pub(crate) async fn read_reply(stream: &mut (impl AsyncReadExt + Unpin)) -> Reply {
    let mut bytes = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut bytes))
        .await
        .expect("an answer in time")
        .expect("an answer");
    Reply::parse(&bytes)
}

/// An answer of HTTP/1.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("no header in {:?}", String::from_utf8_lossy(bytes)));
        let head = std::str::from_utf8(&bytes[..end]).expect("text");
        let mut lines = head.lines();
        let status = lines.next().expect("a status line");
        Self {
            status: status.split(' ').nth(1).expect("a status").parse().expect("a number"),
            headers: lines
                .map(|line| line.split_once(": ").expect("a header"))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(found, _)| found == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// The last part of the problem's type, after checking that it is a whole problem.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem: flockscope_protocol::Problem = serde_json::from_slice(&self.body).expect("a problem");
        assert_eq!(problem.status, self.status);
        assert!(problem.detail.is_some());
        if let Some(id) = &problem.id {
            assert_eq!(self.header("x-request-id"), Some(id.as_str()));
        }
        let kind = problem.kind.strip_prefix("/problems/").expect("a kind");
        kind.to_owned()
    }
}

pub(crate) fn bearer(token: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {token}"))
}

/// Asks again and again until the answer is as expected.
pub(crate) async fn eventually<T, F: Future<Output = T>>(
    mut ask: impl FnMut() -> F,
    is_expected: impl Fn(&T) -> bool,
) -> T
where
    T: std::fmt::Debug,
{
    let end = Instant::now() + DEADLINE;
    loop {
        let found = ask().await;
        if is_expected(&found) {
            return found;
        }
        assert!(Instant::now() < end, "it stays {found:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn shared(server: Server) -> Arc<Server> {
    Arc::new(server)
}
