//! An answer that is written while the query runs.
//!
//! A blocking thread writes into [`AnswerWriter`]. Up to [`WHOLE`] bytes are held back, so that what goes wrong on the way
//! is still told by the status, and whether rows were cut off by a header. What is longer goes out in pieces as it comes;
//! then the header says `unknown`, and a trailer has the word. One that breaks off then ends the connection in the
//! middle, so that nobody takes it for whole.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::api::Shared;
use crate::ask::{Fault, StopWhenDropped};
use crate::problem::ApiProblem;

/// Answers up to so many bytes are sent only when they are whole.
const WHOLE: usize = 8 << 20;
/// Pieces in which longer ones are sent.
const PIECE: usize = 256 << 10;
/// Pieces that wait to be sent.
const WAITING: usize = 4;

type Piece = Result<Frame<Bytes>, io::Error>;

/// Where a blocking thread writes an answer to.
pub(crate) struct AnswerWriter {
    buffer: Vec<u8>,
    pieces: mpsc::Sender<Piece>,
    begun: Option<oneshot::Sender<Begun>>,
    /// Set when all of it has been sent: a body that ends without it has broken off.
    whole: Arc<AtomicBool>,
    runtime: Handle,
    deadline: Instant,
}

/// What is known when the headers must be sent.
enum Begun {
    /// All of it, and whether rows were cut off.
    Whole(Vec<u8>, bool),
    /// It is longer; pieces come.
    Pieces,
    Failed(Box<Fault>),
}

impl AnswerWriter {
    fn send(&mut self, piece: Piece) -> io::Result<()> {
        if let Some(begun) = self.begun.take()
            && begun.send(Begun::Pieces).is_err()
        {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        // A client that reads slowly must not hold a place for ever.
        let sent = self
            .runtime
            .block_on(async { tokio::time::timeout(left, self.pieces.send(piece)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn end(mut self, cut: bool) {
        if let Some(begun) = self.begun.take() {
            let _ = begun.send(Begun::Whole(self.buffer, cut));
            return;
        }
        let rest = Bytes::from(std::mem::take(&mut self.buffer));
        if self.send(Ok(Frame::data(rest))).is_ok() {
            self.whole.store(true, Ordering::SeqCst);
            let mut trailers = HeaderMap::new();
            write_cut(&mut trailers, if cut { "true" } else { "false" });
            // Whether the client takes trailers or not: the answer is whole.
            let _ = self.send(Ok(Frame::trailers(trailers)));
        }
    }

    /// Says what went wrong. Returns the fault if it is too late for that.
    fn fail(mut self, fault: Fault) -> Option<Fault> {
        match self.begun.take() {
            Some(begun) => {
                let _ = begun.send(Begun::Failed(Box::new(fault)));
                None
            }
            None => Some(fault),
        }
    }
}

impl Write for AnswerWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        let most = if self.begun.is_some() { WHOLE } else { PIECE };
        if self.buffer.len() > most {
            let piece = Bytes::from(std::mem::take(&mut self.buffer));
            self.send(Ok(Frame::data(piece)))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a job that writes an answer, on a blocking thread, and answers with what it writes. The job says whether rows
/// were cut off. `keep` is kept until the client has the answer or is gone.
pub(crate) async fn stream(
    state: &Shared,
    sql: &str,
    time: Duration,
    keep: StopWhenDropped,
    job: impl FnOnce(&mut AnswerWriter) -> Result<bool, Fault> + Send + 'static,
) -> Result<Response, ApiProblem> {
    let (pieces, received) = mpsc::channel::<Piece>(WAITING);
    let (begin, begun) = oneshot::channel();
    let whole = Arc::new(AtomicBool::new(false));
    let runtime = Handle::current();
    let (shared, text, written) = (state.clone(), sql.to_owned(), whole.clone());
    tokio::task::spawn_blocking(move || {
        let mut writer = AnswerWriter {
            buffer: Vec::new(),
            pieces,
            begun: Some(begin),
            whole: written,
            runtime,
            deadline: Instant::now() + time,
        };
        match job(&mut writer) {
            Ok(cut) => writer.end(cut),
            Err(fault) => {
                if let Some(fault) = writer.fail(fault) {
                    // The problem goes to the log only.
                    let problem = fault.into_problem(&text, &shared);
                    tracing::warn!(%problem, "an answer broke off on its way");
                }
            }
        }
    });
    match begun.await {
        Ok(Begun::Whole(bytes, cut)) => {
            let mut response = Response::new(Body::from(bytes));
            write_cut(response.headers_mut(), if cut { "true" } else { "false" });
            Ok(response)
        }
        Ok(Begun::Pieces) => {
            let pieces = ReceiverStream::new(received).map(move |piece| {
                let _held = &keep;
                piece
            });
            let end = futures_util::stream::once(async move { whole.load(Ordering::SeqCst) })
                .filter_map(|whole| (!whole).then(|| Err(io::Error::other("the answer broke off"))));
            let pieces = pieces.chain(end);
            let mut response = Response::new(Body::new(StreamBody::new(pieces)));
            write_cut(response.headers_mut(), "unknown");
            response
                .headers_mut()
                .insert(header::TRAILER, HeaderValue::from_static(crate::sql::CUT));
            Ok(response)
        }
        Ok(Begun::Failed(fault)) => Err(fault.into_problem(sql, state)),
        Err(ended) => Err(ApiProblem::internal(ended)),
    }
}

fn write_cut(headers: &mut HeaderMap, word: &'static str) {
    headers.insert(HeaderName::from_static(crate::sql::CUT), HeaderValue::from_static(word));
}
