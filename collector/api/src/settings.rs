//! How much the API gives.

use std::num::NonZero;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

/// What queries may use, and how many run at a time.
#[derive(Debug, Clone)]
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
    /// What the SQL of users may use.
    pub sql: SqlBudgets,
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

/// The limits of users' SQL. All clones are one: what one of them replaces counts for the next query.
#[derive(Debug, Clone)]
pub struct SqlBudgets(Arc<RwLock<Budgets>>);

#[derive(Debug, Clone)]
struct Budgets {
    local: SqlLimits,
    network: SqlLimits,
}

impl SqlBudgets {
    /// For callers on this machine, and for those from elsewhere.
    pub fn new(local: SqlLimits, network: SqlLimits) -> Self {
        Self(Arc::new(RwLock::new(Budgets { local, network })))
    }

    /// Takes over the limits of others, from the next query on.
    pub fn replace(&self, others: &Self) {
        let budgets = others.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = budgets;
    }

    /// What a query may use whose caller is, or is not, on this machine.
    pub fn of_caller(&self, is_local: bool) -> SqlLimits {
        let budgets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if is_local { &budgets.local } else { &budgets.network }.clone()
    }
}

impl Default for SqlBudgets {
    fn default() -> Self {
        Self::new(
            SqlLimits {
                rows: 10_000,
                most_rows: 10_000_000,
                bytes: 1 << 30,
                time: Duration::from_secs(30),
                most_time: Duration::from_secs(600),
            },
            SqlLimits {
                rows: 10_000,
                most_rows: 1_000_000,
                bytes: 256 << 20,
                time: Duration::from_secs(30),
                most_time: Duration::from_secs(60),
            },
        )
    }
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
            sql: SqlBudgets::default(),
            listeners: 256,
            metrics: true,
        }
    }
}
