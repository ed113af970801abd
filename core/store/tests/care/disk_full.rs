//! On a full disk nothing is lost that was acknowledged, and the process goes on when there is space again.
//!
//! The full disk is a small tmpfs in a mount namespace of its own. Where that is not permitted (some containers), a
//! limit to the size of files takes its place: DuckDB sees the same failing writes.

use std::path::Path;
use std::process::Command;

use flockscope_store::{Store, StoreError, Window};

use crate::spans::{assert_healthy, batch, content, count, day, open, silent};

const MODE: &str = "FLOCKSCOPE_TEST_DISK";
const BATCH: i64 = 500;

#[test]
fn nothing_acknowledged_is_lost_on_a_full_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let own_disk = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(folder.path())
        .output()
        .is_ok_and(|output| output.status.success());
    let (mode, script) = if own_disk {
        (
            "tmpfs",
            "mount -t tmpfs -o size=48m none \"$1\" && exec \"$2\" --exact disk_full::child --nocapture",
        )
    } else {
        // In blocks of 512 bytes, or 1,024 in bash: about 10 to 20 MB.
        (
            "limit",
            "trap '' XFSZ; ulimit -S -f 20000; exec \"$2\" --exact disk_full::child --nocapture",
        )
    };
    eprintln!("full disk by {mode}");
    let mut command = match mode {
        "tmpfs" => {
            let mut command = Command::new("unshare");
            command.args(["-rm", "sh"]);
            command
        }
        _ => Command::new("sh"),
    };
    let output = command
        .args(["-c", script, "sh"])
        .arg(folder.path())
        .arg(program)
        .env(MODE, mode)
        .env("TEST_FOLDER", folder.path())
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

fn is_full<T>(outcome: Result<T, StoreError>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(StoreError::DiskFull { .. }) => true,
        Err(error) => panic!("not said to be a full disk: {error}"),
    }
}

/// Stores batches until the disk is full. Returns how many there are then.
fn fill(store: &Store, mut stored: i64) -> i64 {
    loop {
        if is_full(store.ingest(&batch(&format!("b{stored}"), 100 + stored % 3, BATCH))) {
            return stored;
        }
        stored += 1;
    }
}

#[test]
fn child() {
    let Ok(mode) = std::env::var(MODE) else {
        return;
    };
    let folder = std::env::var("TEST_FOLDER").expect("a folder");
    let folder = Path::new(&folder);
    let path = folder.join("s.duckdb");
    let ballast = folder.join("ballast");
    if mode == "tmpfs" {
        std::fs::write(&ballast, vec![1; 16 << 20]).expect("room");
    }
    let store = open(&path);
    let mut stored = fill(&store, 0);
    assert!(stored > 2, "only {stored} batches fitted");
    // Again and again: nothing of the refused batches is there, and reading goes on.
    for _ in 0..3 {
        stored = fill(&store, stored);
        assert_eq!(count(&store), stored * BATCH);
        assert!(!store.traces(Window::default(), Some(10)).expect("traces").is_empty());
    }
    let before = content(&store);
    // Work that needs space leaves the store as it was; a failed checkpoint makes DuckDB give up the open file.
    let backup = folder.join("backup");
    for round in 0..2 {
        let compacted = store.compact(silent).map(drop);
        if mode == "tmpfs" {
            let message = compacted.as_ref().expect_err("a full disk").to_string();
            assert!(
                message.contains("FATAL"),
                "DuckDB was to give up the file, and did not: {message}"
            );
        }
        let refused = [
            is_full(store.backup(&backup, silent)),
            is_full(compacted),
            is_full(store.archive(day(200), silent)),
        ];
        assert!(
            mode != "tmpfs" || refused[..2] == [true, true],
            "round {round}: {refused:?}"
        );
        assert_eq!(content(&store), before, "round {round}");
        assert!(refused[0] != backup.exists());
    }
    if mode == "tmpfs" {
        std::fs::remove_file(&ballast).expect("removed");
        store
            .ingest(&batch(&format!("b{stored}"), 100, BATCH))
            .expect("there is space again");
        stored += 1;
        assert_eq!(count(&store), stored * BATCH);
    }
    assert_healthy(&store);
    drop(store);
    let store = open(&path);
    assert_eq!(count(&store), stored * BATCH);
    assert_healthy(&store);
}
