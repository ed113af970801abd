//! A notification that can't be read, or comes at the wrong time, is passed over. async-lsp would end the server, and with
//! it all lenses. Also notes whether the editor asked the server to shut down.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use async_lsp::lsp_types::request::{Request, Shutdown};
use async_lsp::{AnyEvent, AnyNotification, AnyRequest, Error, LspService};
use tower::{Layer, Service};

/// Puts [`Tolerant`] around a service. What it holds is set by `shutdown`.
pub(crate) struct TolerantLayer(pub(crate) Arc<AtomicBool>);

impl<S> Layer<S> for TolerantLayer {
    type Service = Tolerant<S>;

    fn layer(&self, service: S) -> Self::Service {
        Tolerant {
            service,
            asked_to_end: Arc::clone(&self.0),
        }
    }
}

/// What stands around everything else.
pub(crate) struct Tolerant<S> {
    service: S,
    asked_to_end: Arc<AtomicBool>,
}

impl<S: LspService> Service<AnyRequest> for Tolerant<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: AnyRequest) -> Self::Future {
        if request.method == Shutdown::METHOD {
            self.asked_to_end.store(true, Ordering::Relaxed);
        }
        self.service.call(request)
    }
}

impl<S: LspService> LspService for Tolerant<S> {
    fn notify(&mut self, notification: AnyNotification) -> ControlFlow<async_lsp::Result<()>> {
        let method = notification.method.clone();
        match self.service.notify(notification) {
            ControlFlow::Break(Err(error @ (Error::Deserialize(_) | Error::Protocol(_)))) => {
                tracing::warn!(%method, %error, "a notification of the editor is passed over");
                ControlFlow::Continue(())
            }
            outcome => outcome,
        }
    }

    fn emit(&mut self, event: AnyEvent) -> ControlFlow<async_lsp::Result<()>> {
        self.service.emit(event)
    }
}
