use clap::Args;
use flockscope_analytics::calls;
use flockscope_model::rows::StatisticsRow;
use flockscope_render::text;
use indicatif::BinaryBytes;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};

/// What the traces are, and how much room they take
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope stats
  flockscope stats --format json")]
pub(crate) struct Stats {
    #[command(flatten)]
    output: FactsOutput,
}

/// The contract of `--format json`.
#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    statistics: &'a StatisticsRow,
    /// The file or folder that was found or given.
    source: String,
    /// The store's file.
    store: String,
    /// Bytes of the store, its log and its archive.
    bytes: u64,
}

impl Stats {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let traces = context.traces()?;
        let statistics = traces.ask(&calls::statistics())?.pop().unwrap_or_default();
        let facts = Facts {
            statistics: &statistics,
            source: context.locate()?.path().display().to_string(),
            store: traces.store().display().to_string(),
            bytes: traces.bytes()?,
        };
        let output = Output::from(self.output);
        let content = if output.format == Format::Json {
            serde_json::to_string_pretty(&facts).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
        } else {
            let table = text::statistics(&statistics, &context.style());
            format!(
                "{table}{} in {}, read from {}\n",
                BinaryBytes(facts.bytes),
                facts.store,
                facts.source
            )
        };
        output.write(content.as_bytes())?;
        context.expect_spans(&traces, statistics.spans == 0)
    }
}
