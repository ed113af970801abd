//! The program `flockscope`: reads its arguments and starts the command that they name.

mod answer;
mod arguments;
mod commands;
mod context;
mod failure;
mod output;
mod progress;
mod query;
mod terminal;
mod time;
mod traces;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

/// Planning and running a query allocates so much that the C library's allocator took a fifth of the time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    match commands::run(arguments::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
