//! `cargo xtask test`: every check and every test. A failure does not stop the steps after it, so one run tells all.

use std::process::{Command, ExitCode, Stdio};

use anyhow::Result;

use crate::cargo::{cargo, everything, light as light_cargo};
use crate::duckdb::Library;
use crate::folders::Folders;
use crate::live::{self, LiveArgs};
use crate::steps::Steps;
use crate::{deny, duckdb, python};

/// All checks and tests of the project. Fails at once only where there is no DuckDB to link.
pub(crate) fn all(folders: &Folders) -> Result<ExitCode> {
    let duckdb = duckdb::library(folders)?;
    let mut steps = Steps::default();
    let built = steps.run("build", &mut everything(folders, &duckdb, "build"));
    lints(folders, &duckdb, &mut steps);
    deny::check(folders, &mut steps);
    if has_nextest(folders) {
        steps.run_tests(
            "tests",
            everything(folders, &duckdb, "nextest run").arg("--no-fail-fast"),
        );
        steps.run_tests(
            "doc tests",
            everything(folders, &duckdb, "test").args(["--doc", "--no-fail-fast"]),
        );
    } else {
        eprintln!("\ncargo-nextest is not installed: using cargo test");
        steps.run_tests("tests", everything(folders, &duckdb, "test").arg("--no-fail-fast"));
    }
    oracle(folders, &mut steps);
    if built {
        for arguments in LiveArgs::all() {
            live::run(folders, &arguments, &mut steps);
        }
    } else {
        steps.not_run("live Flock", "the build failed".to_owned());
    }
    Ok(steps.finish())
}

/// Formatting, clippy and rustdoc, all without warnings.
pub(crate) fn lints(folders: &Folders, duckdb: &Library, steps: &mut Steps) {
    steps.run("rustfmt", cargo(folders).args(["fmt", "--all", "--check"]));
    steps.run(
        "clippy",
        everything(folders, duckdb, "clippy").args(["--all-targets", "--", "-D", "warnings"]),
    );
    steps.run(
        "rustdoc",
        everything(folders, duckdb, "doc")
            .arg("--no-deps")
            .env("RUSTDOCFLAGS", "-D warnings"),
    );
}

/// The tests of the crates that do not need DuckDB.
pub(crate) fn light(folders: &Folders) -> Result<ExitCode> {
    let mut steps = Steps::default();
    steps.run_tests(
        "tests without DuckDB",
        light_cargo(folders, "test")?.arg("--no-fail-fast"),
    );
    Ok(steps.finish())
}

/// The tests of the independent figures that the analyses are compared with. They need Python alone.
fn oracle(folders: &Folders, steps: &mut Steps) {
    const NAME: &str = "oracle";
    match python::system_python() {
        Ok(python) => {
            let mut unittest = Command::new(python);
            unittest
                .current_dir(&folders.checkout)
                .args(["-m", "unittest", "discover", "tests/oracle"]);
            steps.run_tests(NAME, &mut unittest);
        }
        Err(error) => steps.failed(NAME, format!("{error:#}")),
    }
}

fn has_nextest(folders: &Folders) -> bool {
    let mut asked = cargo(folders);
    asked
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}
