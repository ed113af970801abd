//! Whole spans, as they were stored: those of one trace, or the newest of all.

use std::ops::ControlFlow;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;

use crate::calls::quoted;
use crate::schema::columns;
use crate::stop::Watch;
use crate::{Bounds, Ending, Store, StoreError};

/// Which spans are read, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanSelection {
    /// Those of one trace, by start.
    OfTrace(String),
    /// The newest of all, by start, newest first.
    Newest,
}

/// Spans that are sorted at once: their text is held in memory meanwhile.
const SLICE: usize = 1_000;

impl Store {
    /// Hands over spans, whole, with the columns of [`crate::SPAN_COLUMNS`], at most `bounds.rows` of them. They are
    /// those of one moment. `take` may end it early.
    pub fn spans_each(
        &self,
        selection: &SpanSelection,
        bounds: &Bounds,
        mut take: impl FnMut(RecordBatch) -> ControlFlow<()>,
    ) -> Result<Ending, StoreError> {
        if bounds.stop.is_stopped() {
            return Err(StoreError::Cancelled);
        }
        let connection = self.reader()?;
        connection.execute_batch("BEGIN TRANSACTION READ ONLY")?;
        let interrupt = connection.interrupt_handle();
        let watch = Watch::start(&bounds.stop, bounds.time, move || interrupt.interrupt());
        let mut reading = Reading {
            connection: &connection,
            most: bounds.rows,
            ending: Ending { rows: 0, cut: false },
        };
        let outcome = match selection {
            SpanSelection::OfTrace(trace_id) => reading.of_trace(trace_id, &mut take),
            SpanSelection::Newest => reading.newest(&mut take),
        };
        let ending = reading.ending;
        let ended = watch.stop();
        // The transaction only read: how it ends changes nothing.
        let _ = connection.execute_batch("ROLLBACK");
        match outcome {
            Ok(_) => Ok(ending),
            Err(error) => Err(self.ended_error(error, ended, bounds.time)),
        }
    }
}

struct Reading<'a> {
    connection: &'a Connection,
    most: usize,
    ending: Ending,
}

type Take<'a> = &'a mut dyn FnMut(RecordBatch) -> ControlFlow<()>;

impl Reading<'_> {
    fn of_trace(&mut self, trace_id: &str, take: Take<'_>) -> duckdb::Result<ControlFlow<()>> {
        self.some(
            &format!(
                "SELECT {} FROM spans s JOIN trace_bounds() b \
                 ON s.trace_id = b.trace_id AND s.start_time BETWEEN b.first_start AND b.last_start \
                 WHERE b.trace_id = {} ORDER BY s.start_time, s.span_id LIMIT {}",
                columns("s."),
                quoted(trace_id),
                self.most.saturating_add(1).min(i64::MAX as usize)
            ),
            take,
        )
    }

    /// Slice by slice of time: sorting all of them at once would hold all of their text in memory.
    fn newest(&mut self, take: Take<'_>) -> duckdb::Result<ControlFlow<()>> {
        let starts: Vec<i64> = self
            .connection
            .prepare(&format!(
                "SELECT start_time FROM spans ORDER BY start_time DESC LIMIT {}",
                self.most.saturating_add(1).min(i64::MAX as usize)
            ))?
            .query_map([], |row| row.get(0))?
            .collect::<duckdb::Result<_>>()?;
        let mut rest = starts.as_slice();
        while let Some(&newest) = rest.first() {
            let oldest = *rest.get(SLICE - 1).or(rest.last()).unwrap_or(&newest);
            let sql = format!(
                "SELECT {} FROM spans WHERE start_time BETWEEN {oldest} AND {newest} \
                 ORDER BY start_time DESC, trace_id, span_id",
                columns("")
            );
            if self.some(&sql, take)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            // Those that started in the same nanosecond came all in this slice.
            rest = &rest[rest.partition_point(|start| *start >= oldest)..];
        }
        Ok(ControlFlow::Continue(()))
    }

    fn some(&mut self, sql: &str, take: Take<'_>) -> duckdb::Result<ControlFlow<()>> {
        let mut statement = self.connection.prepare(sql)?;
        for batch in statement.stream_arrow([])? {
            let batch: RecordBatch = batch?;
            let room = self.most - self.ending.rows;
            let part = batch.slice(0, batch.num_rows().min(room));
            self.ending.rows += part.num_rows();
            self.ending.cut = part.num_rows() < batch.num_rows();
            if part.num_rows() > 0 && take(part).is_break() {
                self.ending.cut = true;
            }
            if self.ending.cut {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
