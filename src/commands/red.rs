use clap::{Args, ValueEnum};
use flockscope_analytics::calls;
use flockscope_render::table::Table;
use flockscope_render::{csv, html, json, svg, tables, text};
use flockscope_store::GroupBy;

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{DrawingOutput, Format, Output};
use crate::time;

/// Rate, errors and durations of operations, services, agents, …
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope red --since 1h --limit 12
  flockscope red --by agent --format json
  flockscope red --by service --step 15m --format csv")]
pub(crate) struct Red {
    /// What to group by
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    by: Key,
    /// One row for each group and bucket of this width: 10s, 15m, 1h
    #[arg(long, value_name = "DURATION", value_parser = time::step)]
    step: Option<i64>,
    /// Only so many groups, those with the most time
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "step")]
    limit: Option<usize>,
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: DrawingOutput,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Key {
    #[default]
    Operation,
    Service,
    Agent,
    Module,
    Environment,
    Version,
}

impl From<Key> for GroupBy {
    fn from(key: Key) -> Self {
        match key {
            Key::Operation => Self::Operation,
            Key::Service => Self::Service,
            Key::Agent => Self::Agent,
            Key::Module => Self::Module,
            Key::Environment => Self::Environment,
            Key::Version => Self::Version,
        }
    }
}

impl Red {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let by = GroupBy::from(self.by);
        let mut rows = traces.ask(&calls::red(by, self.window.window(), self.step))?;
        // Made of all rows: the share of the time is that of all groups, shown or not.
        let table = beginning(tables::red(&rows, &[]), self.limit);
        rows.truncate(self.limit.unwrap_or(usize::MAX));
        let output = Output::from(self.output);
        let found = context.expect_spans(&traces, rows.is_empty());
        if found.is_ok() && rows.is_empty() {
            context.note(&format!("note: no span in this time has a value for {}", by.as_str()));
        }
        let title = format!("Rate, errors and durations by {}", by.as_str());
        let content = match output.format {
            Format::Text if found.is_err() => return found,
            Format::Text => text::table(&table, &output.style(context)),
            Format::Json => json::red(&rows),
            Format::Csv => csv::red(&rows),
            Format::Html => html::page(&title, &html::table(&table)),
            Format::Svg => svg::red(&rows),
            Format::Arrow => return output.arrow_rows(&rows).and(found),
        };
        output.write(content.as_bytes())?;
        found
    }
}

/// The first rows of a table, which says how many there were.
pub(super) fn beginning(mut table: Table, most: Option<usize>) -> Table {
    if let Some(most) = most.filter(|most| *most < table.rows.len()) {
        table.total = Some(table.rows.len() as u64);
        table.rows.truncate(most);
    }
    table
}
