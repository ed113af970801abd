//! Sends what is in the queue, one request after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use super::OnwardMeters;
use super::breaker::Breaker;
use super::queue::{Front, OnwardQueue};
use super::transport::{Outcome, Target};
use crate::counters::Meters;

/// An endpoint can't ask for more patience than this.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

pub(crate) struct Sender {
    pub(crate) queue: Arc<OnwardQueue>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) onward: Arc<OnwardMeters>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) timeout: Duration,
    pub(crate) shortest_pause: Duration,
    pub(crate) longest_pause: Duration,
}

impl Sender {
    /// Sends for ever.
    pub(crate) async fn run(&self, target: Target) {
        let mut transport = target.transport();
        let mut pauses = self.pauses();
        loop {
            let front = self.queue.front().await;
            if let Err(until) = self.breaker.admit(Instant::now()) {
                tokio::time::sleep_until(until.into()).await;
                continue;
            }
            let spans = match front.read() {
                Ok(spans) => spans,
                Err(error) => {
                    if self.done(&front) {
                        self.onward.dropped_spans.add(front.spans());
                        self.meters.failed(format!(
                            "{} spans for the onward export are lost: {error}",
                            front.spans()
                        ));
                    }
                    continue;
                }
            };
            let export = flockscope_otlp::to_request(&spans);
            let exported = (spans.len() as u64).saturating_sub(export.unexportable);
            drop(spans);
            let outcome = if exported == 0 {
                None
            } else {
                Some(transport.send(export.request, self.timeout).await)
            };
            *self.onward.trouble.lock() = match &outcome {
                Some(Outcome::Failed { message, .. }) => Some(message.clone()),
                _ => None,
            };
            match outcome {
                None => {}
                Some(Outcome::Taken { rejected, message }) => {
                    self.breaker.answered();
                    self.onward.sent_requests.add(1);
                    self.onward.sent_spans.add(exported.saturating_sub(rejected));
                    self.onward.rejected_spans.add(rejected);
                    if rejected > 0 {
                        self.meters
                            .failed(format!("the onward endpoint rejected {rejected} spans: {message}"));
                    }
                }
                Some(Outcome::Refused { message }) => {
                    self.breaker.answered();
                    self.onward.refused_spans.add(exported);
                    self.meters
                        .failed(format!("the onward endpoint refused {exported} spans: {message}"));
                }
                Some(Outcome::Failed { message, after }) => {
                    self.breaker.failed(Instant::now());
                    self.onward.retries.add(1);
                    self.meters
                        .failed(format!("the onward export failed and is tried again: {message}"));
                    let pause = pauses.next().unwrap_or(self.longest_pause);
                    let after = after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
                    tokio::time::sleep(pause.max(after)).await;
                    continue;
                }
            }
            pauses = self.pauses();
            self.onward.unexportable_spans.add(export.unexportable);
            self.done(&front);
        }
    }

    fn pauses(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.shortest_pause)
            .with_max_delay(self.longest_pause)
            .with_jitter()
            .without_max_times()
            .build()
    }

    fn done(&self, front: &Front) -> bool {
        self.queue.done(front).unwrap_or_else(|error| {
            self.meters
                .failed(format!("a segment of the onward queue could not be deleted: {error}"));
            true
        })
    }
}
