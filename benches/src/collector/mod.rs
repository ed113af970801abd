//! The core process as its clients meet it: a real `flockscope serve`, spans over OTLP, queries over HTTP.

pub(crate) mod bare_grpc;
mod batches;
pub(crate) mod bodies;
mod clients;
mod helpdesk;
pub(crate) mod load;
mod memory;
mod one_span;
pub(crate) mod sender;
pub(crate) mod server;
mod visibility;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum, value_parser};
use tokio::runtime::{Builder, Runtime};

use crate::flock_writer::now_in_nanoseconds;
use crate::machine::Machine;
use crate::report::{Beside, Figure, Limit, Line, Report};
use crate::run_options::RunOptions;
use load::Sent;

/// What to measure of the core process, and how much of it.
#[derive(Args)]
pub(crate) struct Collector {
    /// The program; without it the `flockscope` beside this one
    #[arg(long, value_name = "PATH")]
    flockscope: Option<PathBuf>,
    /// Python of an environment with flock-core, to run the helpdesk program; without it that part is left out
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Requests of one span each
    #[arg(long, value_name = "N", default_value_t = 6_000, value_parser = value_parser!(u32).range(1..))]
    requests: u32,
    /// Spans of each run of batches
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = value_parser!(u64).range(1..))]
    batch_spans: u64,
    /// Spans that are sent while the memory is watched
    #[arg(long, value_name = "N", default_value_t = 5_000_000, value_parser = value_parser!(u64).range(1..))]
    spans: u64,
    /// Clients that query at the same time
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(1..))]
    clients: u32,
    /// Spans in the store that the clients query
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = value_parser!(u64).range(1..))]
    client_spans: u64,
    /// Seconds of each phase in which clients query
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = value_parser!(u64).range(1..))]
    seconds: u64,
    /// Milliseconds between an answer and a client's next question
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pause_ms: u64,
    /// Spans a second of a steady ingest
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = value_parser!(u64).range(1..))]
    rate: u64,
    /// Spans that are looked for, to see how soon they are visible
    #[arg(long, value_name = "N", default_value_t = 150, value_parser = value_parser!(u32).range(1..))]
    probes: u32,
    /// Tickets of each run of the helpdesk program
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u64).range(1..))]
    tickets: u64,
    /// Runs of the helpdesk program in each way, of which the median counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..))]
    runs: u32,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    options: RunOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    OneSpan,
    Helpdesk,
    Batches,
    Memory,
    Clients,
    Visibility,
}

impl Collector {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        install_crypto();
        let program = server::program(self.flockscope.as_deref())?;
        let work = self.options.work_folder()?;
        let machine = Machine::now()?;
        let mut report = Report::new(Beside::NAMED);
        if self.measures(Part::OneSpan) {
            one_span::measure(usize::try_from(self.requests)?, &program, &work, &mut report)?;
        }
        if self.measures(Part::Visibility) {
            visibility::measure((usize::try_from(self.probes)?, self.rate), &program, &work, &mut report)?;
        }
        if self.measures(Part::Helpdesk) {
            let plan = helpdesk::Plan {
                python: self.python.clone(),
                tickets: self.tickets,
                runs: self.runs,
            };
            helpdesk::measure(&plan, &program, &work, &mut report)?;
        }
        if self.measures(Part::Batches) {
            batches::measure(self.batch_spans, &program, &work, &mut report)?;
        }
        if self.measures(Part::Clients) {
            let plan = clients::Plan {
                clients: usize::try_from(self.clients)?,
                time: Duration::from_secs(self.seconds),
                pause: Duration::from_millis(self.pause_ms),
                spans: self.client_spans,
                steady: self.rate,
            };
            clients::measure(plan, &program, &work, &mut report)?;
        }
        if self.measures(Part::Memory) {
            memory::measure(self.spans, &program, &work, &mut report)?;
        }
        self.options.finish(&machine, &report)
    }

    fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// The executor of one part. It ends with the part, and with it the part's connections.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start an executor")
}

/// Where the HTTP client is built with TLS, it must be told which cryptography to use, although nothing here needs it.
pub(crate) fn install_crypto() {
    // Fails where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A start, in nanoseconds since the epoch, from which on spans over this time end about now.
pub(crate) fn recent(time: Duration) -> Result<i64> {
    Ok(now_in_nanoseconds()? - i64::try_from(time.as_nanos())?)
}

/// Adds what became of the spans that were sent: `found` are in the store.
fn report_kept(report: &mut Report, what: &str, sent: Sent, found: u64) {
    let none = Limit::Below(Figure::Count(1));
    let sent_spans = sent.spans();
    report.add(
        Line::new(
            format!("{what}: lost of {sent_spans} spans"),
            Figure::Count(sent_spans.saturating_sub(found)),
        )
        .limit(none),
    );
    report.add(
        Line::new(
            format!("{what}: stored twice"),
            Figure::Count(found.saturating_sub(sent_spans)),
        )
        .limit(none),
    );
    report.add(Line::new(
        format!("{what}: requests refused for now and sent again"),
        Figure::Count(sent.refusals),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_and_doubled_spans_miss_a_limit() {
        let sent = Sent { bodies: 2, refusals: 3 };
        for (found, missed) in [(1024, 0), (1023, 1), (1025, 1)] {
            let mut report = Report::new(Beside::NAMED);
            report_kept(&mut report, "all", sent, found);
            assert_eq!(report.missed(), missed, "{found}");
        }
    }
}
