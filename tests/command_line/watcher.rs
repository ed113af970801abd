//! A running `flockscope watch`, and the lines that it has written.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::Project;

/// A hung test is worse than a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Watching {
    child: Child,
    lines: Receiver<String>,
    notes: Receiver<String>,
}

fn lines_of(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

impl Watching {
    pub(crate) fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut all = vec!["watch"];
        all.extend(arguments);
        let mut child = project
            .command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let lines = lines_of(child.stdout.take().expect("stdout"));
        let notes = lines_of(child.stderr.take().expect("stderr"));
        let watching = Self { child, lines, notes };
        watching.wait_for_note("watching");
        watching
    }

    pub(crate) fn wait_for_note(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if self
                .notes
                .recv_timeout(PATIENCE)
                .expect("a note in time")
                .contains(words)
            {
                return;
            }
        }
        panic!("no note with {words:?} came");
    }

    pub(crate) fn next_line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line in time")
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().expect("an end").code()
    }

    /// Ends it with a signal, and gives its exit code and the lines that came last.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, Vec<String>) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .expect("kill runs")
                .success()
        );
        let code = self.child.wait().expect("an end").code();
        (code, self.lines.iter().collect())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // A test that failed leaves nothing running; one that went well has ended it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
