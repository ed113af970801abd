//! The API as a whole: what it stands on, and its routes.

use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use flockscope_protocol::Event;
use flockscope_store::Store;
use tokio::sync::broadcast;
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::gate::Gate;
use crate::latencies::Latencies;
use crate::problem::{ApiProblem, NOT_FOUND, WRONG_METHOD};
use crate::process::Process;
use crate::running::RunningQueries;
use crate::settings::Settings;
use crate::words_without_paths::Secrets;
use crate::{analyses, document, events, flock, health, metrics, operate, spans, sql, traces, viewer};

/// What the API stands on.
pub struct Api {
    /// The traces.
    pub store: Arc<Store>,
    /// What happens to them. Whoever stores or removes spans sends it here, afterwards; `Stopping` ends the listening.
    pub events: broadcast::Sender<Event>,
    /// The process around it.
    pub process: Arc<dyn Process>,
    /// The word of this run of the process.
    pub instance: String,
    /// How much it gives.
    pub settings: Settings,
    /// A folder with a viewer to serve at `/`.
    pub viewer: Option<PathBuf>,
}

/// What the routes share.
pub(crate) struct State {
    pub(crate) store: Arc<Store>,
    pub(crate) events: broadcast::Sender<Event>,
    pub(crate) process: Arc<dyn Process>,
    pub(crate) instance: String,
    pub(crate) settings: Settings,
    pub(crate) gate: Gate,
    pub(crate) running: Arc<RunningQueries>,
    pub(crate) latencies: Arc<Latencies>,
    pub(crate) listeners: Arc<AtomicUsize>,
    pub(crate) secrets: Secrets,
    /// Version of the store, its spans and its traces, when they were counted last.
    pub(crate) counts: Mutex<Option<(u64, u64, u64)>>,
}

/// The state as axum hands it to the routes.
pub(crate) type Shared = Arc<State>;

impl Api {
    /// The routes, without the layers that decide who may call. Must be called within a Tokio runtime's reach: queries
    /// run on its blocking threads.
    pub fn router(self) -> Router {
        let state: Shared = Arc::new(State {
            gate: Gate::new(&self.settings),
            secrets: Secrets::of(self.store.path()),
            store: self.store,
            events: self.events,
            process: self.process,
            instance: self.instance,
            settings: self.settings,
            running: Arc::default(),
            latencies: Arc::default(),
            listeners: Arc::default(),
            counts: Mutex::default(),
        });
        let (routes, document) = routes().split_for_parts();
        let with_metrics = state.settings.metrics;
        let mut router = routes
            .route("/problems/{kind}", get(document::kind_of_problem))
            .route("/api", get(unknown_route))
            .route(
                "/api/{*rest}",
                get(unknown_route)
                    .post(unknown_route)
                    .delete(unknown_route)
                    .put(unknown_route),
            )
            .with_state(state);
        if !with_metrics {
            router = router.layer(axum::middleware::from_fn(metrics::without));
        }
        let docs: Router = Router::from(SwaggerUi::new("/docs").url("/openapi.json", document)).layer(
            SetResponseHeaderLayer::overriding(
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static(document::DOCS_POLICY),
            ),
        );
        router = router.merge(docs);
        router = match self.viewer {
            Some(folder) => viewer::serve(router, folder),
            None => router
                .route("/", get(|| async { Redirect::temporary("/docs/") }))
                .fallback(unknown_route),
        };
        router
            .method_not_allowed_fallback(wrong_method)
            // On a machine of its own the answer is wanted soon rather than small.
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
            .layer(CatchPanicLayer::custom(panicked))
            .layer(SetResponseHeaderLayer::if_not_present(
                header::X_CONTENT_TYPE_OPTIONS,
                HeaderValue::from_static("nosniff"),
            ))
            .layer(SetResponseHeaderLayer::if_not_present(
                header::CONTENT_SECURITY_POLICY,
                HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
            ))
            .layer(SetResponseHeaderLayer::if_not_present(
                header::REFERRER_POLICY,
                HeaderValue::from_static("no-referrer"),
            ))
    }

    /// The OpenAPI document, as `/openapi.json` gives it.
    pub fn document() -> utoipa::openapi::OpenApi {
        routes().split_for_parts().1
    }
}

/// Every route that is in the document: all but the document itself, its pages, and the viewer.
fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(document::head())
        .routes(routes!(flock::spans))
        .routes(routes!(flock::services))
        .routes(routes!(flock::stats))
        .routes(routes!(flock::clear))
        .routes(routes!(flock::query))
        .routes(routes!(traces::list))
        .routes(routes!(traces::one))
        .routes(routes!(traces::timeline))
        .routes(routes!(analyses::red))
        .routes(routes!(analyses::dependencies))
        .routes(routes!(analyses::critical_path))
        .routes(routes!(analyses::exceptions))
        .routes(routes!(analyses::operations))
        .routes(routes!(analyses::attributes))
        .routes(routes!(analyses::attribute_values))
        .routes(routes!(analyses::statistics))
        .routes(routes!(sql::run))
        .routes(routes!(sql::stop))
        .routes(routes!(events::listen))
        .routes(routes!(spans::take))
        .routes(routes!(operate::status))
        .routes(routes!(operate::configuration))
        .routes(routes!(operate::clear))
        .routes(routes!(operate::backup))
        .routes(routes!(operate::stop))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(metrics::metrics))
}

pub(crate) async fn unknown_route(uri: Uri) -> ApiProblem {
    let path: String = uri.path().chars().take(200).collect();
    ApiProblem::new(
        NOT_FOUND,
        format!("there is no {path}; /openapi.json lists what there is"),
    )
}

async fn wrong_method(uri: Uri) -> ApiProblem {
    let path: String = uri.path().chars().take(200).collect();
    ApiProblem::new(
        WRONG_METHOD,
        format!("{path} does not take this method; /openapi.json says which"),
    )
}

/// A fault of our own must not end a connection without a word.
fn panicked(cause: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let words = cause
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic".to_owned());
    ApiProblem::internal(words).into_response()
}
