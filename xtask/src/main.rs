//! The project's own chores. All of them build into one folder outside the checkout and link one DuckDB, which costs 50
//! CPU minutes and is compiled once a machine: `docs/adr/0001-one-build-of-duckdb.md`.

mod cargo;
mod counts;
mod deny;
mod duckdb;
mod folders;
mod live;
mod made_once;
mod programs;
mod python;
mod steps;
mod test;

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::folders::Folders;
use crate::steps::Steps;

/// The chores of the Flockscope project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 120)]
struct Xtask {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build Flockscope and show it on the real traces that come with it
    Demo,
    /// Run every check and every test, and sum up what ran, what passed and what could not run
    Test(TestArgs),
    /// Run a benchmark, for example: cargo xtask bench core
    Bench(BenchArgs),
    /// Build everything
    Build(BuildArgs),
    /// Check formatting, clippy and rustdoc, each without warnings
    Lint,
    /// Check licences, sources and (where its database can be reached) known vulnerabilities of the dependencies
    Deny,
    /// Follow a real Flock program while it runs and prove that no span is lost
    Live(live::LiveArgs),
    /// Any cargo command with the compiled DuckDB, for example: cargo xtask cargo test --release -p flockscope-store
    Cargo(PassedOn),
    /// Print what plain cargo needs for the shared target folder and DuckDB: eval "$(cargo xtask env)"
    Env,
}

#[derive(Args)]
struct TestArgs {
    /// Only the crates that do not need DuckDB, in the dev profile and a target folder of their own
    #[arg(long)]
    light: bool,
}

#[derive(Args)]
struct BenchArgs {
    /// What to measure: core, collector or lsp
    name: String,
    #[command(flatten)]
    passed_on: PassedOn,
}

#[derive(Args)]
struct BuildArgs {
    /// Give our own crates debug information
    #[arg(long)]
    debug_info: bool,
}

#[derive(Args)]
struct PassedOn {
    /// Handed on as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    match run(Xtask::parse().chore) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<ExitCode> {
    let folders = Folders::find()?;
    match chore {
        Chore::Demo => {
            cargo::build_all(&folders, &duckdb::library(&folders)?)?;
            let binary = folders.binary("flockscope");
            cargo::must_succeed(Command::new(&binary).arg("demo").current_dir(&folders.checkout))?;
            println!(
                "\nThe program is {}: put it on your PATH to use it in your own Flock project.",
                binary.display()
            );
        }
        Chore::Test(TestArgs { light: true }) => return test::light(&folders),
        Chore::Test(TestArgs { light: false }) => return test::all(&folders),
        Chore::Bench(BenchArgs { name, passed_on }) => {
            cargo::build_all(&folders, &duckdb::library(&folders)?)?;
            let mut bench = Command::new(folders.binary("flockscope-bench"));
            bench.arg(&name);
            // It runs a real Flock program among other things.
            if name == "collector" && !passed_on.arguments.iter().any(|word| word == "--python") {
                bench.arg("--python").arg(live::interpreter(&folders)?);
            }
            cargo::must_succeed(bench.args(passed_on.arguments))?;
        }
        Chore::Build(BuildArgs { debug_info: false }) => cargo::build_all(&folders, &duckdb::library(&folders)?)?,
        Chore::Build(BuildArgs { debug_info: true }) => {
            cargo::build_with_debug_info(&folders, &duckdb::library(&folders)?)?;
        }
        Chore::Lint => {
            let duckdb = duckdb::library(&folders)?;
            let mut steps = Steps::default();
            test::lints(&folders, &duckdb, &mut steps);
            return Ok(steps.finish());
        }
        Chore::Deny => {
            let mut steps = Steps::default();
            deny::check(&folders, &mut steps);
            return Ok(steps.finish());
        }
        Chore::Live(arguments) => {
            cargo::build_all(&folders, &duckdb::library(&folders)?)?;
            let mut steps = Steps::default();
            live::run(&folders, &arguments, &mut steps);
            return Ok(steps.finish());
        }
        Chore::Cargo(passed_on) => {
            let duckdb = duckdb::library(&folders)?;
            cargo::must_succeed(&mut cargo::with_duckdb(&folders, &duckdb, &passed_on.arguments))?;
        }
        Chore::Env => print!(
            "{}",
            folders.as_shell_variables(duckdb::library(&folders)?.config.as_deref())
        ),
    }
    Ok(ExitCode::SUCCESS)
}
