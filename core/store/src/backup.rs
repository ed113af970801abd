//! Backups: a consistent copy of a store that is in use, as a folder.
//!
//! The folder holds `store.duckdb`, its archive beside it in `store.duckdb.d/archive`, and `manifest.json` with the
//! size and SHA-256 of each file. It is itself a store, which can be opened read-only. It has another name until it is
//! complete.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::archive_files::{entered, is_archive_file};
use crate::compaction::{copy_database, remove_copy};
use crate::connections::open_database;
use crate::files::{file_error, make_folder, remove_if_there, rename, sync, write_synced};
use crate::store::beside;
use crate::{Progress, Store, StoreError};

/// Format of the manifest that is written, and the only one that is read.
const FORMAT: u32 = 1;
/// The manifest's name.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The database's name in a backup.
pub(crate) const DATABASE: &str = "store.duckdb";
/// Folder of the archive in a backup.
pub(crate) const ARCHIVE: &str = "store.duckdb.d/archive";

/// What a backup holds: the content of its `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of the backup: 1.
    pub format: u32,
    /// When it was made, UTC, as in RFC 3339.
    pub created: String,
    /// Version of Flockscope that made it.
    pub flockscope: String,
    /// Spans in the table.
    pub stored_spans: u64,
    /// Spans in the archive.
    pub archived_spans: u64,
    /// Every file of it but the manifest.
    pub files: Vec<BackupFile>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Its path in the backup, with `/`.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Reads the manifest of a backup. Says nothing yet of the other files.
    pub fn read(backup: &Path) -> Result<Self, StoreError> {
        let bad = |reason: String| StoreError::BadBackup {
            path: backup.to_owned(),
            reason,
        };
        let path = backup.join(MANIFEST);
        let text = fs::read(&path).map_err(|error| bad(format!("{MANIFEST} can't be read: {error}")))?;
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| bad(format!("{MANIFEST} is not a manifest: {error}")))?;
        if manifest.format != FORMAT {
            return Err(bad(format!(
                "its format is {}, and this Flockscope reads only {FORMAT}: use the one that made it ({})",
                manifest.format, manifest.flockscope
            )));
        }
        if manifest.files.iter().filter(|file| file.path == DATABASE).count() != 1 {
            return Err(bad(format!("{MANIFEST} does not name {DATABASE} once")));
        }
        for file in &manifest.files {
            let archived = file.path.strip_prefix(ARCHIVE).and_then(|path| path.strip_prefix('/'));
            if file.path != DATABASE && !archived.is_some_and(is_archive_file) {
                return Err(bad(format!(
                    "{MANIFEST} names a file that no backup has: {:?}",
                    file.path
                )));
            }
        }
        Ok(manifest)
    }
}

impl Store {
    /// Copies the store, archive included, into a new folder, as it is at one moment. Storing and reading go on.
    ///
    /// Needs room for the table's content twice for a moment: beside the store, and in the folder. `progress` is called
    /// after each file.
    pub fn backup(&self, folder: &Path, progress: impl FnMut(Progress)) -> Result<Manifest, StoreError> {
        self.must_be_a_file("be backed up")?;
        let folder = std::path::absolute(folder).map_err(|source| file_error(folder, source))?;
        if folder.exists() {
            return Err(StoreError::Exists {
                path: folder,
                advice: "a backup is written to a new folder, so name another one",
            });
        }
        let _care = self.care();
        let partial = beside(&folder, &format!(".partial-{}", process::id()));
        let copy = self.staging_folder().join("backup.duckdb");
        let outcome = self.write_backup(&partial, &copy, progress).and_then(|manifest| {
            rename(&partial, &folder)?;
            sync(folder.parent().unwrap_or(&folder))?;
            Ok(manifest)
        });
        outcome.map_err(|error| {
            remove_copy(&copy);
            let _ = fs::remove_dir_all(&partial);
            self.write_error(error)
        })
    }

    fn write_backup(
        &self,
        partial: &Path,
        copy: &Path,
        mut progress: impl FnMut(Progress),
    ) -> Result<Manifest, StoreError> {
        make_folder(partial)?;
        // The reader keeps the files of the archive that the copy names.
        let reader = self.reader()?;
        copy_database(&reader, copy)?;
        let (stored_spans, days) = {
            let database = open_database(copy, &self.settings, true)?;
            let connection = database.connect()?;
            let spans = connection.query_row("SELECT count(*) FROM stored_spans", [], |row| row.get(0))?;
            (spans, entered(&connection)?)
        };
        let total = days.len() as u64 + 3;
        let mut done = 0;
        let mut report = |what| {
            done += 1;
            progress(Progress { what, done, total });
        };
        report("copying the database");
        let mut files = vec![copy_hashed(copy, partial, DATABASE)?];
        remove_if_there(copy)?;
        report("writing the backup");
        for day in &days {
            let source = self.archive_folder().join(&day.file);
            files.push(copy_hashed(&source, partial, &format!("{ARCHIVE}/{}", day.file))?);
            report("copying the archive");
        }
        let manifest = Manifest {
            format: FORMAT,
            created: DateTime::<Utc>::from(SystemTime::now()).to_rfc3339(),
            flockscope: env!("CARGO_PKG_VERSION").into(),
            stored_spans,
            archived_spans: days.iter().map(|day| day.spans).sum(),
            files,
        };
        let text = serde_json::to_vec_pretty(&manifest).map_err(|error| StoreError::NotWrittenWell {
            path: partial.join(MANIFEST),
            reason: error.to_string(),
        })?;
        write_synced(&partial.join(MANIFEST), &text)?;
        sync(partial)?;
        report("writing the manifest");
        Ok(manifest)
    }
}

/// Copies a file into a folder and makes it last.
pub(crate) fn copy_hashed(source: &Path, folder: &Path, path: &str) -> Result<BackupFile, StoreError> {
    let target: PathBuf = folder.join(path);
    let parent = target.parent().unwrap_or(folder);
    make_folder(parent)?;
    let mut from = File::open(source).map_err(|error| file_error(source, error))?;
    let mut to = File::create(&target).map_err(|error| file_error(&target, error))?;
    let (bytes, sha256) = hash(&mut from, |piece| {
        to.write_all(piece).map_err(|error| file_error(&target, error))
    })
    .map_err(|error| error.unwrap_or_else(|error| file_error(source, error)))?;
    to.sync_all().map_err(|error| file_error(&target, error))?;
    // Every folder that was made on the way.
    for made in parent.ancestors().take_while(|made| made.starts_with(folder)) {
        sync(made)?;
    }
    Ok(BackupFile {
        path: path.into(),
        bytes,
        sha256,
    })
}

/// Length and SHA-256 of what can be read, piece by piece. The inner result of the error tells whose it is: that of
/// `each` or that of reading.
pub(crate) fn hash<E>(
    from: &mut impl Read,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(u64, String), Result<E, std::io::Error>> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer).map_err(Err)? {
            0 => break,
            read => {
                digest.update(&buffer[..read]);
                each(&buffer[..read]).map_err(Ok)?;
                bytes += read as u64;
            }
        }
    }
    let hex = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, hex))
}
