//! Steps that keep going after a failure, and the summary of what ran, what passed, and what could not run and why.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::cargo::spelled_out;
use crate::counts::{Counts, closing_line};

/// The steps done so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    outcome: Outcome,
    counts: Counts,
    took: Duration,
}

enum Outcome {
    Passed,
    Failed(String),
    NotRun(String),
}

impl Steps {
    /// Runs a command whose success is all that matters. True if it succeeded.
    pub(crate) fn run(&mut self, name: &'static str, command: &mut Command) -> bool {
        announce(name, command);
        let start = Instant::now();
        let outcome = match command.status() {
            Ok(status) => by_status(status),
            Err(error) => Outcome::Failed(format!("cannot run {}: {error}", spelled_out(command))),
        };
        self.add(name, outcome, Counts::default(), start.elapsed())
    }

    /// Runs tests and counts them by their runner's closing lines. A run that closed without any has failed.
    pub(crate) fn run_tests(&mut self, name: &'static str, command: &mut Command) -> bool {
        announce(name, command);
        self.run_tests_into(name, command, io::stdout(), io::stderr())
    }

    fn run_tests_into(
        &mut self,
        name: &'static str,
        command: &mut Command,
        output: impl Write,
        errors: impl Write + Send,
    ) -> bool {
        let start = Instant::now();
        let (outcome, counts) = match run_and_count(command, output, errors) {
            Ok((status, None)) if status.success() => (
                Outcome::Failed("the runner did not say how many tests ran".to_owned()),
                Counts::default(),
            ),
            Ok((status, counts)) => (by_status(status), counts.unwrap_or_default()),
            Err(error) => (Outcome::Failed(format!("{error:#}")), Counts::default()),
        };
        self.add(name, outcome, counts, start.elapsed())
    }

    /// Notes that a step could not be prepared.
    pub(crate) fn failed(&mut self, name: &'static str, why: String) {
        self.add(name, Outcome::Failed(why), Counts::default(), Duration::ZERO);
    }

    /// Notes that a step cannot run on this machine. That is no failure: it is said in the summary.
    pub(crate) fn not_run(&mut self, name: &'static str, why: String) {
        self.add(name, Outcome::NotRun(why), Counts::default(), Duration::ZERO);
    }

    fn add(&mut self, name: &'static str, outcome: Outcome, counts: Counts, took: Duration) -> bool {
        let passed = matches!(outcome, Outcome::Passed);
        self.done.push(Step {
            name,
            outcome,
            counts,
            took,
        });
        passed
    }

    /// Prints the summary, with the sum of all tests as its last line if there were any.
    pub(crate) fn finish(self) -> ExitCode {
        // Both streams may go to one log: what was written before must stand before.
        let _ = io::stderr().flush();
        println!("\n{}", self.summary());
        if self.done.iter().any(|step| matches!(step.outcome, Outcome::Failed(_))) {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }

    fn summary(&self) -> String {
        let width = self
            .done
            .iter()
            .map(|step| step.name.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = String::from("Summary\n");
        for Step {
            name,
            outcome,
            counts,
            took,
        } in &self.done
        {
            let (word, why) = match outcome {
                Outcome::Passed => ("passed", None),
                Outcome::Failed(why) => ("FAILED", Some(why)),
                Outcome::NotRun(why) => ("not run", Some(why)),
            };
            let mut line = format!("  {name:width$}  {word:7}  {:>6.1} s", took.as_secs_f64());
            if *counts != Counts::default() {
                line += &format!(
                    "  {} passed, {} failed, {} skipped",
                    counts.passed, counts.failed, counts.skipped
                );
            }
            if let Some(why) = why {
                line += &format!("  ({why})");
            }
            text += &line;
            text.push('\n');
        }
        let mut all: Counts = self.done.iter().map(|step| step.counts).sum();
        // A step that failed without a failed test (clippy, a compiler error) counts as one, lest "0 failed" be read.
        let failed_without_test = self
            .done
            .iter()
            .filter(|step| matches!(step.outcome, Outcome::Failed(_)) && step.counts.failed == 0);
        all.failed += failed_without_test.count() as i64;
        if all == Counts::default() {
            return text;
        }
        let skipped = if all.skipped > 0 {
            format!(", {} skipped", all.skipped)
        } else {
            String::new()
        };
        text + &format!("{} passed, {} failed{skipped}", all.passed, all.failed)
    }
}

fn by_status(status: ExitStatus) -> Outcome {
    if status.success() {
        Outcome::Passed
    } else {
        Outcome::Failed(status.to_string())
    }
}

fn announce(name: &str, command: &Command) {
    eprintln!("\n=== {name}: {}", spelled_out(command));
}

/// Runs a command, hands its lines on as they come, and adds up the closing lines among them.
fn run_and_count(
    command: &mut Command,
    output: impl Write,
    errors: impl Write + Send,
) -> Result<(ExitStatus, Option<Counts>)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", spelled_out(command)))?;
    let (child_output, child_errors) = (child.stdout.take(), child.stderr.take());
    let found = thread::scope(|scope| {
        let from_errors = scope.spawn(move || child_errors.map(|from| pass_on(from, errors)));
        let from_output = child_output.map(|from| pass_on(from, output));
        let from_errors = from_errors.join().ok().flatten();
        from_output.into_iter().chain(from_errors).flatten().collect::<Vec<_>>()
    });
    let status = child.wait().context("the tests were lost")?;
    Ok((status, (!found.is_empty()).then(|| found.into_iter().sum())))
}

/// Copies lines until the end and returns what the closing lines among them said.
fn pass_on(from: impl Read, mut to: impl Write) -> Vec<Counts> {
    let mut found = Vec::new();
    let mut line = Vec::new();
    let mut from = BufReader::new(from);
    while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        found.extend(closing_line(&String::from_utf8_lossy(&line)));
        // Nobody may be reading any more (`| head`); the tests go on all the same.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        line.clear();
    }
    found
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Lines that look like results must not reach the real output: this test may itself be counted by them.
    fn run_tests(steps: &mut Steps, script: &str) -> bool {
        steps.run_tests_into("tests", &mut shell(script), io::sink(), io::sink())
    }

    fn last_line(steps: &Steps) -> String {
        steps.summary().lines().last().unwrap_or_default().to_owned()
    }

    #[test]
    fn tests_of_all_steps_are_added_up_from_both_streams() {
        let mut steps = Steps::default();
        let results =
            "echo 'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0s'";
        assert!(run_tests(&mut steps, results));
        assert!(run_tests(
            &mut steps,
            "echo '  Summary [ 0.1s] 2 tests run: 2 passed, 0 skipped' >&2"
        ));
        assert_eq!(last_line(&steps), "5 passed, 0 failed, 1 skipped");
        assert_eq!(steps.finish(), ExitCode::SUCCESS);
    }

    #[test]
    fn later_steps_run_after_a_failure_and_the_whole_fails() {
        let mut steps = Steps::default();
        assert!(!steps.run("clippy", &mut shell("exit 3")));
        assert!(run_tests(&mut steps, "echo 'Ran 1 test in 0.1s'"));
        assert_eq!(last_line(&steps), "1 passed, 1 failed");
        assert!(steps.summary().contains("exit status: 3"), "{}", steps.summary());
        assert_eq!(steps.finish(), ExitCode::FAILURE);
    }

    #[test]
    fn a_runner_that_counted_nothing_has_failed() {
        let mut steps = Steps::default();
        assert!(!run_tests(&mut steps, "echo all fine"));
        assert_eq!(last_line(&steps), "0 passed, 1 failed");
    }

    #[test]
    fn a_failed_test_is_not_counted_twice() {
        let mut steps = Steps::default();
        assert!(!run_tests(
            &mut steps,
            "echo 'Ran 6 tests in 0.1s'; echo 'FAILED (errors=2)'; exit 1"
        ));
        assert_eq!(last_line(&steps), "4 passed, 2 failed");
    }

    #[test]
    fn what_cannot_run_is_said_and_is_no_failure() {
        let mut steps = Steps::default();
        steps.not_run("advisories", "the database cannot be reached".to_owned());
        assert!(steps.summary().contains("not run"), "{}", steps.summary());
        assert!(
            steps.summary().contains("(the database cannot be reached)"),
            "{}",
            steps.summary()
        );
        assert_eq!(steps.finish(), ExitCode::SUCCESS);
    }

    #[test]
    fn a_program_that_is_not_there_is_a_failure_that_names_it() {
        let mut steps = Steps::default();
        assert!(!steps.run("missing", &mut Command::new("/no/such/program")));
        assert!(steps.summary().contains("/no/such/program"), "{}", steps.summary());
    }
}
