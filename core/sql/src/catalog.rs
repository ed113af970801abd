//! What is known about a store: the snapshot that every answer is taken from.

mod builtin;
mod functions;

use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

pub use functions::{Function, FunctionKind, Signature};

/// A snapshot of what is known. A clone costs nothing, and a snapshot never changes: whoever learns something new makes
/// another one.
///
/// DuckDB's own functions are known without being part of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "Contents")]
pub struct Catalog(Arc<Contents>);

/// What a [`Catalog`] holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contents {
    /// Tables and views, the one most often asked first.
    pub relations: Vec<Relation>,
    /// The analyses, and other macros that answer with a table.
    pub macros: Vec<TableMacro>,
    /// Functions and macros that DuckDB does not bring with it.
    pub functions: Vec<Function>,
    /// Keys inside the JSON columns of `spans`.
    pub attribute_keys: Vec<AttributeKey>,
    /// Who recorded spans.
    pub operations: Vec<Operation>,
    /// Traces, newest first.
    pub traces: Vec<Trace>,
}

/// A table or view.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// What one row is.
    pub doc: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
}

/// A column of a relation or of a macro's answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its DuckDB type.
    pub data_type: String,
    /// What it means, and its unit.
    pub doc: String,
    /// What was found in it.
    pub profile: Option<Profile>,
}

/// What was found in a column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Rows that were looked at.
    pub rows: u64,
    /// Share of them that are NULL, 0 to 1.
    pub null_share: f64,
    /// Number of distinct values.
    pub distinct: u64,
    /// Values with the number of their rows, most frequent first; not all of them where there are many.
    pub values: Vec<Value>,
    /// Smallest value, as text.
    pub min: Option<String>,
    /// Largest value, as text.
    pub max: Option<String>,
}

/// A value and how often it occurs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// The value as text.
    pub text: String,
    /// Spans or rows that have it.
    pub count: u64,
}

/// A macro that answers with a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableMacro {
    /// Its name.
    pub name: String,
    /// What it answers, one sentence.
    pub summary: String,
    /// The rest of its documentation.
    pub details: String,
    /// Its parameters in order.
    pub parameters: Vec<Parameter>,
    /// The columns of its answer.
    pub columns: Vec<Column>,
    /// A call of it.
    pub example: String,
}

/// A parameter of a [`TableMacro`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its DuckDB type.
    pub data_type: String,
    /// What it means.
    pub doc: String,
    /// The words that it takes; empty when it takes any value.
    pub words: Vec<String>,
    /// Whether the call must give it. Such a one is given by its place, the others by their name.
    pub required: bool,
}

/// A key inside a JSON column of `spans`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttributeKey {
    /// The key, with its dots.
    pub key: String,
    /// The column: `attributes`, `resource`, or `events` for attributes of events.
    pub column: String,
    /// The JSON type of most of its values, as DuckDB names it: `VARCHAR`, `BIGINT`, `BOOLEAN`, …
    pub json_type: String,
    /// Spans that have it.
    pub spans: u64,
    /// The same as a share of all spans, 0 to 1.
    pub share: f64,
    /// Services and operations that have it. Empty when that is not known.
    pub carriers: Vec<Carrier>,
    /// Its values, most frequent first; not all of them where there are many.
    pub values: Vec<Value>,
}

/// Who has an attribute key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carrier {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Spans of it that have the key.
    pub spans: u64,
}

/// Who recorded spans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Service.
    pub service: String,
    /// Operation.
    pub operation: String,
    /// Span name.
    pub name: String,
    /// Number of its spans.
    pub spans: u64,
}

/// A trace that can be asked for by its id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// Trace id.
    pub trace_id: String,
    /// Name of its root span.
    pub root_name: String,
    /// Start, ns since the epoch.
    pub start_time: i64,
    /// Duration in milliseconds.
    pub duration_ms: f64,
}

impl Catalog {
    /// A snapshot of these contents.
    pub fn new(contents: Contents) -> Self {
        Self(Arc::new(contents))
    }

    /// What is known without a store: the columns of `spans` and the other tables, and the analyses.
    pub fn builtin() -> Self {
        static BUILTIN: LazyLock<Catalog> = LazyLock::new(|| Catalog::new(builtin::contents()));
        BUILTIN.clone()
    }

    /// A relation by its name, in any case.
    pub fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations
            .iter()
            .find(|relation| relation.name.eq_ignore_ascii_case(name))
    }

    /// A table macro by its name, in any case.
    pub fn table_macro(&self, name: &str) -> Option<&TableMacro> {
        self.macros.iter().find(|found| found.name.eq_ignore_ascii_case(name))
    }

    /// A function by its name, in any case: one of this catalog, else one of DuckDB's.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions
            .iter()
            .find(|function| function.name.eq_ignore_ascii_case(name))
            .or_else(|| functions::builtin(name))
    }

    /// Every function: those of this catalog, then DuckDB's by name.
    pub fn all_functions(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().chain(functions::all())
    }

    /// The keys of a JSON column.
    pub fn keys_of<'a>(&'a self, column: &'a str) -> impl Iterator<Item = &'a AttributeKey> {
        self.attribute_keys
            .iter()
            .filter(move |key| key.column.eq_ignore_ascii_case(column))
    }
}

impl From<Contents> for Catalog {
    fn from(contents: Contents) -> Self {
        Self::new(contents)
    }
}

impl Serialize for Catalog {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::builtin()
    }
}

impl Deref for Catalog {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.0
    }
}

impl Relation {
    /// A column by its name, in any case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }
}
