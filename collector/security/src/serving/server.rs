//! The server: takes connections, and hands their requests to a router.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;
use tower_http::timeout::TimeoutBody;

use super::address_count::AddressCount;
use super::limits::Limits;
use super::progress::{ActiveBody, Progress};
use super::timed_stream::TimedStream;
use super::tls::Tls;
use crate::connection::Connection;

/// How long to wait when the system has no room for another connection.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);

/// HTTP/2 streams that a client may open and reset before they were looked at, and those that the server resets because
/// of errors. Beyond that the connection ends (rapid reset, CVE-2023-44487).
const MOST_RESETS: usize = 20;
const MOST_ERROR_RESETS: usize = 256;

/// Bytes that a client may send on an HTTP/2 stream, and on a connection, before the handler has read any.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Serves HTTP/1 and HTTP/2 (with prior knowledge, or by ALPN under TLS) until `shutdown` is ready, and then until the
/// open requests are done, at most [`Limits::end_time`]. Each request has a [`Connection`] and axum's
/// `ConnectInfo<SocketAddr>` among its extensions.
///
/// Errors are those of the listener itself. A connection's errors concern nobody else.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    // A listener without an address is none.
    listener.local_addr()?;
    let server = Arc::new(Server {
        router,
        tls,
        builder: builder(&limits),
        limits,
    });
    let room = Arc::new(Semaphore::new(
        server.limits.connections.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let counts = Arc::new(AddressCount::default());
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // Without room nobody is taken: who waits is still in the queue of the system then.
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            next = next => next,
            // Connections that ended are cleared away.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // The client has gone already, or there are too many open files: then it helps to wait.
                if !is_of_the_client(&error) {
                    tracing::error!(%error, "no connection can be taken");
                    sleep(PAUSE_AFTER_ERROR).await;
                }
                continue;
            }
        };
        let most = server.limits.connections_per_address;
        let Some(counted) = counts.add(peer.ip().to_canonical(), most) else {
            tracing::debug!(%peer, "too many connections of this address");
            continue;
        };
        let (server, watcher) = (Arc::clone(&server), graceful.watcher());
        connections.spawn(async move {
            let _held = (permit, counted);
            server.connection(stream, peer, watcher).await;
        });
    }
    drop(listener);
    if timeout(server.limits.end_time, graceful.shutdown()).await.is_err() {
        tracing::debug!("some requests were still open and are cut off");
    }
    connections.shutdown().await;
    Ok(())
}

struct Server {
    router: Router,
    tls: Option<Tls>,
    builder: auto::Builder<TokioExecutor>,
    limits: Limits,
}

impl Server {
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Small answers should not wait for more to send. Without it they are only slower.
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let connection = Connection {
            peer,
            local,
            tls: self.tls.is_some(),
        };
        match &self.tls {
            None => self.requests(stream, connection, watcher).await,
            Some(tls) => match timeout(self.limits.header_time, tls.acceptor().accept(stream)).await {
                Ok(Ok(stream)) => self.requests(stream, connection, watcher).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
                Err(_) => tracing::debug!(%peer, "the handshake of TLS took too long"),
            },
        }
    }

    async fn requests<S>(&self, stream: S, connection: Connection, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let progress = Arc::new(Progress::default());
        let stream = TimedStream::new(stream, Arc::clone(&progress), &self.limits);
        let (router, body_pause) = (self.router.clone(), self.limits.body_pause);
        let service = service_fn(move |request: Request<Incoming>| {
            let active = progress.begin();
            let mut request = request.map(|body| Body::new(TimeoutBody::new(body_pause, body)));
            let extensions = request.extensions_mut();
            extensions.insert(connection);
            extensions.insert(ConnectInfo(connection.peer));
            let answer = router.clone().oneshot(request);
            async move {
                let Ok(response) = answer.await;
                let response = response.map(|body| ActiveBody::new(body, active));
                Ok::<Response<ActiveBody<Body>>, Infallible>(response)
            }
        });
        let served = self.builder.serve_connection(TokioIo::new(stream), service);
        if let Err(error) = watcher.watch(served.into_owned()).await {
            tracing::debug!(peer = %connection.peer, error, "a connection broke");
        }
    }
}

fn builder(limits: &Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // The stream has its own time-outs, see `TimedStream`.
        .header_read_timeout(None)
        .max_headers(limits.header_lines)
        // hyper takes no buffer below 8 KiB.
        .max_buf_size(usize::try_from(limits.header_bytes).unwrap_or(usize::MAX).max(8 << 10));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_interval)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(MOST_RESETS)
        .max_local_error_reset_streams(MOST_ERROR_RESETS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}
