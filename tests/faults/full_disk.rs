//! A disk that is soon full, for the tests of any crate: taken in by its path.
//!
//! It is a small tmpfs in a mount namespace of its own. Where that is not permitted (some containers), a limit to the size
//! of files can take its place: writes stop half way in the same manner.

use std::path::{Path, PathBuf};
use std::process::Command;

/// How the disk is filled up, for the child.
const MODE: &str = "FLOCKSCOPE_TEST_DISK";
const FOLDER: &str = "FLOCKSCOPE_TEST_FOLDER";

/// What the child is told.
pub(crate) struct Disk {
    /// A folder on it.
    pub(crate) folder: PathBuf,
    /// Whether it is a disk of its own, and not a limit to the size of files.
    pub(crate) is_own: bool,
}

/// In the child of [`run_child`]: its disk. `None` in any other process.
pub(crate) fn disk() -> Option<Disk> {
    let mode = std::env::var(MODE).ok()?;
    let folder = std::env::var(FOLDER).expect("a folder");
    Some(Disk {
        folder: folder.into(),
        is_own: mode == "tmpfs",
    })
}

/// Runs the test `disk_full::child` of this program with a folder that is a disk of so many megabytes, or, where none can
/// be made, with a limit to the size of files of so many blocks (512 bytes each, or 1,024 in bash). It must go well.
/// Returns what it said; `None` where there can be neither.
pub(crate) fn run_child(folder: &Path, megabytes: u32, blocks: Option<u32>) -> Option<String> {
    let own_disk = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none"])
        .arg(folder)
        .output()
        .is_ok_and(|output| output.status.success());
    let child = "exec \"$2\" --exact disk_full::child --nocapture";
    let (mode, script, mut command) = if own_disk {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh"]);
        let script = format!("mount -t tmpfs -o size={megabytes}m none \"$1\" && {child}");
        ("tmpfs", script, command)
    } else {
        let script = format!("trap '' XFSZ; ulimit -S -f {}; {child}", blocks?);
        ("limit", script, Command::new("sh"))
    };
    eprintln!("full disk by {mode}");
    let output = command
        .args(["-c", &script, "sh"])
        .arg(folder)
        .arg(std::env::current_exe().expect("this program"))
        .env(MODE, mode)
        .env(FOLDER, folder)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(said)
}
