//! Several senders at once.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::select;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::bodies::{Bodies, SPANS};
use super::sender::{Protocol, Sender};
use super::server::Receivers;

/// How fast bodies are sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    /// Each sender sends the next one as soon as it has the reply.
    FullSpeed,
    /// All senders together send so many spans a second, if the replies come in time.
    SpansASecond(u64),
}

/// What was sent, by all senders together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) bodies: u64,
    /// Times that a body was refused for now.
    pub(crate) refusals: u64,
}

impl Sent {
    pub(crate) fn spans(self) -> u64 {
        self.bodies * SPANS
    }
}

/// Senders at work.
pub(crate) struct Load {
    plan: Arc<Plan>,
    /// What each sent, and why it was refused first.
    senders: JoinSet<Result<(Sent, Option<String>)>>,
}

/// What the senders share.
struct Plan {
    /// Number of the next body.
    next: AtomicU64,
    numbers: Range<u64>,
    /// Whether no more bodies are to be begun.
    has_ended: watch::Sender<bool>,
    start: Instant,
    /// Time between two bodies.
    period: Option<Duration>,
}

impl Load {
    /// Connects the senders, and lets them send the bodies from one number up to another one.
    pub(crate) async fn start(
        receivers: Receivers,
        (protocol, senders): (Protocol, usize),
        bodies: &Arc<Bodies>,
        numbers: Range<u64>,
        pace: Pace,
    ) -> Result<Self> {
        let mut connected = Vec::with_capacity(senders);
        for _ in 0..senders {
            connected.push(Sender::connect(receivers, protocol).await?);
        }
        let plan = Arc::new(Plan::new(numbers, pace));
        let mut running = JoinSet::new();
        for sender in connected {
            running.spawn(send(sender, Arc::clone(bodies), Arc::clone(&plan)));
        }
        Ok(Self { plan, senders: running })
    }

    /// Lets no more bodies be begun.
    pub(crate) fn end(&self) {
        self.plan.has_ended.send_replace(true);
    }

    /// Waits for the senders; what they sent, and the number of the first body that none of them took. A body whose time
    /// had not come at the end was taken and not sent.
    pub(crate) async fn sent(mut self) -> Result<(Sent, u64)> {
        let mut all = Sent::default();
        let mut first_refusal = None;
        while let Some(sent) = self.senders.join_next().await {
            let (sent, refusal) = sent??;
            all.bodies += sent.bodies;
            all.refusals += sent.refusals;
            first_refusal = first_refusal.or(refusal);
        }
        if let Some(why) = first_refusal {
            eprintln!(
                "  {} requests were refused for now and sent again, such as: {why}",
                all.refusals
            );
        }
        Ok((all, self.plan.next.load(Ordering::Relaxed)))
    }
}

impl Plan {
    fn new(numbers: Range<u64>, pace: Pace) -> Self {
        Self {
            next: AtomicU64::new(numbers.start),
            numbers,
            has_ended: watch::Sender::new(false),
            start: Instant::now(),
            period: match pace {
                Pace::FullSpeed => None,
                Pace::SpansASecond(spans) => {
                    Some(Duration::from_secs(SPANS) / u32::try_from(spans).unwrap_or(u32::MAX))
                }
            },
        }
    }

    /// Takes a number; also says when its body is due.
    fn take(&self) -> Option<(u64, Option<Instant>)> {
        if *self.has_ended.borrow() {
            return None;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if !self.numbers.contains(&number) {
            return None;
        }
        let place = u32::try_from(number - self.numbers.start).unwrap_or(u32::MAX);
        let due = self.period.map(|period| self.start + period.saturating_mul(place));
        Some((number, due))
    }

    /// The next number, as soon as its body is due; none after the end.
    async fn next(&self) -> Option<u64> {
        let (number, due) = self.take()?;
        let Some(due) = due else {
            return Some(number);
        };
        let mut has_ended = self.has_ended.subscribe();
        select! {
            biased;
            _ = has_ended.wait_for(|ended| *ended) => None,
            () = sleep_until(due.into()) => Some(number),
        }
    }
}

async fn send(mut sender: Sender, bodies: Arc<Bodies>, plan: Arc<Plan>) -> Result<(Sent, Option<String>)> {
    let mut sent = 0;
    while let Some(number) = plan.next().await {
        sender.send(bodies.body(number)).await?;
        sent += 1;
    }
    let sent = Sent {
        bodies: sent,
        refusals: sender.refusals,
    };
    Ok((sent, sender.first_refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_given_once_and_none_after_the_last() {
        let plan = Plan::new(5..8, Pace::FullSpeed);
        let numbers: Vec<_> = std::iter::from_fn(|| plan.take()).collect();
        assert_eq!(numbers, [(5, None), (6, None), (7, None)]);
        assert_eq!(plan.take(), None);
    }

    #[test]
    fn a_steady_pace_spreads_the_bodies_evenly() {
        // Two bodies a second.
        let plan = Plan::new(10..20, Pace::SpansASecond(2 * SPANS));
        let due: Vec<Duration> = std::iter::from_fn(|| plan.take())
            .map(|(_, due)| due.expect("a time") - plan.start)
            .collect();
        assert_eq!(due.len(), 10);
        assert_eq!(due[0], Duration::ZERO);
        assert_eq!(due[9], Duration::from_millis(4500));
    }

    #[tokio::test]
    async fn a_body_that_waits_for_its_time_is_not_sent_after_the_end() {
        // The second one is due after 512 seconds.
        let plan = Plan::new(0..u64::MAX, Pace::SpansASecond(1));
        assert_eq!(plan.next().await, Some(0));
        let (waiting, ()) = tokio::join!(plan.next(), async {
            plan.has_ended.send_replace(true);
        });
        assert_eq!(waiting, None);
        assert_eq!(plan.take(), None);
    }
}
