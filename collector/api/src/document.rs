//! The OpenAPI document: what stands in it beside the routes themselves.

use std::collections::BTreeMap;

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    ResponseBuilder,
};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};

use crate::problem::{ApiProblem, KINDS, NOT_FOUND, PROBLEM_JSON};
use crate::schemas;

/// What the pages of Swagger UI may load.
pub(crate) const DOCS_POLICY: &str =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// The stretch of time that is looked at.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it is only described, never made")]
pub(crate) struct WindowParameters {
    /// From here on: RFC 3339, nanoseconds since the epoch, or a span of time back from now (15m, 1h, 7d)
    #[param(example = "2026-11-23T09:30:00Z")]
    since: Option<String>,
    /// Up to here, exclusive; written as `since`
    #[param(example = "1795435200000000000")]
    until: Option<String>,
}

/// The problems that any route may answer with.
pub(crate) struct Common;

impl IntoResponses for Common {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut kinds: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
        for kind in KINDS {
            kinds.entry(kind.status.as_u16()).or_default().push(kind.name);
        }
        kinds
            .into_iter()
            .map(|(status, names)| {
                let example = KINDS.iter().find(|kind| kind.status.as_u16() == status).map(|kind| {
                    serde_json::json!({
                        "type": format!("/problems/{}", kind.name), "title": kind.title, "status": status,
                        "detail": "What happened here, and what to do",
                    })
                });
                let content = ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name("Problem")))
                    .example(example)
                    .build();
                let response = ResponseBuilder::new()
                    .description(format!("A problem of the kind {}", names.join(" or ")))
                    .content(PROBLEM_JSON, content)
                    .build();
                (status.to_string(), RefOr::T(response))
            })
            .collect()
    }
}

/// The document before the routes are in it.
pub(crate) fn head() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Flockscope")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "What the traced functions of a Flock program really did. Times are nanoseconds since the epoch, durations \
             milliseconds, shares 0 to 1. Errors are problem details (RFC 9457). Answers that are polled have an ETag.",
        ))
        .license(Some(
            LicenseBuilder::new()
                .name("MIT OR Apache-2.0")
                .identifier(Some("MIT OR Apache-2.0"))
                .build(),
        ))
        .build();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The token of the store, an API key, or a JWT"))
        .build();
    let key = ApiKey::Header(ApiKeyValue::with_description("X-API-Key", "An API key"));
    let components = ComponentsBuilder::new()
        .security_scheme("bearer", SecurityScheme::Http(bearer))
        .security_scheme("api_key", SecurityScheme::ApiKey(key))
        .schema("Problem", schemas::Problem::schema())
        .schema(schemas::ChangedOperation::name(), schemas::ChangedOperation::schema())
        .build();
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([
            SecurityRequirement::new::<_, [&str; 0], &str>("bearer", []),
            SecurityRequirement::new::<_, [&str; 0], &str>("api_key", []),
        ]))
        .build()
}

/// What a `type` of a problem leads to: a word on this kind.
pub(crate) async fn kind_of_problem(Path(name): Path<String>) -> Response {
    match KINDS.iter().find(|kind| kind.name == name) {
        Some(kind) => format!(
            "{}\n\nHTTP status {}. The field detail of the problem says more.\n",
            kind.title, kind.status
        )
        .into_response(),
        None => ApiProblem::new(NOT_FOUND, "there is no such kind of problem").into_response(),
    }
}
