//! The files of the archive: which ones count, and when one that no longer counts may go.
//!
//! A file counts when the table `archived_days` names it; the view `spans` lists exactly those. Files are never changed
//! in place. A file that is superseded stays until the last query that may read it has ended. A file that is new, or is
//! to go, has a marker in the staging folder while the database does not yet say so for good; at the next opening
//! [`sweep`] removes each marked file that does not count.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::NaiveDate;
use duckdb::Connection;
use serde::{Serialize, Serializer};

use crate::StoreError;
use crate::files::{file_error, make_folder, remove_if_there, sync, write_synced};

/// What the names of markers begin with.
const MARK: &str = "unless-entered-";

/// Nanoseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000_000;

/// A UTC day, by the spans' start, that is in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchivedDay {
    /// The day.
    #[serde(serialize_with = "as_text")]
    pub day: NaiveDate,
    /// Spans in it.
    pub spans: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Its file, relative to the archive's folder: `day=YYYY-MM-DD/spans-1.parquet`.
    pub file: String,
}

fn as_text<S: Serializer>(day: &NaiveDate, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&day.format("%Y-%m-%d"))
}

/// Days since the epoch.
pub(crate) fn number_of(day: NaiveDate) -> i64 {
    day.to_epoch_days().into()
}

/// The first nanosecond of a day; saturates.
pub(crate) fn start_of(day: NaiveDate) -> i64 {
    number_of(day).saturating_mul(DAY)
}

pub(crate) fn day_of(start_time: i64) -> NaiveDate {
    let days = i32::try_from(start_time.div_euclid(DAY)).expect("nanoseconds in 64 bits span some 213,000 days");
    NaiveDate::from_epoch_days(days).expect("chrono knows every day of nanoseconds in 64 bits")
}

/// The days in the archive, oldest first.
pub(crate) fn entered(connection: &Connection) -> duckdb::Result<Vec<ArchivedDay>> {
    connection
        .prepare("SELECT epoch_ns(day) , spans, bytes, file FROM archived_days ORDER BY day")?
        .query_map([], |row| {
            Ok(ArchivedDay {
                day: day_of(row.get(0)?),
                spans: row.get(1)?,
                bytes: row.get(2)?,
                file: row.get(3)?,
            })
        })?
        .collect()
}

/// A name for a day's next file: one that no file has.
pub(crate) fn next_file(archive: &Path, day: NaiveDate) -> String {
    let folder = format!("day={}", day.format("%Y-%m-%d"));
    let mut names = (1_u64..).map(|number| format!("{folder}/spans-{number}.parquet"));
    names
        .find(|name| !archive.join(name).exists())
        .expect("numbers without end")
}

/// Says on disk that a file of the archive is to go unless it is entered.
pub(crate) fn mark(staging: &Path, file: &str) -> Result<Marker, StoreError> {
    let path = marker_of(staging, file);
    write_synced(&path, file.as_bytes())?;
    sync(staging)?;
    Ok(Marker { path })
}

pub(crate) fn is_marked(staging: &Path, file: &str) -> bool {
    marker_of(staging, file).exists()
}

fn marker_of(staging: &Path, file: &str) -> PathBuf {
    staging.join(format!("{MARK}{}", file.replace('/', "-")))
}

/// A mark on disk; see [`mark`].
#[derive(Debug)]
pub(crate) struct Marker {
    path: PathBuf,
}

impl Marker {
    pub(crate) fn remove(self) -> Result<(), StoreError> {
        remove_if_there(&self.path)
    }
}

/// Empties the staging folder, and removes the marked files that are not entered. Nothing else may use the store.
pub(crate) fn sweep(connection: &Connection, archive: &Path, staging: &Path) -> Result<(), StoreError> {
    let entered = entered(connection)?;
    for entry in fs::read_dir(staging).map_err(|source| file_error(staging, source))? {
        let path = entry.map_err(|source| file_error(staging, source))?.path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(MARK))
        {
            let file = fs::read_to_string(&path).map_err(|source| file_error(&path, source))?;
            // Torn while it was written: then no file had been made or given up yet.
            if is_archive_file(&file) && entered.iter().all(|day| day.file != file) {
                remove_file_of_day(archive, &file)?;
            }
        }
        if path.is_dir() {
            fs::remove_dir_all(&path).map_err(|source| file_error(&path, source))?;
        } else {
            remove_if_there(&path)?;
        }
    }
    Ok(())
}

/// Whether a text is the name of a file as [`next_file`] makes them: nothing that leads out of the archive.
pub(crate) fn is_archive_file(file: &str) -> bool {
    let Some((folder, name)) = file.split_once('/') else {
        return false;
    };
    let day = folder
        .strip_prefix("day=")
        .is_some_and(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok());
    let number = name
        .strip_prefix("spans-")
        .and_then(|name| name.strip_suffix(".parquet"));
    day && number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
}

fn remove_file_of_day(archive: &Path, file: &str) -> Result<(), StoreError> {
    let path = archive.join(file);
    remove_if_there(&path)?;
    if let Some(folder) = path.parent() {
        // Fails while the folder holds another file of the day, as it should.
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// Moves a finished file from the staging folder into the archive, for good.
pub(crate) fn publish(staged: &Path, archive: &Path, file: &str) -> Result<(), StoreError> {
    let target = archive.join(file);
    let folder = target.parent().unwrap_or(archive);
    make_folder(folder)?;
    fs::rename(staged, &target).map_err(|source| file_error(&target, source))?;
    sync(folder)?;
    sync(archive)
}

/// Who may still read which state of the archive.
#[derive(Debug, Default)]
pub(crate) struct ArchiveFiles {
    newest: Mutex<Lease>,
}

/// As long as it lives, no file goes that counted when it was taken.
pub(crate) type Lease = Arc<Generation>;

/// A state of the archive. When nobody holds it and no earlier one any more, what it had to give up is removed.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    given_up: OnceLock<GivenUp>,
}

#[derive(Debug)]
struct GivenUp {
    archive: PathBuf,
    files: Vec<(String, Marker)>,
    /// Keeps the later states: who reads this one may read what they give up.
    _next: Lease,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        for (file, marker) in self.files.drain(..) {
            // What can't be removed now is removed at the next opening: its marker stays.
            if remove_file_of_day(&self.archive, &file).is_ok() {
                let _ = marker.remove();
            }
        }
    }
}

impl ArchiveFiles {
    pub(crate) fn lease(&self) -> Lease {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives up files that no longer count.
    pub(crate) fn give_up(&self, archive: &Path, files: Vec<(String, Marker)>) {
        if files.is_empty() {
            return;
        }
        let next = Lease::default();
        let last = {
            let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *newest, next.clone())
        };
        let given_up = GivenUp {
            archive: archive.to_owned(),
            files,
            _next: next,
        };
        last.given_up
            .set(given_up)
            .expect("a state is followed once, under the lock");
    }
}
