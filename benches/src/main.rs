//! Measures what Flockscope promises about speed and memory, and prints one table of it.
//!
//! What needs a process of its own (memory, a program that writes while another reads) runs in this same program,
//! started again with the hidden subcommand `child`.

mod child;
mod data;
mod flock_writer;
mod follow;
mod handwritten;
mod load;
mod machine;
mod page;
mod plain;
mod queries;
mod report;
mod timing;
mod work_folder;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use mimalloc::MiMalloc;

use crate::machine::Machine;
use crate::report::Report;
use crate::work_folder::WorkFolder;

/// The allocator of the program `flockscope`, so that its figures are measured.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures Flockscope against its limits and against plain DuckDB.
#[derive(Parser)]
#[command(name = "flockscope-bench", max_term_width = 120)]
struct Bench {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Subcommand)]
enum Subject {
    /// Loading, queries, a page of a large trace, following a live Flock file
    Core(Core),
    /// A part that runs in a process of its own
    #[command(subcommand, hide = true)]
    Child(child::Task),
}

#[derive(Args)]
struct Core {
    /// Spans of the full set, about 3.5 KB of attributes each
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    full_spans: u64,
    /// Spans of the lean set, about 300 bytes of attributes each
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    lean_spans: u64,
    /// Time over which the lean set is spread
    #[arg(long, value_name = "N", default_value_t = 48)]
    hours: u64,
    /// Spans of the trace that becomes a page
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    page_spans: usize,
    /// Size of the Flock file before it is followed
    #[arg(long, value_name = "MB", default_value_t = 150)]
    flock_megabytes: u64,
    /// Runs of each query, of which the median counts; one more comes before them and is not counted
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Folder in which a folder for the work files is made; at most about 12 GB are used
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Leave the work files where they are
    #[arg(long)]
    keep: bool,
    /// Write the table to a file as well, as Markdown
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Fail when a limit is missed
    #[arg(long)]
    strict: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Load,
    Queries,
    Html,
    Follow,
}

fn main() -> ExitCode {
    let outcome = match Bench::parse().subject {
        Subject::Core(core) => core.run(),
        Subject::Child(task) => task.run().map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

impl Core {
    fn run(&self) -> Result<ExitCode> {
        let work = WorkFolder::new(self.work.as_deref(), self.keep)?;
        let machine = Machine::now()?;
        let mut report = Report::default();
        if self.measures(Part::Load) {
            load::measure(self.full_spans, &work, &mut report)?;
        }
        if self.measures(Part::Queries) {
            queries::measure(self.lean_spans, self.hours, self.runs, &work, &mut report)?;
        }
        if self.measures(Part::Html) {
            page::measure(self.page_spans, &work, &mut report)?;
        }
        if self.measures(Part::Follow) {
            follow::measure(self.flock_megabytes << 20, &work, &mut report)?;
        }
        let text = format!("{}\n{}", machine.sentence(), report.markdown());
        print!("{text}");
        if let Some(file) = &self.out {
            fs::write(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let failed = self.strict && report.missed() > 0;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
