//! How much the API gives.

use std::num::NonZero;
use std::thread;
use std::time::Duration;

/// What queries may use, and how many run at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Queries that run at once, analyses and SQL together.
    pub queries: usize,
    /// Of them SQL that users wrote: fewer, so that an analysis always finds a place. At most as many as the store has
    /// connections with a budget (`flockscope_store::Settings::sandboxes`).
    pub sql_queries: usize,
    /// Queries of one caller that run at once.
    pub queries_of_caller: usize,
    /// Queries that wait for a place; more are refused.
    pub waiting: usize,
    /// How long a query waits for a place.
    pub patience: Duration,
    /// Time for an analysis.
    pub analysis_time: Duration,
    /// Rows of an analysis; more are cut off.
    pub analysis_rows: usize,
    /// What the SQL of a caller on this machine may use.
    pub local_sql: SqlLimits,
    /// What the SQL of a caller from elsewhere may use.
    pub network_sql: SqlLimits,
    /// Listeners to events at once.
    pub listeners: usize,
    /// Whether there is `/metrics`.
    pub metrics: bool,
}

/// What a user's SQL may use. Beside these there is its budget of memory (`flockscope_store::Settings::sandbox_memory`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlLimits {
    /// Rows where the request does not say.
    pub rows: u64,
    /// Most rows that a request may ask for.
    pub most_rows: u64,
    /// Most bytes of the rows in memory (as Arrow); more are cut off.
    pub bytes: usize,
    /// Time where the request does not say.
    pub time: Duration,
    /// Most time that a request may ask for.
    pub most_time: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(2, NonZero::get);
        Self {
            queries: cores + 1,
            sql_queries: cores,
            queries_of_caller: cores,
            waiting: 512,
            patience: Duration::from_secs(30),
            analysis_time: Duration::from_secs(60),
            analysis_rows: 100_000,
            local_sql: SqlLimits {
                rows: 10_000,
                most_rows: 10_000_000,
                bytes: 1 << 30,
                time: Duration::from_secs(30),
                most_time: Duration::from_secs(600),
            },
            network_sql: SqlLimits {
                rows: 10_000,
                most_rows: 1_000_000,
                bytes: 256 << 20,
                time: Duration::from_secs(30),
                most_time: Duration::from_secs(60),
            },
            listeners: 256,
            metrics: true,
        }
    }
}
