//! DuckDB in memory, as the reader of files that others made.

use std::path::{Path, PathBuf};

use duckdb::{Config, Connection};

use crate::SourceError;

/// Name under which a file is attached.
const ATTACHED: &str = "source";

/// A DuckDB without data of its own.
pub(crate) struct Database {
    connection: Connection,
}

impl Database {
    /// Starts DuckDB for files that may hold views. `readable` are the folders that these may read from.
    pub(crate) fn confined(readable: &[&Path]) -> Result<Self, SourceError> {
        let database = Self::free(readable.first().copied().unwrap_or(Path::new("")))?;
        let mut folders = Vec::with_capacity(readable.len());
        for folder in readable {
            let folder = folder.canonicalize().map_err(SourceError::io(folder))?;
            folders.push(literal(utf8(&folder)?));
        }
        let confine = format!(
            "SET allowed_directories = [{}]; SET enable_external_access = false; SET lock_configuration = true;",
            folders.join(", ")
        );
        database
            .connection
            .execute_batch(&confine)
            .map_err(|error| SourceError::Database {
                path: readable.first().map(|path| path.to_path_buf()).unwrap_or_default(),
                source: error,
            })?;
        Ok(database)
    }

    /// Starts DuckDB for files without any SQL in them. `named` is for errors.
    pub(crate) fn free(named: &Path) -> Result<Self, SourceError> {
        // One thread keeps the rows in their order, and leaves the machine to the program that is traced.
        let start = || {
            let config = Config::default()
                .threads(1)?
                .max_memory("1GB")?
                .enable_autoload_extension(false)?
                .with("autoinstall_known_extensions", "false")?
                .with("temp_directory", "")?;
            Connection::open_in_memory_with_flags(config)
        };
        Ok(Self {
            connection: start().map_err(SourceError::database(named))?,
        })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Attaches a DuckDB file (a mirror) read-only.
    pub(crate) fn attach(&self, file: &Path) -> Result<(), SourceError> {
        let path = file.canonicalize().map_err(SourceError::io(file))?;
        let attach = format!(
            "ATTACH {} AS {ATTACHED} (TYPE duckdb, READ_ONLY)",
            literal(utf8(&path)?)
        );
        self.connection
            .execute_batch(&attach)
            .map_err(SourceError::database(file))
    }

    /// Lets go of the attached file.
    pub(crate) fn detach(&self) -> duckdb::Result<()> {
        self.connection.execute_batch(&format!("DETACH {ATTACHED}"))
    }

    /// The spans of the attached file, as a relation. `named` is the file that a person knows, for errors.
    pub(crate) fn attached_spans(&self, named: &Path) -> Result<String, SourceError> {
        let query = "SELECT table_name FROM information_schema.tables \
                     WHERE table_catalog = ? AND table_schema = 'main' ORDER BY table_name";
        let names = || -> duckdb::Result<Vec<String>> {
            self.connection
                .prepare(query)?
                .query_map([ATTACHED], |row| row.get(0))?
                .collect()
        };
        let names = names().map_err(SourceError::database(named))?;
        match names.iter().find(|name| name.eq_ignore_ascii_case("spans")) {
            Some(name) => Ok(format!("{ATTACHED}.main.{}", identifier(name))),
            None => Err(SourceError::NoSpansTable {
                path: named.to_owned(),
                found: names,
            }),
        }
    }

    /// Names and types of a relation's columns.
    pub(crate) fn columns(&self, relation: &str) -> duckdb::Result<Vec<(String, String)>> {
        self.connection
            .prepare(&format!(
                "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {relation})"
            ))?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    }
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as an SQL identifier.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A path as text, which is how DuckDB takes it.
pub(crate) fn utf8(path: &Path) -> Result<&str, SourceError> {
    path.to_str().ok_or_else(|| {
        SourceError::io(&PathBuf::from(path))(std::io::Error::new(
            std::io::ErrorKind::InvalidFilename,
            "the path is not UTF-8",
        ))
    })
}
