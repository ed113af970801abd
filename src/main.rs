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

/// `mi_option_purge_delay` of mimalloc 3 (`mimalloc.h`), for which the crate has no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// mimalloc keeps what was freed for a second before the system gets it back. At tens of thousands of spans a second that
/// are hundreds of megabytes; with ten milliseconds, as in mimalloc 2, spans are stored as fast.
fn give_memory_back_soon() {
    // It writes one number, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, 10) };
}

fn main() -> ExitCode {
    give_memory_back_soon();
    match commands::run(arguments::Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
