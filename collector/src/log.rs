//! Where the process says what it does.

use std::backtrace::Backtrace;
use std::io::{self, Write};
use std::panic;
use std::path::Path;
use std::sync::Mutex;

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use flockscope_client::log_file;
use flockscope_configuration::LogLevel;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The log is moved aside (`serve.log.1`) when it is this large, and the one before it goes.
const MOST_BYTES: usize = 4 << 20;

/// Words for a filter finer than the level: `FLOCKSCOPE_LOG=flockscope_ingest=trace`.
const FILTER_VARIABLE: &str = "FLOCKSCOPE_LOG";

/// Begins to log: into the file beside the store for a process that nobody watches, else to stderr.
pub(crate) fn begin(store: &Path, is_detached: bool, level: LogLevel) {
    if is_detached {
        install(level, Mutex::new(rotating(&log_file(store))), false);
    } else {
        install(level, io::stderr, io::IsTerminal::is_terminal(&io::stderr()));
    }
    log_panics();
}

/// A file that is moved aside when it has become large.
fn rotating(path: &Path) -> FileRotate<AppendCount> {
    FileRotate::new(
        path,
        AppendCount::new(1),
        ContentLimit::BytesSurpassed(MOST_BYTES),
        Compression::None,
        private(),
    )
}

/// The log may hold parts of what was traced: it is for its owner only.
#[cfg(unix)]
fn private() -> Option<std::fs::OpenOptions> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.read(true).create(true).append(true).mode(0o600);
    Some(options)
}

#[cfg(not(unix))]
fn private() -> Option<std::fs::OpenOptions> {
    None
}

fn install<W>(level: LogLevel, writer: W, is_terminal: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    // The libraries below have much to say that only their developers understand.
    let quiet = format!("{level},h2=info,hyper=info,hyper_util=info,tower=info");
    let filter = std::env::var(FILTER_VARIABLE)
        .ok()
        .and_then(|words| EnvFilter::try_new(words).ok())
        .unwrap_or_else(|| EnvFilter::new(quiet));
    let begun = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_terminal)
        .with_writer(writer)
        .try_init();
    if let Err(error) = begun {
        let _ = writeln!(io::stderr(), "the log goes on as it did before: {error}");
    }
}

/// A panic ends one thread or one request; the log tells of it.
fn log_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        let message = panicked.payload_as_str().unwrap_or("a panic without words");
        tracing::error!(place, backtrace = %Backtrace::capture(), "a fault of this program: {message}");
        before(panicked);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_moved_aside_when_it_is_large_and_both_files_are_for_the_owner_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("serve.log");
        let aside = folder.path().join("serve.log.1");
        let mut log = rotating(&path);
        let line = [b"x".repeat(999), b"\n".to_vec()].concat();
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        // Three times as much as one file may have, in two runs of the process.
        for number in 0..3 * MOST_BYTES / line.len() {
            log.write_all(&line).expect("written");
            if number == MOST_BYTES / line.len() / 2 {
                drop(log);
                log = rotating(&path);
            }
            if number % 100 == 0 {
                assert!(length(&path) <= (MOST_BYTES + line.len()) as u64);
            }
        }
        log.flush().expect("written");
        drop(log);
        assert!(length(&aside) > MOST_BYTES as u64 && length(&aside) <= (MOST_BYTES + line.len()) as u64);
        assert!(length(&path) > 0);
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        assert_eq!(names, [path, aside]);
        #[cfg(unix)]
        for path in names {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
}
