use clap::Args;
use flockscope_analytics::calls;
use flockscope_render::{html, text};

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Output, TableOutput};

/// Where the critical paths of all traces spend their time
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope critical --since 1d
  flockscope critical --format json")]
pub(crate) struct Critical {
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: TableOutput,
}

impl Critical {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let rows = traces.ask(&calls::critical_path(self.window.window()))?;
        let output = Output::from(self.output);
        let found = context.expect_spans(&traces, rows.is_empty());
        if found.is_err() && output.format == Format::Text {
            return found;
        }
        output.rows(
            context,
            "Critical paths",
            &rows,
            text::critical_path,
            html::critical_path,
        )?;
        found
    }
}
