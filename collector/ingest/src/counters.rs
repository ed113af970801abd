//! What came in, what became of it, and why something was refused.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::Serialize;

use crate::histogram::{Histogram, Latency};
use crate::onward::OnwardCounters;
use crate::refused::Refused;

/// How spans came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    HttpProtobuf,
    /// OTLP/HTTP with JSON.
    HttpJson,
    /// By a call of [`crate::Ingest::accept`].
    Call,
}

/// A figure for each protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ByProtocol {
    /// OTLP/gRPC.
    pub grpc: u64,
    /// OTLP/HTTP with protobuf.
    pub http_protobuf: u64,
    /// OTLP/HTTP with JSON.
    pub http_json: u64,
    /// By a call within the process.
    pub call: u64,
}

/// Requests that were refused whole, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RefusedRequests {
    /// The queue stayed full: the sink is slower than what comes.
    pub queue_full: u64,
    /// Too many bodies were on their way at a time.
    pub busy: u64,
    /// Over the limit of spans a second.
    pub rate: u64,
    /// The log could not be written or synced: a full disk.
    pub disk: u64,
    /// The process is ending.
    pub closing: u64,
    /// A body that did not come in time.
    pub slow: u64,
    /// A body over a limit, or one that stopped half way.
    pub too_large: u64,
    /// Not OTLP.
    pub malformed: u64,
    /// A content type or an encoding that OTLP does not have.
    pub unsupported: u64,
    /// A fault of this program.
    pub internal: u64,
}

/// Spans that were rejected for good, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RejectedSpans {
    /// Without ids or times.
    pub invalid: u64,
    /// Beyond the number of spans that a request may hold.
    pub surplus: u64,
}

/// The write-ahead log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LogCounters {
    /// Bytes of its files.
    pub bytes: u64,
    /// Its files.
    pub segments: u64,
    /// Whether the spans of an earlier run are still being given to the sink.
    pub is_replaying: bool,
    /// Spans of an earlier run that the sink got.
    pub replayed_spans: u64,
    /// Segments whose end was being written when the process ended; it was cut.
    pub torn_ends: u64,
    /// Segments with damage, or of another version; they are kept under another name.
    pub damaged_segments: u64,
    /// Times that the disk did not take what was written.
    pub sync_failures: u64,
}

/// The last thing that failed within the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// In words; for the owner of the process, as it may hold paths.
    pub message: String,
    /// Milliseconds since the Unix epoch.
    pub at_ms: u64,
}

/// All figures of the ingest at one moment. All but those that say "waiting" or "is" only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests that came, refused or not.
    pub requests: ByProtocol,
    /// Spans that came in requests that could be read.
    pub received_spans: ByProtocol,
    /// Spans that are in the log, and will be or are in the sink.
    pub accepted_spans: u64,
    /// Spans that were rejected for good.
    pub rejected_spans: RejectedSpans,
    /// Spans that nobody wanted (`FLOCK_TRACE_SERVICES`, `FLOCK_TRACE_IGNORE`).
    pub filtered_spans: u64,
    /// Values that the redactor made unreadable.
    pub redacted_values: u64,
    /// Requests that were refused.
    pub refused_requests: RefusedRequests,
    /// Spans on their way to the sink.
    pub waiting_spans: u64,
    /// Bytes that they hold.
    pub waiting_bytes: u64,
    /// Bytes of request bodies that are held right now.
    pub waiting_body_bytes: u64,
    /// The write-ahead log.
    pub log: LogCounters,
    /// Calls of the sink that stored something.
    pub written_batches: u64,
    /// Spans that the sink stored.
    pub written_spans: u64,
    /// Calls of the sink that failed.
    pub sink_failures: u64,
    /// Why the sink did not take the last batch; `None` again once it has taken one.
    pub sink_trouble: Option<String>,
    /// Of the log, the sink or the onward export.
    pub last_error: Option<LastError>,
    /// From the first byte of a request that was accepted to its reply; one count a request.
    pub reply: Latency,
    /// From the acceptance of a span until the sink has it; one count a span.
    pub visible: Latency,
    /// The onward export, where there is one.
    pub onward: Option<OnwardCounters>,
}

/// The figures as many threads count them.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    requests: PerProtocol,
    received_spans: PerProtocol,
    pub(crate) accepted_spans: Count,
    pub(crate) invalid_spans: Count,
    pub(crate) surplus_spans: Count,
    pub(crate) filtered_spans: Count,
    pub(crate) redacted_values: Count,
    refused: Refusals,
    pub(crate) replaying: Count,
    pub(crate) replayed_spans: Count,
    pub(crate) torn_ends: Count,
    pub(crate) damaged_segments: Count,
    sync_failures: Count,
    written_batches: Count,
    written_spans: Count,
    sink_failures: Count,
    sink_trouble: Mutex<Option<String>>,
    last_error: Mutex<Option<LastError>>,
    pub(crate) reply: Histogram,
    pub(crate) visible: Histogram,
}

/// One figure.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct PerProtocol {
    grpc: Count,
    http_protobuf: Count,
    http_json: Count,
    call: Count,
}

impl PerProtocol {
    fn of(&self, protocol: Protocol) -> &Count {
        match protocol {
            Protocol::Grpc => &self.grpc,
            Protocol::HttpProtobuf => &self.http_protobuf,
            Protocol::HttpJson => &self.http_json,
            Protocol::Call => &self.call,
        }
    }

    fn snapshot(&self) -> ByProtocol {
        ByProtocol {
            grpc: self.grpc.get(),
            http_protobuf: self.http_protobuf.get(),
            http_json: self.http_json.get(),
            call: self.call.get(),
        }
    }
}

#[derive(Debug, Default)]
struct Refusals {
    queue_full: Count,
    busy: Count,
    rate: Count,
    disk: Count,
    closing: Count,
    slow: Count,
    too_large: Count,
    malformed: Count,
    unsupported: Count,
    internal: Count,
}

impl Meters {
    pub(crate) fn request(&self, protocol: Protocol) {
        self.requests.of(protocol).add(1);
    }

    pub(crate) fn received(&self, protocol: Protocol, spans: u64) {
        self.received_spans.of(protocol).add(spans);
    }

    pub(crate) fn refused(&self, reason: &Refused) {
        let count = match reason {
            Refused::QueueFull { .. } => &self.refused.queue_full,
            Refused::Busy { .. } => &self.refused.busy,
            Refused::Rate { .. } => &self.refused.rate,
            Refused::Disk { .. } => &self.refused.disk,
            Refused::Closing { .. } => &self.refused.closing,
            Refused::Slow => &self.refused.slow,
            Refused::TooLarge { .. } => &self.refused.too_large,
            Refused::Malformed { .. } => &self.refused.malformed,
            Refused::Unsupported { .. } => &self.refused.unsupported,
            Refused::Internal => &self.refused.internal,
        };
        count.add(1);
    }

    /// A failure within the process, which no client hears of.
    pub(crate) fn failed(&self, message: String) {
        tracing::warn!("{message}");
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        *self.last_error.lock() = Some(LastError {
            message,
            at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
        });
    }

    pub(crate) fn sync_failed(&self, message: String) {
        self.sync_failures.add(1);
        self.failed(message);
    }

    pub(crate) fn sink_failed(&self, message: String) {
        self.sink_failures.add(1);
        *self.sink_trouble.lock() = Some(message.clone());
        self.failed(message);
    }

    /// The sink took a batch.
    pub(crate) fn written(&self, spans: u64) {
        *self.sink_trouble.lock() = None;
        self.written_batches.add(1);
        self.written_spans.add(spans);
    }

    /// All that is counted here; what waits is added by those who hold it.
    pub(crate) fn snapshot(&self) -> Counters {
        Counters {
            requests: self.requests.snapshot(),
            received_spans: self.received_spans.snapshot(),
            accepted_spans: self.accepted_spans.get(),
            rejected_spans: RejectedSpans {
                invalid: self.invalid_spans.get(),
                surplus: self.surplus_spans.get(),
            },
            filtered_spans: self.filtered_spans.get(),
            redacted_values: self.redacted_values.get(),
            refused_requests: RefusedRequests {
                queue_full: self.refused.queue_full.get(),
                busy: self.refused.busy.get(),
                rate: self.refused.rate.get(),
                disk: self.refused.disk.get(),
                closing: self.refused.closing.get(),
                slow: self.refused.slow.get(),
                too_large: self.refused.too_large.get(),
                malformed: self.refused.malformed.get(),
                unsupported: self.refused.unsupported.get(),
                internal: self.refused.internal.get(),
            },
            log: LogCounters {
                is_replaying: self.replaying.get() != 0,
                replayed_spans: self.replayed_spans.get(),
                torn_ends: self.torn_ends.get(),
                damaged_segments: self.damaged_segments.get(),
                sync_failures: self.sync_failures.get(),
                ..LogCounters::default()
            },
            written_batches: self.written_batches.get(),
            written_spans: self.written_spans.get(),
            sink_failures: self.sink_failures.get(),
            sink_trouble: self.sink_trouble.lock().clone(),
            last_error: self.last_error.lock().clone(),
            reply: self.reply.snapshot(),
            visible: self.visible.snapshot(),
            ..Counters::default()
        }
    }
}
