//! The archive: whole UTC days as Parquet files, which `spans` goes on reading.
//!
//! A day is written to a new file, then in one transaction taken out of the table and entered in `archived_days`. Until
//! that commit nothing reads the file, and after it nothing else holds the rows, so at any moment each span is there
//! exactly once. Spans can be stored all the while: those that come late stay in the table, and a later run merges them
//! into the day's next file.

use chrono::NaiveDate;
use duckdb::{Connection, OptionalExt};

use crate::archive_files::{self, ArchivedDay, Marker, day_of, entered, mark, next_file, number_of, publish, start_of};
use crate::calls::quoted;
use crate::files::{length, remove_if_there, sync};
use crate::schema::{self, Lifetime, columns, columns_for_archive, columns_from_archive, parquet};
use crate::{Progress, Store, StoreError};

/// So many times a day is tried while spans of it are being replaced; the last time with storing held up.
const ATTEMPTS: u64 = 3;

impl Store {
    /// The days in the archive, oldest first.
    pub fn archived_days(&self) -> Result<Vec<ArchivedDay>, StoreError> {
        let reader = self.reader()?;
        Ok(entered(&reader)?)
    }

    /// Moves the spans of every UTC day before this one into the archive, by their start. Returns the days it wrote.
    ///
    /// Each day is a step of its own: what stops this (a full disk) leaves the days before it archived, and the rest
    /// as they were. `progress` is called twice for each day: when its file is written, and when it counts.
    pub fn archive(
        &self,
        before: NaiveDate,
        mut progress: impl FnMut(Progress),
    ) -> Result<Vec<ArchivedDay>, StoreError> {
        self.must_be_a_file("be archived")?;
        let _care = self.care();
        let days: Vec<i64> = self
            .reader()?
            .prepare("SELECT DISTINCT start_time // ? AS day FROM stored_spans WHERE start_time < ? ORDER BY day")?
            .query_map([archive_files::DAY, start_of(before)], |row| row.get(0))?
            .collect::<duckdb::Result<_>>()?;
        let total = 2 * days.len() as u64;
        let mut archived = Vec::new();
        for (index, day) in days.into_iter().enumerate() {
            let before = 2 * index as u64;
            let mut report = |what, step| {
                progress(Progress {
                    what,
                    done: before + step,
                    total,
                });
            };
            archived.push(self.archive_day(day_of(day * archive_files::DAY), &mut report)?);
        }
        if !archived.is_empty() {
            self.checkpoint()?;
        }
        Ok(archived)
    }

    /// Brings a day back from the archive into the table. Returns the number of its spans, 0 for a day that is not in
    /// the archive.
    pub fn unarchive(&self, day: NaiveDate) -> Result<u64, StoreError> {
        let _care = self.care();
        let writer = self.writer()?;
        let act = || -> Result<_, StoreError> {
            writer.execute_batch("BEGIN")?;
            let Some(day) = entered(&writer)?.into_iter().find(|entered| entered.day == day) else {
                writer.execute_batch("ROLLBACK")?;
                return Ok((0, Vec::new()));
            };
            let marker = self.bring_back(&writer, &day)?;
            schema::create_view(&writer, &self.archive_folder(), Lifetime::Store)?;
            writer.execute_batch("COMMIT")?;
            Ok((day.spans, vec![(day.file, marker)]))
        };
        match act() {
            Ok((spans, given_up)) => {
                drop(writer);
                self.archive_files.give_up(&self.archive_folder(), given_up);
                Ok(spans)
            }
            Err(error) => {
                let _ = writer.execute_batch("ROLLBACK");
                Err(self.write_error(error))
            }
        }
    }

    /// Within the transaction of an ingest: a day of the archive that holds one of `incoming_spans`, which started
    /// from `first` to `last`, comes back into the table, where it can be replaced. Returns the files that no longer count after the commit.
    pub(crate) fn bring_back_days_of_incoming_spans(
        &self,
        connection: &Connection,
        first: i64,
        last: i64,
    ) -> Result<Vec<(String, Marker)>, StoreError> {
        if self.is_in_memory() {
            return Ok(Vec::new());
        }
        let mut given_up = Vec::new();
        let touched = |day: &ArchivedDay| (day_of(first)..=day_of(last)).contains(&day.day);
        for day in entered(connection)?.into_iter().filter(touched) {
            let file = self.archive_folder().join(&day.file);
            if !file.exists() {
                // The health check says that it is missing; there is nothing in it to replace.
                continue;
            }
            let held: Option<i32> = connection
                .query_row(
                    &format!(
                        "SELECT 1 FROM {} SEMI JOIN incoming_spans USING (trace_id, span_id) LIMIT 1",
                        parquet(&[file])
                    ),
                    [],
                    |row| row.get(0),
                )
                .optional()?;
            if held.is_some() {
                let marker = self.bring_back(connection, &day)?;
                given_up.push((day.file, marker));
            }
        }
        if !given_up.is_empty() {
            schema::create_view(connection, &self.archive_folder(), Lifetime::Store)?;
        }
        Ok(given_up)
    }

    /// Within a transaction: the rows of a day's file into the table. The caller makes the view anew.
    fn bring_back(&self, connection: &Connection, day: &ArchivedDay) -> Result<Marker, StoreError> {
        let marker = mark(&self.staging_folder(), &day.file)?;
        connection.execute(
            &format!(
                "INSERT INTO stored_spans ({}) SELECT {} FROM {}",
                columns(""),
                columns_from_archive(),
                parquet(&[self.archive_folder().join(&day.file)])
            ),
            [],
        )?;
        connection.execute("DELETE FROM archived_days WHERE epoch_ns(day) = ?", [start_of(day.day)])?;
        Ok(marker)
    }

    fn archive_day(
        &self,
        day: NaiveDate,
        progress: &mut dyn FnMut(&'static str, u64),
    ) -> Result<ArchivedDay, StoreError> {
        let mut attempt = 1;
        loop {
            match self.try_archive_day(day, attempt == ATTEMPTS, progress) {
                Err(StoreError::Database(error)) if attempt < ATTEMPTS && is_conflict(&error) => attempt += 1,
                outcome => return outcome.map_err(|error| self.write_error(error)),
            }
        }
    }

    /// One transaction from reading the day to taking it out of the table: a span of it that is replaced meanwhile
    /// makes it fail with a conflict.
    fn try_archive_day(
        &self,
        day: NaiveDate,
        alone: bool,
        progress: &mut dyn FnMut(&'static str, u64),
    ) -> Result<ArchivedDay, StoreError> {
        let connection = self.reader()?;
        // Held until the transaction has ended: to a batch that comes before, what is undone is still a conflict.
        let mut writer = if alone { Some(self.hold_up_storing()?) } else { None };
        connection.execute_batch("BEGIN")?;
        let old = entered(&connection)?.into_iter().find(|entered| entered.day == day);
        let (first, end) = (start_of(day), start_of(day).saturating_add(archive_files::DAY));
        let hot = format!("FROM stored_spans WHERE start_time >= {first} AND start_time < {end}");
        let mut rows = format!("SELECT {} {hot}", columns_for_archive());
        if let Some(old) = &old {
            rows.push_str(&format!(
                " UNION ALL SELECT {} FROM {} o WHERE NOT EXISTS
                  (SELECT 1 {hot} AND trace_id = o.trace_id AND span_id = o.span_id)",
                columns("o."),
                parquet(&[self.archive_folder().join(&old.file)])
            ));
        }
        let written = self.write_day(&connection, day, &rows)?;
        let mut entered = || -> Result<Option<(String, Marker)>, StoreError> {
            progress("writing a day", 1);
            // From here on nothing may be stored: the two would be in each other's way.
            if writer.is_none() {
                writer = Some(self.hold_up_storing()?);
            }
            let taken = connection.execute(&format!("DELETE {hot}"), [])? as u64;
            let kept = written.day.spans - taken.min(written.day.spans);
            let old_spans = old.as_ref().map_or(0, |old| old.spans);
            if kept > old_spans || (old.is_none() && kept > 0) {
                return Err(StoreError::NotWrittenWell {
                    path: self.archive_folder().join(&written.day.file),
                    reason: format!("{} spans for {taken} of the table", written.day.spans),
                });
            }
            self.enter(&connection, &written.day)?;
            schema::create_view(&connection, &self.archive_folder(), Lifetime::Store)?;
            let superseded = old
                .as_ref()
                .map(|old| mark(&self.staging_folder(), &old.file))
                .transpose()?;
            connection.execute_batch("COMMIT")?;
            Ok(old.as_ref().map(|old| old.file.clone()).zip(superseded))
        };
        let entered = entered().inspect_err(|_| {
            let _ = connection.execute_batch("ROLLBACK");
        });
        drop(writer);
        match entered {
            Ok(superseded) => {
                self.archive_files
                    .give_up(&self.archive_folder(), superseded.into_iter().collect());
                written.marker.remove()?;
                progress("entering a day", 2);
                Ok(written.day)
            }
            Err(error) => {
                written.discard(self);
                Err(error)
            }
        }
    }

    /// Writes rows as the next file of a day, which does not count yet.
    pub(crate) fn write_day(&self, connection: &Connection, day: NaiveDate, rows: &str) -> Result<Written, StoreError> {
        let archive = self.archive_folder();
        let file = next_file(&archive, day);
        let staged = self.staging_folder().join(format!("day-{}.parquet", number_of(day)));
        let write = || {
            // Small row groups: each is held in memory while it is written, and 3.5 KB a span is usual.
            let spans = connection.execute(
                &format!(
                    "COPY ({rows} ORDER BY start_time) TO {} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)",
                    quoted(&staged.to_string_lossy())
                ),
                [],
            )? as u64;
            sync(&staged)?;
            let read_back: u64 = connection.query_row(
                &format!("SELECT count(*) FROM {}", parquet(std::slice::from_ref(&staged))),
                [],
                |row| row.get(0),
            )?;
            if read_back != spans {
                return Err(StoreError::NotWrittenWell {
                    path: staged.clone(),
                    reason: format!("{read_back} spans instead of {spans}"),
                });
            }
            let marker = mark(&self.staging_folder(), &file)?;
            let bytes = length(&staged)?;
            publish(&staged, &archive, &file)?;
            Ok(Written {
                day: ArchivedDay {
                    day,
                    spans,
                    bytes,
                    file: file.clone(),
                },
                marker,
            })
        };
        let written = write();
        if written.is_err() {
            let _ = remove_if_there(&staged);
        }
        written
    }

    /// Within a transaction: makes a day's file the one that counts.
    pub(crate) fn enter(&self, connection: &Connection, day: &ArchivedDay) -> duckdb::Result<()> {
        connection.execute(
            "INSERT OR REPLACE INTO archived_days (day, spans, bytes, file) VALUES (?::DATE, ?, ?, ?)",
            duckdb::params![day.day.format("%Y-%m-%d").to_string(), day.spans, day.bytes, day.file],
        )?;
        Ok(())
    }
}

/// A day's file that does not count yet.
pub(crate) struct Written {
    pub(crate) day: ArchivedDay,
    pub(crate) marker: Marker,
}

impl Written {
    /// Removes it. If that fails, the marker stays, and it is removed at the next opening.
    pub(crate) fn discard(self, store: &Store) {
        if remove_if_there(&store.archive_folder().join(&self.day.file)).is_ok() {
            let _ = self.marker.remove();
        }
    }
}

/// Whether a transaction failed because another one changed the same.
pub(crate) fn is_conflict(error: &duckdb::Error) -> bool {
    let message = error.to_string();
    message.contains("Conflict on") || message.contains("write-write conflict")
}
