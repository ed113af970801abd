//! Owner of one open DuckDB database. It gives out connections, and can say of a statement what it is: the crate's own
//! `prepare` runs all statements but the last, so a guard must stand on the C interface.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr;
use std::time::Duration;

use duckdb::arrow::array::{RecordBatch, StructArray};
use duckdb::arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use duckdb::{Connection, ffi};

use crate::StoreError;
use crate::stop::{Ended, StopSignal, Watch};

pub(crate) struct Database {
    raw: ffi::duckdb_database,
}

// DuckDB's database handle may be used from any thread: connections are what is bound to one thread at a time.
unsafe impl Send for Database {}
unsafe impl Sync for Database {}

/// How many statements a text holds, and what kind its only one is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    None,
    One(StatementKind),
    Many(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatementKind {
    Select,
    Explain,
    /// One statement that DuckDB runs as several: a PIVOT that looks for its columns, or IMPORT DATABASE.
    Several,
    Other(&'static str),
}

impl Database {
    /// Opens a file, or memory for the path `:memory:`, with DuckDB's configuration options.
    pub(crate) fn open(path: &Path, options: &[(&str, &str)]) -> Result<Self, String> {
        let path =
            CString::new(path.to_string_lossy().as_bytes()).map_err(|_| "the path holds a zero byte".to_owned())?;
        let mut config = ptr::null_mut();
        let mut raw = ptr::null_mut();
        let mut error = ptr::null_mut();
        // Every pointer passed below lives until the call returns, and what DuckDB allocates is freed once.
        unsafe {
            if ffi::duckdb_create_config(&mut config) != ffi::DuckDBSuccess {
                return Err("no memory for DuckDB's configuration".to_owned());
            }
            for (name, value) in options {
                let name = CString::new(*name).map_err(|_| "an option holds a zero byte".to_owned())?;
                let value = CString::new(*value).map_err(|_| "an option holds a zero byte".to_owned())?;
                if ffi::duckdb_set_config(config, name.as_ptr(), value.as_ptr()) != ffi::DuckDBSuccess {
                    ffi::duckdb_destroy_config(&mut config);
                    return Err(format!("DuckDB refuses the option {name:?} = {value:?}"));
                }
            }
            let state = ffi::duckdb_open_ext(path.as_ptr(), &mut raw, config, &mut error);
            ffi::duckdb_destroy_config(&mut config);
            if state != ffi::DuckDBSuccess {
                let message = if error.is_null() {
                    "DuckDB gave no reason".to_owned()
                } else {
                    let text = CStr::from_ptr(error).to_string_lossy().into_owned();
                    ffi::duckdb_free(error.cast());
                    text
                };
                return Err(message);
            }
        }
        Ok(Self { raw })
    }

    pub(crate) fn connect(&self) -> duckdb::Result<Connection> {
        // The handle is open as long as `self` lives; DuckDB itself keeps the database until the last connection ends.
        unsafe { Connection::open_from_raw(self.raw) }
    }

    /// Runs one statement and hands over its rows as they come. `setup` runs first, on the same connection.
    ///
    /// The crate prepares a statement and then runs it, and DuckDB 2.0 plans it anew for the run: for a statement as
    /// large as `timeline` that is a third of its time. This plans once.
    pub(crate) fn query<E: From<duckdb::Error>>(
        &self,
        setup: Option<&str>,
        sql: &str,
        each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        self.query_watched(setup, sql, None, each).0
    }

    /// As [`Database::query`], and can be stopped: by a signal, and when its time is over. Says also why it was
    /// interrupted, if it was.
    pub(crate) fn query_watched<E: From<duckdb::Error>>(
        &self,
        setup: Option<&str>,
        sql: &str,
        watch: Option<(&StopSignal, Duration)>,
        each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> (Result<(), E>, Option<Ended>) {
        let mut raw = RawQuery::default();
        // The handle is destroyed by `RawQuery`.
        let connected = unsafe { ffi::duckdb_connect(self.raw, &mut raw.connection) };
        if connected != ffi::DuckDBSuccess {
            return (Err(failure(connected, "DuckDB gave no connection").into()), None);
        }
        let watch = watch.map(|(signal, time)| {
            let connection = Interruptible(raw.connection);
            Watch::start(signal, time, move || connection.interrupt())
        });
        let outcome = raw.run(setup, sql, each);
        // The watch ends before the connection does.
        (outcome, watch.and_then(Watch::stop))
    }

    /// Parses a text and binds its only statement, without running it, on a connection that ran `setup` before.
    pub(crate) fn classify(&self, setup: Option<&str>, sql: &str) -> Result<Statement, StoreError> {
        let text = CString::new(sql).map_err(|_| StoreError::Refused("the SQL holds a zero byte".into()))?;
        let setup = CString::new(setup.unwrap_or_default()).map_err(|_| StoreError::Refused("a zero byte".into()))?;
        let mut connection = ptr::null_mut();
        let mut extracted = ptr::null_mut();
        let mut prepared = ptr::null_mut();
        // The three handles are destroyed on every path, in the reverse order of their making.
        unsafe {
            if ffi::duckdb_connect(self.raw, &mut connection) != ffi::DuckDBSuccess {
                return Err(StoreError::Sql("DuckDB gave no connection".into()));
            }
            if !setup.is_empty() && ffi::duckdb_query(connection, setup.as_ptr(), ptr::null_mut()) != ffi::DuckDBSuccess
            {
                ffi::duckdb_disconnect(&mut connection);
                return Err(StoreError::Sql("DuckDB could not make the view of the archive".into()));
            }
            let count = ffi::duckdb_extract_statements(connection, text.as_ptr(), &mut extracted);
            let answer = match count {
                0 => {
                    let error = ffi::duckdb_extract_statements_error(extracted);
                    if error.is_null() {
                        Ok(Statement::None)
                    } else {
                        Err(StoreError::Sql(CStr::from_ptr(error).to_string_lossy().into_owned()))
                    }
                }
                1 => {
                    let state = ffi::duckdb_prepare_extracted_statement(connection, extracted, 0, &mut prepared);
                    let answer = if state == ffi::DuckDBSuccess {
                        Ok(Statement::One(kind(ffi::duckdb_prepared_statement_type(prepared))))
                    } else {
                        let error = ffi::duckdb_prepare_error(prepared);
                        let message = if error.is_null() {
                            "DuckDB gave no reason".to_owned()
                        } else {
                            CStr::from_ptr(error).to_string_lossy().into_owned()
                        };
                        Err(StoreError::Sql(message))
                    };
                    ffi::duckdb_destroy_prepare(&mut prepared);
                    answer
                }
                many => Ok(Statement::Many(many)),
            };
            ffi::duckdb_destroy_extracted(&mut extracted);
            ffi::duckdb_disconnect(&mut connection);
            answer
        }
    }
}

/// What a query holds of DuckDB.
struct RawQuery {
    connection: ffi::duckdb_connection,
    answer: ffi::duckdb_arrow,
}

impl RawQuery {
    fn run<E: From<duckdb::Error>>(
        &mut self,
        setup: Option<&str>,
        sql: &str,
        mut each: impl FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let text = CString::new(sql).map_err(duckdb::Error::from)?;
        // The handles are destroyed by `RawQuery`, also when `each` fails.
        unsafe {
            if let Some(setup) = setup {
                let setup = CString::new(setup).map_err(duckdb::Error::from)?;
                let state = ffi::duckdb_query(self.connection, setup.as_ptr(), ptr::null_mut());
                if state != ffi::DuckDBSuccess {
                    return Err(failure(state, "the connection could not be set up").into());
                }
            }
            let state = ffi::duckdb_query_arrow(self.connection, text.as_ptr(), &mut self.answer);
            if state != ffi::DuckDBSuccess {
                let error = ffi::duckdb_query_arrow_error(self.answer);
                let words = if error.is_null() {
                    "DuckDB gave no reason".into()
                } else {
                    CStr::from_ptr(error).to_string_lossy()
                };
                return Err(failure(state, &words).into());
            }
            loop {
                let mut array = FFI_ArrowArray::empty();
                let mut at = (&raw mut array).cast();
                let state = ffi::duckdb_query_arrow_array(self.answer, &mut at);
                if state != ffi::DuckDBSuccess {
                    return Err(failure(state, "the rows could not be fetched").into());
                }
                if array.is_empty() {
                    return Ok(());
                }
                let mut schema = FFI_ArrowSchema::empty();
                let mut at = (&raw mut schema).cast();
                let state = ffi::duckdb_query_arrow_schema(self.answer, &mut at);
                if state != ffi::DuckDBSuccess {
                    return Err(failure(state, "the columns could not be described").into());
                }
                let data = from_ffi(array, &schema).map_err(|error| failure(state, &error.to_string()))?;
                each(RecordBatch::from(StructArray::from(data)))?;
            }
        }
    }
}

/// A connection that another thread may interrupt, as long as it is open.
struct Interruptible(ffi::duckdb_connection);

// DuckDB lets any thread interrupt a connection: that sets an atomic flag of it.
unsafe impl Send for Interruptible {}

impl Interruptible {
    fn interrupt(&self) {
        // Its `Watch` has ended before the connection is closed.
        unsafe { ffi::duckdb_interrupt(self.0) }
    }
}

impl Default for RawQuery {
    fn default() -> Self {
        Self {
            connection: ptr::null_mut(),
            answer: ptr::null_mut(),
        }
    }
}

impl Drop for RawQuery {
    fn drop(&mut self) {
        // DuckDB lets null pass; the answer ends before the connection that it came by.
        unsafe {
            ffi::duckdb_destroy_arrow(&mut self.answer);
            ffi::duckdb_disconnect(&mut self.connection);
        }
    }
}

fn failure(state: ffi::duckdb_state, words: &str) -> duckdb::Error {
    duckdb::Error::DuckDBFailure(ffi::Error::new(state), Some(words.to_owned()))
}

impl Drop for Database {
    fn drop(&mut self) {
        // Opened by `open`, and closed only here.
        unsafe { ffi::duckdb_close(&mut self.raw) }
    }
}

fn kind(statement_type: ffi::duckdb_statement_type) -> StatementKind {
    match statement_type {
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_SELECT => StatementKind::Select,
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_EXPLAIN => StatementKind::Explain,
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_INSERT => StatementKind::Other("INSERT"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_UPDATE => StatementKind::Other("UPDATE"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_DELETE => StatementKind::Other("DELETE"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_PREPARE => StatementKind::Other("PREPARE"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_CREATE => StatementKind::Other("CREATE"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_EXECUTE => StatementKind::Other("EXECUTE"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_ALTER => StatementKind::Other("ALTER"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_TRANSACTION => StatementKind::Other("a transaction"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_COPY => StatementKind::Other("COPY"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_ANALYZE => StatementKind::Other("ANALYZE"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_VARIABLE_SET => StatementKind::Other("SET VARIABLE"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_CREATE_FUNC => StatementKind::Other("CREATE FUNCTION"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_DROP => StatementKind::Other("DROP"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_EXPORT => StatementKind::Other("EXPORT"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_PRAGMA => StatementKind::Other("PRAGMA"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_VACUUM => StatementKind::Other("VACUUM"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_CALL => StatementKind::Other("CALL"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_SET => StatementKind::Other("SET"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_LOAD => StatementKind::Other("LOAD"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_ATTACH => StatementKind::Other("ATTACH"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_DETACH => StatementKind::Other("DETACH"),
        ffi::duckdb_statement_type_DUCKDB_STATEMENT_TYPE_MULTI => StatementKind::Several,
        _ => StatementKind::Other("such a statement"),
    }
}
