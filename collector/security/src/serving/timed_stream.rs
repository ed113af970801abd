//! A stream that ends when the other side takes too long.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::limits::Limits;
use super::progress::Progress;

/// What an HTTP/2 client sends first ([RFC 9113, 3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection's stream with the time-outs that hyper does not have, or has only together: one for the header of a
/// request, one for the wait until the next request, and one for answers that nobody reads.
///
/// On HTTP/2 there are no headers to wait for between requests: pings find out whether somebody is there.
pub(super) struct TimedStream<S> {
    stream: S,
    progress: Arc<Progress>,
    header_time: Duration,
    idle_time: Duration,
    write_pause: Duration,
    /// Bytes of the preface that were found so far; `None`: it is HTTP/1.
    preface: Option<usize>,
    /// Requests that had begun when bytes came last.
    begun: u64,
    /// Whether a part of a header is there, or the connection is new.
    in_header: bool,
    read_end: Option<Pin<Box<Sleep>>>,
    write_end: Option<Pin<Box<Sleep>>>,
}

impl<S> TimedStream<S> {
    pub(super) fn new(stream: S, progress: Arc<Progress>, limits: &Limits) -> Self {
        Self {
            stream,
            progress,
            header_time: limits.header_time,
            idle_time: limits.idle_time,
            write_pause: limits.write_pause,
            preface: Some(0),
            begun: 0,
            in_header: true,
            read_end: None,
            write_end: None,
        }
    }

    fn is_http2(&self) -> bool {
        self.preface == Some(PREFACE.len())
    }

    /// Compares what came with the preface.
    fn look_for_preface(&mut self, bytes: &[u8]) {
        if let Some(found) = self.preface {
            let rest = PREFACE.get(found..).unwrap_or_default();
            let length = rest.len().min(bytes.len());
            self.preface = (rest.get(..length) == bytes.get(..length)).then_some(found + length);
        }
    }

    /// Ready when the other side has taken too long to send something.
    fn poll_read_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let begun = self.progress.begun();
        if begun != self.begun {
            self.begun = begun;
            self.in_header = false;
            self.read_end = None;
        }
        if self.is_http2() || self.progress.is_active() {
            self.read_end = None;
            return Poll::Pending;
        }
        let time = if self.in_header {
            self.header_time
        } else {
            self.idle_time
        };
        self.read_end
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + time)))
            .as_mut()
            .poll(context)
    }

    /// What a write came to; a client that takes nothing for too long ends the connection.
    fn check_write<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.write_end = None;
            return outcome;
        }
        let pause = self.write_pause;
        let end = self
            .write_end
            .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + pause)));
        match end.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Before the bytes: a client that never stops sending a header is too slow as well.
        if self.poll_read_end(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        let came = buffer.filled().get(before..).unwrap_or_default();
        if !came.is_empty() {
            self.look_for_preface(came);
            if !self.in_header && !self.progress.is_active() {
                // The first bytes of the next request: from now on its header has its own time.
                self.in_header = true;
                self.read_end = None;
            }
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.check_write(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.check_write(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.check_write(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.check_write(context, outcome)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn limits() -> Limits {
        Limits {
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(90),
            write_pause: Duration::from_secs(60),
            ..Limits::default()
        }
    }

    fn pair() -> (DuplexStream, TimedStream<DuplexStream>, Arc<Progress>) {
        let (client, server) = duplex(64);
        let progress = Arc::new(Progress::default());
        let stream = TimedStream::new(server, Arc::clone(&progress), &limits());
        (client, stream, progress)
    }

    /// Reads until the stream ends, and says after how many seconds it did so and how.
    async fn read_to_end(stream: &mut TimedStream<DuplexStream>) -> (u64, io::ErrorKind) {
        let start = Instant::now();
        loop {
            match stream.read_u8().await {
                Ok(_) => {}
                Err(error) => return (start.elapsed().as_secs(), error.kind()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_comes_byte_by_byte_has_ten_seconds() {
        let (mut client, mut stream, _) = pair();
        tokio::spawn(async move {
            for _ in 0..1_000 {
                if client.write_all(b"a").await.is_err() {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        assert_eq!(read_to_end(&mut stream).await, (10, io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_nothing_has_ten_seconds() {
        let (_client, mut stream, _) = pair();
        assert_eq!(read_to_end(&mut stream).await, (10, io::ErrorKind::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_there_is_more_time_and_in_them_any() {
        let (mut client, mut stream, progress) = pair();
        client.write_all(b"GET").await.expect("sent");
        stream.read_exact(&mut [0; 3]).await.expect("read");
        let active = progress.begin();
        let waited = tokio::time::timeout(Duration::from_secs(1_000), stream.read_u8()).await;
        assert!(waited.is_err(), "a request is active");
        drop(active);
        assert_eq!(read_to_end(&mut stream).await, (90, io::ErrorKind::TimedOut));

        let (mut client, mut stream, progress) = pair();
        client.write_all(b"GET").await.expect("sent");
        stream.read_exact(&mut [0; 3]).await.expect("read");
        drop(progress.begin());
        let second = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(80)).await;
            client.write_all(b"G").await.expect("sent");
            client
        });
        assert_eq!(
            read_to_end(&mut stream).await,
            (90, io::ErrorKind::TimedOut),
            "80 and 10"
        );
        drop(second.await);
    }

    #[tokio::test(start_paused = true)]
    async fn http_2_may_wait() {
        let (mut client, mut stream, _) = pair();
        client.write_all(&PREFACE[..10]).await.expect("sent");
        client.write_all(&PREFACE[10..]).await.expect("sent");
        stream.read_exact(&mut [0; 24]).await.expect("read");
        let waited = tokio::time::timeout(Duration::from_secs(1_000), stream.read_u8()).await;
        assert!(waited.is_err());
        let (mut client, mut stream, _) = pair();
        client
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r")
            .await
            .expect("sent");
        assert_eq!(
            read_to_end(&mut stream).await,
            (10, io::ErrorKind::TimedOut),
            "nearly the preface"
        );
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_ends_the_connection() {
        let (client, mut stream, _) = pair();
        let start = Instant::now();
        let error = stream.write_all(&[0; 1_000]).await.expect_err("nobody reads");
        assert_eq!((start.elapsed().as_secs(), error.kind()), (60, io::ErrorKind::TimedOut));
        drop(client);
    }
}
