//! Parts that need a process of their own.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::collector::bare_grpc;
use crate::{flock_writer, load, queries};

/// What such a process does.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// Fill a store, and say how long it took and what memory it needed
    Load {
        store: PathBuf,
        spans: u64,
        /// Lean spans over so many hours, full ones without it
        #[arg(long)]
        hours: Option<u64>,
    },
    /// Run all queries, and say what memory they needed
    Query { store: PathBuf, since: i64, trace: String },
    /// Make a Flock file of so many bytes at least
    FillFlock { file: PathBuf, bytes: u64 },
    /// Write spans as Flock does, and say when each was committed
    WriteFlock { file: PathBuf, spans: u64, pause_ms: u64 },
    /// Take OTLP over gRPC and do nothing with it, until the standard input ends
    BareGrpc,
}

impl Task {
    pub(crate) fn run(self) -> Result<()> {
        match self {
            Self::Load { store, spans, hours } => answer(&load::fill(&store, spans, hours)?),
            Self::Query { store, since, trace } => answer(&queries::memory(&store, since, trace)?),
            Self::FillFlock { file, bytes } => answer(&flock_writer::fill(&file, bytes)?),
            Self::WriteFlock { file, spans, pause_ms } => {
                flock_writer::write(&file, spans, Duration::from_millis(pause_ms))
            }
            Self::BareGrpc => bare_grpc::serve(),
        }
    }
}

/// Resident memory in bytes; nothing where the system does not say (it is read from Linux's `/proc/<pid>/status`).
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) now: Option<u64>,
    pub(crate) peak: Option<u64>,
}

impl Memory {
    /// That of this process.
    pub(crate) fn of_this_process() -> Self {
        Self::of_status("/proc/self/status")
    }

    /// That of a process that this one started.
    pub(crate) fn of_process(pid: u32) -> Self {
        Self::of_status(&format!("/proc/{pid}/status"))
    }

    fn of_status(file: &str) -> Self {
        let status = fs::read_to_string(file).unwrap_or_default();
        let bytes = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.trim()
                .strip_suffix(" kB")?
                .parse::<u64>()
                .ok()
                .map(|kilobytes| kilobytes << 10)
        };
        Self {
            now: bytes("VmRSS:"),
            peak: bytes("VmHWM:"),
        }
    }
}

/// This program again, as a child.
pub(crate) fn command() -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("cannot find this program")?);
    command.arg("child");
    Ok(command)
}

/// Runs a child to its end, and reads its answer.
pub(crate) fn ask<T: DeserializeOwned>(command: &mut Command) -> Result<T> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start this program again")?;
    if !output.status.success() {
        bail!("a child process ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("a child process answered something else than was asked")
}

fn answer(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}
