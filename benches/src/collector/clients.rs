//! Many clients that query while spans come in.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use flockscope_generator::Shape;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::bodies::{Bodies, SPANS};
use super::load::{Load, Pace, Sent};
use super::sender::Protocol;
use super::server::{Api, Server};
use super::{recent, report_kept};
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::percentile;
use crate::work_folder::{WorkFolder, clear};

/// How dense the spans lie in time: the last hour of a store with 10 million spans of two days.
const SPANS_AN_HOUR: u64 = 200_000;
const HOUR: Duration = Duration::from_secs(3600);
/// Traces whose timelines are asked for.
const TRACES: usize = 50;
const SENDERS: usize = 8;

/// What the clients do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    /// How long each phase takes.
    pub(crate) time: Duration,
    /// Between an answer and the next question, where the clients pause at all.
    pub(crate) pause: Duration,
    /// Spans in the store before the first question.
    pub(crate) spans: u64,
    /// Spans a second of the steady ingest.
    pub(crate) steady: u64,
}

/// Lets the clients ask without ingest, beside a steady one, and beside one at full speed; once with pauses between
/// their questions, and once without.
pub(crate) fn measure(plan: Plan, program: &Path, work: &WorkFolder, report: &mut Report) -> Result<()> {
    eprintln!("clients: {} on {} lean spans", plan.clients, plan.spans);
    let folder = work.folder("clients")?;
    let count = plan.spans.div_ceil(SPANS);
    let time = HOUR.mul_f64((count * SPANS) as f64 / SPANS_AN_HOUR as f64);
    let bodies = Arc::new(Bodies::new(Shape::Lean, recent(time)?, SPANS_AN_HOUR)?);
    super::runtime()?.block_on(async {
        let server = Server::start(program, &folder).await?;
        let mut ingest = Ingest {
            server: &server,
            bodies: &bodies,
            sent: Sent::default(),
            next: 0,
        };
        ingest.fill(count).await?;
        let crowd = Crowd {
            questions: Arc::new(Questions::about(&bodies, count)?),
            clients: (0..plan.clients).map(|_| server.api.another()).collect::<Result<_>>()?,
        };
        // The first answers also open the connections.
        crowd.ask(Duration::ZERO, Duration::from_secs(2)).await?;
        let mut errors = 0;
        for (how, pause) in [
            (format!("{} ms apart", plan.pause.as_millis()), plan.pause),
            ("without pause".into(), Duration::ZERO),
        ] {
            let idle = crowd.ask(pause, plan.time).await?;
            errors += idle.errors;
            for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
                report.add(Line::new(
                    format!("{} clients, questions {how}, no ingest: {name}", plan.clients),
                    Figure::Time(percentile(idle.times.clone(), share)),
                ));
            }
            for (pace, beside) in [
                (Pace::SpansASecond(plan.steady), format!("{} spans/s", plan.steady)),
                (Pace::FullSpeed, "full speed".into()),
            ] {
                let (busy, rate) = ingest.beside(pace, crowd.ask(pause, plan.time)).await?;
                errors += busy.errors;
                let what = format!("{} clients, questions {how}, ingest at {beside}", plan.clients);
                let compared = |name: &str, share| {
                    Line::new(
                        format!("{what}: {name}"),
                        Figure::Time(percentile(busy.times.clone(), share)),
                    )
                    .beside_named("no ingest", Figure::Time(percentile(idle.times.clone(), share)))
                };
                report.add(compared("p50", 0.5));
                report.add(compared("p99", 0.99).limit(Limit::AtMostTimes(4.0)));
                report.add(
                    Line::new(format!("{what}: answers"), Figure::Count(busy.times.len() as u64))
                        .beside_named("no ingest", Figure::Count(idle.times.len() as u64)),
                );
                report.add(Line::new(format!("{what}: spans stored meanwhile"), rate));
            }
        }
        let after = crowd.ask(plan.pause, plan.time).await?;
        report.add(Line::new(
            format!(
                "{} clients, no ingest, with all the spans that came in: p99",
                plan.clients
            ),
            Figure::Time(percentile(after.times, 0.99)),
        ));
        report.add(
            Line::new(
                format!("{} clients: errors", plan.clients),
                Figure::Count(errors + after.errors),
            )
            .limit(Limit::Below(Figure::Count(1))),
        );
        let found = server.wait_for(ingest.sent.spans()).await?;
        report_kept(report, "clients", ingest.sent, found);
        server.stop().await
    })?;
    clear(work, &folder);
    Ok(())
}

/// The spans that were sent to a server so far.
struct Ingest<'a> {
    server: &'a Server,
    bodies: &'a Arc<Bodies>,
    sent: Sent,
    /// Number of the next body.
    next: u64,
}

impl Ingest<'_> {
    async fn start(&self, most: u64, pace: Pace) -> Result<Load> {
        let numbers = self.next..self.next.saturating_add(most);
        Load::start(
            self.server.receivers,
            (Protocol::Grpc, SENDERS),
            self.bodies,
            numbers,
            pace,
        )
        .await
    }

    async fn add(&mut self, load: Load) -> Result<Sent> {
        let (sent, next) = load.sent().await?;
        self.next = next;
        self.sent.bodies += sent.bodies;
        self.sent.refusals += sent.refusals;
        Ok(sent)
    }

    /// Sends so many bodies, and waits until they are in the store.
    async fn fill(&mut self, bodies: u64) -> Result<()> {
        let load = self.start(bodies, Pace::FullSpeed).await?;
        self.add(load).await?;
        let found = self.server.wait_for(self.sent.spans()).await?;
        ensure!(
            found == self.sent.spans(),
            "{} spans were sent, {found} are in the store",
            self.sent.spans()
        );
        Ok(())
    }

    /// Sends bodies as long as the other work takes; its outcome, and spans a second until the last one was stored.
    async fn beside<T>(&mut self, pace: Pace, work: impl Future<Output = Result<T>>) -> Result<(T, Figure)> {
        let start = Instant::now();
        let load = self.start(u64::MAX, pace).await?;
        let outcome = work.await;
        load.end();
        let sent = self.add(load).await?;
        self.server.wait_for(self.sent.spans()).await?;
        let rate = sent.spans() as f64 / start.elapsed().as_secs_f64();
        Ok((outcome?, Figure::SpansASecond(rate)))
    }
}

/// What is asked, by turns. Every question is about the spans that were there before the ingest, so that the answers
/// cost the same all the time.
struct Questions {
    red: String,
    timelines: Vec<String>,
}

impl Questions {
    fn about(bodies: &Bodies, count: u64) -> Result<Self> {
        let until = bodies.start(count)?;
        let since = until - i64::try_from(HOUR.as_nanos())?;
        let mut timelines = Vec::new();
        // From all over the bodies.
        for place in 0..TRACES as u64 {
            let spans = bodies.spans(place * count / TRACES as u64)?;
            // In the middle of a body a trace is whole more often than at its ends.
            let trace = &spans[spans.len() / 2].trace_id;
            timelines.push(format!("/api/v1/traces/{trace}/timeline"));
        }
        Ok(Self {
            red: format!("/api/v1/red?since={since}&until={until}"),
            timelines,
        })
    }

    async fn ask(&self, api: &Api, number: usize) -> Result<()> {
        match number % 4 {
            0 => api.get(&self.red).await.map(drop),
            1 => api
                .get(&self.timelines[number / 4 % self.timelines.len()])
                .await
                .map(drop),
            2 => api.get("/api/v1/traces?limit=50").await.map(drop),
            _ => api.count().await.map(drop),
        }
    }
}

/// The clients, each with a connection of its own.
struct Crowd {
    questions: Arc<Questions>,
    clients: Vec<Api>,
}

/// What all clients together were told.
#[derive(Debug, Default)]
struct Told {
    /// From a question to the end of its answer.
    times: Vec<Duration>,
    errors: u64,
}

impl Crowd {
    /// Lets each client ask for so long.
    async fn ask(&self, pause: Duration, time: Duration) -> Result<Told> {
        let until = Instant::now() + time;
        let mut running = JoinSet::new();
        for (number, api) in self.clients.iter().enumerate() {
            // Not all at once: the pauses are spread evenly.
            let offset = pause.mul_f64(number as f64 / self.clients.len() as f64);
            running.spawn(client(
                api.clone(),
                Arc::clone(&self.questions),
                number,
                (offset, pause),
                until,
            ));
        }
        let mut all = Told::default();
        while let Some(told) = running.join_next().await {
            let told = told?;
            all.times.extend(told.times);
            all.errors += told.errors;
        }
        ensure!(!all.times.is_empty() || all.errors > 0, "nothing was asked in {time:?}");
        Ok(all)
    }
}

async fn client(
    api: Api,
    questions: Arc<Questions>,
    first: usize,
    (offset, pause): (Duration, Duration),
    until: Instant,
) -> Told {
    let mut told = Told::default();
    sleep(offset).await;
    for number in first.. {
        if Instant::now() >= until {
            break;
        }
        let start = Instant::now();
        match questions.ask(&api, number).await {
            Ok(()) => told.times.push(start.elapsed()),
            Err(error) => {
                eprintln!("  a client's error: {error:#}");
                told.errors += 1;
            }
        }
        sleep(pause).await;
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_that_is_asked_for_ends_where_the_ingest_begins() {
        let start = recent(HOUR).expect("a time");
        let bodies = Bodies::of(4, Shape::Lean, start, SPANS_AN_HOUR).expect("bodies");
        // An hour's bodies, and one more.
        let count = SPANS_AN_HOUR / SPANS + 1;
        let questions = Questions::about(&bodies, count).expect("questions");
        let (since, until) = questions
            .red
            .strip_prefix("/api/v1/red?since=")
            .and_then(|rest| rest.split_once("&until="))
            .expect("a window");
        let (since, until): (i64, i64) = (since.parse().expect("a time"), until.parse().expect("a time"));
        assert_eq!(until - since, 3_600_000_000_000);
        let spans = |number| bodies.spans(number).expect("spans");
        assert!(spans(count).iter().all(|span| span.start_time >= until));
        assert!(
            spans(count / 2)
                .iter()
                .all(|span| (since..until).contains(&span.start_time))
        );
        assert_eq!(questions.timelines.len(), TRACES);
    }
}
