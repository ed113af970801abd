//! The analyses that are one call each.

use axum::extract::Path;
use axum::response::Response;
use flockscope_model::rows::{
    AttributeKeyRow, AttributeValueRow, CriticalPathRow, DependencyRow, ExceptionRow, OperationRow, RedRow,
    StatisticsRow,
};
use flockscope_store::calls::{self, Call};
use flockscope_store::{GroupBy, Level};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answers::Rows;
use crate::ask::{Ask, SHORT};
use crate::document::{Common, WindowParameters};
use crate::moments::{self, SPAN};
use crate::problem::ApiProblem;

/// Longest attribute key that is looked up.
pub(crate) const LONGEST_KEY: usize = 1_024;

/// Rate, errors and durations
///
/// Grouped by operation, service, agent, module, environment or version; with `step` as a time series.
#[utoipa::path(
    get, path = "/api/v1/red", tag = "Analyses",
    params(
        ("group_by" = Option<String>, Query, description = "`operation` (default), `service`, `agent`, `module`, `environment` or `version`", example = "service"),
        ("step" = Option<String>, Query, description = "Width of the buckets of a time series: a whole number with a unit, such as `1m`", example = "1m"),
        WindowParameters,
    ),
    responses((status = 200, description = "The groups", body = Rows<RedRow>), Common),
)]
pub(crate) async fn red(mut ask: Ask) -> Result<Response, ApiProblem> {
    let group_by = ask.parameters.word(
        "group_by",
        &[
            GroupBy::Operation,
            GroupBy::Service,
            GroupBy::Agent,
            GroupBy::Module,
            GroupBy::Environment,
            GroupBy::Version,
        ]
        .map(|group_by| (group_by.as_str(), group_by)),
    )?;
    let step = match ask.parameters.text("step")? {
        None => None,
        Some(text) => match moments::span(&text) {
            Some(step) if step > 0 => Some(step),
            _ => return Err(ApiProblem::parameter("step", &text, format!("{SPAN}, more than 0"))),
        },
    };
    let window = ask.parameters.window()?;
    rows(ask, "red", calls::red(group_by.unwrap_or_default(), window, step)).await
}

/// Who called whom
///
/// The edges of the dependency graph, each with the figures of exactly its calls.
#[utoipa::path(
    get, path = "/api/v1/dependencies", tag = "Analyses",
    params(
        ("level" = Option<String>, Query, description = "`agent` (default), `service` or `operation`", example = "service"),
        WindowParameters,
    ),
    responses((status = 200, description = "The edges", body = Rows<DependencyRow>), Common),
)]
pub(crate) async fn dependencies(mut ask: Ask) -> Result<Response, ApiProblem> {
    let level = ask.parameters.word(
        "level",
        &[Level::Agent, Level::Service, Level::Operation].map(|level| (level.as_str(), level)),
    )?;
    let window = ask.parameters.window()?;
    rows(
        ask,
        "dependencies",
        calls::dependencies(level.unwrap_or_default(), window),
    )
    .await
}

/// Where the critical paths spend their time
#[utoipa::path(
    get, path = "/api/v1/critical-path", tag = "Analyses", params(WindowParameters),
    responses((status = 200, description = "The operations to make faster first", body = Rows<CriticalPathRow>), Common),
)]
pub(crate) async fn critical_path(mut ask: Ask) -> Result<Response, ApiProblem> {
    let window = ask.parameters.window()?;
    rows(ask, "critical-path", calls::critical_path(window)).await
}

/// Exceptions by type and operation
#[utoipa::path(
    get, path = "/api/v1/exceptions", tag = "Analyses", params(WindowParameters),
    responses((status = 200, description = "Latest first", body = Rows<ExceptionRow>), Common),
)]
pub(crate) async fn exceptions(mut ask: Ask) -> Result<Response, ApiProblem> {
    let window = ask.parameters.window()?;
    rows(ask, "exceptions", calls::exceptions(window)).await
}

/// Every traced function
#[utoipa::path(
    get, path = "/api/v1/operations", tag = "Analyses", params(WindowParameters),
    responses((status = 200, description = "The operations", body = Rows<OperationRow>), Common),
)]
pub(crate) async fn operations(mut ask: Ask) -> Result<Response, ApiProblem> {
    let window = ask.parameters.window()?;
    rows(ask, "operations", calls::operations(window)).await
}

/// Every attribute key
#[utoipa::path(
    get, path = "/api/v1/attributes", tag = "Analyses", params(WindowParameters),
    responses((status = 200, description = "The keys, with types and an example", body = Rows<AttributeKeyRow>), Common),
)]
pub(crate) async fn attributes(mut ask: Ask) -> Result<Response, ApiProblem> {
    let window = ask.parameters.window()?;
    rows(ask, "attributes", calls::attribute_keys(window)).await
}

/// The values of one attribute
#[utoipa::path(
    get, path = "/api/v1/attributes/{key}/values", tag = "Analyses",
    params(
        ("key" = String, Path, description = "The attribute's key, with its dots", example = "agent.name"),
        ("limit" = Option<u64>, Query, description = "Most values: 1 to 10000; default 100", example = 10),
        WindowParameters,
    ),
    responses((status = 200, description = "Most frequent first", body = Rows<AttributeValueRow>), Common),
)]
pub(crate) async fn attribute_values(Path(key): Path<String>, mut ask: Ask) -> Result<Response, ApiProblem> {
    if key.contains('\0') || key.len() > LONGEST_KEY {
        return Err(ApiProblem::parameter(
            "key",
            &key,
            format!("a key of 1 to {LONGEST_KEY} bytes"),
        ));
    }
    let limit = ask.parameters.integer("limit", 1..=10_000)?.unwrap_or(100);
    let window = ask.parameters.window()?;
    // One more, to know whether there are more.
    let call = calls::attribute_values(&key, window, limit + 1);
    ask.answer("attribute-values", SHORT, move |store, bounds| {
        let mut found = store.ask_within(&call, bounds)?;
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let cut = found.cut || found.rows.len() > most;
        found.rows.truncate(most);
        Ok(Rows { rows: found.rows, cut })
    })
    .await
}

/// What the store holds
#[utoipa::path(
    get, path = "/api/v1/statistics", tag = "Analyses",
    responses((status = 200, description = "Counts, and the times of the first and the last span", body = StatisticsRow), Common),
)]
pub(crate) async fn statistics(ask: Ask) -> Result<Response, ApiProblem> {
    ask.answer("statistics", SHORT, |store, bounds| {
        let mut found = store.ask_within(&calls::statistics(), bounds)?;
        Ok(found.rows.pop().unwrap_or_default())
    })
    .await
}

async fn rows<T>(ask: Ask, class: &'static str, call: Call<T>) -> Result<Response, ApiProblem>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    ask.answer(class, SHORT, move |store, bounds| {
        let found = store.ask_within(&call, bounds)?;
        Ok(Rows {
            rows: found.rows,
            cut: found.cut,
        })
    })
    .await
}
