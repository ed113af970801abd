use clap::Args;
use flockscope_analytics::calls;
use flockscope_render::{html, text};

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Output, TableOutput};

/// Every traced function that was seen
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope operations
  flockscope operations --since 7d --format csv")]
pub(crate) struct Operations {
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: TableOutput,
}

impl Operations {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let rows = traces.ask(&calls::operations(self.window.window()))?;
        let output = Output::from(self.output);
        let found = context.expect_spans(&traces, rows.is_empty());
        if found.is_err() && output.format == Format::Text {
            return found;
        }
        output.rows(context, "Operations", &rows, text::operations, html::operations)?;
        found
    }
}
