//! A notification that can't be read is passed over. async-lsp would end the server, and with it all lenses.

use std::ops::ControlFlow;
use std::task::{Context, Poll};

use async_lsp::{AnyEvent, AnyNotification, AnyRequest, Error, LspService};
use tower::Service;

/// What stands directly around the handlers.
pub(crate) struct Tolerant<S>(pub(crate) S);

impl<S: LspService> Service<AnyRequest> for Tolerant<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: AnyRequest) -> Self::Future {
        self.0.call(request)
    }
}

impl<S: LspService> LspService for Tolerant<S> {
    fn notify(&mut self, notification: AnyNotification) -> ControlFlow<async_lsp::Result<()>> {
        let method = notification.method.clone();
        match self.0.notify(notification) {
            ControlFlow::Break(Err(Error::Deserialize(error))) => {
                tracing::warn!(%method, %error, "a notification of the editor can't be read");
                ControlFlow::Continue(())
            }
            outcome => outcome,
        }
    }

    fn emit(&mut self, event: AnyEvent) -> ControlFlow<async_lsp::Result<()>> {
        self.0.emit(event)
    }
}
