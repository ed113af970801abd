//! SQL that users write, and stopping it.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use arrow_ipc::writer::StreamWriter;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flockscope_protocol::SqlRequest;
use flockscope_store::{Limits, Part, StopSignal};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::accept;
use crate::answer_stream::{AnswerWriter, stream};
use crate::api::Shared;
use crate::ask::{Ask, Fault, StopWhenDropped, timed};
use crate::columns::{RowForm, type_name, write_csv, write_csv_head, write_json};
use crate::document::Common;
use crate::gate::Asker;
use crate::parameters::unknown;
use crate::problem::{ApiProblem, BAD_BODY, BODY_TOO_LARGE, NOT_FOUND, WRONG_MEDIA_TYPE};
use crate::running::{LONGEST_ID, is_id};
use crate::schemas;
use flockscope_security::{Caller, Role};

/// The header that says whether rows were cut off: `true`, `false`, or `unknown` for an answer that is sent while the
/// query still runs; then a trailer of this name says it.
pub const CUT: &str = "x-flockscope-cut";

/// Most bytes of a request's body.
const MOST_BODY: usize = 1 << 20;

/// Media type of an Arrow stream.
/// <https://www.iana.org/assignments/media-types/application/vnd.apache.arrow.stream>
const ARROW: &str = "application/vnd.apache.arrow.stream";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Arrow,
}

const FORMS: [(&str, Form); 3] = [
    ("application/json", Form::Json),
    ("text/csv", Form::Csv),
    (ARROW, Form::Arrow),
];

/// Runs one read-only SQL statement
///
/// The header `Accept` chooses the form of the answer. Closing the connection stops the query.
#[utoipa::path(
    post, path = "/api/v1/sql", tag = "SQL",
    request_body(content = schemas::SqlRequest, example = json!({"query": "SELECT service, count(*) AS spans FROM spans GROUP BY service", "rows": 100})),
    responses(
        (status = 200, description = "The rows. In CSV a text that a spreadsheet would run as a formula begins with `'`.",
            content(
                (schemas::SqlAnswer = "application/json"),
                (String = "text/csv"),
                (Vec<u8> = "application/vnd.apache.arrow.stream"),
            ),
            headers(("x-flockscope-cut" = String, description = "Whether there were more rows than the limits allow: `true`, `false`, or `unknown` (a long answer that is sent as it comes: then a trailer of this name says it, and JSON its field `cut`)"))),
        Common,
    ),
)]
pub(crate) async fn run(ask: Ask, request: Request) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let form = accept::choose(&ask.headers, &FORMS)?;
    let request: SqlRequest = body(request, &["query", "rows", "time_ms", "id"]).await?;
    let limits = limits(&ask, &request)?;
    if let Some(id) = request.id.as_deref().filter(|id| !is_id(id)) {
        return Err(ApiProblem::parameter(
            "id",
            id,
            format!("1 to {LONGEST_ID} letters, digits and any of - _ . :"),
        ));
    }
    let stop = StopSignal::new();
    let keep = StopWhenDropped(stop.clone());
    // Listed from here on, so that a query that waits for its place can be stopped, too.
    let listed = match &request.id {
        Some(id) => Some(ask.state.running.list(&ask.caller.name, id, &stop)?),
        None => None,
    };
    let place = ask.state.gate.enter(&ask.caller.name, Asker::Sql).await?;
    let (state, query) = (ask.state.clone(), request.query.clone());
    let mut response = stream(&ask.state, &request.query, limits.time, keep, move |writer| {
        timed(&state, "sql", place, |store| {
            let mut answer = Answer::new(form, writer);
            let mut fault = None;
            let ending = store.sql_each(&query, &limits, &stop, |part| match answer.take(part) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    fault = Some(error);
                    ControlFlow::Break(())
                }
            });
            // Until here it can be stopped by its id.
            drop(listed);
            let ending = ending?;
            if let Some(error) = fault {
                return Err(unwritten(error));
            }
            answer.end(ending.rows, ending.cut).map_err(unwritten)?;
            Ok(ending.cut)
        })
    })
    .await?;
    let media_type = match form {
        Form::Json => "application/json",
        Form::Csv => "text/csv; charset=utf-8",
        Form::Arrow => ARROW,
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Stops a running query
///
/// By the id that its request named. Viewers stop their own queries, admins all.
#[utoipa::path(
    delete, path = "/api/v1/queries/{id}", tag = "SQL",
    params(("id" = String, Path, description = "The id that the request named")),
    responses((status = 204, description = "It is being stopped"), Common),
)]
pub(crate) async fn stop(Path(id): Path<String>, ask: Ask) -> Result<Response, ApiProblem> {
    ask.parameters.finish()?;
    let of_all = ask.caller.role == Role::Admin;
    match ask.state.running.stop(&ask.caller.name, &id, of_all) {
        0 => Err(ApiProblem::new(NOT_FOUND, "no query of this id runs")),
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// What a query may use: what it asks for, but no more than the caller may have.
fn limits(ask: &Ask, request: &SqlRequest) -> Result<Limits, ApiProblem> {
    let most = allowed(&ask.state, &ask.caller);
    for (name, wanted) in [("rows", request.rows), ("time_ms", request.time_ms)] {
        if wanted == Some(0) {
            return Err(ApiProblem::parameter(name, "0", "a whole number from 1 on"));
        }
    }
    let rows = request.rows.unwrap_or(most.rows).min(most.most_rows);
    let time = request
        .time_ms
        .map_or(most.time, Duration::from_millis)
        .min(most.most_time);
    Ok(Limits {
        rows: usize::try_from(rows).unwrap_or(usize::MAX),
        time,
        ..default_limits(&ask.state, &ask.caller)
    })
}

/// What a query may use that asks for nothing.
pub(crate) fn default_limits(state: &Shared, caller: &Caller) -> Limits {
    let most = allowed(state, caller);
    Limits {
        rows: usize::try_from(most.rows).unwrap_or(usize::MAX),
        bytes: most.bytes,
        time: most.time,
        // DuckDB's settings and files are the business of those who own them.
        internals: caller.is_local && caller.role == Role::Admin,
    }
}

fn allowed(state: &Shared, caller: &Caller) -> crate::SqlLimits {
    state.settings.sql.of_caller(caller.is_local)
}

/// Reads a body of JSON. Fields that nobody knows are refused, where `known` names any.
pub(crate) async fn body<T: DeserializeOwned>(request: Request, known: &[&'static str]) -> Result<T, ApiProblem> {
    let is_json = |headers: &HeaderMap| {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = value.split(';').next()?.trim();
        media_type.eq_ignore_ascii_case("application/json").then_some(())
    };
    if is_json(request.headers()).is_none() {
        return Err(ApiProblem::new(
            WRONG_MEDIA_TYPE,
            "send JSON, with the header Content-Type: application/json",
        ));
    }
    let bytes = bytes_of(request.into_body()).await?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| ApiProblem::new(BAD_BODY, format!("the body is not JSON: {error}")))?;
    let Value::Object(fields) = &value else {
        return Err(ApiProblem::new(BAD_BODY, "the body must be a JSON object"));
    };
    if let Some(name) = fields
        .keys()
        .find(|name| !known.is_empty() && !known.contains(&name.as_str()))
    {
        return Err(unknown("field", name, known));
    }
    serde_json::from_value(value).map_err(|error| ApiProblem::new(BAD_BODY, format!("the body can't be read: {error}")))
}

async fn bytes_of(body: Body) -> Result<axum::body::Bytes, ApiProblem> {
    to_bytes(body, MOST_BODY).await.map_err(|_| {
        ApiProblem::new(
            BODY_TOO_LARGE,
            format!("the body may have {MOST_BODY} bytes at the most, and must come whole"),
        )
    })
}

/// An answer could not be written on: mostly the client is gone or too slow.
pub(crate) fn unwritten(error: std::io::Error) -> Fault {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Fault::Store(flockscope_store::StoreError::Cancelled),
        std::io::ErrorKind::TimedOut => ApiProblem::new(
            crate::problem::QUERY_TIMED_OUT,
            "the answer was not read in the time of the query",
        )
        .into(),
        _ => ApiProblem::internal(error).into(),
    }
}

/// An answer in the making.
struct Answer<'a> {
    form: Form,
    writer: &'a mut AnswerWriter,
    arrow: Option<StreamWriter<Vec<u8>>>,
    first: bool,
}

impl<'a> Answer<'a> {
    fn new(form: Form, writer: &'a mut AnswerWriter) -> Self {
        Self {
            form,
            writer,
            arrow: None,
            first: true,
        }
    }

    fn take(&mut self, part: Part) -> std::io::Result<()> {
        match (self.form, part) {
            (Form::Json, Part::Columns(schema)) => {
                let columns: Vec<Value> = schema
                    .fields()
                    .iter()
                    .map(|field| serde_json::json!({"name": field.name(), "type": type_name(field.data_type())}))
                    .collect();
                write!(self.writer, "{{\"columns\":{},\"rows\":[", Value::Array(columns))
            }
            (Form::Json, Part::Rows(batch)) => write_json(&batch, RowForm::Array, &mut self.first, self.writer),
            (Form::Csv, Part::Columns(schema)) => write_csv_head(&schema, self.writer),
            (Form::Csv, Part::Rows(batch)) => write_csv(&batch, self.writer),
            (Form::Arrow, Part::Columns(schema)) => {
                self.arrow = Some(StreamWriter::try_new(Vec::new(), &schema).map_err(std::io::Error::other)?);
                self.drain()
            }
            (Form::Arrow, Part::Rows(batch)) => {
                if let Some(arrow) = &mut self.arrow {
                    arrow.write(&batch).map_err(std::io::Error::other)?;
                }
                self.drain()
            }
        }
    }

    fn drain(&mut self) -> std::io::Result<()> {
        if let Some(arrow) = &mut self.arrow {
            let bytes = std::mem::take(arrow.get_mut());
            self.writer.write_all(&bytes)?;
        }
        Ok(())
    }

    fn end(&mut self, rows: usize, cut: bool) -> std::io::Result<()> {
        match self.form {
            Form::Json => write!(self.writer, "],\"row_count\":{rows},\"cut\":{cut}}}"),
            Form::Csv => Ok(()),
            Form::Arrow => {
                if let Some(arrow) = &mut self.arrow {
                    arrow.finish().map_err(std::io::Error::other)?;
                }
                self.drain()
            }
        }
    }
}
