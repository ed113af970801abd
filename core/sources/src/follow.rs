//! Follows a Flock file while Flock writes to it.

use std::path::{Path, PathBuf};

use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::Int64Type;
use flockscope_model::{ReadReport, Span};
use serde::{Deserialize, Serialize};

use crate::SourceError;
use crate::batch::Batch;
use crate::database::Database;
use crate::database_file::HEADERS_SIZE;
use crate::snapshot::BlockSnapshot;
use crate::span_columns::{SpanRows, select_list};

/// Reads what a Flock program adds to its file, without ever getting in its way.
///
/// DuckDB numbers the rows of a table; a new row, and one that replaces another, gets a number above all others. So
/// the rows above the last one seen are the new ones, as long as that row still is what it was. If it is not (the
/// traces were cleared, old ones were deleted and the table was compacted, or the file is another one), everything is
/// read again; a store replaces spans that it has.
pub struct FlockFollower {
    snapshot: BlockSnapshot,
    database: Option<Database>,
    position: Position,
    /// The copy has rows that were not read yet, as far as is known.
    unread: bool,
    restarted: bool,
    /// The copy is attached, and a batch was cut off.
    has_more: bool,
}

/// How far a follower came. Serialise it, and a later process reads on from there ([`FlockFollower::resume`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The last row seen; `None` before the first.
    anchor: Option<Anchor>,
}

/// A row and what stood in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    row: i64,
    trace_id: String,
    span_id: String,
}

impl FlockFollower {
    /// Follows `file` from its first span on. It need not exist yet. Copies are kept in a folder of their own inside
    /// `mirror_folder`; they take the space of the file twice.
    pub fn new(file: PathBuf, mirror_folder: PathBuf) -> Result<Self, SourceError> {
        Self::resume(file, mirror_folder, Position::default())
    }

    /// Follows `file` from where another follower was.
    pub fn resume(file: PathBuf, mirror_folder: PathBuf, position: Position) -> Result<Self, SourceError> {
        Ok(Self {
            snapshot: BlockSnapshot::new(file, &mirror_folder)?,
            database: None,
            position,
            unread: false,
            restarted: false,
            has_more: false,
        })
    }

    /// Where this follower is: after the last span that [`FlockFollower::poll`] handed out.
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Whether the last [`FlockFollower::poll`] left spans behind that can be had at once.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// Whether this follower had to begin again because the last row seen was gone or had moved: the file may be
    /// another one.
    pub fn has_restarted(&self) -> bool {
        self.restarted
    }

    /// The spans written since the last poll, at most one batch of them (see [`FlockFollower::has_more`]). Empty as
    /// long as the file, or its table, is not there. After an error the next poll tries again and loses nothing.
    pub fn poll(&mut self, report: &mut ReadReport) -> Result<Vec<Span>, SourceError> {
        if !self.has_more && !self.attach_if_changed(report)? {
            return Ok(Vec::new());
        }
        let outcome = self.read_batch(report).map_err(|error| self.give_up(error));
        if outcome.is_ok() && !self.has_more {
            self.unread = false;
            self.let_go();
        }
        outcome
    }

    /// Brings the copy up to date, and attaches it if there is anything new in it.
    fn attach_if_changed(&mut self, report: &mut ReadReport) -> Result<bool, SourceError> {
        let refreshed = match self.snapshot.refresh() {
            // Flock makes the file when it starts, and DuckDB writes its headers a moment later.
            Err(error) if error.is_not_found() => return Ok(false),
            Err(SourceError::Truncated { expected, .. }) if expected == HEADERS_SIZE as u64 => return Ok(false),
            refreshed => refreshed?,
        };
        self.unread |= refreshed.changed;
        if !self.unread {
            return Ok(false);
        }
        let attached = match self.attach(&refreshed.path, report) {
            // The copy may have caught the writer at a bad moment: once more, from scratch.
            Err(error @ SourceError::Database { .. }) => {
                self.give_up(error);
                let whole = self.snapshot.refresh()?;
                self.attach(&whole.path, report)
            }
            attached => attached,
        };
        attached.map_err(|error| self.give_up(error))
    }

    /// Leaves the copy after an error; one that DuckDB could not read is not used again.
    fn give_up(&mut self, error: SourceError) -> SourceError {
        self.has_more = false;
        self.database = None;
        if matches!(error, SourceError::Database { .. } | SourceError::Damaged { .. }) {
            self.snapshot.distrust();
        }
        self.snapshot.explain(error)
    }

    fn attach(&mut self, copy: &Path, report: &mut ReadReport) -> Result<bool, SourceError> {
        let file = self.snapshot.source().to_owned();
        let database = match self.database.take() {
            Some(database) => database,
            None => Database::confined(&[self.snapshot.folder()])?,
        };
        let database = self.database.insert(database);
        database.attach(copy)?;
        match database.attached_spans(&file) {
            Err(SourceError::NoSpansTable { found, .. }) if found.is_empty() => {
                // Flock makes the file first, and its table a moment later.
                self.unread = false;
                self.let_go();
                return Ok(false);
            }
            spans => is_in_place(database, &spans?, self.position.anchor.as_ref()),
        }
        .map_err(SourceError::database(&file))
        .map(|in_place| {
            if !in_place {
                report.note(format!(
                    "{}: rows that were read are gone or have moved; all of it is read again",
                    file.display()
                ));
                self.position.anchor = None;
                self.restarted = true;
            }
            true
        })
    }

    /// Reads from the last row on until a batch is full.
    fn read_batch(&mut self, report: &mut ReadReport) -> Result<Vec<Span>, SourceError> {
        let file = self.snapshot.source();
        let Some(database) = &self.database else {
            return Ok(Vec::new());
        };
        let spans = database.attached_spans(file)?;
        let columns = database.columns(&spans).map_err(SourceError::database(file))?;
        let list = select_list(&columns).map_err(|missing| SourceError::MissingColumns {
            path: file.to_owned(),
            missing,
            found: columns.iter().map(|(name, _)| name.clone()).collect(),
        })?;
        let last = self.position.anchor.as_ref().map_or(-1, |anchor| anchor.row);
        let query = format!("SELECT rowid, {list} FROM {spans} WHERE rowid > {last}");
        let unexpected = || SourceError::Damaged {
            path: file.to_owned(),
            detail: "columns of another type than said".to_owned(),
        };

        let mut batch = Batch::default();
        let mut counted = ReadReport::default();
        let mut anchor = None;
        let mut has_more = false;
        let mut statement = database
            .connection()
            .prepare(&query)
            .map_err(SourceError::database(file))?;
        for chunk in statement.stream_arrow([]).map_err(SourceError::database(file))? {
            let chunk = chunk.map_err(SourceError::database(file))?;
            let rows = SpanRows::of(&chunk, 1).ok_or_else(unexpected)?;
            let numbers = chunk.column(0).as_primitive_opt::<Int64Type>().ok_or_else(unexpected)?;
            let mut row = 0;
            while row < chunk.num_rows() && !batch.is_full() {
                batch.add(rows.get(row), format_args!("row {}", numbers.value(row)), &mut counted);
                row += 1;
            }
            if row > 0 {
                let (trace_id, span_id) = rows.ids(row - 1);
                anchor = Some(Anchor {
                    row: numbers.value(row - 1),
                    trace_id,
                    span_id,
                });
            }
            if row < chunk.num_rows() {
                has_more = true;
                break;
            }
        }
        drop(statement);
        // Only now, so that after an error the same rows are read and counted again.
        if anchor.is_some() {
            self.position.anchor = anchor;
        }
        self.has_more = has_more;
        report.add(counted);
        Ok(batch.take().unwrap_or_default())
    }

    fn let_go(&mut self) {
        let detached = self.database.as_ref().is_none_or(|database| database.detach().is_ok());
        if !detached {
            self.database = None;
        }
    }
}

/// Whether the anchor is still the row that it was.
fn is_in_place(database: &Database, spans: &str, anchor: Option<&Anchor>) -> duckdb::Result<bool> {
    let Some(anchor) = anchor else {
        return Ok(true);
    };
    database
        .connection()
        .prepare(&format!(
            "SELECT 1 FROM {spans} WHERE rowid = ? AND trace_id::VARCHAR = ? AND span_id::VARCHAR = ?"
        ))?
        .exists(duckdb::params![anchor.row, anchor.trace_id, anchor.span_id])
}
