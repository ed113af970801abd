//! A store in a folder of its own, and the processes that serve it.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use flockscope_client::{ClientError, ConnectOptions, Connection, Located, ServeLock, log_file};
use flockscope_protocol::{DiscoveryFile, DiscoveryRecord, OtlpStatus, ProcessStatus};
use flockscope_store::Limits;
use flockscope_store::arrow::array::AsArray;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

/// The program that is started as a core process.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_flockscope-process-for-tests");

/// A hung test is worse than a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A process that lost the race to serve a store may get its turn when a test has killed the winner and ended. It then
/// ends by itself.
pub(crate) const LEFT_OVER_TIME: Duration = Duration::from_secs(120);

pub(crate) struct Scene {
    folder: TempDir,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().expect("a folder"),
            notes: Arc::default(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("store.duckdb")
    }

    /// Settings of the processes that start from now on: lines `key=value`.
    pub(crate) fn set(&self, lines: &str) {
        fs::write(self.path("store.duckdb.settings"), lines).expect("a file");
    }

    pub(crate) fn located(&self) -> Located {
        Located::Store { file: self.store() }
    }

    pub(crate) fn options(&self) -> ConnectOptions {
        let notes = self.notes.clone();
        ConnectOptions {
            program: Some(PROGRAM.into()),
            wait: PATIENCE,
            idle: Some(LEFT_OVER_TIME),
            note: Arc::new(move |note| notes.lock().expect("no panic").push(note.to_owned())),
            ..ConnectOptions::default()
        }
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("no panic").clone()
    }

    pub(crate) async fn connect(&self) -> Connection {
        self.connect_to(&self.located()).await
    }

    pub(crate) async fn connect_to(&self, located: &Located) -> Connection {
        match Connection::open(located, self.options()).await {
            Ok(connection) => connection,
            Err(error) => panic!("{error}\n{}", self.log()),
        }
    }

    /// A connection to the process that runs, or the error that none does.
    pub(crate) async fn find(&self) -> Result<Connection, ClientError> {
        let options = ConnectOptions {
            start: false,
            ..self.options()
        };
        Connection::open(&self.located(), options).await
    }

    pub(crate) fn record(&self) -> Option<DiscoveryRecord> {
        DiscoveryFile::of_store(&self.store()).read().expect("readable")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(log_file(&self.store())).unwrap_or_default()
    }

    /// Kills the process that serves the store, and waits until it is gone.
    pub(crate) fn kill(&self) {
        let pid = self.record().expect("a process").pid;
        kill_process(pid_of(pid), Signal::KILL).expect("it lives");
        self.wait_until_free();
    }

    pub(crate) fn wait_until_free(&self) {
        wait_until("the process ends", || !ServeLock::is_taken(&self.store()));
    }

    /// A process as a person starts it.
    pub(crate) fn serve_command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("serve")
            .arg("--store")
            .arg(self.store())
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // A test leaves nothing running, whether it went well or not.
        let record = DiscoveryFile::of_store(&self.store()).read();
        if let Ok(Some(record)) = record
            && ServeLock::is_taken(&self.store())
        {
            let _ = kill_process(pid_of(record.pid), Signal::KILL);
        }
        if thread::panicking() {
            eprintln!("log of the process:\n{}", self.log());
        }
    }
}

pub(crate) fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id")
}

pub(crate) fn is_alive(pid: u32) -> bool {
    test_kill_process(pid_of(pid)).is_ok()
}

pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) async fn status(connection: &Connection) -> ProcessStatus {
    connection.status().await.expect("a status").expect("of a process")
}

/// Where OTLP over HTTP is taken in.
pub(crate) async fn otlp_http(connection: &Connection) -> SocketAddr {
    match status(connection).await.otlp_http {
        OtlpStatus::Listening { address } => address,
        other => panic!("OTLP over HTTP is {other:?}"),
    }
}

/// The ids of all spans that queries see, each as often as it is there.
pub(crate) async fn span_ids(connection: &Connection) -> Vec<String> {
    let limits = Limits {
        rows: 1_000_000,
        ..Limits::default()
    };
    let answer = connection
        .sql("SELECT span_id FROM spans ORDER BY ALL", &limits, None)
        .await;
    let answer = answer.expect("an answer").whole().await.expect("whole");
    assert!(!answer.cut);
    let texts = |batch: &flockscope_store::arrow::array::RecordBatch| -> Vec<String> {
        let column = batch.column(0).as_string::<i32>();
        column.iter().flatten().map(str::to_owned).collect()
    };
    answer.batches.iter().flat_map(texts).collect()
}

/// Waits until queries see exactly these spans.
pub(crate) async fn wait_for_spans(connection: &Connection, expected: &BTreeSet<String>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = span_ids(connection).await;
        if found.iter().eq(expected) {
            return;
        }
        assert!(Instant::now() < deadline, "{} of {} spans", found.len(), expected.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) fn file_mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).expect("there").permissions().mode() & 0o777
}
