//! `cargo deny`: licences, bans and sources of the dependencies always; known vulnerabilities where their database is.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cargo::{cargo, must_succeed};
use crate::folders::Folders;
use crate::made_once;
use crate::steps::Steps;

/// The version that `deny.toml` is written for. Building it costs about 4 CPU minutes, once a machine.
const VERSION: &str = "0.20.2";

/// Adds the steps, after installing cargo-deny if the machine has none.
pub(crate) fn check(folders: &Folders, steps: &mut Steps) {
    let program = match installed(folders) {
        Ok(program) => program,
        Err(error) => return steps.failed("cargo deny", format!("{error:#}")),
    };
    let deny = || {
        let mut command = Command::new(&program);
        command
            .current_dir(&folders.checkout)
            .arg("--locked")
            .arg("--workspace");
        command
    };
    steps.run(
        "licences, bans, sources",
        deny().args(["check", "licenses", "bans", "sources"]),
    );

    const ADVISORIES: &str = "advisories";
    eprintln!("\n=== {ADVISORIES}: cargo deny fetch db");
    // Its output is left out: a machine without a way to the database is no fault, and the summary says it in words.
    let fetched = deny().args(["fetch", "db"]).output();
    if fetched.is_ok_and(|output| output.status.success()) {
        steps.run(ADVISORIES, deny().args(["check", "--disable-fetch", "advisories"]));
    } else {
        let why = "the RustSec database could not be fetched; no dependency was checked for known vulnerabilities";
        steps.not_run(ADVISORIES, why.to_owned());
    }
}

/// The cargo-deny to use: the one on the `PATH` if it is of our version, else one in our tools, installed if need be.
fn installed(folders: &Folders) -> Result<PathBuf> {
    let on_path = PathBuf::from("cargo-deny");
    if is_our_version(&on_path) {
        return Ok(on_path);
    }
    let root = folders.tools().join(format!("cargo-deny-{VERSION}"));
    let program = root
        .join("bin")
        .join(format!("cargo-deny{}", std::env::consts::EXE_SUFFIX));
    made_once::folder(&root, &format!("cargo-deny {VERSION}"), || {
        eprintln!("cargo-deny {VERSION} is built once for this machine, which takes about 4 CPU minutes.");
        let mut install = cargo(folders);
        install
            .args([
                "install",
                "--quiet",
                "--locked",
                "--version",
                VERSION,
                "cargo-deny",
                "--root",
            ])
            .arg(&root);
        // Its intermediate files are of no use to anything else: let Cargo make and delete a temporary folder.
        must_succeed(install.env_remove("CARGO_TARGET_DIR"))
    })?;
    Ok(program)
}

fn is_our_version(program: &PathBuf) -> bool {
    let said = Command::new(program).arg("--version").output();
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == format!("cargo-deny {VERSION}"))
}
