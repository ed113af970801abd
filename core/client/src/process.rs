//! The process that owns a store: finds the one that runs, or starts one and waits until it is ready.
//!
//! Nothing is decided here about which of two processes that start at once may stay: the process that gets the lock of
//! its store does, and the other one ends with [`ALREADY_SERVED`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flockscope_protocol::{DiscoveryFile, DiscoveryRecord, process_folder};
use http_body_util::Full;
use hyper::Request;

use crate::http::{self, Http};
use crate::{ClientError, Served};

/// Exit code of a process that found its store served by another one.
pub const ALREADY_SERVED: u8 = 5;

/// Name of the log, in the process folder.
const LOG: &str = "serve.log";

/// How long `/healthz` may take. A process that is only slow is not taken for a dead one: the lock still is its own.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Pauses between two looks for a process that starts.
const LOOK_EVERY: Duration = Duration::from_millis(15);
/// A process that owned the store was found, but can't be talked to: it starts or ends. So long until another try.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(300);

/// Lines of the log that an error quotes.
const QUOTED_LINES: usize = 8;
const QUOTED_BYTES: u64 = 8 << 10;

/// The log that a detached process of this store writes.
pub fn log_file(store: &Path) -> PathBuf {
    process_folder(store).join(LOG)
}

/// How a process is started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// The program; `None`: this one.
    pub(crate) program: Option<PathBuf>,
    /// Time without a client after which it ends; `None`: what its configuration says.
    pub(crate) idle: Option<Duration>,
    /// How long to wait until it is ready.
    pub(crate) wait: Duration,
}

/// The running process of a store, if there is one that answers. What its record says may be out of date: the process
/// was killed, or its port belongs to somebody else by now.
pub(crate) async fn running(http: &Http, store: &Path) -> Option<DiscoveryRecord> {
    let record = match DiscoveryFile::of_store(store).read() {
        Ok(record) => record?,
        Err(error) => {
            tracing::debug!(%error, "the discovery record can't be read");
            return None;
        }
    };
    let request = Request::get(format!("{}/healthz", http::base_url(&record))).body(Full::default());
    let answer = async {
        let request = request.map_err(|error| ClientError::Unreachable(error.to_string()))?;
        http::whole(http.send(request, Some(PROBE_TIME)).await?).await
    };
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!(%error, pid = record.pid, "the process of the discovery record does not answer");
            return None;
        }
    };
    let health: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    (health["instance"] == record.instance.as_str()).then_some(record)
}

/// The running process of a store, or a new one.
pub(crate) async fn running_or_started(
    http: &Http,
    served: &Served,
    start: &Start,
) -> Result<DiscoveryRecord, ClientError> {
    if let Some(record) = running(http, &served.store).await {
        return Ok(record);
    }
    let folder = process_folder(&served.store);
    fs::create_dir_all(&folder).map_err(ClientError::file(&folder))?;
    let program = match &start.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(ClientError::file("the running program"))?,
    };
    let deadline = Instant::now() + start.wait;
    let log = log_file(&served.store);
    let logged_before = fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let failed = |reason: String| ClientError::NotStarted {
        program: program.clone(),
        reason,
        log: log.clone(),
        lines: last_lines(&log, logged_before).unwrap_or_default(),
    };
    let mut child = Some(spawn(&program, served, start, &log).map_err(|error| failed(error.to_string()))?);
    let mut next_try = Instant::now();
    loop {
        if let Some(record) = running(http, &served.store).await {
            if let Some(child) = child {
                reap(child);
            }
            return Ok(record);
        }
        if let Some(running) = &mut child {
            match running.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) if is_already_served(status) => {
                    // Another one was first, and is not ready yet; or it just ends, and then a new one is needed.
                    child = None;
                    next_try = Instant::now() + TRY_AGAIN_AFTER;
                }
                Ok(Some(status)) => return Err(failed(format!("it ended at once ({status})"))),
                Err(error) => return Err(failed(error.to_string())),
            }
        } else if Instant::now() >= next_try {
            child = Some(spawn(&program, served, start, &log).map_err(|error| failed(error.to_string()))?);
        }
        if Instant::now() >= deadline {
            if let Some(child) = child {
                reap(child);
            }
            return Err(failed(format!("it was not ready after {} s", start.wait.as_secs_f64())));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn is_already_served(status: ExitStatus) -> bool {
    status.code() == Some(ALREADY_SERVED.into())
}

/// Starts a process that outlives this one.
fn spawn(program: &Path, served: &Served, start: &Start, log: &Path) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(["serve", "--detached", "--store"]).arg(&served.store);
    if let Some(file) = &served.follow {
        command.arg("--follow").arg(file);
    }
    if !served.keeps_history {
        command.arg("--mirror");
    }
    if let Some(idle) = start.idle {
        command.arg("--idle").arg(format!("{}ms", idle.as_millis()));
    }
    // Not in the folder of whoever happened to be first: that one may want to remove it.
    if let Some(folder) = served.store.parent().filter(|folder| folder.is_dir()) {
        command.current_dir(folder);
    }
    // What the process says before it has its own log, or when it dies, is wanted, too.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(open_log(log)?);
    detach(&mut command);
    command.spawn()
}

/// The log for appending. It holds parts of requests, so only its owner may read it.
fn open_log(log: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(log)
}

/// Ctrl-C in the terminal of this process is not meant for that one. It makes a session of its own as soon as it runs.
#[cfg(unix)]
fn detach(_command: &mut Command) {}

/// <https://learn.microsoft.com/windows/win32/procthread/process-creation-flags>
#[cfg(windows)]
fn detach(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const DETACHED_PROCESS: u32 = 0x0000_0008;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | CREATE_NO_WINDOW);
}

/// Waits for the end of a child in the background: without that it would stay as a zombie in a client that lives on.
fn reap(mut child: Child) {
    let waiting = thread::Builder::new()
        .name("core process".into())
        .stack_size(64 << 10)
        .spawn(move || child.wait());
    if let Err(error) = waiting {
        tracing::debug!(%error, "no thread to wait for the core process");
    }
}

/// What the log got since it was so long; at most the last few lines.
fn last_lines(log: &Path, since: u64) -> io::Result<Vec<String>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    // A shorter file is a new one: the log was rotated.
    let from = if length < since { 0 } else { since };
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(QUOTED_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(QUOTED_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.iter().skip(lines.len().saturating_sub(QUOTED_LINES));
    Ok(last.map(|line| (*line).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_of_this_start_are_quoted() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = folder.path().join(LOG);
        fs::write(&log, "of yesterday\n").expect("a file");
        let before = fs::metadata(&log).expect("there").len();
        let new: String = (0..20).map(|number| format!("line {number}\n\n")).collect();
        fs::write(&log, format!("of yesterday\n{new}")).expect("a file");
        let lines = last_lines(&log, before).expect("readable");
        assert_eq!(lines.len(), QUOTED_LINES);
        assert_eq!(lines.last().map(String::as_str), Some("line 19"));
        fs::write(&log, "rotated\n").expect("a file");
        assert_eq!(last_lines(&log, before).expect("readable"), ["rotated"]);
    }
}
