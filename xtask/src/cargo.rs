//! Cargo, always called in the same way: the whole workspace, locked, in one profile, with the DuckDB of the cache.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::duckdb::Library;
use crate::folders::Folders;

/// The cargo that runs this program, in the checkout.
pub(crate) fn cargo(folders: &Folders) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(&folders.checkout)
        .env("CARGO_TARGET_DIR", &folders.target);
    cargo
}

/// A subcommand of any kind, with its arguments, that links the DuckDB of the cache.
pub(crate) fn with_duckdb(folders: &Folders, duckdb: &Library, arguments: &[OsString]) -> Command {
    // After the subcommand, because Cargo hands options before it to its own subcommands only, and clippy is none.
    let words = if arguments.first().is_some_and(|first| first == "nextest") {
        2
    } else {
        1
    };
    let (subcommand, rest) = arguments.split_at(words.min(arguments.len()));
    let mut cargo = cargo(folders);
    cargo.args(subcommand);
    if let Some(config) = &duckdb.config {
        cargo.arg("--config").arg(config);
    }
    cargo.args(rest);
    cargo
}

/// A subcommand over the whole workspace, in the one profile.
pub(crate) fn everything(folders: &Folders, duckdb: &Library, subcommand: &str) -> Command {
    let mut words: Vec<OsString> = subcommand.split(' ').map(OsString::from).collect();
    words.extend(["--release", "--workspace", "--locked"].map(OsString::from));
    with_duckdb(folders, duckdb, &words)
}

/// A subcommand over the crates that do not need DuckDB, in the dev profile and a folder of their own.
pub(crate) fn light(folders: &Folders, subcommand: &str) -> Result<Command> {
    let mut cargo = cargo(folders);
    cargo
        .env("CARGO_TARGET_DIR", folders.light_target())
        .args([subcommand, "--workspace", "--locked"]);
    for package in members(folders, &["--workspace", "--invert", "libduckdb-sys"])? {
        cargo.args(["--exclude", &package]);
    }
    Ok(cargo)
}

/// Builds everything.
pub(crate) fn build_all(folders: &Folders, duckdb: &Library) -> Result<()> {
    must_succeed(&mut everything(folders, duckdb, "build"))
}

/// The same build, with debug information for our own crates only, which is quick and leaves a small program.
pub(crate) fn build_with_debug_info(folders: &Folders, duckdb: &Library) -> Result<()> {
    let mut build = everything(folders, duckdb, "build");
    for package in members(folders, &["--workspace", "--depth", "0"])? {
        build
            .arg("--config")
            .arg(format!("profile.release.package.{package}.debug=true"));
    }
    must_succeed(&mut build)
}

/// Runs a command to its end; fails with what was run and how it ended.
pub(crate) fn must_succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", spelled_out(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", spelled_out(command));
    }
    Ok(())
}

/// What a command prints to its standard output.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {}", spelled_out(command)))?;
    if !output.status.success() {
        bail!(
            "{} failed: {}",
            spelled_out(command),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as a person would type it, but for its environment.
pub(crate) fn spelled_out(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = if program.file_stem().is_some_and(|stem| stem == "cargo") {
        Path::new("cargo")
    } else {
        program
    };
    let words = command
        .get_args()
        .map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(program.display().to_string())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Names of the workspace's own packages in what `cargo tree` prints.
fn members(folders: &Folders, arguments: &[&str]) -> Result<Vec<String>> {
    let mut tree = cargo(folders);
    let printed = said(
        tree.args(["tree", "--locked", "--prefix", "none", "--format", "{p}"])
            .args(arguments),
    )?;
    let mut names: Vec<String> = printed.lines().filter_map(member).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The name in a line such as `name v1.0 (/path)`. `(*)` marks a package printed before and `(proc-macro)` a kind; only a
/// path, which only our own packages have, holds a separator.
fn member(line: &str) -> Option<String> {
    let (name, rest) = line.split_once(' ')?;
    rest.contains(['/', '\\']).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_with_a_path_are_members() {
        assert_eq!(
            member("flockscope-store v0.1.0 (/home/a/core/store)").as_deref(),
            Some("flockscope-store")
        );
        assert_eq!(
            member("xtask v0.1.0 (C:\\code\\flockscope\\xtask) (*)").as_deref(),
            Some("xtask")
        );
        assert_eq!(member("libduckdb-sys v1.20000.1"), None);
        assert_eq!(member("serde_derive v1.0.228 (proc-macro) (*)"), None);
        assert_eq!(member(""), None);
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/usr/lib/cargo/bin/cargo");
        command.args(["build", "--release"]);
        assert_eq!(spelled_out(&command), "cargo build --release");
    }

    #[test]
    fn the_configuration_stands_behind_the_subcommand() {
        let folders = Folders {
            checkout: "/c".into(),
            cache: "/k".into(),
            target: "/t".into(),
        };
        let duckdb = Library {
            config: Some("/k/d.toml".into()),
        };
        let typed = |words: &str| {
            let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
            let command = with_duckdb(&folders, &duckdb, &words);
            command
                .get_args()
                .map(|word| word.to_string_lossy().into_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(typed("test -p a"), "test --config /k/d.toml -p a");
        assert_eq!(typed("nextest run -p a"), "nextest run --config /k/d.toml -p a");
        assert_eq!(typed("build"), "build --config /k/d.toml");
    }
}
