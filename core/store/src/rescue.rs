//! Saving what can be read of a damaged store into a new one.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use duckdb::Connection;
use serde::Serialize;

use crate::archive_files::{DAY, day_of, entered, next_file, publish};
use crate::calls::quoted;
use crate::connections::open_database;
use crate::database::Database;
use crate::database_file::{self, HEADER};
use crate::files::{file_error, make_folder, rename, sync};
use crate::health::{ROW_GROUP, everything, files_of_archive};
use crate::log_file::{self, LOGS, LogState};
use crate::schema::{self, SPAN_COLUMNS, columns, parquet};
use crate::store::{beside, folder_beside, is_disk_full};
use crate::{Progress, Settings, Store, StoreError};

/// DuckDB reads rows in vectors of so many; less is not tried.
const VECTOR: i64 = 2048;

/// Columns without which a row is no span.
const ESSENTIAL: [&str; 4] = ["trace_id", "span_id", "name", "start_time"];

/// What a rescue saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rescued {
    /// Spans in the new store.
    pub spans: u64,
    /// Of these, spans that lost some columns; their column `repair` says which.
    pub incomplete: u64,
    /// Rows of the table that could not be read. Deleted ones are among them, so it may be fewer spans.
    pub lost_rows: u64,
    /// What was lost or left out, in words.
    pub losses: Vec<String>,
}

/// Reads what can be read of a damaged store into a new one. Changes nothing of the old one.
///
/// The table is read row group by row group; where that fails in smaller and smaller parts, and then column by column.
/// Each span is taken once, and the table of times is made anew. A damaged day of the archive is left out. If anything
/// was lost, so is the knowledge how far the sources had been read: reading them again brings back what they still have.
pub fn rescue(
    damaged: &Path,
    new: &Path,
    settings: Settings,
    mut progress: impl FnMut(Progress),
) -> Result<Rescued, StoreError> {
    for path in [new.to_owned(), folder_beside(new)] {
        if path.exists() {
            return Err(StoreError::Exists {
                path,
                advice: "a rescue writes a new store, so name another path",
            });
        }
    }
    if let Some(parent) = new.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_folder(parent)?;
    }
    // Without that folder's lasting name the new store does not exist.
    let partial = beside(new, ".rescuing");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(|source| file_error(&partial, source))?;
    }
    make_folder(&partial)?;
    let outcome = save(damaged, &partial, &settings, &mut progress).and_then(|rescued| {
        let made = partial.join("store.duckdb");
        rename(&folder_beside(&made), &folder_beside(new))?;
        rename(&made, new)?;
        sync(
            new.parent()
                .filter(|parent| !parent.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
        )?;
        Ok(rescued)
    });
    let _ = fs::remove_dir_all(&partial);
    outcome
}

fn save(
    damaged: &Path,
    partial: &Path,
    settings: &Settings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Rescued, StoreError> {
    let mut rescued = Rescued::default();
    let readable = readable_copy(damaged, partial, settings, &mut rescued)?;
    let made = partial.join("store.duckdb");
    let archive = folder_beside(&made).join("archive");
    make_folder(&archive)?;
    let database = open_database(&made, settings, false)?;
    let connection = database.connect()?;
    schema::create(&connection)?;
    if let Some(source) = &readable {
        connection.execute_batch(&format!(
            "ATTACH {} AS damaged (READ_ONLY)",
            quoted(&source.to_string_lossy())
        ))?;
        save_table(&connection, &mut rescued, progress)?;
    }
    save_archive(&connection, damaged, &archive, &mut rescued, progress)?;
    remove_duplicates(&connection, &archive, &mut rescued)?;
    connection.execute_batch(
        "INSERT INTO trace_times SELECT trace_id, min(start_time), max(start_time) FROM spans GROUP BY trace_id",
    )?;
    if rescued.losses.is_empty() && readable.is_some() {
        connection.execute_batch("INSERT INTO source_positions FROM damaged.source_positions")?;
    }
    rescued.spans = connection.query_row("SELECT count(*) FROM spans", [], |row| row.get(0))?;
    rescued.incomplete = connection.query_row(
        "SELECT count(*) FROM spans WHERE repair LIKE '%rescued without%'",
        [],
        |row| row.get(0),
    )?;
    if readable.is_some() {
        connection.execute_batch("DETACH damaged")?;
    }
    drop(connection);
    drop(database);
    // Once as a store, which makes its views and macros.
    drop(Store::open(&made, settings.clone())?);
    if rescued.spans == 0 && readable.is_none() {
        return Err(StoreError::BeyondRescue {
            path: damaged.to_owned(),
            reason: rescued.losses.join("; "),
        });
    }
    Ok(rescued)
}

/// A file that DuckDB opens: the damaged one as it is, else a copy of it with what is left of its log and headers.
/// `None`: nothing of it can be opened.
fn readable_copy(
    damaged: &Path,
    partial: &Path,
    settings: &Settings,
    rescued: &mut Rescued,
) -> Result<Option<PathBuf>, StoreError> {
    let opens = |path: &Path| match open_database(path, settings, true).and_then(|database| is_store(&database)) {
        Err(error @ StoreError::InUse { .. }) => Err(error),
        outcome => Ok(outcome.map_err(|error| error.to_string())),
    };
    let log = beside(damaged, LOGS[0]);
    let state = log_file::examine(&log, true).map_err(|source| file_error(&log, source))?;
    let first = opens(damaged)?;
    let reason = match (first, state) {
        (Ok(()), LogState::Damaged { at }) => format!("the write-ahead log is damaged at byte {at}"),
        (Ok(()), _) => return Ok(Some(damaged.to_owned())),
        (Err(reason), _) => reason,
    };
    rescued.losses.push(reason);
    let copy = partial.join("damaged.duckdb");
    fs::copy(damaged, &copy).map_err(|source| file_error(&copy, source))?;
    repair_headers(&copy, rescued)?;
    if let LogState::Damaged { at } | LogState::Torn { at } = state
        && at > 0
    {
        let target = beside(&copy, LOGS[0]);
        let cut = || {
            fs::copy(&log, &target)?;
            OpenOptions::new().write(true).open(&target)?.set_len(at)
        };
        cut().map_err(|source| file_error(&target, source))?;
        if opens(&copy)?.is_ok() {
            rescued.losses.push(format!("the write-ahead log from byte {at} on"));
            return Ok(Some(copy));
        }
        fs::remove_file(&target).map_err(|source| file_error(&target, source))?;
    }
    Ok(match opens(&copy)? {
        Ok(()) => {
            rescued
                .losses
                .push("the whole write-ahead log: the batches since the last checkpoint".into());
            Some(copy)
        }
        Err(reason) => {
            rescued.losses.push(format!("the whole table: {reason}"));
            None
        }
    })
}

fn is_store(database: &Database) -> Result<(), StoreError> {
    Ok(database
        .connect()?
        .query_row("SELECT count(*) FROM stored_spans", [], |_| Ok(()))?)
}

/// Puts the sound one of the two database headers in the place of the damaged one. DuckDB reads no file without both.
fn repair_headers(copy: &Path, rescued: &mut Rescued) -> Result<(), StoreError> {
    let failed = |source| file_error(copy, source);
    let frame = database_file::examine(copy, false, |_| {}).map_err(failed)?;
    let [bad @ (1 | 2)] = frame.bad_headers[..] else {
        return Ok(());
    };
    let good = 3 - bad;
    let content = fs::read(copy).map_err(failed)?;
    let mut file = File::options().write(true).open(copy).map_err(failed)?;
    file.seek(SeekFrom::Start((bad * HEADER) as u64)).map_err(failed)?;
    file.write_all(&content[good * HEADER..(good + 1) * HEADER])
        .map_err(failed)?;
    rescued
        .losses
        .push("a header, so perhaps what the last checkpoint wrote".into());
    Ok(())
}

/// Copies the rows of the table, range by range.
fn save_table(
    connection: &Connection,
    rescued: &mut Rescued,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), StoreError> {
    let last: Option<i64> = connection.query_row(
        // From the counts of the row groups, not from the rows.
        "SELECT max(row_group_id * 122880 + start + count) FROM pragma_storage_info('damaged.stored_spans')",
        [],
        |row| row.get(0),
    )?;
    let end = last
        .unwrap_or(0)
        .max(connection.query_row("SELECT count(*) FROM damaged.stored_spans", [], |row| row.get(0))?);
    let groups = (end + ROW_GROUP - 1) / ROW_GROUP;
    let mut saver = Saver {
        connection,
        rescued,
        lost: Vec::new(),
    };
    for group in 0..groups {
        saver.range(group * ROW_GROUP, (group + 1) * ROW_GROUP)?;
        progress(Progress {
            what: "saving the table",
            done: group as u64 + 1,
            total: groups as u64,
        });
    }
    let lost = saver.lost;
    if !lost.is_empty() {
        let ranges: Vec<String> = lost
            .iter()
            .take(20)
            .map(|(first, end)| format!("{first} to {}", end - 1))
            .collect();
        rescued.lost_rows = lost
            .iter()
            .map(|(first, last)| (last.min(&end) - first).max(0) as u64)
            .sum();
        rescued.losses.push(format!("rows {} of the table", ranges.join(", ")));
    }
    Ok(())
}

struct Saver<'a> {
    connection: &'a Connection,
    rescued: &'a mut Rescued,
    lost: Vec<(i64, i64)>,
}

impl Saver<'_> {
    fn range(&mut self, first: i64, end: i64) -> Result<(), StoreError> {
        let rows = format!("damaged.stored_spans WHERE rowid >= {first} AND rowid < {end}");
        let list = columns("");
        let saved = self.connection.execute(
            &format!("INSERT INTO stored_spans ({list}) SELECT {list} FROM {rows}"),
            [],
        );
        match saved {
            Ok(_) => Ok(()),
            Err(error) if is_disk_error(&error) => Err(error.into()),
            Err(_) if end - first > VECTOR => {
                let middle = first + (end - first) / 2 / VECTOR * VECTOR;
                self.range(first, middle.max(first + VECTOR))?;
                self.range(middle.max(first + VECTOR), end)
            }
            Err(_) => self.columns_of(first, end, &rows),
        }
    }

    /// Rows of which not every column can be read: those with the essential columns are kept.
    fn columns_of(&mut self, first: i64, end: i64, rows: &str) -> Result<(), StoreError> {
        let readable = |column: &str| {
            let read =
                self.connection
                    .query_row(&format!("SELECT bit_xor(hash(\"{column}\")) FROM {rows}"), [], |_| {
                        Ok(())
                    });
            read.is_ok()
        };
        let lost: Vec<&str> = SPAN_COLUMNS
            .iter()
            .map(|(column, _)| *column)
            .filter(|column| !readable(column))
            .collect();
        if lost.is_empty() || lost.iter().any(|column| ESSENTIAL.contains(column)) {
            self.lose(first, end);
            return Ok(());
        }
        let words = quoted(&format!("rescued without {}", lost.join(", ")));
        let column = |(name, data_type): &(&str, &str)| {
            let is_lost = lost.contains(name);
            match *name {
                "repair" if is_lost => words.clone(),
                "repair" => format!("concat_ws('; ', \"repair\", {words})"),
                "attributes" | "resource" if is_lost => "'{}'::JSON".into(),
                "events" | "links" if is_lost => "'[]'::JSON".into(),
                "service" | "operation" if is_lost => "\"name\"".into(),
                "kind" if is_lost => "'UNSPECIFIED'".into(),
                "status_code" if is_lost => "'UNSET'".into(),
                "end_time" if is_lost => "\"start_time\"".into(),
                "duration_ms" | "event_count" if is_lost => format!("0::{data_type}"),
                _ if is_lost => format!("NULL::{data_type}"),
                name => format!("\"{name}\""),
            }
        };
        let values: Vec<String> = SPAN_COLUMNS.iter().map(column).collect();
        let saved = self.connection.execute(
            &format!(
                "INSERT INTO stored_spans ({}) SELECT {} FROM {rows}",
                columns(""),
                values.join(", ")
            ),
            [],
        );
        match saved {
            Ok(_) => {
                let loss = format!("columns {} of some rows", lost.join(", "));
                if !self.rescued.losses.contains(&loss) {
                    self.rescued.losses.push(loss);
                }
            }
            Err(error) if is_disk_error(&error) => return Err(error.into()),
            Err(_) => self.lose(first, end),
        }
        Ok(())
    }

    fn lose(&mut self, first: i64, end: i64) {
        match self.lost.last_mut() {
            Some(last) if last.1 == first => last.1 = end,
            _ => self.lost.push((first, end)),
        }
    }
}

/// Whether the new store can't be written, which trying again in smaller parts does not mend.
fn is_disk_error(error: &duckdb::Error) -> bool {
    is_disk_full(&error.to_string())
}

/// Copies the days of the archive that can be read, whether or not the damaged table still names them.
fn save_archive(
    connection: &Connection,
    damaged: &Path,
    archive: &Path,
    rescued: &mut Rescued,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), StoreError> {
    let named: Option<Vec<String>> = connection
        .prepare("SELECT file FROM damaged.archived_days")
        .and_then(|mut statement| {
            statement
                .query_map([], |row| row.get(0))?
                .collect::<duckdb::Result<_>>()
        })
        .ok();
    let files = named.unwrap_or_else(|| files_of_archive(damaged));
    let source = folder_beside(damaged).join("archive");
    let total = files.len() as u64;
    for (index, file) in files.into_iter().enumerate() {
        let from = source.join(&file);
        let rows = parquet(std::slice::from_ref(&from));
        let measured = everything(connection, &rows, "").and_then(|()| {
            connection.query_row(&format!("SELECT count(*), min(start_time) FROM {rows}"), [], |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, Option<i64>>(1)?))
            })
        });
        match measured {
            Ok((spans, Some(start))) => {
                let day = day_of(start.div_euclid(DAY) * DAY);
                let name = next_file(archive, day);
                let staged = archive.join("staged.parquet");
                let bytes = fs::copy(&from, &staged).map_err(|error| file_error(&staged, error))?;
                sync(&staged)?;
                publish(&staged, archive, &name)?;
                connection.execute(
                    "INSERT INTO archived_days (day, spans, bytes, file) VALUES (?::DATE, ?, ?, ?)
                     ON CONFLICT DO NOTHING",
                    duckdb::params![day.format("%Y-%m-%d").to_string(), spans, bytes, name],
                )?;
            }
            Ok(_) => {}
            Err(error) => rescued.losses.push(format!("{file} of the archive: {error}")),
        }
        progress(Progress {
            what: "saving the archive",
            done: index as u64 + 1,
            total,
        });
    }
    Ok(())
}

/// Takes spans that are in the table and in the archive, or more than once in the table, out of the table.
fn remove_duplicates(connection: &Connection, archive: &Path, rescued: &mut Rescued) -> Result<(), StoreError> {
    schema::create_view(connection, archive, schema::Lifetime::Store)?;
    let files: Vec<PathBuf> = entered(connection)?.iter().map(|day| archive.join(&day.file)).collect();
    let mut removed = connection.execute(
        "DELETE FROM stored_spans WHERE rowid IN
           (SELECT rowid FROM stored_spans QUALIFY row_number() OVER (PARTITION BY trace_id, span_id ORDER BY rowid DESC) > 1)",
        [],
    )?;
    if !files.is_empty() {
        removed += connection.execute(
            &format!(
                "DELETE FROM stored_spans s USING {} a WHERE s.trace_id = a.trace_id AND s.span_id = a.span_id",
                parquet(&files)
            ),
            [],
        )?;
    }
    if removed > 0 {
        rescued
            .losses
            .push(format!("{removed} spans that were there twice are there once"));
    }
    Ok(())
}
