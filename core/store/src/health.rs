//! The health of a store: what is wrong with it, and what to do.

use std::fs;
use std::path::Path;

use duckdb::Connection;
use serde::Serialize;

use crate::archive_files::{entered, is_archive_file, is_marked};
use crate::connections::Reader;
use crate::database_file::{self, Frame, block_of};
use crate::files::{file_error, length};
use crate::log_file::{self, LOGS, LogState};
use crate::schema::{SCHEMA_VERSION, SPAN_COLUMNS, TABLES, parquet};
use crate::store::{beside, folder_beside};
use crate::{Progress, Settings, Store, StoreError};

/// Rows of one of DuckDB's row groups.
pub(crate) const ROW_GROUP: i64 = 122_880;
/// A log beyond this says that checkpoints fail.
const LARGE_LOG: u64 = 1 << 30;
/// Less free disk than this is too little.
const LITTLE_SPACE: u64 = 512 << 20;

const RESTORE: &str =
    "restore a backup (flockscope restore), or save what can be read (flockscope doctor --rescue NEW)";

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Nothing is lost, but something should be done.
    Warning,
    /// Something is damaged or missing.
    Error,
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do.
    pub advice: String,
}

/// The outcome of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// Whether every column of every row was read.
    pub deep: bool,
    /// Spans in the table; `None` if it could not be read.
    pub stored_spans: Option<u64>,
    /// Spans in the archive; `None` if that could not be read.
    pub archived_spans: Option<u64>,
    /// Version of DuckDB's file format.
    pub storage_version: Option<String>,
    /// Version of the store's tables.
    pub schema_version: Option<String>,
}

impl Health {
    /// The worst severity; `None`: nothing was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Whether nothing is damaged or missing.
    pub fn is_sound(&self) -> bool {
        self.worst() != Some(Severity::Error)
    }

    fn add(&mut self, severity: Severity, what: impl Into<String>, advice: impl Into<String>) {
        let finding = Finding {
            severity,
            what: what.into(),
            advice: advice.into(),
        };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn sorted(mut self) -> Self {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        self
    }
}

/// Checks a store that is not open in this process, even one that can't be opened. Changes nothing.
///
/// With `deep` every block of the file and every column of every row is read.
///
/// A store that is open in this process must be checked by [`Store::check`]: merely closing its file a second time here
/// would end DuckDB's lock on it (POSIX record locks).
pub fn examine(path: &Path, settings: Settings, deep: bool, mut progress: impl FnMut(Progress)) -> Health {
    let mut health = Health::default();
    let file_length = match length(path) {
        Ok(0) if !path.exists() => {
            health.add(
                Severity::Error,
                format!("{}: no such file", path.display()),
                "check the path",
            );
            return health;
        }
        Ok(length) => length,
        Err(error) => {
            health.add(Severity::Error, error.to_string(), "check the path and its permissions");
            return health;
        }
    };
    let logs_are_sound = examine_logs(path, &mut health);
    // Closed again before the file is read: to close it a second time here would end DuckDB's lock on it.
    if let Err(error @ StoreError::InUse { .. }) = Store::open_read_only(path, settings.clone()) {
        health.add(
            Severity::Warning,
            error.to_string(),
            "ask that program for the check, or end it first; the file was not read",
        );
        return health;
    }
    let frame = database_file::examine(path, deep, |bytes| {
        progress(Progress {
            what: "reading the file's blocks",
            done: bytes,
            total: file_length,
        });
    });
    let frame = match frame {
        Ok(frame) => frame,
        Err(error) => {
            health.add(Severity::Error, file_error(path, error).to_string(), RESTORE);
            return health.sorted();
        }
    };
    examine_frame(path, &frame, file_length, &mut health);
    match Store::open_read_only(path, settings) {
        Ok(store) => match store.check(deep, progress) {
            Ok(inner) => {
                health.deep = inner.deep;
                health.stored_spans = inner.stored_spans;
                health.archived_spans = inner.archived_spans;
                health.storage_version = inner.storage_version;
                health.schema_version = inner.schema_version;
                inner
                    .findings
                    .into_iter()
                    .for_each(|finding| health.add(finding.severity, finding.what, finding.advice));
            }
            Err(error) => health.add(Severity::Error, in_words(&error.to_string(), &frame), RESTORE),
        },
        Err(error) => {
            let text = error.to_string();
            let what = if text.contains("WAL") && logs_are_sound {
                format!("the write-ahead log can't be replayed: {text}")
            } else {
                in_words(&text, &frame)
            };
            health.add(Severity::Error, what, RESTORE);
        }
    }
    if !frame.bad_blocks.is_empty() && health.is_sound() {
        health.add(
            Severity::Warning,
            format!("{} is damaged, but nothing that was read is in it", blocks_in_words(&frame.bad_blocks)),
            "back the store up and restore that backup (flockscope backup, flockscope restore --replace), which writes every block anew; and check the disk",
        );
    }
    health.sorted()
}

fn examine_logs(path: &Path, health: &mut Health) -> bool {
    let mut sound = true;
    for log in LOGS.map(|suffix| beside(path, suffix)) {
        match log_file::examine(&log, true) {
            Ok(LogState::Empty | LogState::Sound | LogState::Unknown) => {}
            Ok(LogState::Torn { at }) => health.add(
                Severity::Note,
                format!("{}: the last write, at byte {at}, was cut off", log.display()),
                "nothing: it was never acknowledged, and is dropped when the store is opened",
            ),
            Ok(LogState::Damaged { at }) => {
                sound = false;
                health.add(
                    Severity::Error,
                    format!(
                        "{}: the write-ahead log is damaged at byte {at}; opening the store would lose what follows",
                        log.display()
                    ),
                    format!("do not open it to write; {RESTORE}"),
                );
            }
            Err(error) => {
                sound = false;
                health.add(Severity::Error, file_error(&log, error).to_string(), RESTORE);
            }
        }
    }
    sound
}

fn examine_frame(path: &Path, frame: &Frame, length: u64, health: &mut Health) {
    let path = path.display();
    if frame.not_duckdb {
        health.add(
            Severity::Error,
            format!("{path} is no DuckDB file, or its very beginning is damaged"),
            format!("check the path; {RESTORE}"),
        );
    }
    if frame.ends_in_headers {
        health.add(
            Severity::Error,
            format!("{path} is truncated: it has only {length} bytes"),
            RESTORE,
        );
    }
    for header in &frame.bad_headers {
        let name = [
            "the main header",
            "the first database header",
            "the second database header",
        ][*header];
        health.add(
            Severity::Error,
            format!("{path}: {name} is damaged (its checksum is wrong)"),
            RESTORE,
        );
    }
    if let Some(promised) = frame.promised {
        health.add(
            Severity::Error,
            format!("{path} is truncated: it has {length} bytes, and its header promises {promised}"),
            RESTORE,
        );
    }
}

/// DuckDB's words, with the number of the damaged block before them if they are about one.
fn in_words(message: &str, frame: &Frame) -> String {
    match block_of(message, frame.block_size) {
        Some(block) => format!("block {block} is damaged: {message}"),
        None => message.to_owned(),
    }
}

fn blocks_in_words(blocks: &[u64]) -> String {
    const SHOWN: usize = 10;
    let numbers: Vec<String> = blocks.iter().take(SHOWN).map(u64::to_string).collect();
    let more = blocks.len().saturating_sub(SHOWN);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("block {}{more}", numbers.join(", "))
}

impl Store {
    /// Checks the open store. With `deep` every column of every row is read, which makes DuckDB compare the checksum of
    /// each block that it does not hold in memory, and the spans are compared with what else the store says of them.
    pub fn check(&self, deep: bool, mut progress: impl FnMut(Progress)) -> Result<Health, StoreError> {
        let mut health = Health {
            deep,
            ..Health::default()
        };
        let reader = self.reader()?;
        self.check_schema(&reader, &mut health);
        if health.is_sound() {
            self.check_archive(&reader, deep, &mut health, &mut progress);
            if deep {
                self.read_everything(&reader, &mut health, &mut progress);
            }
            // What can't be read can't be compared.
            if deep && health.is_sound() {
                check_consistency(&reader, &mut health, &mut progress);
            }
        }
        if !self.is_in_memory() {
            self.check_surroundings(&mut health)?;
        }
        Ok(health.sorted())
    }

    fn check_schema(&self, reader: &Reader, health: &mut Health) {
        let text = |sql: &str| reader.query_row(sql, [], |row| row.get::<_, Option<String>>(0));
        let versions =
            text("SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = current_database()")
                .and_then(|storage| {
                    Ok((
                        storage,
                        text("SELECT value FROM flockscope_meta WHERE key = 'schema_version'")?,
                    ))
                });
        match versions {
            Ok((storage, schema)) => (health.storage_version, health.schema_version) = (storage, schema),
            Err(error) => health.add(Severity::Error, self.read_error(error).to_string(), RESTORE),
        }
        if health
            .schema_version
            .as_deref()
            .is_some_and(|version| version != SCHEMA_VERSION.to_string())
        {
            health.add(
                Severity::Warning,
                format!(
                    "the store has schema {}, this Flockscope {SCHEMA_VERSION}",
                    health.schema_version.as_deref().unwrap_or_default()
                ),
                "open it once to write, which brings it up to date",
            );
        }
        let mut wanted: Vec<(&str, &str)> = TABLES.to_vec();
        wanted.extend(SPAN_COLUMNS.iter().map(|(column, _)| ("stored_spans", *column)));
        for (table, column) in wanted {
            let found = reader.query_row(
                "SELECT count(*) FROM duckdb_columns()
                 WHERE database_name = current_database() AND table_name = ? AND column_name = ?",
                [table, column],
                |row| row.get::<_, i64>(0),
            );
            match found {
                Ok(0) => health.add(
                    Severity::Error,
                    format!("table {table} has no column {column}"),
                    RESTORE,
                ),
                Ok(_) => {}
                Err(error) => return health.add(Severity::Error, self.read_error(error).to_string(), RESTORE),
            }
        }
        match reader.query_row("SELECT count(*) FROM stored_spans", [], |row| row.get(0)) {
            Ok(spans) => health.stored_spans = Some(spans),
            Err(error) => health.add(Severity::Error, self.read_error(error).to_string(), RESTORE),
        }
    }

    fn check_archive(&self, reader: &Reader, deep: bool, health: &mut Health, progress: &mut dyn FnMut(Progress)) {
        let days = match entered(reader) {
            Ok(days) => days,
            Err(error) => return health.add(Severity::Error, self.read_error(error).to_string(), RESTORE),
        };
        let archive = self.archive_folder();
        let mut spans = 0;
        for (index, day) in days.iter().enumerate() {
            let file = archive.join(&day.file);
            let advice = "put the file back from a backup; until then its spans are missing in every answer";
            if !file.exists() {
                health.add(
                    Severity::Error,
                    format!("{} of the archive is missing ({} spans)", day.file, day.spans),
                    advice,
                );
                continue;
            }
            let rows = parquet(&[file]);
            let read = if deep { everything(reader, &rows, "") } else { Ok(()) };
            let count = read.and_then(|()| {
                reader.query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get::<_, u64>(0))
            });
            match count {
                Ok(count) if count == day.spans => spans += count,
                Ok(count) => health.add(
                    Severity::Error,
                    format!("{} of the archive has {count} spans instead of {}", day.file, day.spans),
                    advice,
                ),
                Err(error) => health.add(
                    Severity::Error,
                    format!("{} of the archive is damaged ({} spans): {error}", day.file, day.spans),
                    advice,
                ),
            }
            progress(Progress {
                what: "reading the archive",
                done: index as u64 + 1,
                total: days.len() as u64,
            });
        }
        health.archived_spans = Some(spans);
        let staging = self.staging_folder();
        for file in unentered(&archive, |file| {
            days.iter().any(|day| day.file == file) || is_marked(&staging, file)
        }) {
            health.add(
                Severity::Warning,
                format!("{file} lies in the archive, but does not belong to this store; its spans are in no answer"),
                "import it (flockscope import FILE) if you miss them, then delete it",
            );
        }
    }

    fn read_everything(&self, reader: &Reader, health: &mut Health, progress: &mut dyn FnMut(Progress)) {
        let mut tables: Vec<&str> = TABLES.iter().map(|(table, _)| *table).collect();
        tables.dedup();
        for table in tables {
            let last: Option<i64> =
                match reader.query_row(&format!("SELECT max(rowid) FROM {table}"), [], |row| row.get(0)) {
                    Ok(last) => last,
                    Err(error) => {
                        health.add(
                            Severity::Error,
                            format!("table {table}: {}", self.read_error(error)),
                            RESTORE,
                        );
                        continue;
                    }
                };
            let groups = last.map_or(0, |last| last / ROW_GROUP + 1);
            for group in 0..groups {
                let (first, last) = (group * ROW_GROUP, (group + 1) * ROW_GROUP - 1);
                if let Err(error) = everything(reader, table, &format!("WHERE rowid BETWEEN {first} AND {last}")) {
                    let block_size = 262_144;
                    let error = self.read_error(error).to_string();
                    let block = block_of(&error, block_size).map(|block| format!("block {block} is damaged; "));
                    let what = format!(
                        "table {table}, rows {first} to {last}: {}{error}",
                        block.unwrap_or_default()
                    );
                    health.add(Severity::Error, what, RESTORE);
                }
                progress(Progress {
                    what: "reading the table",
                    done: group as u64 + 1,
                    total: groups as u64,
                });
            }
        }
    }

    fn check_surroundings(&self, health: &mut Health) -> Result<(), StoreError> {
        let size = self.size()?;
        if size.log > LARGE_LOG {
            health.add(
                Severity::Warning,
                format!(
                    "the write-ahead log has {} bytes: it should have been written into the file",
                    size.log
                ),
                "see that the disk is not full, then open the store once",
            );
        }
        if let Some(free) = self.free_space()
            && free < LITTLE_SPACE.max(size.on_disk() / 20)
        {
            health.add(
                Severity::Warning,
                format!(
                    "only {free} bytes are free on the disk; the store takes {}",
                    size.on_disk()
                ),
                "free some space, set a maximum size, or archive old days",
            );
        }
        if self.read_only {
            let staged = fs::read_dir(self.staging_folder())
                .into_iter()
                .flatten()
                .flatten()
                .count();
            if staged > 0 {
                health.add(
                    Severity::Note,
                    format!("{staged} unfinished files lie in {}", self.staging_folder().display()),
                    "nothing: they are removed when the store is opened to write",
                );
            }
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for entry in self
            .path
            .parent()
            .and_then(|parent| fs::read_dir(parent).ok())
            .into_iter()
            .flatten()
            .flatten()
        {
            let other = entry.file_name().to_string_lossy().into_owned();
            let Some(suffix) = other.strip_prefix(&name) else {
                continue;
            };
            if suffix.starts_with(".restoring-") {
                health.add(
                    Severity::Note,
                    format!("{other} is left of a restore that was interrupted before it changed anything"),
                    "delete it, unless a restore is running",
                );
            } else if suffix.starts_with(".before-restore-") && !suffix.ends_with(".d") && !suffix.contains(".wal") {
                health.add(
                    Severity::Note,
                    format!("{other} is the store that the last restore replaced"),
                    "delete it with its folder when you no longer need it",
                );
            }
        }
        Ok(())
    }
}

/// Reads every column.
pub(crate) fn everything(connection: &Connection, rows: &str, condition: &str) -> duckdb::Result<()> {
    connection.query_row(
        &format!("SELECT bit_xor(hash(COLUMNS(*))) FROM {rows} {condition}"),
        [],
        |_| Ok(()),
    )
}

fn check_consistency(reader: &Reader, health: &mut Health, progress: &mut dyn FnMut(Progress)) {
    let mut step = 0;
    let mut count = |sql: &str| -> Result<i64, String> {
        step += 1;
        progress(Progress {
            what: "comparing",
            done: step,
            total: 2,
        });
        reader
            .query_row(sql, [], |row| row.get(0))
            .map_err(|error| error.to_string())
    };
    let uncovered = count(
        "SELECT count(*)
         FROM (SELECT trace_id, min(start_time) AS first_start, max(start_time) AS last_start FROM spans GROUP BY trace_id) s
         LEFT JOIN (SELECT trace_id, min(min_start) AS first_start, max(max_start) AS last_start
                    FROM trace_times GROUP BY trace_id) t USING (trace_id)
         WHERE t.first_start IS NULL OR t.first_start > s.first_start OR t.last_start < s.last_start",
    );
    match uncovered {
        Ok(0) => {}
        Ok(traces) => health.add(
            Severity::Error,
            format!("{traces} traces are not found by their times: the table trace_times is wrong"),
            "flockscope doctor --rescue NEW makes a store with the right times",
        ),
        Err(error) => health.add(Severity::Error, error, RESTORE),
    }
    let twice = count("SELECT count(*) FROM (SELECT 1 FROM spans GROUP BY trace_id, span_id HAVING count(*) > 1)");
    match twice {
        Ok(0) => {}
        Ok(spans) => health.add(
            Severity::Error,
            format!("{spans} spans are there more than once"),
            "flockscope doctor --rescue NEW makes a store with each span once",
        ),
        Err(error) => health.add(Severity::Error, error, RESTORE),
    }
}

/// Names of the archive's files that a store does not count.
fn unentered(archive: &Path, is_entered: impl Fn(&str) -> bool) -> Vec<String> {
    let mut files = Vec::new();
    for folder in fs::read_dir(archive).into_iter().flatten().flatten() {
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let name = format!(
                "{}/{}",
                folder.file_name().to_string_lossy(),
                file.file_name().to_string_lossy()
            );
            if !is_entered(&name) {
                files.push(name);
            }
        }
    }
    files.sort();
    files
}

/// Names of the files in an archive that have the form of a day's file.
pub(crate) fn files_of_archive(path: &Path) -> Vec<String> {
    let mut files = unentered(&folder_beside(path).join("archive"), |_| false);
    files.retain(|file| is_archive_file(file));
    files
}
