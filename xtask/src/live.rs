//! The tests beside a real Flock program while it runs: `tests/live`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::folders::Folders;
use crate::programs::{CHROMIUM, NEOVIM};
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
    /// Let the program send OTLP to `flockscope serve` instead, and read it by the API and by Flock's own viewer
    #[arg(long, conflicts_with = "duckdb")]
    serve: bool,
    /// Read lenses and hovers of the program in a real Neovim instead, while it runs
    #[arg(long, conflicts_with_all = ["duckdb", "serve"])]
    neovim: bool,
    /// With --serve, keep a picture of each tab of the viewer in this folder
    #[arg(long, value_name = "DIR", requires = "serve")]
    pictures: Option<PathBuf>,
}

impl LiveArgs {
    /// The runs that belong to the tests: one for each storage format that Flock writes, one over OTLP, one in an editor.
    pub(crate) fn all() -> [Self; 4] {
        let run = |duckdb, serve, neovim| Self {
            duckdb,
            tickets: TICKETS,
            serve,
            neovim,
            pictures: None,
        };
        [
            run(FlockDuckdb::Two, false, false),
            run(FlockDuckdb::OneFour, false, false),
            run(FlockDuckdb::Two, true, false),
            run(FlockDuckdb::Two, false, true),
        ]
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
pub(crate) fn run(folders: &Folders, arguments: &LiveArgs, steps: &mut Steps) {
    if arguments.serve {
        serve(folders, arguments, steps);
    } else if arguments.neovim {
        neovim(folders, steps);
    } else {
        follow(folders, arguments, steps);
    }
}

/// The Python that has Flock.
pub(crate) fn interpreter(folders: &Folders) -> Result<PathBuf> {
    python::environment(folders, &folders.checkout.join("tests/live/requirements.txt"))
}

fn serve(folders: &Folders, arguments: &LiveArgs, steps: &mut Steps) {
    const NAME: &str = "live Flock over OTLP";
    let tests = folders.checkout.join("tests").join("live");
    let interpreter = match python::environment(folders, &tests.join("requirements-serve.txt")) {
        Ok(interpreter) => interpreter,
        Err(error) => return steps.failed(NAME, format!("{error:#}")),
    };
    let mut command = Command::new(interpreter);
    command
        .arg(tests.join("serve_flock.py"))
        .arg("--flockscope")
        .arg(folders.binary("flockscope"))
        .args(["--tickets", &arguments.tickets.to_string()]);
    match CHROMIUM.find() {
        Ok(browser) => {
            command.arg("--browser").arg(browser);
        }
        Err(why) => steps.not_run("Flock's viewer", why),
    }
    if let Some(pictures) = &arguments.pictures {
        command.arg("--pictures").arg(pictures);
    }
    steps.run_tests(NAME, &mut command);
}

fn neovim(folders: &Folders, steps: &mut Steps) {
    const NAME: &str = "live Flock in Neovim";
    let editor = match NEOVIM.find() {
        Ok(editor) => editor,
        Err(why) => return steps.not_run(NAME, why),
    };
    let interpreter = match interpreter(folders) {
        Ok(interpreter) => interpreter,
        Err(error) => return steps.failed(NAME, format!("{error:#}")),
    };
    let mut command = Command::new(interpreter);
    command
        .arg(folders.checkout.join("tests/live/neovim_flock.py"))
        .arg("--flockscope")
        .arg(folders.binary("flockscope"))
        .arg("--neovim")
        .arg(editor);
    steps.run_tests(NAME, &mut command);
}

fn follow(folders: &Folders, arguments: &LiveArgs, steps: &mut Steps) {
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
