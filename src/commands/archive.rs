use std::time::{Duration, SystemTime};

use chrono::DateTime;
use clap::Args;
use flockscope_store::ArchivedDay;
use indicatif::{BinaryBytes, HumanCount};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};
use crate::progress::Bar;
use crate::time;

/// Move whole days of old spans into Parquet files, which all commands go on reading
#[derive(Args)]
#[command(after_help = "\
Example:
  flockscope archive --older-than 7d

The files lie beside the store, as store.duckdb.d/archive/day=YYYY-MM-DD/, and any program that reads Parquet reads them.")]
pub(crate) struct Archive {
    /// Archive the days (UTC) that ended so long ago
    #[arg(long, value_name = "DURATION", value_parser = time::duration)]
    older_than: Duration,
    #[command(flatten)]
    output: FactsOutput,
}

impl Archive {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let opened = context.open_to_care()?;
        let before = SystemTime::now()
            .checked_sub(self.older_than)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        let before = DateTime::<chrono::Utc>::from(before).date_naive();
        let mut bar = Bar::new("archiving", context.quiet());
        let days = opened.store.archive(before, |progress| bar.show_step(progress))?;
        drop(bar);
        let output = Output::from(self.output);
        let content = if output.format == Format::Json {
            serde_json::to_string_pretty(&days).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
        } else {
            text(
                &days,
                &opened.store.archive_folder().display().to_string(),
                &before.to_string(),
            )
        };
        output.write(content.as_bytes())
    }
}

fn text(days: &[ArchivedDay], folder: &str, before: &str) -> String {
    if days.is_empty() {
        return format!("Nothing to archive: no span in the table started before {before} (UTC).\n");
    }
    let mut out: String = days
        .iter()
        .map(|day| {
            format!(
                "{}  {:>12} spans  {:>10}  {}\n",
                day.day,
                HumanCount(day.spans),
                BinaryBytes(day.bytes),
                day.file
            )
        })
        .collect();
    out += &format!("In {folder}\n");
    out
}
