//! What of the traces is read, and when: each topic by itself, soon after spans have come, and the longer a reading takes
//! the longer it rests. The machine is the program's. Of a large store, the figures of functions are read in two ways
//! (`recent.rs`).

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_lsp::ClientSocket;
use flockscope_analytics::calls::Window;
use flockscope_client::{ClientError, Connection};
use flockscope_model::rows::FunctionRow;
use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::calls::{self, Edges};
use crate::catalog;
use crate::changes::{self, Changes, Comparison};
use crate::details::{self, Details};
use crate::figures::Figures;
use crate::kept;
use crate::nesting::Nestings;
use crate::recent::{Known, Whole};
use crate::server::now;
use crate::traces::{self, Ended};

/// A reading that took long is done so many times its own time later again.
const REST: u32 = 9;

/// The same of what reads a large store whole: it takes all processors.
const LONG_REST: u32 = 29;

/// What is recent rests no longer, also when the machine has much else to do: a lens is to follow within half a second.
const MOST_RECENT_REST: Duration = Duration::from_millis(200);

/// A store is small if its functions are read within this time. Then they are read whole whenever spans come.
const QUICK: Duration = Duration::from_millis(30);

/// Of a large one, the spans since so long before the latest one are read whenever spans come: the longest of these times
/// whose spans are read within [`QUICK`]. What begins earlier and comes later is in the next reading of the whole.
const WINDOWS: [i64; 5] = [3_600 * SECOND, 600 * SECOND, 120 * SECOND, 30 * SECOND, 5 * SECOND];
const SECOND: i64 = 1_000_000_000;

/// The one to begin with.
const FIRST_WINDOW: usize = 1;

/// Pause after a reading failed, for each time that it did in a row: the process may be busy, or be replaced.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
const MOST_FAILURES: u32 = 5;

/// How often figures are kept for the next start.
const KEEP_EVERY: Duration = Duration::from_secs(30);

/// A part of what is known of the traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    /// The figures of functions; every other reading may need them.
    Functions,
    /// Those of a large store, brought up to date.
    Recent,
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
    const ALL: [Self; 6] = [
        Self::Functions,
        Self::Recent,
        Self::Edges,
        Self::Details,
        Self::Changes,
        Self::Catalog,
    ];

    /// Time from one reading to the next at least, and from the first span to the question about it: more may come
    /// behind it.
    fn pause(self) -> Duration {
        match self {
            Self::Functions | Self::Recent => Duration::from_millis(60),
            Self::Details | Self::Edges | Self::Changes => Duration::from_secs(1),
            Self::Catalog => Duration::from_secs(10),
        }
    }
}

/// What a reading found, for the main loop.
pub(crate) enum Read {
    Functions(Arc<Figures>),
    /// As they were when the editor was open last.
    Kept(Arc<Figures>),
    Details(Arc<Details>),
    Edges(Arc<Edges>),
    Changes(Arc<Changes>),
    Catalog(flockscope_sql::Catalog),
}

/// What a reading found.
enum Found {
    Whole(Whole),
    /// The figures of the spans since a moment.
    Recent(i64, Vec<FunctionRow>),
    /// Edges, and the figures of operations that call themselves.
    Edges(Arc<Edges>, Nestings),
    Rest(Read),
}

/// What a reading needs to know.
#[derive(Clone)]
struct Question {
    connection: Connection,
    figures: Arc<Figures>,
    comparison: Comparison,
    /// From when on spans are recent; `None` for a small store.
    since: Option<i64>,
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
    whole: Whole,
    /// The place in [`WINDOWS`].
    window: usize,
    is_small: bool,
    figures: Arc<Figures>,
    nestings: Nestings,
    plans: Vec<Plan>,
    running: JoinSet<(Topic, Duration, Result<Found, ClientError>)>,
    /// Where figures are kept for the next start, and when that was done.
    kept_in: Option<PathBuf>,
    kept_at: Option<Instant>,
}

impl Readings {
    /// Everything is to be read.
    pub(crate) fn new(
        connection: Connection,
        client: ClientSocket,
        comparison: Comparison,
        kept_in: Option<PathBuf>,
    ) -> Self {
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
            whole: Whole::default(),
            window: FIRST_WINDOW,
            is_small: false,
            figures: Arc::default(),
            nestings: Nestings::default(),
            plans: Topic::ALL.map(plan).into(),
            running: JoinSet::new(),
            kept_in,
            kept_at: None,
        }
    }

    /// Spans have come or gone: what was read is out of date.
    pub(crate) fn make_all_stale(&mut self) {
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
            self.make_stale(Topic::Changes);
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
                // Nobody stops a single one: all end with this.
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

    fn make_stale(&mut self, topic: Topic) {
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
            Topic::Recent => {
                !self.is_small && self.whole.since().is_some() && !is_running(|topic| topic == Topic::Recent)
            }
            // The rest is about functions that are known.
            _ if self.figures.is_empty() => !is_running(|_| true),
            _ => !is_running(|topic| !matches!(topic, Topic::Functions | Topic::Recent)),
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
            let question = Question {
                connection: self.connection.clone(),
                figures: Arc::clone(&self.figures),
                comparison: self.comparison,
                since: match topic {
                    Topic::Recent => self.whole.since(),
                    _ => self.next_since(),
                },
            };
            self.running.spawn(async move {
                let begun = Instant::now();
                // One that panics has failed as others do: what it read is read again, and the rest goes on.
                let outcome = AssertUnwindSafe(read(topic, question)).catch_unwind().await;
                let outcome = outcome.unwrap_or_else(|_| Err(ClientError::Answer("reading it panicked".into())));
                (topic, begun.elapsed(), outcome)
            });
        }
    }

    /// From when on spans are recent after the next reading of the whole.
    fn next_since(&self) -> Option<i64> {
        // A clock that goes wrong must not take all that comes after it for the past.
        let latest = self.figures.latest().map_or_else(now, |latest| latest.min(now()));
        let window = WINDOWS.get(self.window).copied().unwrap_or_default();
        (!self.is_small).then(|| latest.saturating_sub(window))
    }

    fn take(&mut self, topic: Topic, took: Duration, outcome: Result<Found, ClientError>) -> Result<(), Ended> {
        let Some(plan) = self.plan(topic) else { return Ok(()) };
        plan.is_running = false;
        match outcome {
            Ok(found) => {
                plan.failures = 0;
                let rest = match topic {
                    Topic::Recent => (took * REST).min(MOST_RECENT_REST),
                    _ if took < QUICK => took * REST,
                    _ => took * LONG_REST,
                };
                plan.not_before = Instant::now() + rest.max(topic.pause());
                match found {
                    Found::Whole(whole) => self.take_whole(whole, took),
                    Found::Recent(since, rows) => self.take_recent(since, rows, took),
                    Found::Edges(edges, nestings) => {
                        // Figures are told of these by their next reading.
                        if nestings != self.nestings {
                            self.nestings = nestings;
                            self.make_stale(Topic::Functions);
                        }
                        self.client.emit(Read::Edges(edges)).map_err(|_| Ended::Editor)
                    }
                    Found::Rest(read) => self.client.emit(read).map_err(|_| Ended::Editor),
                }
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

    fn take_whole(&mut self, whole: Whole, took: Duration) -> Result<(), Ended> {
        self.whole = whole;
        let was_small = std::mem::replace(&mut self.is_small, took < QUICK);
        let has_news = self.plan(Topic::Functions).is_some_and(|plan| plan.is_stale);
        if let Some(recent) = self.plan(Topic::Recent) {
            // Spans came after this was begun, and what is shown may have them already.
            if has_news && !was_small {
                recent.is_stale = true;
                recent.not_before = Instant::now();
                return Ok(());
            }
            recent.is_stale = has_news;
        }
        self.tell(self.whole.known())
    }

    fn take_recent(&mut self, since: i64, rows: Vec<FunctionRow>, took: Duration) -> Result<(), Ended> {
        if self.whole.since() != Some(since) {
            // The whole was read meanwhile, and has another recent part.
            if let Some(recent) = self.plan(Topic::Recent) {
                recent.is_stale = true;
                recent.not_before = Instant::now();
            }
            return Ok(());
        }
        if took > QUICK {
            self.window = (self.window + 1).min(WINDOWS.len() - 1);
        } else if took < QUICK / 5 {
            self.window = self.window.saturating_sub(1);
        }
        self.tell(self.whole.known_with(rows))
    }

    fn tell(&mut self, known: Vec<Known>) -> Result<(), Ended> {
        self.figures = Arc::new(Figures::new(known, &self.nestings, &self.figures));
        self.keep();
        let read = Read::Functions(Arc::clone(&self.figures));
        self.client.emit(read).map_err(|_| Ended::Editor)
    }

    /// Keeps the figures for the next start, now and then.
    fn keep(&mut self) {
        let is_due = self.kept_at.is_none_or(|last| last.elapsed() > KEEP_EVERY);
        let Some(file) = self.kept_in.clone().filter(|_| is_due) else {
            return;
        };
        self.kept_at = Some(Instant::now());
        let figures = Arc::clone(&self.figures);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = kept::save(&file, figures.rows()) {
                tracing::debug!(%error, "the figures could not be kept for the next start");
            }
        });
    }
}

async fn read(topic: Topic, question: Question) -> Result<Found, ClientError> {
    let Question {
        connection,
        figures,
        comparison,
        since,
    } = question;
    Ok(match (topic, since) {
        (Topic::Functions, Some(since)) => Found::Whole(Whole::new(connection.ask(&Whole::call(since)).await?, since)),
        (Topic::Functions, None) => Found::Whole(Whole::alone(connection.functions(Window::default()).await?)),
        (Topic::Recent, since) => {
            let window = Window { since, until: None };
            Found::Recent(since.unwrap_or(i64::MIN), connection.functions(window).await?)
        }
        (Topic::Details, _) => Found::Rest(Read::Details(Arc::new(details::read(&connection, &figures).await?))),
        (Topic::Edges, _) => {
            let (edges, nestings) = calls::read(&connection).await?;
            Found::Edges(Arc::new(edges), nestings)
        }
        (Topic::Changes, _) => Found::Rest(Read::Changes(Arc::new(changes::read(&connection, comparison).await?))),
        (Topic::Catalog, _) => Found::Rest(Read::Catalog(catalog::read(&connection, figures.rows()).await?)),
    })
}
