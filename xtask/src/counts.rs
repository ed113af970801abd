//! How many tests ran, read from the closing lines of the runners that we use.

use std::iter::Sum;

/// Tests that passed, failed and were skipped. Signed, because unittest says first how many ran, then how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: i64,
    pub(crate) failed: i64,
    pub(crate) skipped: i64,
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), |sum, one| Self {
            passed: sum.passed + one.passed,
            failed: sum.failed + one.failed,
            skipped: sum.skipped + one.skipped,
        })
    }
}

/// Reads a closing line; `None` for every other line. Add up what comes back: `cargo test` prints one for each binary.
///
/// - nextest: `Summary [ 0.1s] 4/5 tests run: 3 passed (1 slow), 1 failed, 1 skipped`
/// - cargo test: `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
/// - unittest: `Ran 5 tests in 0.003s`, then `OK (skipped=1)` or `FAILED (failures=1, errors=2)`
///
/// nextest shows what a failed test printed, and sets it in: such a line is of the test and is counted already.
pub(crate) fn closing_line(line: &str) -> Option<Counts> {
    let line = line.trim_end();
    if let Some(counts) = unittest(line) {
        return Some(counts);
    }
    let figures = if let Some(rest) = line.trim_start().strip_prefix("Summary [") {
        rest.split_once(" run: ")?.1
    } else if let Some(rest) = line.strip_prefix("test result: ") {
        rest.split_once(". ")?.1
    } else {
        return None;
    };
    let mut counts = Counts::default();
    let mut recognised = false;
    for part in figures.split([',', ';']) {
        let Some((number, what)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(number) = number.parse::<i64>() else { continue };
        // nextest qualifies its figures in brackets, and has more ways to fail than one.
        match what.split(" (").next().unwrap_or(what) {
            "passed" => counts.passed += number,
            "failed" | "timed out" | "exec failed" => counts.failed += number,
            "skipped" | "ignored" => counts.skipped += number,
            _ => continue,
        }
        recognised = true;
    }
    recognised.then_some(counts)
}

fn unittest(line: &str) -> Option<Counts> {
    if let Some((number, _)) = line.strip_prefix("Ran ").and_then(|rest| rest.split_once(" test")) {
        return Some(Counts {
            passed: number.parse().ok()?,
            ..Counts::default()
        });
    }
    let details = line
        .strip_prefix("OK (")
        .or_else(|| line.strip_prefix("FAILED ("))?
        .strip_suffix(')')?;
    let mut counts = Counts::default();
    for part in details.split(", ") {
        let (what, number) = part.split_once('=')?;
        let number: i64 = number.parse().ok()?;
        match what {
            "failures" | "errors" | "unexpected successes" => counts.failed += number,
            "skipped" => counts.skipped += number,
            // An expected failure is a test that did what it should.
            _ => continue,
        }
        counts.passed -= number;
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(line: &str) -> Option<(i64, i64, i64)> {
        closing_line(line).map(|found| (found.passed, found.failed, found.skipped))
    }

    #[test]
    fn the_closing_lines_of_each_runner_are_read() {
        assert_eq!(
            counts("     Summary [   0.131s] 12 tests run: 12 passed, 0 skipped"),
            Some((12, 0, 0))
        );
        assert_eq!(
            counts(
                "     Summary [  20.1s] 9/10 tests run: 5 passed (1 slow, 1 flaky), 3 failed, 1 timed out, 2 skipped"
            ),
            Some((5, 4, 2))
        );
        assert_eq!(
            counts("test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s"),
            Some((3, 2, 1))
        );
    }

    #[test]
    fn the_two_lines_of_unittest_add_up() {
        let sum = |lines: &[&str]| lines.iter().filter_map(|line| closing_line(line)).sum::<Counts>();
        assert_eq!(
            sum(&["Ran 1 test in 0.003s", "OK"]),
            Counts {
                passed: 1,
                failed: 0,
                skipped: 0
            }
        );
        assert_eq!(
            sum(&[
                "Ran 9 tests in 1.003s",
                "",
                "FAILED (failures=1, errors=2, skipped=1, expected failures=1)"
            ]),
            Counts {
                passed: 5,
                failed: 3,
                skipped: 1
            }
        );
    }

    #[test]
    fn what_a_failed_test_printed_is_not_counted_again() {
        let output = "
        FAIL [   0.005s] (1/2) flockscope-store::care disk_full::child
  stdout ───

    running 1 test
    test disk_full::child ... FAILED

    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 38 filtered out; finished in 2.45s

    Ran 3 tests in 0.003s

    FAILED (failures=1)

     Summary [   0.131s] 2 tests run: 1 passed, 1 failed, 0 skipped\n";
        let sum: Counts = output.lines().filter_map(closing_line).sum();
        assert_eq!((sum.passed, sum.failed, sum.skipped), (1, 1, 0));
    }

    #[test]
    fn other_lines_are_not() {
        for line in [
            "",
            "running 3 tests",
            "test a::b ... ok",
            "3 tests, 1 passed of them",
            "3 passed, 0 failed",
            "OK",
            "Ran out of memory",
        ] {
            assert_eq!(counts(line), None, "{line}");
        }
    }
}
