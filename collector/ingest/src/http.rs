//! OTLP over HTTP: `POST /v1/traces`, in protobuf or JSON. <https://opentelemetry.io/docs/specs/otlp/#otlphttp>

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::json;

use crate::body::{self, Encoding};
use crate::counters::Protocol;
use crate::ingest::{self, Accepted, Ingest};
use crate::refused::Refused;

/// The form of a request, and of its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Protobuf => Protocol::HttpProtobuf,
            Self::Json => Protocol::HttpJson,
        }
    }

    /// By `Content-Type`, without its parameters.
    fn of(headers: &HeaderMap) -> Result<Self, Refused> {
        let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let essence = value
            .split(|byte| *byte == b';')
            .next()
            .unwrap_or_default()
            .trim_ascii();
        [Self::Protobuf, Self::Json]
            .into_iter()
            .find(|format| essence.eq_ignore_ascii_case(format.content_type().as_bytes()))
            .ok_or_else(|| {
                let name: String = String::from_utf8_lossy(essence).chars().take(60).collect();
                Refused::Unsupported {
                    message: format!("content type {name:?}: application/x-protobuf or application/json are taken"),
                }
            })
    }
}

impl Ingest {
    /// The receiver for OTLP over HTTP, without any protection: `POST /v1/traces`.
    pub fn http_router(&self) -> Router {
        Router::new().route("/v1/traces", post(traces)).with_state(self.clone())
    }
}

async fn traces(State(ingest): State<Ingest>, request: Request) -> Response {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let (format, outcome) = match Format::of(&parts.headers) {
        Ok(format) => {
            ingest.meters().request(format.protocol());
            (format, take(&ingest, format, &parts.headers, body).await)
        }
        // It is none of ours, but it must be answered in some form.
        Err(refused) => {
            ingest.meters().request(Protocol::HttpProtobuf);
            body::ignore(body).await;
            (Format::Json, Err(refused))
        }
    };
    match ingest.counted(outcome, started) {
        Ok(accepted) => success(format, accepted),
        Err(refused) => failure(format, &refused),
    }
}

async fn take(ingest: &Ingest, format: Format, headers: &HeaderMap, body: Body) -> Result<Accepted, Refused> {
    let encoding = match Encoding::of(headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes)) {
        Ok(encoding) => encoding,
        Err(refused) => {
            body::ignore(body).await;
            return Err(refused);
        }
    };
    let settings = ingest.settings();
    let limit = settings.max_http_body;
    // The share is held until the request is done.
    let (body, _share) = body::read(body, limit, |_| None, settings.body_time_limit, ingest.bodies()).await?;
    ingest
        .take(ingest::Request {
            body,
            encoding,
            limit,
            protocol: format.protocol(),
        })
        .await
}

/// 200, with `partial_success` where spans were rejected; these must not be sent again.
/// <https://opentelemetry.io/docs/specs/otlp/#partial-success-1>
fn success(format: Format, accepted: Accepted) -> Response {
    let body = match format {
        Format::Protobuf => reply(accepted).encode_to_vec(),
        // An int64 is a string in the JSON of protobuf.
        Format::Json if accepted.rejected > 0 => json!({"partialSuccess": {
            "rejectedSpans": accepted.rejected.to_string(),
            "errorMessage": accepted.message,
        }})
        .to_string()
        .into(),
        Format::Json => b"{}".to_vec(),
    };
    response(StatusCode::OK, format, body)
}

/// The reply to a request that was taken; the field is left unset where nothing was rejected.
pub(crate) fn reply(accepted: Accepted) -> ExportTraceServiceResponse {
    ExportTraceServiceResponse {
        partial_success: (accepted.rejected > 0).then(|| ExportTracePartialSuccess {
            rejected_spans: i64::try_from(accepted.rejected).unwrap_or(i64::MAX),
            error_message: accepted.message,
        }),
    }
}

/// `google.rpc.Status` in the form of the request, and `Retry-After` where it may be sent again.
/// <https://opentelemetry.io/docs/specs/otlp/#failures-1>
fn failure(format: Format, refused: &Refused) -> Response {
    let code = refused.grpc_code() as i32;
    let message = refused.to_string();
    let body = match format {
        Format::Protobuf => tonic_types::Status {
            code,
            message,
            details: Vec::new(),
        }
        .encode_to_vec(),
        Format::Json => json!({"code": code, "message": message}).to_string().into(),
    };
    let mut response = response(refused.http_status(), format, body);
    let headers = response.headers_mut();
    if let Some(wait) = refused.retry_after() {
        // Whole seconds, and never too early.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if matches!(refused, Refused::TooLarge { .. } | Refused::Slow) {
        // The rest of the body may still be on its way.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

fn response(status: StatusCode, format: Format, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response
}
