//! Where a run works, and where its table goes.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use crate::machine::Machine;
use crate::report::Report;
use crate::work_folder::WorkFolder;

/// Options of every subject.
#[derive(Args)]
pub(crate) struct RunOptions {
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

impl RunOptions {
    pub(crate) fn work_folder(&self) -> Result<WorkFolder> {
        WorkFolder::new(self.work.as_deref(), self.keep)
    }

    /// Prints the table.
    pub(crate) fn finish(&self, machine: &Machine, report: &Report) -> Result<ExitCode> {
        let text = format!("{}\n{}", machine.sentence(), report.markdown());
        print!("{text}");
        if let Some(file) = &self.out {
            fs::write(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let failed = self.strict && report.missed() > 0;
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
