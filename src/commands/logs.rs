use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, Write, stdout};
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
        let mut log = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Failure::NothingFound(format!(
                    "{} is not there: no process was started in the background for these traces",
                    path.display()
                )));
            }
            Err(error) => return Err(unreadable(error)),
        };
        for line in last_lines(&mut log, self.lines).map_err(unreadable)? {
            show(&line)?;
        }
        if !self.follow {
            return Ok(());
        }
        loop {
            thread::sleep(PAUSE);
            // A shorter file is a new one: the log was moved aside.
            if is_shorter(&path, &mut log).map_err(unreadable)? {
                log = BufReader::new(File::open(&path).map_err(unreadable)?);
            }
            while let Some(line) = next_line(&mut log).map_err(unreadable)? {
                show(&line)?;
            }
        }
    }
}

fn last_lines(log: &mut impl BufRead, most: usize) -> io::Result<VecDeque<String>> {
    let mut lines = VecDeque::new();
    while let Some(line) = next_line(log)? {
        lines.push_back(line);
        if lines.len() > most {
            lines.pop_front();
        }
    }
    Ok(lines)
}

/// The next line, or the part of it that is written.
fn next_line(log: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let length = log.read_until(b'\n', &mut line)?;
    Ok((length > 0).then(|| String::from_utf8_lossy(&line).into_owned()))
}

fn is_shorter(path: &Path, log: &mut (impl Seek + BufRead)) -> io::Result<bool> {
    let at = log.stream_position()?;
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len() < at),
        // It is just being moved aside.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
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

    #[test]
    fn the_last_lines_are_kept_in_order() {
        let mut log = "one\ntwo\nthree\nfour".as_bytes();
        let lines = last_lines(&mut log, 2).expect("readable");
        assert_eq!(lines, ["three\n", "four"]);
        assert!(last_lines(&mut "one\n".as_bytes(), 0).expect("readable").is_empty());
    }
}
