use clap::{Args, ValueEnum};
use flockscope_analytics::calls;
use flockscope_render::{csv, html, json, svg, text};
use flockscope_store::Level;

use crate::arguments::WindowArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{DrawingOutput, Format, Output};

/// Who called whom: agents, services or operations
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope deps --level agent
  flockscope deps --level service --since 1d --format svg --output services.svg")]
pub(crate) struct Deps {
    /// What the nodes of the graph are
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    level: Nodes,
    #[command(flatten)]
    window: WindowArguments,
    #[command(flatten)]
    output: DrawingOutput,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Nodes {
    #[default]
    Agent,
    Service,
    Operation,
}

impl From<Nodes> for Level {
    fn from(nodes: Nodes) -> Self {
        match nodes {
            Nodes::Agent => Self::Agent,
            Nodes::Service => Self::Service,
            Nodes::Operation => Self::Operation,
        }
    }
}

impl Deps {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let level = Level::from(self.level);
        let rows = traces.ask(&calls::dependencies(level, self.window.window()))?;
        let output = Output::from(self.output);
        let found = context.expect_spans(&traces, rows.is_empty());
        if found.is_ok() && rows.is_empty() {
            context.note(&format!("note: no {} called another one in this time", level.as_str()));
        }
        let title = format!("Which {} called which", level.as_str());
        let content = match output.format {
            Format::Text if found.is_err() => return found,
            Format::Text => text::dependencies(&rows, &output.style(context)),
            Format::Json => json::dependencies(&rows),
            Format::Csv => csv::dependencies(&rows),
            Format::Html => html::page(&title, &html::dependencies(&rows)),
            Format::Svg => svg::dependencies(&rows),
            Format::Arrow => return output.arrow_rows(&rows).and(found),
        };
        output.write(content.as_bytes())?;
        found
    }
}
