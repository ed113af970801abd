//! Spans out of a table: a Flock file, another store, Parquet.
//!
//! A thread of its own runs the query and hands over one chunk of DuckDB (2,048 rows) after the other, so at most a few
//! chunks are in memory however large the table is.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use duckdb::arrow::array::RecordBatch;
use flockscope_model::{ReadReport, Span};
use walkdir::WalkDir;

use crate::batch::Batch;
use crate::database::{Database, literal, utf8};
use crate::snapshot::BlockSnapshot;
use crate::span_columns::{SpanRows, select_list};
use crate::{Progress, SourceError, SpanSource};

/// Chunks that wait for their reader.
const WAITING_CHUNKS: usize = 2;

/// The rows of a relation.
pub(crate) struct TableSource {
    path: PathBuf,
    chunks: Option<Receiver<Result<RecordBatch, SourceError>>>,
    worker: Option<JoinHandle<()>>,
    /// A chunk that did not fit into the last batch, and its first row that is still to be read.
    rest: Option<(RecordBatch, usize)>,
    progress: Progress,
    /// Keeps the copy that is read.
    snapshot: Option<BlockSnapshot>,
}

/// Opens a Flock file or another store, through a copy.
pub(crate) fn of_database(path: &Path) -> Result<TableSource, SourceError> {
    let mut snapshot = BlockSnapshot::new(path.to_owned(), &std::env::temp_dir())?;
    let (database, relation) = match open_copy(&mut snapshot, path) {
        // A copy that DuckDB refuses may have caught the writer at a bad moment: once more, from scratch.
        Err(SourceError::Database { .. }) => {
            snapshot.distrust();
            open_copy(&mut snapshot, path).map_err(|error| snapshot.explain(error))?
        }
        opened => opened?,
    };
    TableSource::start(path, database, &relation, Some(snapshot))
}

fn open_copy(snapshot: &mut BlockSnapshot, path: &Path) -> Result<(Database, String), SourceError> {
    let copy = snapshot.refresh()?.path;
    // A store's view may read the Parquet files of its archive, which lie beside it.
    let database = Database::confined(&[snapshot.folder(), folder_of(path)])?;
    database.attach(&copy)?;
    let relation = database.attached_spans(path)?;
    Ok((database, relation))
}

fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Opens a Parquet file, or all of a folder (also a Hive-partitioned one, `day=2026-11-23/…`).
pub(crate) fn of_parquet(path: &Path) -> Result<TableSource, SourceError> {
    let files = if path.is_dir() {
        parquet_files(path)?
    } else {
        vec![path.to_owned()]
    };
    if files.is_empty() {
        return Err(SourceError::NoParquet { path: path.to_owned() });
    }
    let mut names = Vec::with_capacity(files.len());
    for file in &files {
        let file = file.canonicalize().map_err(SourceError::io(file))?;
        names.push(literal(&without_wildcards(utf8(&file)?)));
    }
    let database = Database::free(path)?;
    let relation = format!(
        "read_parquet([{}], union_by_name = true, hive_partitioning = true)",
        names.join(", ")
    );
    TableSource::start(path, database, &relation, None)
}

/// All `*.parquet` below a folder, sorted, so that two readings go in the same order.
pub(crate) fn parquet_files(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            SourceError::io(&path)(error.into())
        })?;
        let is_parquet = entry
            .path()
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        if is_parquet && entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// DuckDB takes `*`, `?` and `[` in a file name for wildcards; in brackets they stand for themselves.
fn without_wildcards(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for character in path.chars() {
        if matches!(character, '*' | '?' | '[') {
            plain.extend(['[', character, ']']);
        } else {
            plain.push(character);
        }
    }
    plain
}

impl TableSource {
    fn start(
        path: &Path,
        database: Database,
        relation: &str,
        snapshot: Option<BlockSnapshot>,
    ) -> Result<Self, SourceError> {
        let explained = |error: duckdb::Error| explain(snapshot.as_ref(), SourceError::database(path)(error));
        let columns = database.columns(relation).map_err(explained)?;
        let list = select_list(&columns).map_err(|missing| SourceError::MissingColumns {
            path: path.to_owned(),
            missing,
            found: columns.iter().map(|(name, _)| name.clone()).collect(),
        })?;
        let total: i64 = database
            .connection()
            .query_row(&format!("SELECT count(*) FROM {relation}"), [], |row| row.get(0))
            .map_err(explained)?;
        let query = format!("SELECT {list} FROM {relation}");
        let (sender, chunks) = sync_channel(WAITING_CHUNKS);
        let named = path.to_owned();
        let worker = thread::Builder::new()
            .name("flockscope-source".into())
            .spawn(move || {
                if let Err(error) = hand_over(&database, &query, &sender) {
                    // If nobody listens any more, nobody wants to know.
                    let _ = sender.send(Err(SourceError::database(&named)(error)));
                }
            })
            .map_err(SourceError::io(path))?;
        Ok(Self {
            path: path.to_owned(),
            chunks: Some(chunks),
            worker: Some(worker),
            rest: None,
            progress: Progress {
                done: 0,
                total: u64::try_from(total).unwrap_or(0),
            },
            snapshot,
        })
    }

    /// The next chunk. The end of the thread is the end of the table, unless it broke down.
    fn next_chunk(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let Some(chunks) = &self.chunks else {
            return Ok(None);
        };
        if let Ok(chunk) = chunks.recv() {
            return chunk.map(Some).map_err(|error| {
                self.chunks = None;
                explain(self.snapshot.as_ref(), error)
            });
        }
        self.chunks = None;
        match self.worker.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(self.unexpected("the reading of it broke down")),
            _ if self.progress.done != self.progress.total => Err(self.unexpected(&format!(
                "found {} rows where {} were announced",
                self.progress.done, self.progress.total
            ))),
            _ => Ok(None),
        }
    }

    fn unexpected(&self, detail: &str) -> SourceError {
        SourceError::Damaged {
            path: self.path.clone(),
            detail: detail.to_owned(),
        }
    }
}

/// An error about a copy is one about the file that a person knows.
fn explain(snapshot: Option<&BlockSnapshot>, error: SourceError) -> SourceError {
    match snapshot {
        Some(snapshot) => snapshot.explain(error),
        None => error,
    }
}

fn hand_over(
    database: &Database,
    query: &str,
    chunks: &SyncSender<Result<RecordBatch, SourceError>>,
) -> duckdb::Result<()> {
    let mut statement = database.connection().prepare(query)?;
    for chunk in statement.stream_arrow([])? {
        if chunks.send(Ok(chunk?)).is_err() {
            break;
        }
    }
    Ok(())
}

impl SpanSource for TableSource {
    fn next_batch(&mut self, report: &mut ReadReport) -> Result<Option<Vec<Span>>, SourceError> {
        let mut batch = Batch::default();
        while !batch.is_full() {
            let (chunk, first) = match self.rest.take() {
                Some(rest) => rest,
                None => match self.next_chunk()? {
                    Some(chunk) => (chunk, 0),
                    None => break,
                },
            };
            let rows = SpanRows::of(&chunk, 0).ok_or_else(|| self.unexpected("columns of another type than said"))?;
            let mut row = first;
            while row < chunk.num_rows() && !batch.is_full() {
                self.progress.done += 1;
                batch.add(rows.get(row), format_args!("row {}", self.progress.done), report);
                row += 1;
            }
            if row < chunk.num_rows() {
                self.rest = Some((chunk, row));
            }
        }
        Ok(batch.take())
    }

    fn progress(&self) -> Option<Progress> {
        Some(self.progress)
    }
}
