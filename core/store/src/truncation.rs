//! A store whose file lost its end: a copy that stopped half way, a tool that cut it, a file system that was repaired.
//!
//! DuckDB opens such a file as long as its headers are there, and takes writes. The next checkpoint writes behind the end,
//! which leaves a hole where the missing blocks were: from then on nothing tells that the file was cut. So the file is
//! looked at before it is opened, and its length before each write.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use duckdb::Connection;

use crate::connections::open_database;
use crate::database_file::{self, HEADERS};
use crate::files::file_error;
use crate::{Settings, Store, StoreError};

/// Refuses a file that ends before its header says, unless another process holds it: then that is what is said. Must not
/// be called while this process has the file open.
pub(crate) fn check_closed(path: &Path) -> Result<(), StoreError> {
    let truncated = match missing_end(path) {
        // There is none, or DuckDB says why it can't be read.
        Err(_) | Ok(None) => return Ok(()),
        Ok(Some((length, needed))) => StoreError::Truncated {
            path: path.to_owned(),
            length,
            needed,
        },
    };
    match open_database(path, &Settings::default(), true) {
        Err(error @ StoreError::InUse { .. }) => Err(error),
        _ => Err(truncated),
    }
}

/// The length of a truncated file, and the one that it had at least.
fn missing_end(path: &Path) -> std::io::Result<Option<(u64, u64)>> {
    let frame = database_file::examine(path, false, |_| {})?;
    let length = fs::metadata(path)?.len();
    let headers = frame.ends_in_headers.then_some(HEADERS as u64);
    Ok(frame.promised.or(headers).map(|needed| (length, needed)))
}

impl Store {
    /// Refuses to write when the file lost its end while it was open. What is in DuckDB's log stays there.
    pub(crate) fn check_length(&self, writer: &Connection) -> Result<(), StoreError> {
        if self.is_in_memory() || self.read_only {
            return Ok(());
        }
        // By its name: to open the file here and close it would end DuckDB's lock on it (POSIX record locks).
        let length = fs::metadata(&self.path)
            .map_err(|source| file_error(&self.path, source))?
            .len();
        if length >= self.length.load(Ordering::SeqCst) {
            self.length.store(length, Ordering::SeqCst);
            return Ok(());
        }
        // A compaction puts a shorter file in its place, and a checkpoint cuts off free blocks, or has counted some that
        // were never written. What is in use can't lie beyond the end.
        let needed: i64 = writer.query_row(
            &format!(
                "SELECT used_blocks * block_size + {HEADERS} FROM pragma_database_size()
                 WHERE database_name = current_database()"
            ),
            [],
            |row| row.get(0),
        )?;
        let needed = u64::try_from(needed).unwrap_or_default();
        if length >= needed {
            self.length.store(length, Ordering::SeqCst);
            return Ok(());
        }
        self.connections.never_close();
        Err(StoreError::Truncated {
            path: self.path.clone(),
            length,
            needed,
        })
    }
}
