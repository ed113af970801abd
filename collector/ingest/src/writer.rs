//! The thread that gives spans to the sink: first those that an earlier run left in the log, then those that come.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use flockscope_model::Span;

use crate::counters::Meters;
use crate::frame::{Stretch, stretches};
use crate::log::Log;
use crate::onward::Onward;
use crate::queue::{Gather, Queue};
use crate::record;
use crate::segment::{self, Head};
use crate::sink::{SinkError, SpanSink};

pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    pub(crate) log: Arc<Log>,
    pub(crate) sink: Arc<dyn SpanSink>,
    pub(crate) onward: Option<Arc<Onward>>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) gather: Gather,
    pub(crate) shortest_pause: Duration,
    pub(crate) longest_pause: Duration,
}

/// Who asks goes first: a person waits for an answer, and spans that were accepted are safe in the log. So this thread gets
/// less of a processor that others want, too: about a quarter of what one of them gets. Only Linux has it by thread.
#[cfg(target_os = "linux")]
fn step_back() {
    const LESS: i32 = 6;
    if let Err(error) = rustix::process::nice(LESS) {
        tracing::debug!(%error, "the writer keeps its priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn step_back() {}

/// The writer was told to stop before the sink took the spans. They are in the log.
struct Ended;

impl Writer {
    /// Works until the queue ends.
    pub(crate) fn run(&self, old: Vec<PathBuf>) {
        step_back();
        self.meters.replaying.set(1);
        for path in old {
            if self.replay(&path).is_err() {
                return;
            }
        }
        self.meters.replaying.set(0);
        self.queue.replayed();
        while let Some(batches) = self.queue.take() {
            let count = batches.len() as u64;
            let mut spans = Vec::with_capacity(batches.iter().map(|batch| batch.spans.len()).sum());
            let mut settled = Vec::with_capacity(batches.len());
            let mut arrivals = Vec::with_capacity(batches.len());
            for batch in batches {
                settled.push(batch.segment);
                arrivals.push((batch.arrived, batch.spans.len() as u64));
                spans.extend(batch.spans);
            }
            if self.store(&spans).is_err() {
                return;
            }
            let now = Instant::now();
            for (arrived, spans) in arrivals {
                self.meters.visible.record(now - arrived, spans);
            }
            self.log.settle(settled);
            // Before there is said to be room.
            drop(spans);
            self.queue.stored(count);
        }
    }

    /// Gives spans to the sink until it takes them, with growing pauses in between.
    fn store(&self, spans: &[Span]) -> Result<(), Ended> {
        let mut pauses = ExponentialBuilder::new()
            .with_min_delay(self.shortest_pause)
            .with_max_delay(self.longest_pause)
            .without_max_times()
            .build();
        while let Err(error) = self.try_to_store(spans) {
            self.meters.sink_failed(format!(
                "{} spans could not be stored and are tried again: {error}",
                spans.len()
            ));
            let pause = pauses.next().unwrap_or(self.longest_pause).min(self.longest_pause);
            if self.queue.pause(pause) {
                return Err(Ended);
            }
        }
        if self.queue.has_ended() {
            return Err(Ended);
        }
        self.meters.written(spans.len() as u64);
        if let Some(onward) = &self.onward {
            onward.push(spans);
        }
        Ok(())
    }

    fn try_to_store(&self, spans: &[Span]) -> Result<(), SinkError> {
        // A panic in the sink must not end the only thread that empties the queue.
        catch_unwind(AssertUnwindSafe(|| self.sink.store(spans)))
            .unwrap_or_else(|_| Err(SinkError::new("the sink panicked")))
    }

    /// Gives the spans of an earlier run's segment to the sink, and deletes it; a damaged one is set aside.
    fn replay(&self, path: &Path) -> Result<(), Ended> {
        let file = match std::fs::read(path) {
            Ok(file) => file,
            Err(error) => {
                self.set_aside(path, &format!("it could not be read: {error}"));
                return Ok(());
            }
        };
        let mut damage = None;
        match segment::head_of(&file) {
            Head::Known => {}
            Head::Torn => self.meters.torn_ends.add(1),
            Head::Unknown => {
                self.set_aside(path, "it is of another version, or no segment of spans");
                return Ok(());
            }
        }
        let mut spans = Vec::new();
        let mut bytes = 0;
        for stretch in stretches(&file, segment::HEAD) {
            match stretch {
                Stretch::Frame { offset, payload } => match record::decode(payload) {
                    Ok(found) => {
                        spans.extend(found);
                        bytes += payload.len();
                    }
                    Err(_) => damage = Some(format!("the records at byte {offset} are unreadable")),
                },
                Stretch::Torn { offset } => {
                    self.meters.torn_ends.add(1);
                    tracing::info!(
                        "{}: the end was not written whole, cut at byte {offset}",
                        path.display()
                    );
                }
                Stretch::Damaged { offset, bytes } => {
                    damage = Some(format!("{bytes} bytes at byte {offset} are damaged"));
                }
            }
            if spans.len() >= self.gather.spans || bytes >= self.gather.bytes {
                self.replay_spans(&mut spans)?;
                bytes = 0;
            }
        }
        self.replay_spans(&mut spans)?;
        match damage {
            Some(what) => self.set_aside(path, &what),
            None => {
                if let Err(error) = std::fs::remove_file(path) {
                    self.meters
                        .failed(format!("a finished segment of the log could not be deleted: {error}"));
                }
            }
        }
        Ok(())
    }

    fn replay_spans(&self, spans: &mut Vec<Span>) -> Result<(), Ended> {
        if spans.is_empty() {
            return Ok(());
        }
        self.store(spans)?;
        self.meters.replayed_spans.add(spans.len() as u64);
        spans.clear();
        Ok(())
    }

    fn set_aside(&self, path: &Path, why: &str) {
        self.meters.damaged_segments.add(1);
        match segment::set_aside(path) {
            Ok(aside) => self
                .meters
                .failed(format!("a segment of the log is kept as {}: {why}", aside.display())),
            Err(error) => self.meters.failed(format!(
                "{}: {why}, and it could not be set aside: {error}",
                path.display()
            )),
        }
    }
}
