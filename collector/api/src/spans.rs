//! Spans that a client hands over as they are: those of a file that it has read.

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use flockscope_model::ReadReport;
use flockscope_protocol::SpansTaken;
use flockscope_security::Admin;

use crate::answers;
use crate::ask::{Ask, json};
use crate::document::Common;
use crate::operate::blocking;
use crate::problem::{ApiProblem, BAD_BODY, BODY_TOO_LARGE, WRONG_MEDIA_TYPE};
use crate::schemas;

/// Most bytes of a body.
const MOST_BODY: usize = 64 << 20;

const LINES: &str = "application/x-ndjson";

/// Stores spans
///
/// For admins: what `flockscope import` sends. One span a line, written as `flockscope watch --format json` and
/// `/api/v1/traces/{id}` write it; `agent`, `duration_ms` and `exception_…` follow from the rest and are not read. Secrets
/// in them are made unreadable as the settings say; `FLOCK_TRACE_SERVICES` and `FLOCK_TRACE_IGNORE` are for what programs
/// send over OTLP, and do not count here. A span that is there already is replaced. The answer comes when all are stored.
#[utoipa::path(
    post, path = "/api/v1/spans", tag = "Process",
    request_body(content = answers::Span, content_type = "application/x-ndjson"),
    responses((status = 200, description = "They are stored", body = schemas::SpansTaken), Common),
)]
pub(crate) async fn take(_admin: Admin, ask: Ask, request: Request) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let media_type = request.headers().get(header::CONTENT_TYPE);
    let is_lines = media_type
        .and_then(|value| value.to_str().ok()?.split(';').next())
        .is_some_and(|word| word.trim().eq_ignore_ascii_case(LINES));
    if !is_lines {
        return Err(ApiProblem::new(
            WRONG_MEDIA_TYPE,
            format!("send one span a line, as JSON, with the header Content-Type: {LINES}"),
        ));
    }
    let body = to_bytes(request.into_body(), MOST_BODY).await.map_err(|_| {
        ApiProblem::new(
            BODY_TOO_LARGE,
            format!("the body may have {MOST_BODY} bytes at the most, and must come whole"),
        )
    })?;
    let (process, store) = (ask.state.process.clone(), ask.state.store.clone());
    let (spans, report) = tokio::task::spawn_blocking(move || read(&body))
        .await
        .map_err(ApiProblem::internal)??;
    let ingested = blocking(move || process.take(&store, spans), &ask.state).await?;
    let taken = SpansTaken {
        stored: ingested.stored,
        replaced: ingested.replaced,
        left_out: report.skipped_total(),
    };
    Ok(json(serde_json::to_vec(&taken).map_err(ApiProblem::internal)?))
}

fn read(body: &Bytes) -> Result<(Vec<flockscope_model::Span>, ReadReport), ApiProblem> {
    let mut report = ReadReport::default();
    let mut spans = Vec::new();
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = format!("line {}", number + 1);
        let span = flockscope_model::Span::from_line(line, &mut report, &place).map_err(|error| {
            ApiProblem::new(BAD_BODY, format!("{place} is not a span: {error}; nothing was stored"))
        })?;
        spans.extend(span);
    }
    Ok((spans, report))
}
