//! What the figures depend on besides the program: the machine and what else it does.

use std::fs;
use std::thread;

use anyhow::Result;
use duckdb::Connection;

/// The machine at the start of a run.
pub(crate) struct Machine {
    cores: usize,
    load: Option<String>,
    duckdb: String,
}

impl Machine {
    pub(crate) fn now() -> Result<Self> {
        let duckdb = Connection::open_in_memory()?.query_row("SELECT version()", [], |row| row.get(0))?;
        Ok(Self {
            cores: thread::available_parallelism()?.get(),
            load: load(),
            duckdb,
        })
    }

    /// The facts in words, with the load as it is now.
    pub(crate) fn sentence(&self) -> String {
        let load = match (&self.load, load()) {
            (Some(start), Some(end)) => {
                format!("load average (1, 5, 15 minutes) {start} at the start and {end} at the end")
            }
            _ => "load average unknown on this system".into(),
        };
        format!(
            "{} cores, {} {}, {load}, DuckDB {}.\n",
            self.cores,
            std::env::consts::OS,
            std::env::consts::ARCH,
            self.duckdb
        )
    }
}

/// Runnable threads on average over 1, 5 and 15 minutes. Linux only.
fn load() -> Option<String> {
    let line = fs::read_to_string("/proc/loadavg").ok()?;
    let mut words = line.split_whitespace();
    Some(format!("{} / {} / {}", words.next()?, words.next()?, words.next()?))
}
