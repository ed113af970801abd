use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Seek, Write, stdout};
use std::mem;
use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::Args;
use flockscope_client::{locate_to_serve, log_file};

use crate::context::Context;
use crate::failure::{Failure, printable};

/// How often a followed log is looked at.
const PAUSE: Duration = Duration::from_millis(200);

/// What the process that keeps the traces has written to its log
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope logs -n 200
  flockscope logs --follow

A process that was started by flockscope serve in a terminal writes there instead.")]
pub(crate) struct Logs {
    /// So many lines at the most
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N")]
    lines: usize,
    /// Go on with the lines that come; Ctrl-C ends it
    #[arg(long, short)]
    follow: bool,
}

impl Logs {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let located = locate_to_serve(&Context::working_directory()?, context.given())?;
        let served = located
            .served()
            .ok_or_else(|| Failure::Usage(format!("{} is not kept in a store", located.path().display())))?;
        let path = log_file(&served.store);
        let unreadable = |error: io::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let mut log = match Log::open(&path) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::NothingFound(format!(
                    "{} is not there: no process was started in the background for these traces",
                    path.display()
                )));
            }
            Err(error) => return Err(unreadable(error)),
        };
        let mut lines = log.last_lines(self.lines).map_err(unreadable)?;
        if !self.follow {
            lines.extend(log.unfinished());
        }
        for line in lines.iter().skip(lines.len().saturating_sub(self.lines)) {
            show(line)?;
        }
        if !self.follow {
            return Ok(());
        }
        loop {
            thread::sleep(PAUSE);
            while let Some(line) = log.next_line().map_err(unreadable)? {
                show(&line)?;
            }
        }
    }
}

/// The log, also when it is moved aside and begins anew.
struct Log<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    /// Of the line that is being written.
    unfinished: Vec<u8>,
}

impl<'a> Log<'a> {
    fn open(path: &'a Path) -> io::Result<Self> {
        Ok(Self {
            path,
            reader: BufReader::new(File::open(path)?),
            unfinished: Vec::new(),
        })
    }

    /// The next line that is written whole. In a log that was moved aside the last one may have no end.
    fn next_line(&mut self) -> io::Result<Option<String>> {
        loop {
            // Asked first: into a file that was moved aside nothing more is written, so that its rest is all of it.
            let is_moved = self.is_moved()?;
            self.reader.read_until(b'\n', &mut self.unfinished)?;
            if self.unfinished.ends_with(b"\n") {
                return Ok(self.unfinished());
            }
            if !is_moved {
                return Ok(None);
            }
            self.reader = match File::open(self.path) {
                // It is just being moved aside.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => BufReader::new(file?),
            };
            if let Some(line) = self.unfinished() {
                return Ok(Some(line));
            }
        }
    }

    fn last_lines(&mut self, most: usize) -> io::Result<VecDeque<String>> {
        let mut lines = VecDeque::new();
        while let Some(line) = self.next_line()? {
            lines.push_back(line);
            if lines.len() > most {
                lines.pop_front();
            }
        }
        Ok(lines)
    }

    /// What is written of the next line.
    fn unfinished(&mut self) -> Option<String> {
        let line = mem::take(&mut self.unfinished);
        (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned())
    }

    /// Whether another file has the name of the log by now.
    fn is_moved(&mut self) -> io::Result<bool> {
        let at = self.reader.stream_position()?;
        let opened = self.reader.get_ref().metadata()?;
        match std::fs::metadata(self.path) {
            Ok(named) => Ok(named.len() < at || !is_same(&opened, &named)),
            // It is just being moved aside.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a log that was moved aside is told by its length alone.
#[cfg(not(unix))]
fn is_same(_: &Metadata, _: &Metadata) -> bool {
    true
}

fn show(line: &str) -> Result<(), Failure> {
    let line = printable(line) + "\n";
    let mut stdout = stdout().lock();
    stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(Failure::writing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }

    fn new_lines(log: &mut Log<'_>) -> Vec<String> {
        std::iter::from_fn(|| log.next_line().expect("readable")).collect()
    }

    #[test]
    fn the_last_lines_are_kept_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("serve.log");
        write(&path, "one\ntwo\nthree\nfour");
        let mut log = Log::open(&path).expect("a log");
        assert_eq!(log.last_lines(2).expect("readable"), ["two\n", "three\n"]);
        assert_eq!(log.unfinished().as_deref(), Some("four"));
        let mut log = Log::open(&path).expect("a log");
        assert!(log.last_lines(0).expect("readable").is_empty());
    }

    #[test]
    fn a_line_that_is_being_written_is_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("serve.log");
        write(&path, "one\ntw");
        let mut log = Log::open(&path).expect("a log");
        assert_eq!(new_lines(&mut log), ["one\n"]);
        write(&path, "o\nthree\n");
        assert_eq!(new_lines(&mut log), ["two\n", "three\n"]);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_lost_when_the_log_is_moved_aside() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("serve.log");
        write(&path, "one\n");
        let mut log = Log::open(&path).expect("a log");
        assert_eq!(new_lines(&mut log), ["one\n"]);
        write(&path, "two\nunfinished");
        std::fs::rename(&path, folder.path().join("serve.log.1")).expect("moved");
        assert_eq!(new_lines(&mut log), ["two\n"], "there is no other yet");
        // Longer than the old one, so that its length says nothing.
        write(&path, "three, which is a rather long line\nfour\n");
        assert_eq!(
            new_lines(&mut log),
            ["unfinished", "three, which is a rather long line\n", "four\n"]
        );
        assert_eq!(new_lines(&mut log), Vec::<String>::new());
    }
}
