use clap::Args;
use flockscope_analytics::calls;
use flockscope_render::{html, text};

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Output, TableOutput};

/// Every attribute key, or the most frequent values of one
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope attributes
  flockscope attributes output.type --limit 10")]
pub(crate) struct Attributes {
    /// Show the values of this key
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// So many values at the most
    #[arg(long, short = 'n', default_value_t = 50, value_name = "N", requires = "key")]
    limit: u64,
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: TableOutput,
}

impl Attributes {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let window = self.window.window();
        let output = Output::from(self.output);
        let is_text = output.format == Format::Text;
        let Some(key) = self.key else {
            let rows = traces.ask(&calls::attribute_keys(window))?;
            let found = context.expect_spans(&traces, rows.is_empty());
            if found.is_err() && is_text {
                return found;
            }
            output.rows(context, "Attributes", &rows, text::attribute_keys, html::attribute_keys)?;
            return found;
        };
        let rows = traces.ask(&calls::attribute_values(&key, window, self.limit))?;
        let found = context.expect_spans(&traces, rows.is_empty()).and_then(|()| {
            if rows.is_empty() {
                let message = format!("no span carries the attribute {key}; flockscope attributes lists the keys");
                Err(Failure::NothingFound(message))
            } else {
                Ok(())
            }
        });
        if found.is_err() && is_text {
            return found;
        }
        let title = format!("Values of {key}");
        output.rows(context, &title, &rows, text::attribute_values, html::attribute_values)?;
        found
    }
}
