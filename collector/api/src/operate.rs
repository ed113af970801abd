//! The process: how it does, its configuration, and what only an admin may do.

use std::sync::PoisonError;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use flockscope_protocol::{BackupRequest, Event};
use flockscope_store::{Cleared, calls};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answers::ClearRequest;
use crate::api::Shared;
use crate::ask::{Ask, json, run, tagged};
use crate::document::Common;
use crate::problem::{ApiProblem, BAD_BODY, CANNOT_DO};
use crate::process::{BackupMade, ProcessError, Setting};
use crate::schemas;
use crate::sql::body;
use flockscope_security::{Admin, Role};

/// How the process does
#[utoipa::path(
    get, path = "/api/v1/status", tag = "Process",
    responses((status = 200, description = "Its state", body = schemas::ProcessStatus), Common),
)]
pub(crate) async fn status(ask: Ask) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let (spans, traces) = counts(&ask).await?;
    let process = ask.state.process.clone();
    let mut status = blocking(move || Ok(process.status()), &ask.state).await?;
    status.spans = spans;
    status.traces = traces;
    if ask.caller.role != Role::Admin {
        status.store = None;
        status.following = None;
        // They name files, and other machines.
        status.notes.clear();
    }
    tagged(&status, &ask.headers, 0)
}

/// Spans and traces in the store: counted once for each of its states, for this is polled.
async fn counts(ask: &Ask) -> Result<(u64, u64), ApiProblem> {
    let version = ask.state.store.version();
    let known = *ask.state.counts.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, spans, traces)) = known
        && of == version
    {
        return Ok((spans, traces));
    }
    let (rows, time) = (ask.state.settings.analysis_rows, ask.state.settings.analysis_time);
    let found = run(&ask.state, &ask.caller, "status", "", move |store, stop| {
        let bounds = flockscope_store::Bounds { rows, time, stop };
        Ok(store
            .ask_within(&calls::statistics(), &bounds)?
            .rows
            .pop()
            .unwrap_or_default())
    })
    .await?;
    let counts = (found.spans.max(0) as u64, found.traces.max(0) as u64);
    *ask.state.counts.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, counts.0, counts.1));
    Ok(counts)
}

/// The effective settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Configuration {
    /// Settings: for viewers those that are public.
    settings: Vec<Setting>,
}

/// The effective configuration
///
/// Admins see all of it, viewers what concerns them. Secrets are masked.
#[utoipa::path(
    get, path = "/api/v1/configuration", tag = "Process",
    responses((status = 200, description = "The settings, each with its source", body = Configuration), Common),
)]
pub(crate) async fn configuration(ask: Ask) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let process = ask.state.process.clone();
    let mut settings = blocking(move || Ok(process.configuration()), &ask.state).await?;
    settings.retain(|setting| setting.public || ask.caller.role == Role::Admin);
    tagged(&Configuration { settings }, &ask.headers, 0)
}

/// Removes all traces
///
/// For admins. The body must confirm it.
#[utoipa::path(
    post, path = "/api/v1/clear", tag = "Process",
    request_body(content = ClearRequest, example = json!({"confirm": "all traces"})),
    responses((status = 200, description = "They are gone", body = schemas::Cleared), Common),
)]
pub(crate) async fn clear(_admin: Admin, ask: Ask, request: Request) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let request: ClearRequest = body(request, &["confirm"]).await?;
    if request.confirm != "all traces" {
        return Err(ApiProblem::new(
            BAD_BODY,
            "the field confirm must be \"all traces\": this removes every span, and there is no way back",
        ));
    }
    let cleared = clear_all(&ask.state).await?;
    Ok(json(serde_json::to_vec(&cleared).map_err(ApiProblem::internal)?))
}

/// Removes all traces, and says so to all who listen.
pub(crate) async fn clear_all(state: &Shared) -> Result<Cleared, ApiProblem> {
    let (process, store) = (state.process.clone(), state.store.clone());
    let cleared = blocking(move || process.clear(&store), state).await?;
    // Nobody may be listening.
    let _ = state.events.send(Event::SpansRemoved { spans: cleared.spans });
    Ok(cleared)
}

/// Makes a backup
///
/// For admins. It is made beside the store, with the time as its name; a client of this machine may name another folder.
/// Spans are stored meanwhile as ever.
#[utoipa::path(
    post, path = "/api/v1/backup", tag = "Process",
    request_body(content = Option<schemas::BackupRequest>),
    responses((status = 200, description = "It is made", body = BackupMade), Common),
)]
pub(crate) async fn backup(_admin: Admin, ask: Ask, request: Request) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let folder = match request.headers().contains_key(header::CONTENT_TYPE) {
        true => body::<BackupRequest>(request, &["folder"]).await?.folder,
        false => None,
    };
    if let Some(folder) = &folder
        && !(ask.caller.is_local && folder.is_absolute())
    {
        return Err(ApiProblem::new(
            BAD_BODY,
            "the field folder must be a full path, and only a client of this machine may name one",
        ));
    }
    let (process, store) = (ask.state.process.clone(), ask.state.store.clone());
    let made = blocking(move || process.backup(&store, folder.as_deref()), &ask.state).await?;
    Ok(json(serde_json::to_vec(&made).map_err(ApiProblem::internal)?))
}

/// Ends the process
///
/// For admins. What was accepted is stored first.
#[utoipa::path(
    post, path = "/api/v1/stop", tag = "Process",
    responses((status = 202, description = "It ends"), Common),
)]
pub(crate) async fn stop(_admin: Admin, ask: Ask) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let process = ask.state.process.clone();
    blocking(
        move || {
            process.stop();
            Ok(())
        },
        &ask.state,
    )
    .await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Asks the process, on a blocking thread.
pub(crate) async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, ProcessError> + Send + 'static,
    state: &Shared,
) -> Result<T, ApiProblem> {
    match tokio::task::spawn_blocking(job).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(ProcessError::Store(error))) => Err(ApiProblem::of_store(&error, "", &state.secrets)),
        Ok(Err(ProcessError::CannotDo(words))) => Err(ApiProblem::new(CANNOT_DO, words)),
        Ok(Err(ProcessError::Failed(words))) => Err(ApiProblem::internal(words)),
        Err(ended) => Err(ApiProblem::internal(ended)),
    }
}
