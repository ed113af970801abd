//! What tracing costs a real Flock program: the help desk of `tests/data`, untraced, sending OTLP, writing Flock's file.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use super::server::{Server, is_a_setting};
use crate::report::{Figure, Limit, Line, Report};
use crate::timing::median;
use crate::work_folder::{WorkFolder, clear, size_of};

const PROGRAM: &str = "helpdesk.app";
/// Where it is imported from.
const PROGRAM_FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data");
const MOST: Duration = Duration::from_secs(900);
/// What the other ways are compared with: the program as it is without any setting.
const REFERENCE: &str = "spans made, exported nowhere";
/// A ticket makes about 150 spans; far fewer would mean that nothing was traced.
const LEAST_SPANS_A_TICKET: u64 = 50;

/// How the program is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracing {
    /// Nothing is set, so that Flock makes spans and exports them nowhere.
    None,
    /// Flock makes no spans.
    Off,
    Otlp,
    FlockFile,
}

impl Tracing {
    const ALL: [Self; 4] = [Self::None, Self::Otlp, Self::FlockFile, Self::Off];

    fn variables(self, endpoint: &str) -> Vec<(&'static str, String)> {
        let set =
            |pairs: &[(&'static str, &str)]| pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        match self {
            Self::None => Vec::new(),
            Self::Off => set(&[("FLOCK_AUTO_TRACE", "false")]),
            Self::Otlp => set(&[("FLOCK_AUTO_TRACE", "true"), ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]),
            Self::FlockFile => set(&[("FLOCK_AUTO_TRACE", "true"), ("FLOCK_TRACE_FILE", "true")]),
        }
    }
}

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Of an environment with flock-core.
    pub(crate) python: Option<PathBuf>,
    pub(crate) tickets: u64,
    pub(crate) runs: u32,
}

/// Runs the program in each way by turns.
pub(crate) fn measure(plan: &Plan, program: &Path, work: &WorkFolder, report: &mut Report) -> Result<()> {
    let Some(python) = &plan.python else {
        let line = Line::not_measured("helpdesk, traced by OTLP (--python names an interpreter with flock-core)");
        report.add(line.limit(Limit::AtMostTimes(1.2)));
        return Ok(());
    };
    eprintln!("helpdesk: {} tickets, {} runs in each way", plan.tickets, plan.runs);
    let folder = work.folder("helpdesk")?;
    super::runtime()?.block_on(async {
        let server = Server::start(program, &folder).await?;
        let endpoint = format!("http://{}", server.receivers.grpc);
        let desk = Helpdesk {
            python,
            tickets: plan.tickets,
            endpoint: &endpoint,
        };
        // Also brings Python's files into the memory of the system.
        desk.only_start(&work.folder("helpdesk-first")?).await?;
        let mut starts = Vec::new();
        let mut times: [Vec<Duration>; Tracing::ALL.len()] = Default::default();
        let mut stored = 0;
        for run in 0..plan.runs {
            let place = |what: &str| work.folder(&format!("helpdesk-{what}-{run}"));
            starts.push(desk.only_start(&place("start")?).await?);
            for (tracing, times) in Tracing::ALL.into_iter().zip(&mut times) {
                let place = place(&format!("{tracing:?}"))?;
                times.push(desk.run(tracing, &place).await?);
                let least = plan.tickets * LEAST_SPANS_A_TICKET;
                match tracing {
                    Tracing::Otlp => {
                        let found = server.wait_for(stored + least).await?;
                        ensure!(
                            found >= stored + least,
                            "the program sent {} spans only",
                            found - stored
                        );
                        stored = found;
                    }
                    Tracing::FlockFile => {
                        let file = place.join(".flock").join("traces.duckdb");
                        ensure!(size_of(&file) > 0, "Flock wrote no {}", file.display());
                    }
                    Tracing::None | Tracing::Off => {}
                }
                clear(work, &place);
            }
        }
        let [untraced, otlp, file, off] = times.map(median);
        add(report, (median(starts), untraced, otlp, file, off));
        server.stop().await
    })?;
    clear(work, &folder);
    Ok(())
}

fn add(report: &mut Report, (start, untraced, otlp, file, off): (Duration, Duration, Duration, Duration, Duration)) {
    let beside = |what: &str, time| {
        Line::new(format!("helpdesk, {what}"), Figure::Time(time)).beside_named(REFERENCE, Figure::Time(untraced))
    };
    report.add(beside("traced by OTLP", otlp).limit(Limit::AtMostTimes(1.2)));
    report.add(beside("traced to Flock's own file", file));
    report.add(beside("with Flock's tracing switched off", off));
    report.add(Line::new(
        "helpdesk: starting Python and Flock, part of each of these",
        Figure::Time(start),
    ));
    // Starting takes as long in every way, and hides some of what tracing costs. Where the machine is busy with other
    // things, one start may be longer than another whole run.
    if let (Some(otlp), Some(untraced)) = (otlp.checked_sub(start), untraced.checked_sub(start)) {
        report.add(
            Line::new("helpdesk, traced by OTLP, without starting", Figure::Time(otlp))
                .beside_named(REFERENCE, Figure::Time(untraced)),
        );
    }
}

/// The program.
struct Helpdesk<'a> {
    python: &'a Path,
    tickets: u64,
    endpoint: &'a str,
}

impl Helpdesk<'_> {
    /// A run from start to end.
    async fn run(&self, tracing: Tracing, folder: &Path) -> Result<Duration> {
        let mut command = self.command(folder);
        command.args(["-m", PROGRAM, "--tickets", &self.tickets.to_string(), "--mode", "mixed"]);
        command.envs(tracing.variables(self.endpoint));
        wall_time(command, folder)
            .await
            .with_context(|| format!("{PROGRAM}, {tracing:?}"))
    }

    /// Imports the program and what it needs.
    async fn only_start(&self, folder: &Path) -> Result<Duration> {
        let mut command = self.command(folder);
        command.args(["-c", &format!("import {PROGRAM}")]);
        let time = wall_time(command, folder).await;
        time.with_context(|| format!("{} cannot import {PROGRAM}", self.python.display()))
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(self.python);
        command.current_dir(folder).kill_on_drop(true);
        for name in env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| is_a_setting(&name.to_string_lossy()))
        {
            command.env_remove(name);
        }
        command
            .env("PYTHONPATH", PROGRAM_FOLDER)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

async fn wall_time(mut command: Command, folder: &Path) -> Result<Duration> {
    let log = folder.join("output.log");
    let output = std::fs::File::create(&log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let start = Instant::now();
    let mut process = command.spawn()?;
    let Ok(ended) = timeout(MOST, process.wait()).await else {
        bail!("it ran for more than {} s", MOST.as_secs());
    };
    let (ended, time) = (ended?, start.elapsed());
    let said = std::fs::read_to_string(&log).unwrap_or_default();
    let last: Vec<&str> = said.lines().rev().take(5).collect();
    ensure!(ended.success(), "it ended with {ended}: {last:?}");
    // What an exporter says when it loses a span.
    for lost in ["Failed to export", "Error exporting spans"] {
        ensure!(!said.contains(lost), "a span was lost: {last:?}");
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_sets_what_flock_reads_and_the_untraced_one_nothing() {
        assert_eq!(Tracing::None.variables("http://127.0.0.1:1"), []);
        let otlp = Tracing::Otlp.variables("http://127.0.0.1:1");
        assert!(otlp.contains(&("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1".into())));
        assert!(!otlp.iter().any(|(name, _)| *name == "FLOCK_TRACE_FILE"));
        let file = Tracing::FlockFile.variables("http://127.0.0.1:1");
        assert!(!file.iter().any(|(name, _)| name.starts_with("OTEL_")));
        // All that is set for one run is taken from the environment of the next one.
        for tracing in Tracing::ALL {
            assert!(tracing.variables("").iter().all(|(name, _)| is_a_setting(name)));
        }
    }

    #[test]
    fn the_program_is_where_it_is_imported_from() {
        assert!(Path::new(PROGRAM_FOLDER).join("helpdesk").join("app.py").is_file());
    }

    #[test]
    fn the_limit_is_on_the_whole_run() {
        let mut report = Report::new(crate::report::Beside::NAMED);
        let seconds = Duration::from_secs;
        add(
            &mut report,
            (seconds(8), seconds(10), seconds(13), seconds(50), seconds(9)),
        );
        assert_eq!(report.missed(), 1);
    }
}
