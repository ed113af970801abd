//! A process that ends without warning at each step of a piece of work leaves a whole store.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use flockscope_store::{Progress, restore};

use crate::spans::{DAY, assert_healthy, batch, content, day, open, silent, span};

const WORK: &str = "FLOCKSCOPE_TEST_WORK";
const STEP: &str = "FLOCKSCOPE_TEST_STEP";
const FOLDER: &str = "FLOCKSCOPE_TEST_FOLDER";

type Content = BTreeMap<(String, String), String>;

/// Runs a test of this binary in a process of its own. Returns whether it ended well; `abort` ends it otherwise.
pub(crate) fn run(test: &str, variables: &[(&str, &str)]) -> bool {
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(program)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .envs(variables.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("this program runs");
    assert_ne!(status.code(), Some(101), "{test} failed with {variables:?}");
    status.success()
}

/// The work of the child. Does nothing when it is run as a test of the whole.
#[test]
fn child() {
    let Ok(work) = std::env::var(WORK) else {
        return;
    };
    let mut left: u64 = std::env::var(STEP).expect("a step").parse().expect("a number");
    let folder = std::env::var(FOLDER).expect("a folder");
    let folder = Path::new(&folder);
    let store = folder.join("s.duckdb");
    let die = move |_: Progress| {
        if left == 0 {
            std::process::abort();
        }
        left -= 1;
    };
    match work.as_str() {
        "everything" => work_for_ever(folder),
        "archive" => drop(open(&store).archive(day(103), die).expect("archived")),
        "compact" => drop(open(&store).compact(die).expect("compacted")),
        "backup" => drop(open(&store).backup(&folder.join("backup"), die).expect("backed up")),
        "restore" => drop(restore(&folder.join("backup"), &store, true, die).expect("restored")),
        other => panic!("no such work: {other}"),
    }
}

/// Ends the work at each step in turn, each time on a fresh store. Returns how many steps there were.
fn at_each_step(work: &str, prepare: impl Fn(&Path), check: impl Fn(&Path, u64, bool)) -> u64 {
    for step in 0.. {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        let ended = run(
            "crash::child",
            &[
                (WORK, work),
                (STEP, &step.to_string()),
                (FOLDER, folder.path().to_str().expect("text")),
            ],
        );
        check(folder.path(), step, ended);
        if ended {
            return step;
        }
    }
    unreachable!("the work never ended")
}

/// Three days of which one is in the archive, with late spans in the table, and the newest spans only in the log.
fn prepare(folder: &Path) -> Content {
    let store = open(&folder.join("s.duckdb"));
    for number in 100..103 {
        store
            .ingest(&batch(&format!("d{number}"), number, 400))
            .expect("stored");
    }
    store.archive(day(101), silent).expect("archived");
    store.ingest(&batch("late", 100, 100)).expect("stored");
    store.ingest(&[span("d102-1", "s2", 102, 7)]).expect("replaced");
    content(&store)
}

fn assert_whole(path: &Path, expected: &Content, context: &str) {
    let store = open(path);
    assert_eq!(&content(&store), expected, "{context}");
    assert_healthy(&store);
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let staging = path.with_file_name(format!("{name}.d")).join("staging");
    assert_eq!(
        std::fs::read_dir(staging).expect("a folder").count(),
        0,
        "{context}: leftovers"
    );
    // And it works on.
    store.ingest(&batch("after", 110, 10)).expect("stored");
    store.archive(day(120), silent).expect("archived");
    store.compact(silent).expect("compacted");
    assert_eq!(content(&store).len(), expected.len() + 10, "{context}");
}

/// What [`prepare`] makes.
fn expected() -> &'static Content {
    static EXPECTED: OnceLock<Content> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let mut content = prepare(folder.path());
        // Set by the clock, so another one in each store.
        content.values_mut().for_each(|row| *row = without_created_at(row));
        content
    })
}

fn without_created_at(row: &str) -> String {
    let Some((before, rest)) = row.split_once("'created_at': ") else {
        return row.to_owned();
    };
    before.to_owned() + rest.split_once(", 'scope_name'").expect("the next column").1
}

#[test]
fn an_archive_run_can_end_anywhere() {
    let steps = at_each_step(
        "archive",
        |folder| drop(prepare(folder)),
        |folder, step, _| {
            let store = open(&folder.join("s.duckdb"));
            let mut found = content(&store);
            found.values_mut().for_each(|row| *row = without_created_at(row));
            assert_eq!(&found, expected(), "step {step}");
            let now = content(&store);
            drop(store);
            assert_whole(&folder.join("s.duckdb"), &now, &format!("step {step}"));
        },
    );
    assert_eq!(steps, 6);
}

#[test]
fn a_compaction_can_end_anywhere() {
    let steps = at_each_step(
        "compact",
        |folder| drop(prepare(folder)),
        |folder, step, _| {
            let store = open(&folder.join("s.duckdb"));
            let now = content(&store);
            let mut found = now.clone();
            found.values_mut().for_each(|row| *row = without_created_at(row));
            assert_eq!(&found, expected(), "step {step}");
            drop(store);
            assert_whole(&folder.join("s.duckdb"), &now, &format!("step {step}"));
        },
    );
    assert_eq!(steps, 3);
}

#[test]
fn a_backup_is_whole_or_not_there() {
    let steps = at_each_step(
        "backup",
        |folder| drop(prepare(folder)),
        |folder, step, ended| {
            let backup = folder.join("backup");
            assert_eq!(backup.exists(), ended, "step {step}");
            if ended {
                restore(&backup, &folder.join("r.duckdb"), false, silent).expect("restored");
                assert_eq!(
                    content(&open(&folder.join("r.duckdb"))),
                    content(&open(&folder.join("s.duckdb")))
                );
            }
            let now = content(&open(&folder.join("s.duckdb")));
            assert_eq!(now.len(), expected().len());
            assert_whole(&folder.join("s.duckdb"), &now, &format!("step {step}"));
        },
    );
    assert_eq!(steps, 4);
}

#[test]
fn a_restore_is_done_or_not_done() {
    let steps = at_each_step(
        "restore",
        |folder| {
            prepare(folder);
            let store = open(&folder.join("s.duckdb"));
            store.backup(&folder.join("backup"), silent).expect("backed up");
            store.ingest(&batch("newer", 105, 50)).expect("stored");
            store.expire(103 * DAY, 2).expect("expired");
        },
        |folder, step, ended| {
            let path = folder.join("s.duckdb");
            let newer = content(&open(&path))
                .keys()
                .filter(|(trace, _)| trace.starts_with("newer"))
                .count();
            assert!(newer == 50 || newer == 0, "step {step}: {newer}");
            assert!(!ended || newer == 0, "step {step}");
            let kept: Vec<_> = std::fs::read_dir(folder)
                .expect("a folder")
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.to_string_lossy().contains(".before-restore-") && path.is_file())
                .filter(|path| !path.to_string_lossy().ends_with(".wal"))
                .collect();
            if newer == 0 {
                assert_eq!(content(&open(&path)).len(), expected().len(), "step {step}");
                // The one before is kept, and is a store.
                let before = content(&open(&kept[0]));
                assert_eq!(
                    before.keys().filter(|(trace, _)| trace.starts_with("newer")).count(),
                    50,
                    "step {step}"
                );
            } else {
                assert_eq!(kept.len(), 0, "step {step}");
            }
            let now = content(&open(&path));
            assert_whole(&path, &now, &format!("step {step}"));
        },
    );
    assert_eq!(steps, 13);
}

/// Stores batches, moves days in and out of the archive, and rewrites the file; writes down each batch that was
/// acknowledged.
fn work_for_ever(folder: &Path) {
    let store = open(&folder.join("s.duckdb"));
    let first = std::fs::read_to_string(folder.join("acknowledged")).map_or(0, |text| text.lines().count());
    for number in first.. {
        store
            .ingest(&batch(&format!("b{number}"), 100 + number as i64 % 4, 20))
            .expect("stored");
        let mut file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(folder.join("acknowledged"))
            .expect("a file");
        writeln!(file, "b{number}").expect("written");
        match number % 8 {
            3 => drop(store.archive(day(103), silent).expect("archived")),
            5 => drop(store.unarchive(day(101)).expect("brought back")),
            6 => drop(store.compact(silent).expect("compacted")),
            7 => {
                let _ = std::fs::remove_dir_all(folder.join("backup"));
                store.backup(&folder.join("backup"), silent).expect("backed up");
            }
            _ => {}
        }
    }
}

#[test]
fn a_process_can_be_killed_at_any_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = 0;
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "crash::child"])
            .envs([(WORK, "everything"), (STEP, "0")])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program runs");
        thread::sleep(Duration::from_millis(700 + 137 * round));
        assert_eq!(
            child.try_wait().expect("a process"),
            None,
            "round {round}: it ended by itself"
        );
        child.kill().expect("killed");
        child.wait().expect("ended");
        let text = std::fs::read_to_string(folder.path().join("acknowledged")).unwrap_or_default();
        let store = open(&folder.path().join("s.duckdb"));
        let found = content(&store);
        // The batch that was not yet written down may be there, but whole.
        let whole = found.len() / 20;
        assert_eq!(found.len() % 20, 0, "round {round}: a torn batch");
        acknowledged = text.lines().count();
        assert!(
            whole == acknowledged || whole == acknowledged + 1,
            "round {round}: {whole} of {acknowledged}"
        );
        for name in text.lines() {
            assert!(
                found.contains_key(&(format!("{name}-0"), "s0".into())),
                "round {round}: {name} is lost"
            );
        }
        assert_healthy(&store);
    }
    assert!(acknowledged > 20, "only {acknowledged} batches in all rounds");
}
