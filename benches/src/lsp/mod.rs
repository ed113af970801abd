//! The language server as an editor has it: a real `flockscope lsp`, asked over its standard input and output, beside a
//! core process with a large store that spans come into.

mod completion;
mod editor;
mod hovers;
mod lenses;
mod live;
mod project;
mod start;
mod store;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum, value_parser};
use flockscope_generator::Shape;
use tokio::process::Command;

use self::editor::Editor;
use self::project::Project;
use crate::collector::bodies::Bodies;
use crate::collector::load::{Load, Pace};
use crate::collector::sender::{Protocol, Sender};
use crate::collector::server::{self, Server, is_a_setting};
use crate::collector::{install_crypto, recent, runtime};
use crate::machine::Machine;
use crate::report::{Beside, Figure, Limit, Line, Report};
use crate::run_options::RunOptions;
use crate::timing::percentile;
use crate::work_folder::{WorkFolder, clear};

/// What to measure of the language server, and how much of it.
#[derive(Args)]
pub(crate) struct Lsp {
    /// The program; without it the `flockscope` beside this one
    #[arg(long, value_name = "PATH")]
    flockscope: Option<PathBuf>,
    /// Lean spans of the store; it is made once and kept in the cache folder
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = value_parser!(u64).range(1..))]
    spans: u64,
    /// Time over which they are spread
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = value_parser!(u64).range(1..))]
    hours: u64,
    /// Spans a second that come meanwhile
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u64).range(1..))]
    rate: u64,
    /// Python files of the workspace
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = value_parser!(u32).range(1..))]
    files: u32,
    /// Functions of the large file
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u32).range(50..))]
    functions: u32,
    /// Statements of SQL that are typed letter by letter
    #[arg(long, value_name = "N", default_value_t = 80, value_parser = value_parser!(u32).range(1..))]
    statements: u32,
    /// Hovers, half of them on definitions
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = value_parser!(u32).range(1..))]
    hovers: u32,
    /// Times that the lenses of the large file are asked for
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = value_parser!(u32).range(1..))]
    rounds: u32,
    /// Starts of the server in each way
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..))]
    starts: u32,
    /// Spans whose way into a lens is timed, with spans coming beside them and without
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = value_parser!(u32).range(1..))]
    probes: u32,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    #[command(flatten)]
    options: RunOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Start,
    Live,
    Completion,
    Hovers,
    Lenses,
}

/// Resident memory of the language server.
const MOST_MEMORY: Limit = Limit::Below(Figure::Memory(150 << 20));

/// How a language server of a run is started.
struct Starter<'a> {
    program: &'a Path,
    store: PathBuf,
    cache: PathBuf,
    project: &'a Project,
}

impl Starter<'_> {
    /// An editor that has the workspace open.
    async fn editor(&self) -> Result<Editor> {
        let mut command = self.command();
        command.arg("--db").arg(&self.store).args(["lsp", "--stdio"]);
        Editor::start(command, &self.project.folder).await
    }

    /// Ends the core process, whoever started it.
    async fn stop_core(&self) -> Result<()> {
        let mut command = self.command();
        command.arg("--db").arg(&self.store).args(["stop", "--quiet"]);
        command.output().await?;
        Ok(())
    }

    /// The program, with default settings, free ports, and a cache of this run.
    fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        for name in std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| is_a_setting(&name.to_string_lossy()))
        {
            command.env_remove(name);
        }
        for receiver in ["API", "OTLP_GRPC", "OTLP_HTTP"] {
            command.env(format!("FLOCKSCOPE_{receiver}_ADDRESS"), "127.0.0.1:0");
        }
        command.current_dir(&self.project.folder);
        command.env("XDG_CACHE_HOME", &self.cache).env_remove("VIRTUAL_ENV");
        command
    }
}

impl Lsp {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        install_crypto();
        let program = server::program(self.flockscope.as_deref())?;
        let work = self.options.work_folder()?;
        let machine = Machine::now()?;
        let mut report = Report::new(Beside::NAMED);
        let folder = work.folder("lsp")?;
        let store = store::copy(self.spans, self.hours, &folder)?;
        let files = usize::try_from(self.files)?;
        let project = Project::new(&work.folder("lsp-workspace")?, files, usize::try_from(self.functions)?)?;
        let starter = Starter {
            program: &program,
            store,
            cache: work.folder("lsp-cache")?,
            project: &project,
        };
        runtime()?.block_on(self.measure(&starter, &folder, &mut report))?;
        clear_all(&work, [&folder, &project.folder, &starter.cache]);
        self.options.finish(&machine, &report)
    }

    async fn measure(&self, starter: &Starter<'_>, folder: &Path, report: &mut Report) -> Result<()> {
        let server = Server::start(starter.program, folder).await?;
        let before = server.api.count().await?;
        let mut sender = Sender::connect(server.receivers, Protocol::Grpc).await?;
        for body in starter.project.spans()? {
            sender.send(body).await?;
        }
        let own = (starter.project.functions * project::CALLS + 1) as u64;
        server.wait_for(before + own).await?;
        server.stop().await?;
        if self.measures(Part::Start) {
            let starts = self.starts;
            start::measure_first(starter, report).await?;
            start::measure(starter, (starts, start::Core::Ended), report).await?;
            let server = Server::start(starter.program, folder).await?;
            start::measure(starter, (starts, start::Core::Running), report).await?;
            server.stop().await?;
        }
        let server = Server::start(starter.program, folder).await?;
        store::measure(&server, before + own, report).await?;
        let mut editor = starter.editor().await?;
        let probes = usize::try_from(self.probes)?;
        let mut live = live::Live::new(&mut editor, starter.project, &server).await?;
        if self.measures(Part::Live) {
            live.measure(&mut editor, (probes, "alone"), report).await?;
        }
        let bodies = Arc::new(Bodies::new(
            Shape::Lean,
            recent(Duration::from_secs(60))?,
            self.rate * 3_600,
        )?);
        let pace = Pace::SpansASecond(self.rate);
        let load = Load::start(server.receivers, (Protocol::Grpc, 2), &bodies, 0..u64::MAX, pace).await?;
        let measured = self
            .measure_beside_load(&mut editor, &mut live, &server, starter, report)
            .await;
        load.end();
        load.sent().await?;
        measured?;
        let memory = editor.memory();
        for (what, bytes) in [("at the end", memory.now), ("at most", memory.peak)] {
            let what = format!("resident memory of the language server {what}");
            report.add(match bytes {
                Some(bytes) => Line::new(what, Figure::Memory(bytes)).limit(MOST_MEMORY),
                None => Line::not_measured(what).limit(MOST_MEMORY),
            });
        }
        editor.end().await?;
        server.stop().await
    }

    async fn measure_beside_load(
        &self,
        editor: &mut Editor,
        live: &mut live::Live,
        server: &Server,
        starter: &Starter<'_>,
        report: &mut Report,
    ) -> Result<()> {
        if self.measures(Part::Live) {
            let how = format!("beside {} spans/s", self.rate);
            live.measure(editor, (usize::try_from(self.probes)?, &how), report)
                .await?;
        }
        if self.measures(Part::Completion) {
            completion::measure(editor, (usize::try_from(self.statements)?, server), starter, report).await?;
        }
        if self.measures(Part::Hovers) {
            hovers::measure(editor, usize::try_from(self.hovers)?, starter.project, report).await?;
        }
        if self.measures(Part::Lenses) {
            lenses::measure(editor, usize::try_from(self.rounds)?, (starter.project, server), report).await?;
        }
        Ok(())
    }

    fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Adds the median and the 99th percentile, which has the limit.
fn report_times(report: &mut Report, what: &str, times: &[Duration], limit: Option<Duration>) {
    let line = |name: &str, share| {
        Line::new(
            format!("{what}: {name}"),
            Figure::Time(percentile(times.to_vec(), share)),
        )
    };
    report.add(line("p50", 0.5));
    let p99 = line("p99", 0.99);
    report.add(match limit {
        Some(limit) => p99.limit(Limit::Below(Figure::Time(limit))),
        None => p99,
    });
    report.add(line("longest", 1.0));
}

fn clear_all(work: &WorkFolder, folders: [&Path; 3]) {
    for folder in folders {
        clear(work, folder);
    }
}
