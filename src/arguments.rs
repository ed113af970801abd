//! The command line as a whole: what every command takes, and the list of commands.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::commands::Command;
use crate::terminal::ColourChoice;
use crate::time;

const EXIT_CODES: &str = "\
Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 nothing found (an empty store, no such trace), 4 doctor found faults,
5 another process serves the store.

Without --db the traces are those of the nearest folder, from here upwards, that has .flock/traces.duckdb or
.flockscope/store.duckdb. Try it without any: flockscope demo";

/// Where the help lists what every command takes.
const GLOBAL: &str = "Options of every command";

/// A scope on a flock of agents: what the traced functions of a Flock program really did.
#[derive(Parser)]
#[command(name = "flockscope", version, after_help = EXIT_CODES, max_term_width = 120)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args)]
pub(crate) struct GlobalArguments {
    /// Where the traces are: a Flock file, a store, a project's folder, or a Parquet, OTLP or Jaeger file
    #[arg(long, global = true, value_name = "PATH", help_heading = GLOBAL)]
    pub(crate) db: Option<PathBuf>,
    /// Ask and start no other process: open the store in this one (also: FLOCKSCOPE_IN_PROCESS=true)
    #[arg(long, global = true, env = "FLOCKSCOPE_IN_PROCESS", hide_env = true, value_parser = clap::builder::FalseyValueParser::new(), help_heading = GLOBAL)]
    pub(crate) in_process: bool,
    /// Colours; auto: on a terminal, unless NO_COLOR or CLICOLOR=0 is set
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", alias = "color", help_heading = GLOBAL)]
    pub(crate) colour: ColourChoice,
    /// No progress bars and no notes, only errors
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub(crate) quiet: bool,
}

/// A stretch of time.
#[derive(Args)]
pub(crate) struct WindowArguments {
    /// From this time on: 15m, 2h or 7d ago, 2026-11-23T09:30:00Z, 2026-11-23, or ns since the epoch
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    since: Option<i64>,
    /// Before this time, written as above
    #[arg(long, value_name = "TIME", value_parser = time::moment)]
    until: Option<i64>,
}

impl WindowArguments {
    pub(crate) fn window(&self) -> flockscope_store::Window {
        flockscope_store::Window {
            since: self.since,
            until: self.until,
        }
    }
}
