//! Onward export: what the sink got is also sent to another OTLP endpoint.
//!
//! The writer puts spans into a queue on disk, bounded in bytes; a thread of its own sends them, with a runtime of its
//! own, so that the receivers never wait for it. An endpoint may get spans twice (after a lost answer, or a restart),
//! as OTLP permits.

mod breaker;
mod queue;
mod sender;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flockscope_model::Span;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::watch;

use crate::counters::{Count, Meters};
use crate::record;
use breaker::Breaker;
use queue::OnwardQueue;
use sender::Sender;
use transport::Target;

pub use breaker::BreakerState;

/// Most spans of one request to the endpoint, …
const REQUEST_SPANS: usize = 512;
/// … and about as many bytes, so that it stays well under the 4 MiB that gRPC servers take.
const REQUEST_BYTES: usize = 1 << 20;

/// How the endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnwardProtocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    HttpProtobuf,
}

/// Where spans are sent on to.
#[derive(Debug, Clone)]
pub struct OnwardSettings {
    /// Of the queue on disk; made where it is missing.
    pub folder: PathBuf,
    /// `http://` or `https://`. Over HTTP `/v1/traces` is added, unless it ends so.
    pub endpoint: String,
    /// How the endpoint is spoken to.
    pub protocol: OnwardProtocol,
    /// Sent with each request, for sign-in.
    pub headers: Vec<(String, String)>,
    /// Whether requests are compressed with gzip, which every OTLP server takes.
    pub gzip: bool,
    /// For one request and its answer.
    pub timeout: Duration,
    /// Bytes of the queue on disk. When it is full the oldest spans are dropped, and counted.
    pub queue_bytes: u64,
    /// Pause after the first failure; it doubles with every further one, with jitter, …
    pub shortest_pause: Duration,
    /// … up to this. A longer `Retry-After` is honoured.
    pub longest_pause: Duration,
    /// So many failures in a row open the circuit breaker: nothing is sent, …
    pub breaker_failures: u32,
    /// … for so long; then one request is tried.
    pub breaker_pause: Duration,
}

impl OnwardSettings {
    /// The usual limits and times, for this endpoint.
    pub fn new(folder: PathBuf, endpoint: String, protocol: OnwardProtocol) -> Self {
        Self {
            folder,
            endpoint,
            protocol,
            headers: Vec::new(),
            gzip: true,
            timeout: Duration::from_secs(10),
            queue_bytes: 256 << 20,
            shortest_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(30),
        }
    }
}

/// Why spans can't be sent on.
#[derive(Debug, thiserror::Error)]
pub enum OnwardError {
    /// Not an address.
    #[error("the endpoint {endpoint:?} is no http:// or https:// address: {detail}")]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Not a header.
    #[error("{name:?} is no header that can be sent, or its value is none")]
    Header {
        /// Its name; the value may be a secret.
        name: String,
    },
    /// The queue on disk, a thread, or what TLS needs.
    #[error("the onward export can't be started: {0}")]
    Start(String),
}

/// What became of the spans that were to be sent on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnwardCounters {
    /// Spans in the queue on disk.
    pub waiting_spans: u64,
    /// Bytes of the queue on disk.
    pub waiting_bytes: u64,
    /// Spans that the endpoint took.
    pub sent_spans: u64,
    /// Requests that the endpoint took.
    pub sent_requests: u64,
    /// Spans that the endpoint rejected out of requests that it took (partial success).
    pub rejected_spans: u64,
    /// Spans of requests that the endpoint refused for good.
    pub refused_spans: u64,
    /// Spans that were dropped because the queue was full, or could not be written or read.
    pub dropped_spans: u64,
    /// Spans whose ids OTLP can't express.
    pub unexportable_spans: u64,
    /// Requests that failed and were, or will be, sent again.
    pub retries: u64,
    /// Of the circuit breaker.
    pub breaker: BreakerState,
    /// Why the last request failed, until one is answered.
    pub trouble: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct OnwardMeters {
    sent_spans: Count,
    sent_requests: Count,
    rejected_spans: Count,
    refused_spans: Count,
    dropped_spans: Count,
    unexportable_spans: Count,
    retries: Count,
    trouble: Mutex<Option<String>>,
}

/// The consumer of spans that sends them on.
pub(crate) struct Onward {
    queue: Arc<OnwardQueue>,
    breaker: Arc<Breaker>,
    onward: Arc<OnwardMeters>,
    meters: Arc<Meters>,
    is_ended: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Onward {
    /// Checks the settings, opens the queue, and goes on sending what an earlier run left there.
    pub(crate) fn open(settings: OnwardSettings, meters: Arc<Meters>) -> Result<Self, OnwardError> {
        let start = |error: std::io::Error| OnwardError::Start(error.to_string());
        let target = Target::new(&settings)?;
        let onward = Arc::new(OnwardMeters::default());
        let queue = OnwardQueue::open(&settings.folder, settings.queue_bytes).map_err(start)?;
        onward.dropped_spans.add(queue.lost_at_open());
        let queue = Arc::new(queue);
        let breaker = Arc::new(Breaker::new(settings.breaker_failures, settings.breaker_pause));
        let is_ended = watch::Sender::new(false);
        let sender = Sender {
            queue: Arc::clone(&queue),
            breaker: Arc::clone(&breaker),
            onward: Arc::clone(&onward),
            meters: Arc::clone(&meters),
            timeout: settings.timeout,
            shortest_pause: settings.shortest_pause,
            longest_pause: settings.longest_pause,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(start)?;
        let mut ended = is_ended.subscribe();
        let thread = std::thread::Builder::new()
            .name("ingest-onward".into())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = sender.run(target) => {}
                        // An error is the end of the ingest.
                        _ = ended.wait_for(|ended| *ended) => {}
                    }
                });
                // An address that is being looked up must not hold up the end.
                runtime.shutdown_background();
            })
            .map_err(start)?;
        Ok(Self {
            queue,
            breaker,
            onward,
            meters,
            is_ended,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Puts spans into the queue. What does not fit is dropped and counted: this is a copy of what the sink has.
    pub(crate) fn push(&self, spans: &[Span]) {
        let mut rest = spans;
        while !rest.is_empty() {
            let mut bytes = 0;
            let count = rest
                .iter()
                .take(REQUEST_SPANS)
                .take_while(|span| {
                    let is_first = bytes == 0;
                    bytes += record::held_bytes(span);
                    is_first || bytes <= REQUEST_BYTES
                })
                .count();
            let (now, later) = rest.split_at(count.clamp(1, rest.len()));
            let lost = self.queue.push(now);
            self.onward.dropped_spans.add(lost.spans);
            if let Some(error) = lost.error {
                self.meters
                    .failed(format!("the queue of the onward export could not be written: {error}"));
            }
            rest = later;
        }
    }

    pub(crate) fn counters(&self) -> OnwardCounters {
        let (waiting_spans, waiting_bytes) = self.queue.waiting();
        OnwardCounters {
            waiting_spans,
            waiting_bytes,
            sent_spans: self.onward.sent_spans.get(),
            sent_requests: self.onward.sent_requests.get(),
            rejected_spans: self.onward.rejected_spans.get(),
            refused_spans: self.onward.refused_spans.get(),
            dropped_spans: self.onward.dropped_spans.get(),
            unexportable_spans: self.onward.unexportable_spans.get(),
            retries: self.onward.retries.get(),
            breaker: self.breaker.state(),
            trouble: self.onward.trouble.lock().clone(),
        }
    }

    /// Stops sending. What was not sent stays in the queue for the next start.
    pub(crate) fn end(&self) {
        self.is_ended.send_replace(true);
        self.queue.end();
    }

    /// [`Onward::end`], and waits for the thread.
    pub(crate) fn close(&self) {
        self.end();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of its own has been reported by then.
            let _ = thread.join();
        }
    }
}
