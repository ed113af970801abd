//! The queries of users that run just now, by the ids that they chose, so that they can be stopped.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flockscope_store::StopSignal;

use crate::problem::{ApiProblem, QUERY_ID_IN_USE};

/// Longest id of a query.
pub(crate) const LONGEST_ID: usize = 128;

/// By caller and id: one caller's ids say nothing of another's queries.
type Queries = HashMap<(String, String), StopSignal>;

#[derive(Default)]
pub(crate) struct RunningQueries(Mutex<Queries>);

/// Keeps a query in the list until it is dropped.
pub(crate) struct Listed {
    queries: Arc<RunningQueries>,
    key: (String, String),
}

impl RunningQueries {
    /// Lists a query.
    pub(crate) fn list(self: &Arc<Self>, caller: &str, id: &str, stop: &StopSignal) -> Result<Listed, ApiProblem> {
        let key = (caller.to_owned(), id.to_owned());
        match self.queries().entry(key.clone()) {
            Entry::Occupied(_) => Err(ApiProblem::new(
                QUERY_ID_IN_USE,
                "a query with this id runs already; choose another id for each query",
            )),
            Entry::Vacant(place) => {
                place.insert(stop.clone());
                Ok(Listed {
                    queries: self.clone(),
                    key,
                })
            }
        }
    }

    /// Stops the queries with this id: the caller's own, or with `of_all` everybody's. Returns how many.
    pub(crate) fn stop(&self, caller: &str, id: &str, of_all: bool) -> usize {
        let queries = self.queries();
        let found = queries
            .iter()
            .filter(|((whose, found), _)| found == id && (of_all || whose == caller));
        found.map(|(_, stop)| stop.stop()).count()
    }

    fn queries(&self) -> MutexGuard<'_, Queries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.queries.queries().remove(&self.key);
    }
}

/// Whether a text may be the id of a query.
pub(crate) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_ID
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stops_ones_own_queries_and_an_admin_all() {
        let queries = Arc::new(RunningQueries::default());
        let (mine, yours) = (StopSignal::new(), StopSignal::new());
        let listed = queries.list("me", "q", &mine).expect("listed");
        let _yours = queries.list("you", "q", &yours).expect("listed: another caller's");
        assert!(queries.list("me", "q", &mine).is_err(), "in use");
        assert_eq!(queries.stop("me", "q", false), 1);
        assert!(mine.is_stopped() && !yours.is_stopped());
        drop(listed);
        assert_eq!(queries.stop("me", "q", false), 0);
        assert_eq!(queries.stop("admin", "q", true), 1);
        assert!(yours.is_stopped());
    }
}
