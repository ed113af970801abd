//! The way of a request: decoded, filtered, redacted, logged, acknowledged, queued for the sink.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use flockscope_otlp::Decoded;
use flockscope_redaction::Redactor;
use tokio::sync::Semaphore;

use crate::body::{Budget, Encoding, decompress};
use crate::counters::{Counters, Meters, Protocol};
use crate::grpc::FRAME_HEAD;
use crate::log::{Log, SyncFailed};
use crate::onward::{Onward, OnwardError};
use crate::queue::{Batch, Gather, Queue};
use crate::rate::Rate;
use crate::refused::Refused;
use crate::segment::segments_of;
use crate::settings::Settings;
use crate::sink::SpanSink;
use crate::writer::Writer;
use crate::{frame, record, weight};

/// Bodies up to this size are decoded where they were read; larger ones on a thread for such work, so that they don't
/// hold up those that wait for a reply within a millisecond.
const SMALL_BODY: usize = 64 << 10;

/// Takes spans over OTLP and gives them to a [`SpanSink`]. Cheap to clone; all clones are one.
///
/// When the last clone is dropped without [`Ingest::close`], it stops as if the process were killed: what the sink does
/// not have is in the log, for the next start.
#[derive(Clone)]
pub struct Ingest {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    redactor: Arc<Redactor>,
    meters: Arc<Meters>,
    queue: Arc<Queue>,
    log: Arc<Log>,
    rate: Option<Rate>,
    bodies: Budget,
    /// How many large bodies are decoded at a time.
    decoders: Arc<Semaphore>,
    onward: Option<Arc<Onward>>,
    is_closing: AtomicBool,
    threads: parking_lot::Mutex<Vec<JoinHandle<()>>>,
}

/// What became of a request that was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Spans that are in the log, or that a filter left out: their sender is done with them.
    pub accepted: u64,
    /// Spans that were rejected for good: `partial_success.rejected_spans`.
    pub rejected: u64,
    /// Why, in words; empty where none was rejected.
    pub message: String,
}

/// Why an ingest could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder of the log, or a thread.
    #[error("the log of received spans can't be opened in {folder}: {source}")]
    Log {
        /// The folder.
        folder: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The onward export.
    #[error(transparent)]
    Onward(#[from] OnwardError),
}

/// A request's body, and how it is to be read.
pub(crate) struct Request {
    pub(crate) body: Bytes,
    pub(crate) encoding: Encoding,
    /// Bytes that it may have after decompression.
    pub(crate) limit: usize,
    pub(crate) protocol: Protocol,
}

impl Ingest {
    /// Opens the log in a folder, which is made where it is missing, and starts taking spans.
    ///
    /// Spans that an earlier run left there go to the sink first, while new ones are accepted and wait;
    /// [`Ingest::flush`] waits for both. Only one process may have the folder open.
    pub fn open(
        folder: &Path,
        settings: Settings,
        redactor: Arc<Redactor>,
        sink: Arc<dyn SpanSink>,
    ) -> Result<Self, OpenError> {
        let no_log = |source| OpenError::Log {
            folder: folder.display().to_string(),
            source,
        };
        make_folder(folder).map_err(no_log)?;
        let (old, next) = segments_of(folder).map_err(no_log)?;
        let meters = Arc::new(Meters::default());
        let gather = Gather {
            time: settings.gather_time,
            spans: settings.gather_spans.max(1),
            bytes: settings.gather_bytes,
        };
        let queue = Arc::new(Queue::new(settings.queue_bytes, gather));
        let log = Arc::new(Log::new(
            folder,
            next,
            settings.segment_bytes,
            settings.sync_interval,
            Arc::clone(&meters),
        ));
        let onward = match &settings.onward {
            Some(onward) => Some(Arc::new(Onward::open(onward.clone(), Arc::clone(&meters))?)),
            None => None,
        };
        let decoders = std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
        let writer = Writer {
            queue: Arc::clone(&queue),
            log: Arc::clone(&log),
            sink,
            onward: onward.clone(),
            meters: Arc::clone(&meters),
            gather,
            shortest_pause: settings.shortest_retry_pause,
            longest_pause: settings.longest_retry_pause,
        };
        let ingest = Self {
            inner: Arc::new(Inner {
                rate: settings.spans_per_second.map(Rate::new),
                bodies: Budget::new(
                    // One body of the largest size must find room, or it would wait for what it holds itself.
                    settings
                        .bodies_in_flight
                        .max(settings.max_http_body)
                        .max(settings.max_grpc_message.saturating_add(FRAME_HEAD)),
                    settings.wait_for_room,
                    settings.retry_after,
                ),
                settings,
                redactor,
                meters,
                queue,
                log: Arc::clone(&log),
                decoders: Arc::new(Semaphore::new(decoders)),
                onward,
                is_closing: AtomicBool::new(false),
                threads: parking_lot::Mutex::default(),
            }),
        };
        ingest
            .start("ingest-log", move || log.keep())
            .and_then(|()| {
                let old = old.into_iter().map(|(_, path)| path).collect();
                ingest.start("ingest-writer", move || writer.run(old))
            })
            .map_err(no_log)?;
        Ok(ingest)
    }

    fn start(&self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::Builder::new().name(name.into()).spawn(work)?;
        self.inner.threads.lock().push(thread);
        Ok(())
    }

    /// Takes spans that were decoded already. When this returns, they are in the log: a kill of the process does not
    /// lose them (and, with a sync interval of zero, neither does a power loss).
    pub async fn accept(&self, decoded: Decoded) -> Result<Accepted, Refused> {
        let started = Instant::now();
        self.inner.meters.request(Protocol::Call);
        let outcome = async {
            self.room(self.due()).await?;
            let (accepted, sequence) = self.inner.take(decoded, Protocol::Call)?;
            self.inner.on_disk(sequence).await?;
            Ok(accepted)
        };
        self.counted(outcome.await, started)
    }

    /// Decodes a request's body and takes its spans.
    pub(crate) async fn take(&self, request: Request) -> Result<Accepted, Refused> {
        let due = self.due();
        self.room(due).await?;
        let is_small = request.encoding == Encoding::Identity && request.body.len() <= SMALL_BODY;
        let (accepted, sequence) = if is_small {
            self.inner.decode_and_take(request)?
        } else {
            let permit = loop {
                let decoders = Arc::clone(&self.inner.decoders);
                let permit = decoders.acquire_owned().await.map_err(|_| Refused::Internal)?;
                // While this one waited for its turn, those before it may have filled the queue.
                if self.inner.queue.has_room() {
                    break permit;
                }
                drop(permit);
                self.room(due).await?;
            };
            let inner = Arc::clone(&self.inner);
            let work = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                inner.decode_and_take(request)
            });
            work.await.map_err(|_| Refused::Internal)??
        };
        self.inner.on_disk(sequence).await?;
        Ok(accepted)
    }

    /// When a request that finds no room is refused.
    fn due(&self) -> Instant {
        Instant::now() + self.inner.settings.wait_for_room
    }

    /// Waits for room in the queue, before anything is decoded: what waits is small.
    async fn room(&self, due: Instant) -> Result<(), Refused> {
        let inner = &self.inner;
        inner.is_open()?;
        if inner.queue.room(due).await {
            inner.is_open()
        } else {
            Err(Refused::QueueFull {
                retry_after: inner.settings.retry_after,
            })
        }
    }

    /// Counts how a request ended.
    pub(crate) fn counted<T>(&self, outcome: Result<T, Refused>, started: Instant) -> Result<T, Refused> {
        match &outcome {
            Ok(_) => self.inner.meters.reply.record(started.elapsed(), 1),
            Err(reason) => self.inner.meters.refused(reason),
        }
        outcome
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.inner.meters
    }

    pub(crate) fn bodies(&self) -> &Budget {
        &self.inner.bodies
    }

    /// All figures at this moment.
    pub fn counters(&self) -> Counters {
        let inner = &self.inner;
        let mut counters = inner.meters.snapshot();
        (counters.waiting_spans, counters.waiting_bytes) = inner.queue.waiting();
        counters.waiting_body_bytes = inner.bodies.held();
        (counters.log.bytes, counters.log.segments) = inner.log.size();
        counters.onward = inner.onward.as_ref().map(|onward| onward.counters());
        counters
    }

    /// Waits until everything that was accepted before (and what an earlier run left) is in the sink, and empties the
    /// log where nothing else is in it. To be called before spans are deleted on a user's wish, who would not want to
    /// see them again after a restart.
    ///
    /// While the sink fails, this waits; set a limit of time around it.
    pub async fn flush(&self) {
        self.inner.queue.flush().await;
        self.inner.log.tidy();
    }

    /// Stops taking spans (requests are refused, to be sent again), waits until the sink has all
    /// ([`Settings::close_time_limit`] at most; the rest stays in the log), and syncs what stays. Blocks: in async code
    /// it belongs on a thread for blocking work.
    pub fn close(&self) {
        let inner = &self.inner;
        if inner.is_closing.swap(true, Ordering::SeqCst) {
            return;
        }
        let is_drained = inner.queue.drain(inner.settings.close_time_limit);
        inner.queue.end();
        inner.log.close();
        if let Some(onward) = &inner.onward {
            onward.close();
        }
        if is_drained {
            for thread in inner.threads.lock().drain(..) {
                // A panic of theirs has been reported by then.
                let _ = thread.join();
            }
        } else {
            let (spans, _) = inner.queue.waiting();
            tracing::warn!("{spans} spans are not stored yet and stay in the log for the next start");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.end();
        self.log.end();
        if let Some(onward) = &self.onward {
            onward.end();
        }
    }
}

impl Inner {
    fn is_open(&self) -> Result<(), Refused> {
        if self.is_closing.load(Ordering::SeqCst) {
            return Err(Refused::Closing {
                retry_after: self.settings.retry_after,
            });
        }
        Ok(())
    }

    /// Without a pause in between, so that never more requests are held decoded than there are threads for it.
    fn decode_and_take(&self, request: Request) -> Result<(Accepted, Option<u64>), Refused> {
        let body = decompress(request.body, request.encoding, request.limit)?;
        let is_json = request.protocol == Protocol::HttpJson;
        let weight = if is_json {
            weight::of_json(&body)
        } else {
            weight::of_protobuf(&body)
        };
        if weight > self.settings.max_decoded_bytes {
            return Err(Refused::TooLarge {
                limit: self.settings.max_decoded_bytes,
                what: " when decoded",
            });
        }
        let decoded = if is_json {
            flockscope_otlp::decode_json(&body)
        } else {
            flockscope_otlp::decode_protobuf(&body)
        };
        drop(body);
        let decoded = decoded.map_err(|error| Refused::Malformed {
            message: error.to_string(),
        })?;
        self.take(decoded, request.protocol)
    }

    /// Filters, redacts, logs and queues spans. Also the number of their frame in the log.
    fn take(&self, decoded: Decoded, protocol: Protocol) -> Result<(Accepted, Option<u64>), Refused> {
        let Decoded { mut spans, report } = decoded;
        let invalid = report.skipped_total();
        self.meters.received(protocol, spans.len() as u64 + invalid);
        let surplus = spans.len().saturating_sub(self.settings.max_spans_per_request) as u64;
        spans.truncate(self.settings.max_spans_per_request);
        let wanted_before = spans.len();
        spans.retain(|span| self.settings.filter.keeps(span));
        let filtered = (wanted_before - spans.len()) as u64;
        if let Some(rate) = &self.rate {
            rate.admit(spans.len())?;
        }
        let count = spans.len() as u64;
        let sequence = if spans.is_empty() {
            None
        } else {
            let redacted = spans.iter_mut().map(|span| self.redactor.redact(span)).sum();
            self.meters.redacted_values.add(redacted);
            Some(self.log_and_queue(spans)?)
        };
        self.meters.accepted_spans.add(count);
        self.meters.filtered_spans.add(filtered);
        self.meters.invalid_spans.add(invalid);
        self.meters.surplus_spans.add(surplus);
        let mut reasons: Vec<String> = report
            .skipped
            .iter()
            .map(|(reason, count)| format!("{count} spans rejected: {reason}"))
            .collect();
        if surplus > 0 {
            reasons.push(format!(
                "{surplus} spans rejected: a request may hold {}",
                self.settings.max_spans_per_request
            ));
        }
        let accepted = Accepted {
            accepted: count + filtered,
            rejected: invalid + surplus,
            message: reasons.join("; "),
        };
        Ok((accepted, sequence))
    }

    fn log_and_queue(&self, spans: Vec<flockscope_model::Span>) -> Result<u64, Refused> {
        let frame = frame::encode(&spans).ok_or(Refused::Internal)?;
        let appended = self.log.append(&frame).map_err(|error| {
            self.meters
                .failed(format!("the log of received spans could not be written: {error}"));
            self.disk()
        })?;
        drop(frame);
        let bytes = spans.iter().map(record::held_bytes).sum();
        self.queue.push(Batch {
            spans,
            bytes,
            segment: appended.segment,
            arrived: Instant::now(),
        });
        Ok(appended.sequence)
    }

    async fn on_disk(&self, sequence: Option<u64>) -> Result<(), Refused> {
        match sequence {
            Some(sequence) => self.log.on_disk(sequence).await.map_err(|SyncFailed| self.disk()),
            None => Ok(()),
        }
    }

    fn disk(&self) -> Refused {
        Refused::Disk {
            // A disk that is full stays so for a while.
            retry_after: self.settings.retry_after.max(Duration::from_secs(1)),
        }
    }
}

/// Makes a folder that only its owner may look into.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
