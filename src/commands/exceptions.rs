use clap::Args;
use flockscope_analytics::calls;
use flockscope_render::{html, text};

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Output, TableOutput};

/// Exceptions by type and operation, with the latest of each
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope exceptions --since 1h
  flockscope exceptions --format html --output exceptions.html")]
pub(crate) struct Exceptions {
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: TableOutput,
}

impl Exceptions {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let rows = traces.ask(&calls::exceptions(self.window.window()))?;
        let output = Output::from(self.output);
        let found = context.expect_spans(&traces, rows.is_empty());
        if found.is_err() && output.format == Format::Text {
            return found;
        }
        output.rows(context, "Exceptions", &rows, text::exceptions, html::exceptions)?;
        found
    }
}
