//! Whether the process lives, and whether it is ready.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flockscope_store::{Bounds, StopSignal, calls};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Shared;
use crate::ask::StopWhenDropped;
use crate::document::Common;
use crate::process::Check;

/// How long the store may take to answer a small question.
const PATIENCE: Duration = Duration::from_secs(2);

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: String,
    /// The word of this run of the process.
    instance: String,
}

/// Whether the process lives
#[utoipa::path(
    get, path = "/healthz", tag = "Health", security(()),
    responses((status = 200, description = "It lives", body = Health)),
)]
pub(crate) async fn healthz(State(state): State<Shared>) -> Response {
    let health = Health {
        status: "ok".into(),
        instance: state.instance.clone(),
    };
    fresh((StatusCode::OK, Json(health)).into_response())
}

/// Whether the process is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Readiness {
    /// `ready` or `not ready`.
    #[schema(example = "ready")]
    status: String,
    /// What was looked at.
    checks: Vec<Check>,
}

/// Whether the process is ready for work
#[utoipa::path(
    get, path = "/readyz", tag = "Health",
    responses(
        Common,
        (status = 200, description = "It is ready", body = Readiness),
        (status = 503, description = "It is not; the checks say why", body = Readiness),
    ),
)]
pub(crate) async fn readyz(State(state): State<Shared>) -> Response {
    let stop = StopSignal::new();
    let _stop_when_dropped = StopWhenDropped(stop.clone());
    let asked = {
        let state = state.clone();
        tokio::task::spawn_blocking(move || {
            let bounds = Bounds {
                rows: 1,
                time: PATIENCE,
                stop,
            };
            let store = state.store.ask_within(&calls::traces_like("", 1), &bounds);
            (store.map(drop), state.process.checks())
        })
    };
    // A store that is being opened anew waits longer than a query's own time.
    let checks = match tokio::time::timeout(PATIENCE + Duration::from_secs(1), asked).await {
        Ok(Ok((store, mut checks))) => {
            if let Err(error) = &store {
                tracing::error!(%error, "the store does not answer");
            }
            checks.insert(0, of_store(store.is_ok()));
            checks
        }
        Ok(Err(_)) | Err(_) => vec![of_store(false)],
    };
    let ready = checks.iter().all(|check| check.ok);
    let (status, word) = if ready {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let readiness = Readiness {
        status: word.into(),
        checks,
    };
    fresh((status, Json(readiness)).into_response())
}

fn of_store(ok: bool) -> Check {
    Check {
        name: "store".into(),
        ok,
        detail: (!ok).then(|| "it does not answer".to_owned()),
    }
}

fn fresh(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
