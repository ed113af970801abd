//! HTTP to a process on this machine: plain, over the loopback interface, without proxies.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use flockscope_protocol::DiscoveryRecord;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;

use crate::ClientError;

/// A process on this machine takes a connection at once or not at all.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// Bytes of an answer that is read whole: a status, a problem.
const MOST_BYTES: usize = 4 << 20;

/// Connections to processes, kept open for the next request.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("no answer came within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
    /// There is no connection, or it broke.
    #[error("{0}")]
    Broken(String),
}

impl From<HttpError> for ClientError {
    fn from(error: HttpError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

impl Http {
    pub(crate) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIME));
        connector.set_nodelay(true);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        time: Option<Duration>,
    ) -> Result<Response<Incoming>, HttpError> {
        let sent = self.client.request(request);
        let outcome = match time {
            Some(time) => timeout(time, sent).await.map_err(|_| HttpError::TimedOut(time))?,
            None => sent.await,
        };
        outcome.map_err(|error| HttpError::Broken(in_words(&error)))
    }
}

/// Where a process answers clients of this machine, without a slash at the end.
pub(crate) fn base_url(record: &DiscoveryRecord) -> String {
    format!("http://{}", record.address)
}

/// The body of a small response.
pub(crate) async fn whole(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
    match body {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(ClientError::Unreachable(error.to_string())),
    }
}

/// An error by its causes. The outermost only says that a request failed.
pub fn in_words(error: &(dyn Error + 'static)) -> String {
    let mut words = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push(error.to_string());
        cause = error.source();
    }
    words.dedup();
    if words.is_empty() {
        error.to_string()
    } else {
        words.join(": ")
    }
}
