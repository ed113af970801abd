//! What of the traces is read, and when: each topic by itself, soon after spans have come, and the longer a reading takes
//! the longer it rests. The machine is the program's.

use std::sync::Arc;
use std::time::Duration;

use async_lsp::ClientSocket;
use flockscope_analytics::calls::{Level, Window};
use flockscope_client::{ClientError, Connection};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::calls::Edges;
use crate::catalog;
use crate::changes::{self, Changes, Comparison};
use crate::details::{self, Details};
use crate::figures::Figures;
use crate::nesting::{self, Nestings};
use crate::traces::{self, Ended};

/// Readings of one topic take at most one part in so many of the time.
const REST: u32 = 9;

/// Pause after a reading failed, for each time that it did in a row: the process may be busy, or be replaced.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
const MOST_FAILURES: u32 = 5;

/// A part of what is known of the traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The figures of functions; every other reading may need them.
    Functions,
    /// What hovers say beside figures.
    Details,
    /// Who called whom.
    Edges,
    /// Figures now and before.
    Changes,
    /// What SQL completion knows.
    Catalog,
}

impl Topic {
    /// In the order in which they are wanted.
    const ALL: [Self; 5] = [
        Self::Functions,
        Self::Edges,
        Self::Details,
        Self::Changes,
        Self::Catalog,
    ];

    /// Time from one reading to the next at least, and from the first span to the question about it: more may come
    /// behind it.
    fn pause(self) -> Duration {
        match self {
            Self::Functions => Duration::from_millis(60),
            Self::Details | Self::Edges | Self::Changes => Duration::from_secs(1),
            Self::Catalog => Duration::from_secs(10),
        }
    }
}

/// What a reading found, for the main loop.
pub(crate) enum Read {
    Functions(Arc<Figures>),
    Details(Arc<Details>),
    /// With the figures of operations that call themselves; the figures of functions are told of these by the next reading.
    Edges(Arc<Edges>, Arc<Nestings>),
    Changes(Arc<Changes>),
    Catalog(flockscope_sql::Catalog),
}

/// When a topic is read.
struct Plan {
    topic: Topic,
    is_stale: bool,
    is_running: bool,
    not_before: Instant,
    failures: u32,
}

/// The readings of one connection.
pub(crate) struct Readings {
    connection: Connection,
    client: ClientSocket,
    comparison: Comparison,
    figures: Arc<Figures>,
    nestings: Arc<Nestings>,
    plans: Vec<Plan>,
    running: JoinSet<(Topic, Duration, Result<Read, ClientError>)>,
}

impl Readings {
    /// Everything is to be read.
    pub(crate) fn new(connection: Connection, client: ClientSocket, comparison: Comparison) -> Self {
        let plan = |topic| Plan {
            topic,
            is_stale: true,
            is_running: false,
            not_before: Instant::now(),
            failures: 0,
        };
        Self {
            connection,
            client,
            comparison,
            figures: Arc::default(),
            nestings: Arc::default(),
            plans: Topic::ALL.map(plan).into(),
            running: JoinSet::new(),
        }
    }

    /// Spans have come or gone: what was read is out of date.
    pub(crate) fn all_is_stale(&mut self) {
        let now = Instant::now();
        for plan in &mut self.plans {
            if !plan.is_stale {
                plan.is_stale = true;
                plan.not_before = plan.not_before.max(now + Topic::Functions.pause());
            }
        }
    }

    /// Compares otherwise from now on.
    pub(crate) fn compare(&mut self, comparison: Comparison) {
        if self.comparison != comparison {
            self.comparison = comparison;
            self.is_stale(Topic::Changes);
        }
    }

    /// Reads what is due, until it is dropped or something is to be said of it. To be called again and again; dropping the
    /// future loses nothing.
    pub(crate) async fn step(&mut self) -> Result<(), Ended> {
        self.start_due();
        let next = self.next_due();
        tokio::select! {
            Some(done) = self.running.join_next() => match done {
                Ok((topic, took, outcome)) => self.take(topic, took, outcome),
                // A reading that panicked is not repeated.
                Err(_) => Ok(()),
            },
            () = async {
                match next {
                    Some(time) => sleep_until(time).await,
                    None => std::future::pending().await,
                }
            } => Ok(()),
        }
    }

    fn is_stale(&mut self, topic: Topic) {
        if let Some(plan) = self.plan(topic) {
            plan.is_stale = true;
        }
    }

    fn plan(&mut self, topic: Topic) -> Option<&mut Plan> {
        self.plans.iter_mut().find(|plan| plan.topic == topic)
    }

    /// Figures are read whenever they are due; of the rest one after the other.
    fn may_start(&self, topic: Topic) -> bool {
        let is_running = |is_wanted: fn(Topic) -> bool| {
            let mut running = self.plans.iter().filter(|plan| plan.is_running);
            running.any(|plan| is_wanted(plan.topic))
        };
        match topic {
            Topic::Functions => !is_running(|topic| topic == Topic::Functions),
            // The rest is about functions that are known.
            _ if self.figures.is_empty() => !is_running(|_| true),
            _ => !is_running(|topic| topic != Topic::Functions),
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let waiting = self
            .plans
            .iter()
            .filter(|plan| plan.is_stale && self.may_start(plan.topic));
        waiting.map(|plan| plan.not_before).min()
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        for topic in Topic::ALL {
            let may_start = self.may_start(topic);
            let Some(plan) = self.plan(topic) else { continue };
            if !may_start || !plan.is_stale || plan.not_before > now {
                continue;
            }
            plan.is_stale = false;
            plan.is_running = true;
            let (connection, figures) = (self.connection.clone(), Arc::clone(&self.figures));
            let (comparison, nestings) = (self.comparison, Arc::clone(&self.nestings));
            self.running.spawn(async move {
                let begun = Instant::now();
                let outcome = read(topic, &connection, &figures, &nestings, comparison).await;
                (topic, begun.elapsed(), outcome)
            });
        }
    }

    fn take(&mut self, topic: Topic, took: Duration, outcome: Result<Read, ClientError>) -> Result<(), Ended> {
        let Some(plan) = self.plan(topic) else { return Ok(()) };
        plan.is_running = false;
        match outcome {
            Ok(found) => {
                plan.failures = 0;
                plan.not_before = Instant::now() + (took * REST).max(topic.pause());
                match &found {
                    Read::Functions(figures) => self.figures = Arc::clone(figures),
                    Read::Edges(_, nestings) if *nestings != self.nestings => {
                        self.nestings = Arc::clone(nestings);
                        self.is_stale(Topic::Functions);
                    }
                    _ => {}
                }
                self.client.emit(found).map_err(|_| Ended::Editor)
            }
            // The traces may be elsewhere by now.
            Err(error) if topic == Topic::Functions && plan.failures == MOST_FAILURES => Err(Ended::Traces(error)),
            Err(error) => {
                plan.is_stale = true;
                plan.failures = MOST_FAILURES.min(plan.failures + 1);
                plan.not_before = Instant::now() + AFTER_FAILURE * plan.failures;
                traces::log(&self.client, &format!("the traces were not read ({topic:?}): {error}"));
                Ok(())
            }
        }
    }
}

async fn read(
    topic: Topic,
    connection: &Connection,
    figures: &Figures,
    nestings: &Nestings,
    comparison: Comparison,
) -> Result<Read, ClientError> {
    Ok(match topic {
        Topic::Functions => {
            let rows = connection.functions(Window::default()).await?;
            Read::Functions(Arc::new(Figures::new(rows, nestings)))
        }
        Topic::Details => Read::Details(Arc::new(details::read(connection, figures).await?)),
        Topic::Edges => {
            let rows = connection.dependencies(Level::Operation, Window::default()).await?;
            let nestings = nesting::read(connection, &rows).await?;
            Read::Edges(Arc::new(Edges::new(rows)), Arc::new(nestings))
        }
        Topic::Changes => Read::Changes(Arc::new(changes::read(connection, comparison).await?)),
        Topic::Catalog => Read::Catalog(catalog::read(connection, figures.rows()).await?),
    })
}
