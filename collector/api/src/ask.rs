//! One request that asks the store something: who asks, with which parameters; and how the answer is made.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use flockscope_store::{Bounds, StopSignal, Store, StoreError};
use serde::Serialize;

use crate::api::{Shared, State};
use crate::entity_tag::EntityTag;
use crate::gate::{Asker, Place};
use crate::parameters::Parameters;
use crate::problem::ApiProblem;
use flockscope_security::{Caller, Refusal, Role};

/// A request that asks something.
pub(crate) struct Ask {
    pub(crate) state: Shared,
    pub(crate) caller: Caller,
    pub(crate) parameters: Parameters,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl FromRequestParts<Shared> for Ask {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Rejection> {
        let caller = Caller::from_request_parts(parts, state).await;
        Ok(Self {
            caller: caller.map_err(Rejection::Caller)?,
            parameters: Parameters::of(&parts.uri).map_err(Rejection::Parameters)?,
            uri: parts.uri.clone(),
            headers: parts.headers.clone(),
            state: state.clone(),
        })
    }
}

/// Why a request is not even looked at.
pub(crate) enum Rejection {
    Caller(Refusal),
    Parameters(ApiProblem),
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        match self {
            Self::Caller(refusal) => refusal.into_response(),
            Self::Parameters(problem) => problem.into_response(),
        }
    }
}

/// Why there is no answer.
pub(crate) enum Fault {
    Store(StoreError),
    Problem(ApiProblem),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ApiProblem> for Fault {
    fn from(problem: ApiProblem) -> Self {
        Self::Problem(problem)
    }
}

impl Fault {
    /// The problem for the client, who wrote this SQL.
    pub(crate) fn into_problem(self, sql: &str, state: &State) -> ApiProblem {
        match self {
            Self::Store(error) => ApiProblem::of_store(&error, sql, &state.secrets),
            Self::Problem(problem) => problem,
        }
    }
}

/// Stops a query when the one who waits for its answer is gone.
pub(crate) struct StopWhenDropped(pub(crate) StopSignal);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Seconds for which a client may keep the figures of an analysis.
pub(crate) const SHORT: u32 = 1;

impl Ask {
    /// The entity tag of an answer that hangs on what is stored, on the request's URI, and on the caller's role.
    pub(crate) fn tag(&self) -> EntityTag {
        EntityTag::of((
            &self.state.instance,
            self.state.store.version(),
            self.uri.path(),
            self.uri.query(),
            self.caller.role == Role::Admin,
        ))
    }

    /// Answers with JSON that a query of the store gives, or with 304. All parameters have been asked for by now.
    pub(crate) async fn answer<T: Serialize>(
        self,
        class: &'static str,
        max_age: u32,
        job: impl FnOnce(&Store, &Bounds) -> Result<T, Fault> + Send + 'static,
    ) -> Result<Response, ApiProblem> {
        self.answer_with(class, max_age, job, |_| Ok(Vec::new())).await
    }

    /// As [`Ask::answer`], with headers that hang on what was found.
    pub(crate) async fn answer_with<T: Serialize>(
        self,
        class: &'static str,
        max_age: u32,
        job: impl FnOnce(&Store, &Bounds) -> Result<T, Fault> + Send + 'static,
        head: impl FnOnce(&T) -> Result<Vec<(header::HeaderName, HeaderValue)>, ApiProblem> + Send + 'static,
    ) -> Result<Response, ApiProblem> {
        self.parameters.finish()?;
        // Asked for before the query begins: what is found is at least as new.
        let tag = (!self.parameters.moves()).then(|| self.tag());
        if let Some(response) = tag.as_ref().and_then(|tag| tag.not_modified(&self.headers, max_age)) {
            return Ok(response);
        }
        let settings = &self.state.settings;
        let (rows, time) = (settings.analysis_rows, settings.analysis_time);
        let (bytes, more) = run(&self.state, &self.caller, class, "", move |store, stop| {
            let found = job(store, &Bounds { rows, time, stop })?;
            let bytes = serde_json::to_vec(&found).map_err(ApiProblem::internal)?;
            Ok((bytes, head(&found)?))
        })
        .await?;
        // Of one that moves with the clock only its content says whether it is the same.
        let tag = tag.unwrap_or_else(|| EntityTag::of(&bytes));
        if let Some(response) = tag.not_modified(&self.headers, max_age) {
            return Ok(response);
        }
        let mut response = json(bytes);
        tag.write(response.headers_mut(), max_age);
        response.headers_mut().extend(more);
        Ok(response)
    }
}

/// An answer of JSON whose tag is made of its content: for what does not come out of the store.
pub(crate) fn tagged(value: &impl Serialize, request: &HeaderMap, max_age: u32) -> Result<Response, ApiProblem> {
    let bytes = serde_json::to_vec(value).map_err(ApiProblem::internal)?;
    let tag = EntityTag::of(HashedBytes(&bytes));
    if let Some(response) = tag.not_modified(request, max_age) {
        return Ok(response);
    }
    let mut response = json(bytes);
    tag.write(response.headers_mut(), max_age);
    Ok(response)
}

#[derive(Hash)]
struct HashedBytes<'a>(&'a [u8]);

/// An answer of JSON.
pub(crate) fn json(bytes: impl Into<Body>) -> Response {
    let mut response = Response::new(bytes.into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Runs an analysis on a blocking thread, once there is a place for it. It stops when this future is dropped: the client
/// is gone.
pub(crate) async fn run<T: Send + 'static>(
    state: &Shared,
    caller: &Caller,
    class: &'static str,
    sql: &str,
    job: impl FnOnce(&Store, StopSignal) -> Result<T, Fault> + Send + 'static,
) -> Result<T, ApiProblem> {
    let place = state.gate.enter(&caller.name, Asker::Analysis).await?;
    let stop = StopSignal::new();
    let _stop_when_dropped = StopWhenDropped(stop.clone());
    let task = {
        let state = state.clone();
        tokio::task::spawn_blocking(move || timed(&state, class, place, |store| job(store, stop)))
    };
    match task.await {
        Ok(outcome) => outcome.map_err(|fault| fault.into_problem(sql, state)),
        Err(ended) => Err(ApiProblem::internal(ended)),
    }
}

/// Runs a query in its place, and notes how long it took. The place is taken until the query has really ended.
pub(crate) fn timed<T>(
    state: &Arc<State>,
    class: &'static str,
    place: Place,
    job: impl FnOnce(&Store) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let start = Instant::now();
    let outcome = job(&state.store);
    state.latencies.record(class, start.elapsed(), outcome.is_err());
    drop(place);
    outcome
}
