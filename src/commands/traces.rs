use clap::Args;
use flockscope_analytics::calls::{self, quoted};
use flockscope_model::rows::TraceRow;
use flockscope_render::{Style, html, text};

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Output, TableOutput};
use crate::query;
use crate::traces::Traces as Source;

/// From so many columns on there is room for whole ids.
const WIDE: usize = 120;
/// Characters that tell traces apart where there is less room.
const ID_BEGINNING: usize = 12;

/// The traces, newest first
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope traces --errors --limit 5
  flockscope traces --search TimeoutError --since 1d")]
pub(crate) struct Traces {
    /// So many at the most
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N")]
    limit: u64,
    /// Only traces with an error
    #[arg(long)]
    errors: bool,
    /// Only traces in which this text occurs, in any case: in an id, a span's name, its status or its attributes
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: TableOutput,
}

impl Traces {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let rows = self.find(context, &traces)?;
        let output = Output::from(self.output);
        let found = context.expect_spans(&traces, rows.is_empty());
        if found.is_err() && output.format == Format::Text {
            return found;
        }
        output.rows(context, "Traces", &rows, listed, html::traces)?;
        if rows.len() as u64 == self.limit {
            context.note("note: there may be more; --limit N shows more of them");
        }
        found
    }

    fn find(&self, context: &Context, traces: &Source) -> Result<Vec<TraceRow>, Failure> {
        let window = self.window.window();
        if !self.errors && self.search.is_none() {
            return traces.ask(&calls::traces(window, Some(self.limit)));
        }
        let mut conditions = Vec::new();
        if self.errors {
            conditions.push("errors > 0".to_owned());
        }
        if let Some(text) = &self.search {
            let text = quoted(&text.to_lowercase());
            let columns = [
                "trace_id",
                "span_id",
                "name",
                "status_description",
                "agent",
                "exception_type",
                "attributes::VARCHAR",
            ];
            let found: Vec<String> = columns
                .iter()
                .map(|column| format!("contains(lower({column}), {text})"))
                .collect();
            conditions.push(format!(
                "trace_id IN (SELECT trace_id FROM spans WHERE {})",
                found.join(" OR ")
            ));
        }
        let found = query::rows(
            traces,
            &format!(
                "SELECT * FROM {} WHERE {} ORDER BY start_time DESC, trace_id LIMIT {}",
                query::traces_in(window),
                conditions.join(" AND "),
                self.limit.min(i64::MAX as u64)
            ),
        )?;
        if found.cut {
            context.note("note: there are more than can be listed; narrow it with --since, --until or --limit");
        }
        Ok(found.rows)
    }
}

/// On a narrow terminal the beginning of an id has to do: `timeline` takes it as well.
fn listed(rows: &[TraceRow], style: &Style) -> String {
    if style.width >= WIDE {
        return text::traces(rows, style);
    }
    let shortened = |row: &TraceRow| TraceRow {
        trace_id: row.trace_id.chars().take(ID_BEGINNING).collect(),
        ..row.clone()
    };
    text::traces(&rows.iter().map(shortened).collect::<Vec<_>>(), style)
}
