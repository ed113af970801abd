//! Watching what the process stores that keeps the traces: it says what came, and is asked for it.

use std::path::Path;
use std::time::Duration;

use flockscope_analytics::calls::quoted;
use flockscope_client::Connection;
use flockscope_model::Span;
use flockscope_protocol::Event;
use flockscope_store::Limits;
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout_at};

use super::view::{Shown, View};
use crate::context::Context;
use crate::failure::Failure;
use crate::traces::Kept;

/// Spans that were written just before the interrupt are stored within this.
const LAST_WAIT: Duration = Duration::from_millis(600);

/// Nanoseconds before the latest known end in which spans are looked for that were missed: programs and importers don't
/// send them in the order of their ends.
const MISSED: i64 = 60_000_000_000;

/// Most rows, bytes and time of one question. What came at once is asked for at once.
const LIMITS: Limits = Limits {
    rows: 10_000_000,
    bytes: 1 << 30,
    time: Duration::from_secs(600),
    internals: false,
};

/// Shows what comes until it is told to stop, or the process is.
pub(super) fn watch(
    kept: &Kept,
    file: &Path,
    from_start: bool,
    view: &View,
    mut stop: UnboundedReceiver<()>,
    context: &Context,
) -> Result<(), Failure> {
    kept.run(async |connection| {
        let mut events = Box::pin(connection.listen().await?);
        let mut watching = Watching {
            connection,
            view,
            context,
            shown: Shown::default(),
            latest_end: 0,
        };
        if from_start {
            watching.show(&Missing::default()).await?;
        } else {
            let spans = connection.statistics().await?.spans;
            context.note(&format!(
                "note: {} earlier spans are not shown (--from-start shows them)",
                indicatif::HumanCount(spans.max(0).cast_unsigned())
            ));
            watching.latest_end = now();
        }
        let waiting = if file.exists() { "" } else { ", which is not there yet" };
        context.note(&format!(
            "note: watching {}{waiting}, and what programs send over OTLP",
            file.display()
        ));
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = stop.recv() => break,
            };
            let Some(missing) = watching.gather(event, &mut events) else {
                context.note("note: the process that keeps the traces was told to end, and so this ends, too");
                return Ok(());
            };
            watching.show(&missing).await?;
        }
        // However much a program goes on writing.
        let last = Instant::now() + LAST_WAIT;
        while let Ok(event) = timeout_at(last, events.next()).await {
            let Some(missing) = watching.gather(event, &mut events) else {
                break;
            };
            watching.show(&missing).await?;
        }
        Ok(())
    })
}

/// Spans that are in the store and may not have been shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Missing {
    /// The times between which they end; `None`: any.
    ends: Option<(i64, i64)>,
    /// Their traces; `None`: any.
    traces: Option<Vec<String>>,
}

impl Missing {
    fn sql(&self) -> String {
        let mut conditions = Vec::new();
        if let Some((first, last)) = self.ends {
            conditions.push(format!("end_time BETWEEN {first} AND {last}"));
        }
        if let Some(traces) = &self.traces {
            let ids: Vec<String> = traces.iter().map(|id| quoted(id)).collect();
            conditions.push(format!("trace_id IN ({})", ids.join(", ")));
        }
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", conditions.join(" AND ")),
        };
        format!(
            "SELECT trace_id, span_id, parent_id, name, service, operation, kind, start_time, end_time, status_code,
                 status_description, attributes, events, links, resource, scope_name, scope_version,
                 epoch_us(created_at) AS created_at, repair
             FROM spans {conditions} ORDER BY end_time, start_time"
        )
    }

    /// What is left of it when an answer was cut whose last span had this end; `None`: it would be the same again.
    fn rest(&self, last_end: Option<i64>) -> Option<Self> {
        let (first, last) = self.ends.unwrap_or((i64::MIN, i64::MAX));
        let reached = last_end.filter(|end| *end > first)?;
        Some(Self {
            ends: Some((reached, last)),
            traces: self.traces.clone(),
        })
    }

    /// Both together.
    fn and(&mut self, other: Self) {
        self.ends = match (self.ends, other.ends) {
            (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
            _ => None,
        };
        self.traces = match (self.traces.take(), other.traces) {
            (Some(mut traces), Some(more)) if traces.len() + more.len() <= Event::MOST_NAMES => {
                traces.extend(more);
                Some(traces)
            }
            _ => None,
        };
    }
}

struct Watching<'a> {
    connection: &'a Connection,
    view: &'a View,
    context: &'a Context,
    shown: Shown,
    /// The latest end that was told of.
    latest_end: i64,
}

impl Watching<'_> {
    /// What an event, and those that have come behind it, tell of. `None`: the process ends.
    fn gather(&mut self, first: Option<Event>, events: &mut (impl Stream<Item = Event> + Unpin)) -> Option<Missing> {
        let mut all = None;
        let mut event = first;
        loop {
            match event? {
                Event::SpansStored {
                    traces,
                    more,
                    earliest_end,
                    latest_end,
                    ..
                } => {
                    let missing = Missing {
                        ends: Some((earliest_end, latest_end)),
                        traces: (!more).then_some(traces),
                    };
                    self.latest_end = self.latest_end.max(latest_end);
                    add(&mut all, missing);
                }
                // What came is not known. Mostly it ended after what was seen before.
                Event::Missed { .. } => add(
                    &mut all,
                    Missing {
                        ends: Some((self.latest_end.saturating_sub(MISSED), i64::MAX)),
                        traces: None,
                    },
                ),
                Event::SpansRemoved { .. } => {}
                Event::Stopping => return None,
            }
            match events.next().now_or_never() {
                Some(next) => event = next,
                None => return Some(all.unwrap_or(NOTHING)),
            }
        }
    }

    async fn show(&mut self, missing: &Missing) -> Result<(), Failure> {
        if *missing == NOTHING {
            return Ok(());
        }
        let mut missing = missing.clone();
        loop {
            let mut answer = self.connection.sql(&missing.sql(), &LIMITS, None).await?;
            let mut last_end = None;
            while let Some(batch) = answer.next().await? {
                let spans: Vec<Span> = serde_arrow::from_record_batch(&batch)
                    .map_err(|error| Failure::Failed(format!("an answer could not be read: {error}")))?;
                last_end = spans.last().map(|span| span.end_time).or(last_end);
                self.view.show(&self.shown.only_new(&spans))?;
            }
            // The process gives no answer that is larger than its settings allow: the rest is another question.
            if !answer.is_cut() {
                return Ok(());
            }
            let Some(rest) = missing.rest(last_end) else {
                self.context.note(
                    "note: spans are left out: those that end at one time are more than one answer may hold \
                     (sql.answer_size)",
                );
                return Ok(());
            };
            missing = rest;
        }
    }
}

/// No span ends before it ends.
const NOTHING: Missing = Missing {
    ends: Some((i64::MAX, i64::MIN)),
    traces: None,
};

fn add(all: &mut Option<Missing>, missing: Missing) {
    match all {
        Some(all) => all.and(missing),
        None => *all = Some(missing),
    }
}

/// Nanoseconds since the epoch.
fn now() -> i64 {
    chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(traces: &[&str], ends: (i64, i64)) -> Missing {
        Missing {
            ends: Some(ends),
            traces: Some(traces.iter().map(|id| (*id).to_owned()).collect()),
        }
    }

    #[test]
    fn events_that_come_together_are_one_question() {
        let mut all = of(&["a"], (5, 7));
        all.and(of(&["b'"], (3, 6)));
        assert_eq!(all, of(&["a", "b'"], (3, 7)));
        assert!(
            all.sql()
                .contains("end_time BETWEEN 3 AND 7 AND trace_id IN ('a', 'b''')")
        );
        all.and(Missing {
            ends: Some((9, 9)),
            traces: None,
        });
        assert_eq!((all.ends, all.traces.as_ref()), (Some((3, 9)), None));
        all.and(Missing::default());
        assert_eq!(all, Missing::default());
        assert!(!all.sql().contains("WHERE"));
    }

    #[test]
    fn what_was_cut_off_is_asked_for_from_the_last_end_on() {
        let all = of(&["a"], (3, 9));
        assert_eq!(all.rest(Some(5)), Some(of(&["a"], (5, 9))));
        assert_eq!(all.rest(Some(3)), None, "it would be the same question");
        assert_eq!(all.rest(None), None, "nothing came");
        assert_eq!(
            Missing::default().rest(Some(5)).and_then(|rest| rest.ends),
            Some((5, i64::MAX))
        );
    }
}
