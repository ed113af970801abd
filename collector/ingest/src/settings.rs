//! What a receiver may take, how long it waits, and where it keeps its log.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::filter::Filter;
use crate::onward::OnwardSettings;

/// Limits and times of [`crate::Ingest`]. The defaults hold less than 400 MiB whatever is sent.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which spans are taken at all.
    pub filter: Filter,
    /// Spans a second; `None`: no limit. A request over the limit is refused whole and may be sent again.
    pub spans_per_second: Option<NonZeroU32>,
    /// Spans of one request. What comes after them is rejected (OTLP's partial success), not to be sent again.
    pub max_spans_per_request: usize,
    /// Bytes of one gRPC message, after decompression.
    pub max_grpc_message: usize,
    /// Bytes of one HTTP body, before and after decompression.
    pub max_http_body: usize,
    /// Bytes that one request may take when its messages are laid out in memory. It stops requests of many
    /// empty messages, which need two bytes on the wire and hundreds in memory.
    pub max_decoded_bytes: usize,
    /// Bytes of request bodies that are held at a time, over all connections.
    pub bodies_in_flight: usize,
    /// Time that a client has to send one body.
    pub body_time_limit: Duration,
    /// Bytes of spans that wait for the sink. When it is full, receivers wait and then refuse.
    pub queue_bytes: usize,
    /// How long a request waits for room in the queue before it is refused.
    pub wait_for_room: Duration,
    /// What a refused client is told to wait before it sends again.
    pub retry_after: Duration,
    /// The writer gathers spans for this long, from the first that waits, …
    pub gather_time: Duration,
    /// … or until there are so many spans, …
    pub gather_spans: usize,
    /// … or so many bytes.
    pub gather_bytes: usize,
    /// Pause after the sink's first failure; it doubles with every further one …
    pub shortest_retry_pause: Duration,
    /// … up to this.
    pub longest_retry_pause: Duration,
    /// How often the log is synced to the disk, which is what a power loss can cost. Zero: before each reply.
    pub sync_interval: Duration,
    /// A segment of the log is closed when it is this large.
    pub segment_bytes: u64,
    /// How long [`crate::Ingest::close`] waits for the sink. What is left stays in the log, for the next start.
    pub close_time_limit: Duration,
    /// Where spans are sent on to; `None`: nowhere.
    pub onward: Option<OnwardSettings>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            spans_per_second: None,
            max_spans_per_request: 10_000,
            max_grpc_message: 4 << 20,
            max_http_body: 20 << 20,
            max_decoded_bytes: 128 << 20,
            bodies_in_flight: 64 << 20,
            body_time_limit: Duration::from_secs(30),
            queue_bytes: 64 << 20,
            wait_for_room: Duration::from_secs(1),
            retry_after: Duration::from_secs(1),
            gather_time: Duration::from_millis(50),
            gather_spans: 20_000,
            gather_bytes: 32 << 20,
            shortest_retry_pause: Duration::from_millis(50),
            longest_retry_pause: Duration::from_secs(5),
            sync_interval: Duration::from_secs(1),
            segment_bytes: 16 << 20,
            close_time_limit: Duration::from_secs(10),
            onward: None,
        }
    }
}
