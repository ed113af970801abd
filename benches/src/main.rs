//! Measures what Flockscope promises about speed and memory, and prints one table of it.
//!
//! What needs a process of its own (memory, a program that writes while another reads) runs in this same program,
//! started again with the hidden subcommand `child`.

mod child;
mod collector;
mod data;
mod flock_writer;
mod follow;
mod handwritten;
mod load;
mod lsp;
mod machine;
mod page;
mod plain;
mod queries;
mod report;
mod run_options;
mod timing;
mod work_folder;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};
use mimalloc::MiMalloc;

use crate::collector::Collector;
use crate::lsp::Lsp;
use crate::machine::Machine;
use crate::report::{Beside, Report};
use crate::run_options::RunOptions;

/// The allocator of the program `flockscope` and what it sets there, so that its figures are measured.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc 3 (`mimalloc.h`), for which the crate has no name; ten milliseconds, as there.
fn give_memory_back_soon() {
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // It writes one number, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 10) };
}

/// Measures Flockscope against its limits, and against what does the same without it.
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
    /// The core process: OTLP in, queries beside it, its memory
    Collector(Collector),
    /// The language server, as an editor has it: over standard input and output, while spans come
    Lsp(Lsp),
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
    #[command(flatten)]
    options: RunOptions,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Load,
    Queries,
    Html,
    Follow,
}

fn main() -> ExitCode {
    give_memory_back_soon();
    let outcome = match Bench::parse().subject {
        Subject::Core(core) => core.run(),
        Subject::Collector(collector) => collector.run(),
        Subject::Lsp(lsp) => lsp.run(),
        Subject::Child(task) => task.run().map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

impl Core {
    fn run(&self) -> Result<ExitCode> {
        let work = self.options.work_folder()?;
        let machine = Machine::now()?;
        let mut report = Report::new(Beside::PLAIN_DUCKDB);
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
        self.options.finish(&machine, &report)
    }

    fn measures(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
