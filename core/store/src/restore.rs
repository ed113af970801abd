//! Putting a backup in the place of a store.
//!
//! A store is a file and a folder, which can't be swapped in one step. So the new ones are first laid down complete in
//! a folder `x.duckdb.restore`; once that has its name, the restore is decided, and each step from there on can be
//! repeated: an interrupted one is finished when the store is opened next.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

use crate::backup::{ARCHIVE, DATABASE, Manifest, copy_hashed, hash};
use crate::connections::open_database;
use crate::files::{file_error, make_folder, remove_if_there, rename, sync, write_synced};
use crate::log_file::LOGS;
use crate::store::{beside, folder_beside};
use crate::{Progress, Settings, StoreError};

/// In the folder of a decided restore: the name under which the old store is kept.
const KEPT_AS: &str = "kept-as";

/// What in the folder beside a store belongs to the state that a restore replaces. The rest is of the place: above all the
/// log of spans that were accepted and are not stored yet, which are stored when the restored store is served next.
const REPLACED: [&str; 2] = ["archive", "staging"];

/// Steps in which a decided restore is carried out.
const FINISHING_STEPS: u64 = 8;

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup's manifest.
    pub manifest: Manifest,
    /// Where the store that was there before is kept: a store like any other. To undo the restore, move the file back,
    /// and what is in the folder of the same name with `.d`.
    pub kept: Option<PathBuf>,
}

/// Restores a store from a backup. Every file of the backup is checked before anything is changed.
///
/// The store must not be open in this process: its lock does not keep the process itself out.
///
/// Over a store that is there already only with `replace`; that one is kept aside. `progress` is called after each
/// file that was checked and each step.
pub fn restore(
    backup: &Path,
    store: &Path,
    replace: bool,
    mut progress: impl FnMut(Progress),
) -> Result<Restored, StoreError> {
    let store = &std::path::absolute(store).map_err(|source| file_error(store, source))?;
    finish_interrupted(store)?;
    let manifest = Manifest::read(backup)?;
    let occupied = [store.clone(), folder_beside(store)]
        .into_iter()
        .find(|path| path.exists());
    if let (Some(path), false) = (&occupied, replace) {
        return Err(StoreError::Exists {
            path: path.clone(),
            advice: "restore to another path, or say that it is to be replaced (it is then kept aside)",
        });
    }
    let total = 2 * manifest.files.len() as u64 + 1 + FINISHING_STEPS;
    let mut done = 0;
    let mut report = |what| {
        done += 1;
        progress(Progress { what, done, total });
    };
    check_files(backup, &manifest, || report("checking the backup"))?;
    if store.exists() {
        must_not_be_in_use(store)?;
    }
    if let Some(parent) = store.parent() {
        make_folder(parent)?;
    }
    let partial = beside(store, &format!(".restoring-{}", process::id()));
    let laid_down = lay_down(backup, store, &partial, &manifest, || report("copying the backup"));
    let kept = match laid_down {
        Ok(kept) => kept,
        Err(error) => {
            let _ = fs::remove_dir_all(&partial);
            return Err(error);
        }
    };
    report("deciding the restore");
    finish(store, &mut || report("taking the place of the store"))?;
    Ok(Restored {
        manifest,
        kept: occupied.map(|_| kept),
    })
}

fn check_files(backup: &Path, manifest: &Manifest, mut report: impl FnMut()) -> Result<(), StoreError> {
    let bad = |reason: String| StoreError::BadBackup {
        path: backup.to_owned(),
        reason,
    };
    for file in &manifest.files {
        let mut content =
            fs::File::open(backup.join(&file.path)).map_err(|error| bad(format!("{}: {error}", file.path)))?;
        let (bytes, sha256) = hash(&mut content, |_| Ok::<(), StoreError>(()))
            .map_err(|error| error.unwrap_or_else(|error| bad(format!("{}: {error}", file.path))))?;
        if bytes != file.bytes {
            return Err(bad(format!(
                "{} has {bytes} bytes instead of {}",
                file.path, file.bytes
            )));
        }
        if sha256 != file.sha256 {
            return Err(bad(format!(
                "{} is damaged: its SHA-256 is {sha256} instead of {}",
                file.path, file.sha256
            )));
        }
        report();
    }
    Ok(())
}

fn must_not_be_in_use(store: &Path) -> Result<(), StoreError> {
    // Only to read: DuckDB would take over what it can read of the log, and throw away the rest of it.
    match open_database(store, &Settings::default(), true) {
        Err(error @ StoreError::InUse { .. }) => Err(error),
        // A store that can't be opened is just what one replaces.
        _ => Ok(()),
    }
}

/// Writes the new store into a folder beside the place where it is to be, and decides the restore by the folder's name.
fn lay_down(
    backup: &Path,
    store: &Path,
    partial: &Path,
    manifest: &Manifest,
    mut report: impl FnMut(),
) -> Result<PathBuf, StoreError> {
    make_folder(&partial.join(ARCHIVE))?;
    for file in &manifest.files {
        let copied = copy_hashed(&backup.join(&file.path), partial, &file.path)?;
        if copied != *file {
            return Err(StoreError::BadBackup {
                path: backup.to_owned(),
                reason: format!("{} changed while it was read", file.path),
            });
        }
        report();
    }
    let now = DateTime::<Utc>::from(SystemTime::now()).format("%Y%m%dT%H%M%SZ");
    let kept = (0..)
        .map(|number: u32| match number {
            0 => beside(store, &format!(".before-restore-{now}")),
            _ => beside(store, &format!(".before-restore-{now}-{number}")),
        })
        .find(|path| !path.exists() && !folder_beside(path).exists())
        .expect("numbers enough for the restores of one second");
    let name = kept.file_name().unwrap_or_default().to_string_lossy().into_owned();
    write_synced(&partial.join(KEPT_AS), name.as_bytes())?;
    sync(partial)?;
    rename(partial, &decided(store))?;
    sync(store.parent().unwrap_or(store))?;
    Ok(kept)
}

/// The folder of a decided restore.
fn decided(store: &Path) -> PathBuf {
    beside(store, ".restore")
}

/// Finishes a restore that was decided and then interrupted; does nothing where there is none.
pub(crate) fn finish_interrupted(store: &Path) -> Result<(), StoreError> {
    finish(store, &mut || {})
}

/// Moves the old store aside and the new one into its place. `report` is called after each step.
fn finish(store: &Path, report: &mut dyn FnMut()) -> Result<(), StoreError> {
    let decided = decided(store);
    let name = match fs::read_to_string(decided.join(KEPT_AS)) {
        Ok(name) => name,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Interrupted while it was tidied up: nothing is left in it.
            let _ = fs::remove_dir_all(&decided);
            return Ok(());
        }
        Err(error) => return Err(file_error(&decided, error)),
    };
    let kept = store.with_file_name(name);
    let new_file = decided.join(DATABASE);
    let new_archive = decided.join(ARCHIVE);
    let parent = store.parent().unwrap_or(store);
    if new_file.exists() {
        // While the new file waits, what has the store's name is the old one.
        for suffix in LOGS.into_iter().chain([""]) {
            move_if_there(&beside(store, suffix), &beside(&kept, suffix))?;
            report();
        }
        if new_archive.exists() {
            let (folder, kept_folder) = (folder_beside(store), folder_beside(&kept));
            if folder.exists() {
                make_folder(&kept_folder)?;
            }
            make_folder(&folder)?;
            for part in REPLACED {
                move_if_there(&folder.join(part), &kept_folder.join(part))?;
                report();
            }
            rename(&new_archive, &folder.join("archive"))?;
            sync(&folder)?;
            report();
        }
        sync(parent)?;
        rename(&new_file, store)?;
        sync(parent)?;
        report();
    }
    remove_if_there(&decided.join(KEPT_AS))?;
    fs::remove_dir_all(&decided).map_err(|source| file_error(&decided, source))?;
    sync(parent)
}

fn move_if_there(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(file_error(from, error)),
        Ok(()) => Ok(()),
    }
}
