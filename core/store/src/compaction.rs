//! Giving space back. DuckDB frees the blocks of deleted rows for new ones, but its file keeps its size: only a copy
//! is smaller (docs/store-care.md).

use std::path::Path;

use serde::Serialize;

use crate::calls::quoted;
use crate::files::{remove_if_there, rename, sync};
use crate::log_file::LOGS;
use crate::store::beside;
use crate::{Progress, Size, Store, StoreError};

/// Steps that [`Store::compact`] reports.
const STEPS: u64 = 3;

/// What compacting a store did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Compacted {
    /// What the store took before.
    pub before: Size,
    /// What it takes now.
    pub after: Size,
}

impl Store {
    /// Rewrites the store's file without its free space. Storing waits meanwhile; reading only at the end, while the
    /// new file takes the place of the old one.
    ///
    /// It needs as much free disk as the store's content takes. At every moment there is one complete store: what was
    /// begun and not finished is removed when the store is opened next.
    pub fn compact(&self, mut progress: impl FnMut(Progress)) -> Result<Compacted, StoreError> {
        self.must_be_a_file("be compacted")?;
        let _care = self.care();
        let before = self.size()?;
        self.compact_file(&mut progress)?;
        let after = self.size()?;
        Ok(Compacted { before, after })
    }

    pub(crate) fn compact_file(&self, progress: &mut dyn FnMut(Progress)) -> Result<(), StoreError> {
        let mut report = |what, done| {
            progress(Progress {
                what,
                done,
                total: STEPS,
            });
        };
        let copy = self.staging_folder().join("compact.duckdb");
        let logs = LOGS.map(|suffix| beside(&self.path, suffix));
        // Held until the end: what was stored after the copy was made would be lost.
        let writer = self.writer()?;
        let outcome = writer
            .execute_batch("CHECKPOINT")
            .map_err(StoreError::from)
            .and_then(|()| copy_database(&writer, &copy))
            .and_then(|()| sync(&copy))
            .and_then(|()| {
                report("copying the database", 1);
                self.with_file_closed(writer, || {
                    // DuckDB writes its log into the file when it closes it. A log that stayed would be taken for
                    // that of the new file, and its rows would be there twice.
                    if let Some(log) = logs.iter().find(|log| log.exists()) {
                        return Err(StoreError::NotWrittenWell {
                            path: log.clone(),
                            reason: "the write-ahead log is still there after closing".into(),
                        });
                    }
                    report("closing the file", 2);
                    rename(&copy, &self.path)?;
                    sync(self.path.parent().unwrap_or(&self.path))?;
                    report("taking its place", 3);
                    Ok(())
                })
            });
        outcome.map_err(|error| {
            remove_copy(&copy);
            self.write_error(error)
        })
    }
}

/// Removes an unfinished copy. What can't be removed now is removed at the next opening.
pub(crate) fn remove_copy(copy: &Path) {
    for path in [copy.to_owned()]
        .into_iter()
        .chain(LOGS.map(|suffix| beside(copy, suffix)))
    {
        let _ = remove_if_there(&path);
    }
}

/// Copies all tables, views and macros of the connection's database into a new file, as one transaction sees them.
pub(crate) fn copy_database(connection: &duckdb::Connection, target: &Path) -> Result<(), StoreError> {
    remove_copy(target);
    let name: String = connection.query_row("SELECT current_database()", [], |row| row.get(0))?;
    let identifier = name.replace('"', "\"\"");
    connection.execute_batch(&format!(
        "ATTACH {} AS \"flockscope copy\"",
        quoted(&target.to_string_lossy())
    ))?;
    let copied = connection.execute_batch(&format!("COPY FROM DATABASE \"{identifier}\" TO \"flockscope copy\""));
    // Detaching writes the copy's log into its file.
    let detached = connection.execute_batch("DETACH \"flockscope copy\"");
    Ok(copied.and(detached)?)
}
