use std::collections::HashMap;

use clap::Args;
use flockscope_analytics::calls::{self, quoted};
use flockscope_render::{SpanDetails, TimelineOptions, csv, html, json, svg, text};
use flockscope_store::Window;
use serde::Deserialize;

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{DrawingOutput, Format, Output};
use crate::query;
use crate::traces::Traces;

/// So many candidates are named when the beginning of an id fits several traces.
const CANDIDATES: u64 = 10;
/// Beyond so many spans a page holds no attributes: it would grow too large to read.
const MOST_DETAILS: usize = 2_000;

/// One trace as a tree, with durations, self times and the critical path
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope timeline latest
  flockscope timeline slowest --since 1h
  flockscope timeline 5b8efff7 --format html --output trace.html")]
pub(crate) struct Timeline {
    /// A trace id or its beginning, latest, or slowest
    #[arg(default_value = "latest", value_name = "TRACE")]
    trace: String,
    /// Every span a line of its own: fold no small calls
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: DrawingOutput,
}

impl Timeline {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let trace = find(context, &traces, &self.trace, self.window.window())?;
        let rows = traces.ask(&calls::timeline(&trace))?;
        let output = Output::from(self.output);
        let mut options = if self.all {
            TimelineOptions::all()
        } else {
            TimelineOptions::default()
        };
        let title = rows
            .first()
            .map_or_else(|| trace.clone(), |root| format!("{} · trace {trace}", root.name));
        let content = match output.format {
            Format::Text => text::timeline(&rows, &options, &output.style(context)),
            Format::Json => json::rows(&rows).map_err(|error| Failure::Failed(error.to_string()))?,
            Format::Csv => csv::rows(&rows).map_err(|error| Failure::Failed(error.to_string()))?,
            Format::Html => {
                if rows.len() <= MOST_DETAILS {
                    options.details = details(context, &traces, &trace)?;
                }
                html::page(&title, &html::timeline(&rows, &options))
            }
            Format::Svg => svg::timeline(&rows, &options),
            Format::Arrow => return output.arrow_rows(&rows),
        };
        output.write(content.as_bytes())
    }
}

/// The id of the trace that is meant.
fn find(context: &Context, traces: &Traces, wanted: &str, window: Window) -> Result<String, Failure> {
    #[derive(Deserialize)]
    struct Found {
        trace_id: String,
    }

    let found = match wanted {
        "latest" => traces
            .ask(&calls::traces(window, Some(1)))?
            .pop()
            .map(|trace| trace.trace_id),
        "slowest" => query::rows::<Found>(
            traces,
            &format!(
                "SELECT trace_id FROM {} ORDER BY duration_ms DESC, trace_id LIMIT 1",
                query::traces_in(window)
            ),
        )?
        .rows
        .pop()
        .map(|trace| trace.trace_id),
        beginning => {
            let found = traces.ask(&calls::traces_like(beginning, CANDIDATES + 1))?;
            let mut ids: Vec<String> = found.into_iter().map(|found| found.trace_id).collect();
            if ids.iter().any(|id| id == beginning) {
                ids = vec![beginning.to_owned()];
            }
            if ids.len() > 1 {
                let more = if ids.len() as u64 > CANDIDATES { "\n  …" } else { "" };
                ids.truncate(CANDIDATES as usize);
                return Err(Failure::Usage(format!(
                    "several traces begin with {beginning}; give more of the id:\n  {}{more}",
                    ids.join("\n  ")
                )));
            }
            ids.pop()
        }
    };
    match found {
        Some(trace) => Ok(trace),
        None => {
            context.expect_spans(traces, true)?;
            Err(Failure::NothingFound(if matches!(wanted, "latest" | "slowest") {
                "no trace starts in this time; widen it, or see flockscope traces".into()
            } else {
                format!("no trace begins with {wanted}; flockscope traces lists them")
            }))
        }
    }
}

/// Attributes and events of the trace's spans, by span id.
fn details(context: &Context, traces: &Traces, trace: &str) -> Result<HashMap<String, SpanDetails>, Failure> {
    #[derive(Deserialize)]
    struct Row {
        span_id: String,
        attributes: String,
        events: String,
    }

    let sql = format!(
        "SELECT span_id, attributes::VARCHAR AS attributes, events::VARCHAR AS events FROM spans WHERE trace_id = {}",
        quoted(trace)
    );
    let found = query::rows::<Row>(traces, &sql)?;
    if found.cut {
        context.note("note: the attributes are too large for one page; those of some spans are left out");
    }
    let entry = |row: Row| {
        let details = SpanDetails {
            attributes: row.attributes,
            events: row.events,
        };
        (row.span_id, details)
    };
    Ok(found.rows.into_iter().map(entry).collect())
}
