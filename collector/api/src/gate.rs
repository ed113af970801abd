//! How many queries run at once: in all, of SQL, and of one caller. Who comes first is let in first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::ApiProblem;
use crate::settings::Settings;

/// What asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    Analysis,
    Sql,
}

pub(crate) struct Gate {
    all: Arc<Semaphore>,
    sql: Arc<Semaphore>,
    of_caller: usize,
    callers: Mutex<HashMap<String, Weak<Semaphore>>>,
    waiting: AtomicUsize,
    most_waiting: usize,
    patience: Duration,
    running: Arc<AtomicUsize>,
}

/// The right to run one query, until it is dropped.
pub(crate) struct Place {
    // The first is given back first; nothing hangs on it.
    _permits: Vec<OwnedSemaphorePermit>,
    running: Arc<AtomicUsize>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one who waits, until it is dropped: also when the client goes away meanwhile.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            all: Arc::new(Semaphore::new(settings.queries.max(1))),
            sql: Arc::new(Semaphore::new(settings.sql_queries.max(1))),
            of_caller: settings.queries_of_caller.max(1),
            callers: Mutex::default(),
            waiting: AtomicUsize::new(0),
            most_waiting: settings.waiting,
            patience: settings.patience,
            running: Arc::default(),
        }
    }

    /// Waits for a place.
    pub(crate) async fn enter(&self, caller: &str, asker: Asker) -> Result<Place, ApiProblem> {
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.most_waiting {
            return Err(ApiProblem::busy(1));
        }
        let of_caller = self.of_caller(caller);
        let take = async {
            // The narrowest first: one who waits for the others must not hold what all need.
            let mut permits = vec![of_caller.acquire_owned().await];
            if asker == Asker::Sql {
                permits.push(self.sql.clone().acquire_owned().await);
            }
            permits.push(self.all.clone().acquire_owned().await);
            permits.into_iter().collect::<Result<Vec<_>, _>>()
        };
        let permits = tokio::time::timeout(self.patience, take).await;
        drop(waiting);
        match permits {
            Ok(Ok(permits)) => {
                self.running.fetch_add(1, Ordering::Relaxed);
                Ok(Place {
                    _permits: permits,
                    running: self.running.clone(),
                })
            }
            Ok(Err(closed)) => Err(ApiProblem::internal(closed)),
            Err(_) => Err(ApiProblem::busy(self.patience.as_secs().max(1))),
        }
    }

    /// Queries that run just now.
    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    /// Queries that wait just now.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn of_caller(&self, caller: &str) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = callers.get(caller).and_then(Weak::upgrade) {
            return semaphore;
        }
        // Callers that ask nothing any more need no memory.
        callers.retain(|_, semaphore| semaphore.strong_count() > 0);
        let semaphore = Arc::new(Semaphore::new(self.of_caller));
        callers.insert(caller.to_owned(), Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(waiting: usize, patience: Duration) -> Gate {
        Gate::new(&Settings {
            queries: 3,
            sql_queries: 2,
            queries_of_caller: 2,
            waiting,
            patience,
            ..Settings::default()
        })
    }

    #[tokio::test]
    async fn sql_leaves_a_place_for_analyses_and_one_caller_for_others() {
        let gate = gate(10, Duration::from_millis(20));
        let one = gate.enter("a", Asker::Sql).await.expect("a place");
        let _two = gate.enter("a", Asker::Sql).await.expect("a place");
        assert!(gate.enter("b", Asker::Sql).await.is_err(), "no third SQL");
        assert!(
            gate.enter("a", Asker::Analysis).await.is_err(),
            "no third of one caller"
        );
        let _three = gate.enter("b", Asker::Analysis).await.expect("a place");
        assert_eq!(gate.running(), 3);
        drop(one);
        gate.enter("b", Asker::Sql).await.expect("a place again");
    }

    #[tokio::test]
    async fn those_who_wait_are_counted_and_too_many_are_refused() {
        let gate = Arc::new(gate(1, Duration::from_secs(60)));
        let held = gate.enter("a", Asker::Analysis).await.expect("a place");
        let _held = gate.enter("a", Asker::Analysis).await.expect("a place");
        let waiting = {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter("a", Asker::Analysis).await.map(drop) })
        };
        while gate.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        let problem = gate.enter("b", Asker::Analysis).await.map(drop).expect_err("refused");
        assert_eq!(
            axum::response::IntoResponse::into_response(problem).status().as_u16(),
            503
        );
        drop(held);
        waiting.await.expect("no panic").expect("let in");
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn callers_who_are_gone_take_no_memory() {
        let gate = gate(10, Duration::from_secs(1));
        for caller in 0..1_000 {
            drop(gate.enter(&caller.to_string(), Asker::Analysis).await.expect("a place"));
        }
        assert!(gate.callers.lock().expect("whole").len() <= 2);
    }
}
