//! The sample program beside its real traces.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::read::GzDecoder;
use serde_json::Value;
use tempfile::TempDir;

/// A folder with the program and its traces, and a home of its own.
pub(crate) struct Project {
    root: TempDir,
}

impl Project {
    pub(crate) fn with_sample() -> Self {
        let project = Self {
            root: TempDir::new().expect("a folder"),
        };
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        fs::create_dir_all(project.path("helpdesk")).expect("a folder");
        for file in fs::read_dir(data.join("helpdesk")).expect("the program") {
            let file = file.expect("a file").path();
            let name = file.file_name().expect("a name").to_string_lossy().into_owned();
            fs::copy(&file, project.path(&format!("helpdesk/{name}"))).expect("a copy");
        }
        let mut traces = Vec::new();
        let packed = fs::read(data.join("traces.duckdb.gz")).expect("the traces");
        GzDecoder::new(packed.as_slice())
            .read_to_end(&mut traces)
            .expect("packed");
        fs::create_dir_all(project.path(".flock")).expect("a folder");
        fs::write(project.path(".flock/traces.duckdb"), traces).expect("a file");
        project
    }

    /// A path within the project; an empty name is the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        let project = self.root.path().join("project");
        if name.is_empty() { project } else { project.join(name) }
    }

    /// The folder of caches.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.path().join("cache")
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flockscope"));
        command
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .env("HOME", self.root.path())
            .env("XDG_CACHE_HOME", self.root.path().join("cache"))
            .env("FLOCKSCOPE_API_ADDRESS", "127.0.0.1:0")
            .env("FLOCKSCOPE_OTLP_GRPC_ADDRESS", "127.0.0.1:0")
            .env("FLOCKSCOPE_OTLP_HTTP_ADDRESS", "127.0.0.1:0")
            .env("FLOCKSCOPE_IDLE_TIME", "2m");
        for name in ["VIRTUAL_ENV", "FLOCK_TRACE_TTL_DAYS", "FLOCKSCOPE_IN_PROCESS"] {
            command.env_remove(name);
        }
        command
    }

    /// Stores spans: lines of OTLP.
    pub(crate) fn import(&self, lines: &[Value]) {
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.path("spans.jsonl"), lines).expect("a file");
        let imported = self.command().args(["import", "spans.jsonl"]).output();
        let imported = imported.expect("the program runs");
        assert!(
            imported.status.success(),
            "{}",
            String::from_utf8_lossy(&imported.stderr)
        );
    }

    /// The rows of a query by the command line, which asks the same process.
    pub(crate) fn sql(&self, query: &str) -> Vec<Value> {
        let output = self.command().args(["sql", query, "--format", "json"]).output();
        let output = output.expect("the program runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // A test leaves nothing running, whether it went well or not.
        let _ = self.command().args(["stop", "--quiet"]).output();
    }
}
