//! Traces: the list with its search, one trace, its timeline.

use std::ops::ControlFlow;

use axum::extract::Path;
use axum::http::{HeaderValue, Uri, header};
use axum::response::Response;
use flockscope_model::StatusCode;
use flockscope_model::rows::TimelineRow;
use flockscope_store::arrow::array::RecordBatch;
use flockscope_store::{AttributeFilter, Bounds, SpanSelection, TraceSearch, Window, calls};
use serde_json::value::RawValue;

use crate::analyses::LONGEST_KEY;
use crate::answers::{Page, Rows, TraceSpans};
use crate::ask::Ask;
use crate::cursor;
use crate::document::{Common, WindowParameters};
use crate::parameters::Parameters;
use crate::problem::{ApiProblem, NOT_FOUND};
use crate::span_json::SpanColumns;

/// Longest text of a filter.
const LONGEST_TEXT: usize = 4_096;
/// Most filters by attribute.
const MOST_ATTRIBUTES: usize = 16;
/// Most bytes of JSON that one trace's spans may take.
const MOST_BYTES: usize = 64 << 20;

/// Traces, newest first
///
/// A trace is found when one of its spans meets all that is asked of a span (`text`, `service`, `operation`, `agent`,
/// `status`, `attribute`), and the trace itself meets the rest. Pages follow each other by `cursor`, and every trace that
/// was there at the first page is on exactly one of them, whatever comes in meanwhile.
#[utoipa::path(
    get, path = "/api/v1/traces", tag = "Traces",
    params(
        ("limit" = Option<u64>, Query, description = "Most traces on a page: 1 to 500; default 50", example = 20),
        ("cursor" = Option<String>, Query, description = "The field `next` of the page before"),
        ("text" = Option<String>, Query, description = "In any case of letters a part of the span's trace id, name or status text, of an attribute's key or value", example = "timeout"),
        ("service" = Option<String>, Query, description = "The span's service", example = "Agent"),
        ("operation" = Option<String>, Query, description = "The span's operation, or its whole name", example = "Agent.execute"),
        ("agent" = Option<String>, Query, description = "The span's agent"),
        ("status" = Option<String>, Query, description = "The span's status: `OK`, `ERROR` or `UNSET`", example = "ERROR"),
        ("attribute" = Option<Vec<String>>, Query, description = "`key:value`, or `key` alone for any value; may be repeated. A colon within a key is written `\\:`", example = json!(["agent.name:triage"])),
        ("min_duration_ms" = Option<f64>, Query, description = "The trace lasts so long at least", example = 100.0),
        ("max_duration_ms" = Option<f64>, Query, description = "The trace lasts so long at the most", example = 60000.0),
        WindowParameters,
    ),
    responses(
        (status = 200, description = "A page", body = Page, headers(
            ("link" = String, description = "`<…>; rel=\"next\"`, if there is a next page (RFC 8288)"))),
        Common,
    ),
)]
pub(crate) async fn list(mut ask: Ask) -> Result<Response, ApiProblem> {
    let parameters = &mut ask.parameters;
    let limit = parameters.integer("limit", 1..=500)?.unwrap_or(50);
    let search = search(parameters)?;
    let (uri, window) = (ask.uri.clone(), search.window);
    ask.answer_with(
        "traces",
        0,
        move |store, bounds| {
            let page = Bounds {
                rows: usize::try_from(limit).unwrap_or(usize::MAX),
                ..bounds.clone()
            };
            let found = store.search(&search, &page)?;
            Ok(Page {
                rows: found.rows,
                next: found.next.as_ref().map(cursor::write),
            })
        },
        move |page| Ok(page.next.iter().filter_map(|next| link(&uri, next, window)).collect()),
    )
    .await
}

/// What a trace must be to be found.
fn search(parameters: &mut Parameters) -> Result<TraceSearch, ApiProblem> {
    let statuses = [StatusCode::Ok, StatusCode::Error, StatusCode::Unset].map(|status| (status.as_str(), status));
    let search = TraceSearch {
        after: parameters.text("cursor")?.map(|text| cursor::read(&text)).transpose()?,
        text: parameters.short_text("text", LONGEST_TEXT)?,
        service: parameters.short_text("service", LONGEST_TEXT)?,
        operation: parameters.short_text("operation", LONGEST_TEXT)?,
        agent: parameters.short_text("agent", LONGEST_TEXT)?,
        status: parameters.word("status", &statuses)?,
        attributes: attributes(parameters)?,
        min_ms: parameters.milliseconds("min_duration_ms")?,
        max_ms: parameters.milliseconds("max_duration_ms")?,
        window: parameters.window()?,
    };
    if let (Some(least), Some(most)) = (search.min_ms, search.max_ms)
        && least > most
    {
        return Err(ApiProblem::parameter(
            "max_duration_ms",
            &most.to_string(),
            format!("at least min_duration_ms ({least})"),
        ));
    }
    Ok(search)
}

fn attributes(parameters: &mut Parameters) -> Result<Vec<AttributeFilter>, ApiProblem> {
    let texts = parameters.texts("attribute");
    if texts.len() > MOST_ATTRIBUTES {
        return Err(ApiProblem::parameter(
            "attribute",
            &texts.join(", "),
            format!("given at most {MOST_ATTRIBUTES} times"),
        ));
    }
    texts.iter().map(|text| attribute(text)).collect()
}

fn attribute(text: &str) -> Result<AttributeFilter, ApiProblem> {
    let (mut key, mut value) = (String::new(), None);
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => key.push(match rest.as_str().chars().next() {
                Some(escaped @ (':' | '\\')) => {
                    rest.next();
                    escaped
                }
                _ => '\\',
            }),
            ':' => {
                value = Some(rest.as_str().to_owned());
                break;
            }
            other => key.push(other),
        }
    }
    if key.is_empty() || key.len() > LONGEST_KEY || text.len() > LONGEST_TEXT + LONGEST_KEY {
        return Err(ApiProblem::parameter(
            "attribute",
            text,
            format!("key:value or key, the key of 1 to {LONGEST_KEY} bytes"),
        ));
    }
    Ok(AttributeFilter { key, value })
}

/// The header that leads to the next page. Times that were counted back from now are written out: they would have moved
/// on by then.
fn link(uri: &Uri, next: &str, window: Window) -> Option<(header::HeaderName, HeaderValue)> {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    for (name, value) in given.filter(|(name, _)| !matches!(name.as_ref(), "cursor" | "since" | "until")) {
        query.append_pair(&name, &value);
    }
    for (name, time) in [("since", window.since), ("until", window.until)] {
        if let Some(time) = time {
            query.append_pair(name, &time.to_string());
        }
    }
    query.append_pair("cursor", next);
    let link = HeaderValue::from_str(&format!("<{}?{}>; rel=\"next\"", uri.path(), query.finish())).ok()?;
    Some((header::LINK, link))
}

/// The spans of one trace
#[utoipa::path(
    get, path = "/api/v1/traces/{id}", tag = "Traces",
    params(("id" = String, Path, description = "The trace id, whole")),
    responses((status = 200, description = "The spans, by start", body = TraceSpans), Common),
)]
pub(crate) async fn one(Path(id): Path<String>, ask: Ask) -> Result<Response, ApiProblem> {
    let id = checked_id(id)?;
    ask.answer("trace", 0, move |store, bounds| {
        let (mut spans, mut bytes, mut fault) = (Vec::new(), 0, None);
        let selection = SpanSelection::OfTrace(id.clone());
        let ending = store.spans_each(&selection, bounds, |batch: RecordBatch| {
            let read = SpanColumns::of(&batch).and_then(|columns| {
                for row in 0..batch.num_rows() {
                    let json = serde_json::value::to_raw_value(&columns.span(row)).map_err(ApiProblem::internal)?;
                    bytes += json.get().len();
                    if bytes > MOST_BYTES {
                        return Ok(ControlFlow::Break(()));
                    }
                    spans.push(json);
                }
                Ok(ControlFlow::Continue(()))
            });
            read.unwrap_or_else(|problem| {
                fault = Some(problem);
                ControlFlow::Break(())
            })
        })?;
        if let Some(problem) = fault {
            return Err(problem.into());
        }
        if spans.is_empty() && !ending.cut {
            return Err(no_such_trace(&id).into());
        }
        Ok(Whole {
            trace_id: id,
            spans,
            cut: ending.cut,
        })
    })
    .await
}

/// [`TraceSpans`] as it is written: spans that are JSON already.
#[derive(serde::Serialize)]
struct Whole {
    trace_id: String,
    spans: Vec<Box<RawValue>>,
    cut: bool,
}

/// The timeline of one trace
///
/// Its spans as a tree, with self times and the critical path.
#[utoipa::path(
    get, path = "/api/v1/traces/{id}/timeline", tag = "Traces",
    params(("id" = String, Path, description = "The trace id, whole")),
    responses((status = 200, description = "The spans in the order of the tree", body = Rows<TimelineRow>), Common),
)]
pub(crate) async fn timeline(Path(id): Path<String>, ask: Ask) -> Result<Response, ApiProblem> {
    let id = checked_id(id)?;
    ask.answer("timeline", 0, move |store, bounds| {
        let found = store.ask_within(&calls::timeline(&id), bounds)?;
        if found.rows.is_empty() {
            return Err(no_such_trace(&id).into());
        }
        Ok(Rows {
            rows: found.rows,
            cut: found.cut,
        })
    })
    .await
}

fn checked_id(id: String) -> Result<String, ApiProblem> {
    if id.is_empty() || id.len() > 1_024 || id.contains('\0') {
        return Err(ApiProblem::parameter("id", &id, "a trace id of 1 to 1024 bytes"));
    }
    Ok(id)
}

fn no_such_trace(id: &str) -> ApiProblem {
    let shown: String = id.chars().take(100).collect();
    ApiProblem::new(NOT_FOUND, format!("there is no trace {shown:?}; ids are given whole"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_by_attribute_is_a_key_and_perhaps_a_value() {
        for (text, key, value) in [
            ("agent.name:triage", "agent.name", Some("triage")),
            ("agent.name", "agent.name", None),
            ("agent.name:", "agent.name", Some("")),
            ("url:http://x:80", "url", Some("http://x:80")),
            (r"db\:table:x", "db:table", Some("x")),
            (r"a\\:x", r"a\", Some("x")),
            (r"a\b", r"a\b", None),
        ] {
            let filter = attribute(text).expect(text);
            assert_eq!((filter.key.as_str(), filter.value.as_deref()), (key, value), "{text}");
        }
        assert!(attribute("").is_err() && attribute(":x").is_err());
    }
}
