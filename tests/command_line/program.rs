//! Runs the program in a project of its own, with a home of its own.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;

/// A folder in which commands run, and what they would find in a person's home.
pub(crate) struct Project {
    root: TempDir,
    /// Whether commands may ask, and start, the process that keeps the traces.
    with_process: bool,
}

/// What a command did.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Project {
    /// A project in which nothing was traced.
    pub(crate) fn empty() -> Self {
        let root = TempDir::new().expect("a folder");
        fs::create_dir(root.path().join("project")).expect("a folder");
        Self {
            root,
            with_process: false,
        }
    }

    /// The same, with commands that ask the process that keeps the traces, as they do where nothing says otherwise.
    pub(crate) fn with_process(mut self) -> Self {
        self.with_process = true;
        self
    }

    /// A project with the traces that come with the sources.
    pub(crate) fn with_sample() -> Self {
        let project = Self::empty();
        fs::create_dir(project.path(".flock")).expect("a folder");
        fs::write(project.path(".flock/traces.duckdb"), unpacked("traces.duckdb.gz")).expect("a file");
        project
    }

    /// A path within the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("project").join(name)
    }

    /// The folder that holds the program's cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    /// A command that is to be run in the project, undisturbed by the environment of the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flockscope"));
        command.args(arguments).current_dir(self.path("")).stdin(Stdio::null());
        for name in [
            "NO_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "COLUMNS",
            "LC_ALL",
            "LC_CTYPE",
            "LANG",
            "FLOCK_TRACE_TTL_DAYS",
        ] {
            command.env_remove(name);
        }
        command
            .env("HOME", self.root.path())
            .env("XDG_CACHE_HOME", self.cache())
            // Processes that the tests start are left alone by other work on this machine, and leave it alone.
            .env("FLOCKSCOPE_API_ADDRESS", "127.0.0.1:0")
            .env("FLOCKSCOPE_OTLP_GRPC_ADDRESS", "127.0.0.1:0")
            .env("FLOCKSCOPE_OTLP_HTTP_ADDRESS", "127.0.0.1:0")
            .env("FLOCKSCOPE_IDLE_TIME", "2m");
        if self.with_process {
            command.env_remove("FLOCKSCOPE_IN_PROCESS");
        } else {
            command.env("FLOCKSCOPE_IN_PROCESS", "true");
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().expect("the program runs"))
    }

    /// Runs a command that must go well, and reads its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.run(arguments).succeeded();
        serde_json::from_str(&outcome.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", outcome.out))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.with_process {
            // A test leaves nothing running, whether it went well or not.
            let _ = self.command(&["stop", "--quiet"]).output();
        }
    }
}

impl Outcome {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        }
    }

    /// Insists on the exit code 0.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// Insists on an exit code and on the beginning of a one-line message.
    pub(crate) fn failed_with(self, code: i32, message: &str) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(self.err.contains(message), "{message:?} is not in {:?}", self.err);
        assert!(
            !self.err.contains("panicked") && !self.err.contains("RUST_BACKTRACE"),
            "{}",
            self.err
        );
        self
    }
}

/// A packed file of the test data.
pub(crate) fn unpacked(name: &str) -> Vec<u8> {
    let mut content = Vec::new();
    GzDecoder::new(data(name).as_slice())
        .read_to_end(&mut content)
        .expect("a packed file");
    content
}

/// A file of the test data.
pub(crate) fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Figures that were computed independently; see `tests/oracle`.
pub(crate) fn expected(name: &str) -> Value {
    serde_json::from_slice(&data(&format!("expected/{name}.json"))).expect("JSON")
}
