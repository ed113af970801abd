use std::path::{Path, PathBuf};

use clap::Args;
use flockscope_client::Located;
use flockscope_store::{Health, Rescued, Settings, Severity, examine, rescue};
use indicatif::HumanCount;

use crate::context::Context;
use crate::failure::{Failure, printable};
use crate::output::{FactsOutput, Format, Output};
use crate::progress::Bar;

/// Check a store for damage, and say what to do
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope doctor --deep
  flockscope doctor --db damaged.duckdb --rescue saved.duckdb

Ends with 4 when something is damaged or missing. Changes nothing.")]
pub(crate) struct Doctor {
    /// Read every block and every column of every row
    #[arg(long)]
    deep: bool,
    /// Save what can be read into this new store
    #[arg(long, value_name = "NEW", conflicts_with = "deep")]
    rescue: Option<PathBuf>,
    #[command(flatten)]
    output: FactsOutput,
}

impl Doctor {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let store = match context.locate()? {
            Located::Flock { file, store, .. } if !store.exists() => {
                return Err(Failure::NothingFound(format!(
                    "{} has no store yet; flockscope stats makes one",
                    file.display()
                )));
            }
            Located::Flock { store, .. } | Located::Store { file: store } => store,
            Located::Files { path } => {
                return Err(Failure::Usage(format!(
                    "{} is not a store; only stores are checked",
                    path.display()
                )));
            }
        };
        context.end_idle_process(&Located::Store { file: store.clone() })?;
        let output = Output::from(self.output);
        if let Some(new) = &self.rescue {
            return save(context, &store, new, &output);
        }
        let mut bar = Bar::new("checking", context.quiet());
        let health = examine(&store, Settings::default(), self.deep, |progress| {
            bar.show_step(progress)
        });
        drop(bar);
        let content = if output.format == Format::Json {
            serde_json::to_string_pretty(&health).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
        } else {
            diagnosis(&health, &store)
        };
        output.write(content.as_bytes())?;
        if health.is_sound() {
            Ok(())
        } else {
            Err(Failure::Faults)
        }
    }
}

fn save(context: &Context, store: &Path, new: &Path, output: &Output) -> Result<(), Failure> {
    let mut bar = Bar::new("rescuing", context.quiet());
    let rescued = rescue(store, new, Settings::default(), |progress| bar.show_step(progress))?;
    drop(bar);
    let content = if output.format == Format::Json {
        serde_json::to_string_pretty(&rescued).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
    } else {
        salvage(&rescued, new)
    };
    output.write(content.as_bytes())
}

fn diagnosis(health: &Health, store: &Path) -> String {
    let mut out = String::new();
    for finding in &health.findings {
        let word = match finding.severity {
            Severity::Error => "✗ damaged:",
            Severity::Warning => "! warning:",
            Severity::Note => "  note:",
        };
        out += &format!(
            "{word} {}\n  {}\n",
            printable(&finding.what),
            printable(&finding.advice)
        );
    }
    let spans =
        |count: Option<u64>| count.map_or_else(|| "an unknown number of".into(), |count| HumanCount(count).to_string());
    out += &format!(
        "{}: {}, {} spans in the table, {} in the archive{}\n",
        store.display(),
        if health.is_sound() { "sound" } else { "damaged" },
        spans(health.stored_spans),
        spans(health.archived_spans),
        if health.deep { "" } else { "; --deep reads all of it" }
    );
    out
}

fn salvage(rescued: &Rescued, new: &Path) -> String {
    let mut out = format!("{} spans saved in {}", HumanCount(rescued.spans), new.display());
    if rescued.incomplete > 0 {
        out += &format!(", {} of them without some columns", HumanCount(rescued.incomplete));
    }
    out += &format!("\n{} rows could not be read\n", HumanCount(rescued.lost_rows));
    for loss in &rescued.losses {
        out += &format!("  {}\n", printable(loss));
    }
    out
}
