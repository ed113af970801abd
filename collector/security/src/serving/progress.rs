//! What the requests of a connection are doing, for the time-outs of its stream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Shared by a connection's stream and its service.
#[derive(Debug, Default)]
pub(super) struct Progress {
    begun: AtomicU64,
    active: AtomicUsize,
}

impl Progress {
    /// A request's header is whole. It is active until the answer's body has been sent, or dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Active {
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.active.fetch_add(1, Ordering::AcqRel);
        Active(Arc::clone(self))
    }

    /// Number of requests so far.
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    pub(super) fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire) > 0
    }
}

/// An active request, until it is dropped.
#[derive(Debug)]
pub(super) struct Active(Arc<Progress>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::AcqRel);
    }
}

pin_project! {
    /// The body of an answer, which keeps its request active.
    pub(super) struct ActiveBody<B> {
        #[pin]
        body: B,
        active: Active,
    }
}

impl<B> ActiveBody<B> {
    pub(super) fn new(body: B, active: Active) -> Self {
        Self { body, active }
    }
}

impl<B: Body<Data = Bytes>> Body for ActiveBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
