//! The test that follows a real Flock program while it runs: `tests/live`.

use std::process::Command;

use clap::{Args, ValueEnum};

use crate::folders::Folders;
use crate::python;
use crate::steps::Steps;

/// Enough for every mode of the program, and a run of a minute.
const TICKETS: u32 = 3;

/// What the live test may be told.
#[derive(Args)]
pub(crate) struct LiveArgs {
    /// The DuckDB that Flock writes its file with
    #[arg(long, value_enum, default_value_t)]
    duckdb: FlockDuckdb,
    /// How many tickets the program works on; each makes about 150 spans
    #[arg(long, default_value_t = TICKETS)]
    tickets: u32,
}

impl LiveArgs {
    /// The runs that belong to the tests: one for each storage format that Flock writes.
    pub(crate) fn all() -> [Self; 2] {
        [FlockDuckdb::Two, FlockDuckdb::OneFour].map(|duckdb| Self {
            duckdb,
            tickets: TICKETS,
        })
    }
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum FlockDuckdb {
    /// What flock-core 0.5.7 installs today; storage version 69
    #[default]
    #[value(name = "2.0")]
    Two,
    /// What it installed in October 2025; storage version 64
    #[value(name = "1.4")]
    OneFour,
}

/// Adds the step. The program must have been built.
pub(crate) fn follow(folders: &Folders, arguments: &LiveArgs, steps: &mut Steps) {
    let (name, requirements) = match arguments.duckdb {
        FlockDuckdb::Two => ("live Flock, DuckDB 2.0", "requirements.txt"),
        FlockDuckdb::OneFour => ("live Flock, DuckDB 1.4", "requirements-duckdb-1.4.txt"),
    };
    let tests = folders.checkout.join("tests").join("live");
    let interpreter = match python::environment(folders, &tests.join(requirements)) {
        Ok(interpreter) => interpreter,
        Err(error) => return steps.failed(name, format!("{error:#}")),
    };
    let mut command = Command::new(interpreter);
    command
        .arg(tests.join("follow_flock.py"))
        .arg("--flockscope")
        .arg(folders.binary("flockscope"))
        .args(["--tickets", &arguments.tickets.to_string()]);
    steps.run_tests(name, &mut command);
}
