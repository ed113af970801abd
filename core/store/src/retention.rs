//! How long traces are kept.

use crate::archive::Written;
use crate::archive_files::{ArchivedDay, DAY, Marker, entered, mark, start_of};
use crate::schema::{self, Lifetime, parquet};
use crate::{Store, StoreError};

/// What a deletion by age did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Expired {
    /// Traces that are gone.
    pub traces: u64,
    /// Their spans, those of the archive included.
    pub spans: u64,
}

impl Store {
    /// Deletes the traces that ended more than `ttl_days` days before `now` (nanoseconds since the epoch).
    ///
    /// Whole traces go, so that none is torn: a trace goes when the last of its spans started before the UTC day that
    /// lies `ttl_days` back. Each span is thus kept for `ttl_days` days, and at most one more. (Flock deletes span by
    /// span, by the time at which each was written.)
    pub fn expire(&self, now: i64, ttl_days: u32) -> Result<Expired, StoreError> {
        let limit = now.div_euclid(DAY).saturating_sub(ttl_days.into()).saturating_mul(DAY);
        let _care = self.care();
        // Storing waits: a span of a trace that is just going would otherwise outlive it.
        let writer = self.writer()?;
        let mut rewritten = Vec::new();
        match self.expire_before(&writer, limit, &mut rewritten) {
            Ok((expired, given_up)) => {
                self.note_change();
                drop(writer);
                for day in rewritten {
                    day.marker.remove()?;
                }
                self.archive_files.give_up(&self.archive_folder(), given_up);
                Ok(expired)
            }
            Err(error) => {
                let _ = writer.execute_batch("ROLLBACK");
                rewritten.into_iter().for_each(|day| day.discard(self));
                Err(self.write_error(error))
            }
        }
    }

    fn expire_before(
        &self,
        writer: &duckdb::Connection,
        limit: i64,
        rewritten: &mut Vec<Written>,
    ) -> Result<(Expired, Vec<(String, Marker)>), StoreError> {
        writer.execute_batch(&format!(
            "BEGIN;
             CREATE OR REPLACE TEMP TABLE expired_traces AS
             SELECT trace_id FROM trace_times GROUP BY trace_id HAVING max(max_start) < {limit};"
        ))?;
        let traces: u64 = writer.query_row("SELECT count(*) FROM expired_traces", [], |row| row.get(0))?;
        if traces == 0 {
            writer.execute_batch("ROLLBACK")?;
            return Ok((Expired::default(), Vec::new()));
        }
        let mut spans = writer.execute(
            &format!(
                "DELETE FROM stored_spans s USING expired_traces e
                 WHERE s.trace_id = e.trace_id AND s.start_time < {limit}"
            ),
            [],
        )? as u64;
        let mut given_up = Vec::new();
        for day in entered(writer)?.into_iter().filter(|day| start_of(day.day) < limit) {
            if let Some(gone) = self.expire_in_day(writer, &day, rewritten)? {
                spans += gone;
                given_up.push((day.file.clone(), mark(&self.staging_folder(), &day.file)?));
            }
        }
        writer.execute_batch("DELETE FROM trace_times t USING expired_traces e WHERE t.trace_id = e.trace_id")?;
        if !given_up.is_empty() {
            schema::create_view(writer, &self.archive_folder(), Lifetime::Store)?;
        }
        writer.execute_batch("DROP TABLE temp.expired_traces; COMMIT")?;
        Ok((Expired { traces, spans }, given_up))
    }

    /// Takes the expired traces out of a day of the archive. Returns how many spans are gone, `None` if none is.
    fn expire_in_day(
        &self,
        writer: &duckdb::Connection,
        day: &ArchivedDay,
        rewritten: &mut Vec<Written>,
    ) -> Result<Option<u64>, StoreError> {
        let file = self.archive_folder().join(&day.file);
        if !file.exists() {
            // The health check says that it is missing. Its spans are gone, and so is now its entry.
            writer.execute("DELETE FROM archived_days WHERE epoch_ns(day) = ?", [start_of(day.day)])?;
            return Ok(Some(0));
        }
        let rows = parquet(&[file]);
        let kept: u64 = writer.query_row(
            &format!("SELECT count(*) FROM {rows} ANTI JOIN expired_traces USING (trace_id)"),
            [],
            |row| row.get(0),
        )?;
        if kept == day.spans {
            return Ok(None);
        }
        if kept == 0 {
            writer.execute("DELETE FROM archived_days WHERE epoch_ns(day) = ?", [start_of(day.day)])?;
        } else {
            let rows = format!("SELECT * FROM {rows} ANTI JOIN expired_traces USING (trace_id)");
            let written = self.write_day(writer, day.day, &rows)?;
            self.enter(writer, &written.day)?;
            rewritten.push(written);
        }
        Ok(Some(day.spans - kept.min(day.spans)))
    }
}
