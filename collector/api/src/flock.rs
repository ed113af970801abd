//! The five routes of Flock's dashboard, shape for shape, so that Flock's own viewer works on them.
//!
//! Flock answers every error with 200; its viewer asks `response.ok` and then reads the field `error` of the body, so
//! that the right status works with it as well. Source: `flock/dashboard/service.py` of flock-core 0.5.7.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use flockscope_store::arrow::array::RecordBatch;
use flockscope_store::{Bounds, Part, SpanSelection, StopSignal, Window, calls};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::answer_stream::stream;
use crate::ask::{Ask, Fault, StopWhenDropped, json, timed};
use crate::columns::{RowForm, write_json};
use crate::document::Common;
use crate::gate::Asker;
use crate::operate;
use crate::problem::{ApiProblem, BAD_BODY};
use crate::schemas;
use crate::span_json::SpanColumns;
use crate::sql::{body, default_limits, unwritten};
use flockscope_security::Admin;

/// Most spans of `GET /api/traces`: the newest.
pub const MOST_FLOCK_SPANS: usize = 50_000;
/// Most bytes of `GET /api/traces`.
pub const MOST_FLOCK_BYTES: usize = 64 << 20;
/// Time for them, with a client that reads slowly.
const TIME: Duration = Duration::from_secs(60);

/// The newest spans, in Flock's form
///
/// At most 50,000 spans and 64 MB; the header `x-flockscope-cut` says whether there are more.
#[utoipa::path(
    get, path = "/api/traces", tag = "Flock",
    responses(
        (status = 200, description = "Spans, newest first", body = Vec<schemas::FlockSpan>,
            headers(("x-flockscope-cut" = String, description = "Whether there are more: `true`, `false`, or `unknown` (then a trailer of this name says it)"))),
        Common,
    ),
)]
pub(crate) async fn spans(ask: Ask) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let tag = ask.tag();
    if let Some(response) = tag.not_modified(&ask.headers, 0) {
        return Ok(response);
    }
    let place = ask.state.gate.enter(&ask.caller.name, Asker::Analysis).await?;
    let stop = StopSignal::new();
    let keep = StopWhenDropped(stop.clone());
    let state = ask.state.clone();
    let mut response = stream(&ask.state, "", TIME, keep, move |writer| {
        timed(&state, "flock-traces", place, |store| {
            let bounds = Bounds {
                rows: MOST_FLOCK_SPANS,
                time: TIME,
                stop,
            };
            let (mut bytes, mut first, mut fault) = (0, true, None);
            writer.write_all(b"[").map_err(unwritten)?;
            let mut take = |batch: &RecordBatch| -> Result<ControlFlow<()>, Fault> {
                let columns = SpanColumns::of(batch)?;
                for row in 0..batch.num_rows() {
                    let json = serde_json::to_vec(&columns.flock_span(row)).map_err(ApiProblem::internal)?;
                    bytes += json.len() + 2;
                    if bytes > MOST_FLOCK_BYTES {
                        return Ok(ControlFlow::Break(()));
                    }
                    let comma: &[u8] = if std::mem::take(&mut first) { b"" } else { b"," };
                    writer.write_all(comma).map_err(unwritten)?;
                    writer.write_all(&json).map_err(unwritten)?;
                }
                Ok(ControlFlow::Continue(()))
            };
            let ending = store.spans_each(&SpanSelection::Newest, &bounds, |batch| {
                take(&batch).unwrap_or_else(|found| {
                    fault = Some(found);
                    ControlFlow::Break(())
                })
            })?;
            if let Some(fault) = fault {
                return Err(fault);
            }
            writer.write_all(b"]").map_err(unwritten)?;
            Ok(ending.cut)
        })
    })
    .await?;
    response.headers_mut().extend(json(Vec::new()).headers().clone());
    tag.write(response.headers_mut(), 0);
    Ok(response)
}

/// Names that were seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct FlockServices {
    /// Services, sorted.
    services: Vec<String>,
    /// Whole names of spans, sorted.
    operations: Vec<String>,
}

/// The services and operations that were seen, in Flock's form
#[utoipa::path(
    get, path = "/api/traces/services", tag = "Flock",
    responses((status = 200, description = "Names", body = FlockServices), Common),
)]
pub(crate) async fn services(ask: Ask) -> Result<Response, ApiProblem> {
    ask.answer("flock-services", 0, |store, bounds| {
        let found = store.ask_within(&calls::operations(Window::default()), bounds)?;
        let mut services: Vec<String> = found.rows.iter().map(|row| row.service.clone()).collect();
        let mut operations: Vec<String> = found.rows.into_iter().map(|row| row.name).collect();
        for names in [&mut services, &mut operations] {
            names.sort_unstable();
            names.dedup();
        }
        Ok(FlockServices { services, operations })
    })
    .await
}

/// What the store holds, in Flock's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct FlockStats {
    /// Number of spans.
    total_spans: i64,
    /// Number of traces.
    total_traces: i64,
    /// Number of services.
    services_count: i64,
    /// Start of the first span: ISO 8601, UTC.
    oldest_trace: Option<String>,
    /// Start of the last span: ISO 8601, UTC.
    newest_trace: Option<String>,
    /// Size on the disk in mebibytes, to two digits.
    database_size_mb: f64,
}

/// What the store holds, in Flock's form
#[utoipa::path(
    get, path = "/api/traces/stats", tag = "Flock",
    responses((status = 200, description = "Counts, times, size", body = FlockStats), Common),
)]
pub(crate) async fn stats(ask: Ask) -> Result<Response, ApiProblem> {
    ask.answer("flock-stats", 0, |store, bounds| {
        let found = store
            .ask_within(&calls::statistics(), bounds)?
            .rows
            .pop()
            .unwrap_or_default();
        let size = store.size()?.on_disk() as f64 / (1024.0 * 1024.0);
        Ok(FlockStats {
            total_spans: found.spans,
            total_traces: found.traces,
            services_count: found.services,
            oldest_trace: found.oldest_time.and_then(iso_format),
            newest_trace: found.newest_time.and_then(iso_format),
            database_size_mb: (size * 100.0).round() / 100.0,
        })
    })
    .await
}

/// A time as Python's `datetime.fromtimestamp(ns / 1_000_000_000, tz=utc).isoformat()` writes it: it goes through the
/// nearest number of 64 bits, and rounds to microseconds.
fn iso_format(ns: i64) -> Option<String> {
    // Python divides whole numbers exactly before it rounds; so does reading a decimal fraction.
    let (whole, rest) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
    let seconds: f64 = format!("{whole}.{rest:09}").parse().ok()?;
    let whole = seconds.floor();
    let micros = (whole as i64)
        .checked_mul(1_000_000)?
        .checked_add(((seconds - whole) * 1e6).round_ties_even() as i64)?;
    let time: DateTime<Utc> = DateTime::from_timestamp_micros(micros)?;
    let form = if micros % 1_000_000 == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Micros
    };
    Some(time.to_rfc3339_opts(form, false))
}

/// What a clearing did, in Flock's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct FlockCleared {
    /// Whether all spans are gone.
    success: bool,
    /// Number of spans that are gone.
    deleted_count: u64,
    /// What went wrong.
    error: Option<String>,
}

/// Removes all traces, in Flock's form
#[utoipa::path(
    post, path = "/api/traces/clear", tag = "Flock",
    responses((status = 200, description = "They are gone", body = FlockCleared), Common),
)]
pub(crate) async fn clear(_admin: Admin, ask: Ask) -> Response {
    let cleared = match ask.parameters.finish() {
        Ok(()) => operate::clear_all(&ask.state).await,
        Err(problem) => Err(problem),
    };
    match cleared {
        Ok(cleared) => {
            let answer = FlockCleared {
                success: true,
                deleted_count: cleared.spans,
                error: None,
            };
            json(serde_json::to_vec(&answer).unwrap_or_default())
        }
        Err(problem) => {
            let words = problem.to_string();
            problem
                .with("success", false.into())
                .with("deleted_count", 0.into())
                .with("error", words.into())
                .into_response()
        }
    }
}

/// Runs one read-only SQL statement, in Flock's form
#[utoipa::path(
    post, path = "/api/traces/query", tag = "Flock",
    request_body(content = schemas::FlockQuery, example = json!({"query": "SELECT * FROM spans LIMIT 10"})),
    responses(
        (status = 200, description = "The rows", body = schemas::FlockAnswer,
            headers(("x-flockscope-cut" = String, description = "Whether there were more rows than the limits allow"))),
        Common,
    ),
)]
pub(crate) async fn query(ask: Ask, request: Request) -> Response {
    answer(ask, request).await.unwrap_or_else(|problem| {
        // Flock's viewer shows the field `error`, and its callers find the fields of an answer in any case.
        let words = problem.to_string();
        problem
            .with("error", words.into())
            .with("results", json!([]))
            .with("columns", json!([]))
            .into_response()
    })
}

async fn answer(ask: Ask, request: Request) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let request: Value = body(request, &[]).await?;
    let query = match request.get("query") {
        Some(Value::String(query)) if !query.trim().is_empty() => query.trim().to_owned(),
        Some(Value::String(_)) => return Err(ApiProblem::new(BAD_BODY, "Query cannot be empty")),
        _ => {
            return Err(ApiProblem::new(
                BAD_BODY,
                "the body needs a field query with one SQL statement",
            ));
        }
    };
    let limits = default_limits(&ask.state, &ask.caller);
    let stop = StopSignal::new();
    let keep = StopWhenDropped(stop.clone());
    let place = ask.state.gate.enter(&ask.caller.name, Asker::Sql).await?;
    let (state, sql) = (ask.state.clone(), query.clone());
    let mut response = stream(&ask.state, &query, limits.time, keep, move |writer| {
        timed(&state, "flock-query", place, |store| {
            let (mut columns, mut first, mut fault) = (Vec::new(), true, None);
            writer.write_all(b"{\"results\":[").map_err(unwritten)?;
            let ending = store.sql_each(&sql, &limits, &stop, |part| {
                let written = match part {
                    Part::Columns(schema) => {
                        columns = schema.fields().iter().map(|field| field.name().clone()).collect();
                        Ok(())
                    }
                    Part::Rows(batch) => write_json(&batch, RowForm::Object, &mut first, writer),
                };
                match written {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        fault = Some(error);
                        ControlFlow::Break(())
                    }
                }
            })?;
            if let Some(error) = fault {
                return Err(unwritten(error));
            }
            let columns = serde_json::to_string(&columns).map_err(ApiProblem::internal)?;
            write!(writer, "],\"columns\":{columns},\"row_count\":{}}}", ending.rows).map_err(unwritten)?;
            Ok(ending.cut)
        })
    })
    .await?;
    response.headers_mut().extend(json(Vec::new()).headers().clone());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_python_does() {
        // python3 -c "from datetime import *; print(datetime.fromtimestamp(1759838400123456789/1_000_000_000, tz=timezone.utc).isoformat())"
        for (ns, expected) in [
            (1_759_838_400_123_456_789, "2025-10-07T12:00:00.123457+00:00"),
            (1_759_838_400_000_000_000, "2025-10-07T12:00:00+00:00"),
            (1_759_838_400_999_999_999, "2025-10-07T12:00:01+00:00"),
            (1_795_417_869_681_141_441, "2026-11-23T07:11:09.681141+00:00"),
        ] {
            assert_eq!(iso_format(ns).as_deref(), Some(expected), "{ns}");
        }
    }
}
