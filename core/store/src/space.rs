//! How much space a store takes, and a limit to it: what is oldest goes first.

use duckdb::Connection;
use serde::Serialize;

use crate::archive_files::{DAY, Marker, entered, mark, start_of};
use crate::files::length;
use crate::schema::{self, Lifetime};
use crate::store::{beside, folder_beside};
use crate::{Store, StoreError};

/// Bytes that a store takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// The database file.
    pub file: u64,
    /// The part of the file that holds something. The rest is free for new spans; [`Store::compact`] gives it back.
    pub used: u64,
    /// The write-ahead log.
    pub log: u64,
    /// The archive's files.
    pub archive: u64,
}

impl Size {
    /// Bytes on the disk.
    pub fn on_disk(self) -> u64 {
        self.file + self.log + self.archive
    }
}

/// What a limit to the size made of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limited {
    /// Spans that are gone.
    pub spans: u64,
    /// All spans that started before this are gone, in nanoseconds since the epoch. `None`: none.
    pub before: Option<i64>,
    /// Whether the file was rewritten to give space back.
    pub compacted: bool,
    /// What the store takes now.
    pub size: Size,
    /// Whether that is within the limit.
    pub fits: bool,
}

/// Most often that spans are removed and the file is rewritten for one limit.
const MOST_ROUNDS: usize = 4;

/// Units in which spans are removed, the next one where all are within one of the first.
const UNITS: [i64; 3] = [DAY, DAY / 24, DAY / 24 / 60];

impl Store {
    /// What the store takes on the disk.
    pub fn size(&self) -> Result<Size, StoreError> {
        let reader = self.reader()?;
        let used: u64 = reader.query_row(
            "SELECT used_blocks * block_size FROM pragma_database_size() WHERE database_name = current_database()",
            [],
            |row| row.get(0),
        )?;
        let archive = entered(&reader)?.iter().map(|day| day.bytes).sum();
        if self.is_in_memory() {
            return Ok(Size::default());
        }
        Ok(Size {
            file: length(&self.path)?,
            used,
            log: length(&beside(&self.path, ".wal"))?,
            archive,
        })
    }

    /// Makes the store fit in so many bytes of disk, archive included: the oldest days go first, by the spans' start.
    ///
    /// Where the store is within the limit nothing is done. Else spans go until the rest fills about four fifths of it,
    /// so that the next ones find free space for a while, and the file is rewritten ([`Store::compact`]). If a single
    /// day is too much, its oldest hours go, then minutes.
    pub fn limit_size(&self, bytes: u64) -> Result<Limited, StoreError> {
        self.must_be_a_file("be limited in size")?;
        let _care = self.care();
        self.checkpoint()?;
        let (mut spans, mut before, mut compacted) = (0, None, false);
        let mut size = self.size()?;
        // One round does it, unless old spans take more space than new ones.
        for _ in 0..MOST_ROUNDS {
            if size.on_disk() <= bytes {
                break;
            }
            let limit = self.next_limit(size, bytes / 5 * 4)?;
            if let Some(limit) = limit {
                spans += self.remove_before(limit)?;
                before = Some(limit);
            } else if compacted {
                break;
            }
            self.compact_file(&mut |_| {})?;
            compacted = true;
            size = self.size()?;
        }
        Ok(Limited {
            spans,
            before,
            compacted,
            size,
            fits: size.on_disk() <= bytes,
        })
    }

    /// The time before which spans must go for the rest to take about `target` bytes. `None`: it takes less once the
    /// file is rewritten, or it is all within one minute.
    fn next_limit(&self, size: Size, target: u64) -> Result<Option<i64>, StoreError> {
        let reader = self.reader()?;
        // Deleted rows take space until the file is rewritten: DuckDB frees whole row groups only.
        let rows: u64 = reader.query_row(
            "SELECT coalesce(sum(count), 0)::BIGINT FROM pragma_storage_info('stored_spans')
             WHERE column_name = 'trace_id' AND segment_type <> 'VALIDITY'",
            [],
            |row| row.get(0),
        )?;
        let bytes_of_span = size.used as f64 / rows.max(1) as f64;
        for unit in UNITS {
            // Units of the table and days of the archive, each with its bytes, oldest first. A day of the archive only
            // goes as a whole.
            let mut parts: Vec<(i64, f64)> = reader
                .prepare(&format!(
                    "SELECT start_time // {unit} * {unit} AS start, count(*) FROM stored_spans GROUP BY start"
                ))?
                .query_map([], |row| {
                    Ok((row.get(0)?, row.get::<_, u64>(1)? as f64 * bytes_of_span))
                })?
                .collect::<duckdb::Result<_>>()?;
            let archived = entered(&reader)?
                .into_iter()
                .map(|day| (start_of(day.day), day.bytes as f64));
            let undivided: f64 = if unit == DAY {
                parts.extend(archived);
                0.0
            } else {
                archived.map(|(_, bytes)| bytes).sum()
            };
            parts.sort_by_key(|(start, _)| *start);
            let needed = undivided + parts.iter().map(|(_, bytes)| bytes).sum::<f64>();
            let too_much = needed - target as f64;
            let (Some((oldest, _)), Some((newest, _))) = (parts.first(), parts.last()) else {
                continue;
            };
            if too_much <= 0.0 {
                return Ok(None);
            }
            let mut freed = 0.0;
            let mut limit = *oldest;
            for (start, bytes) in &parts {
                if freed >= too_much && limit <= *start {
                    break;
                }
                freed += bytes;
                // The newest part stays; a smaller unit divides it.
                limit = (start + unit).min(*newest);
            }
            if limit > *oldest {
                return Ok(Some(limit));
            }
        }
        Ok(None)
    }

    /// Deletes every span that started before a time; of the archive every day that ended by then.
    pub(crate) fn remove_before(&self, limit: i64) -> Result<u64, StoreError> {
        let writer = self.writer()?;
        match self.remove_before_in_transaction(&writer, limit) {
            Ok((spans, given_up)) => {
                self.note_change();
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

    fn remove_before_in_transaction(
        &self,
        writer: &Connection,
        limit: i64,
    ) -> Result<(u64, Vec<(String, Marker)>), StoreError> {
        writer.execute_batch("BEGIN")?;
        let mut spans = writer.execute("DELETE FROM stored_spans WHERE start_time < ?", [limit])? as u64;
        let mut given_up = Vec::new();
        for day in entered(writer)?
            .into_iter()
            .filter(|day| start_of(day.day) + DAY <= limit)
        {
            writer.execute("DELETE FROM archived_days WHERE epoch_ns(day) = ?", [start_of(day.day)])?;
            given_up.push((day.file.clone(), mark(&self.staging_folder(), &day.file)?));
            spans += day.spans;
        }
        writer.execute("DELETE FROM trace_times WHERE max_start < ?", [limit])?;
        writer.execute("UPDATE trace_times SET min_start = ?1 WHERE min_start < ?1", [limit])?;
        schema::create_view(writer, &self.archive_folder(), Lifetime::Store)?;
        writer.execute_batch("COMMIT")?;
        Ok((spans, given_up))
    }

    /// Bytes that are free on the disk of the store.
    pub(crate) fn free_space(&self) -> Option<u64> {
        fs4::available_space(folder_beside(&self.path)).ok()
    }
}
