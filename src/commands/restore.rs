use std::path::PathBuf;

use clap::Args;
use flockscope_client::Located;
use flockscope_store::{StoreError, restore};
use indicatif::HumanCount;

use super::import::target;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};
use crate::progress::Bar;

/// Put a backup in the place of a store
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope restore ~/backups/traces-2026-11-23 --into restored.duckdb
  flockscope restore ~/backups/traces-2026-11-23 --replace

Every file of the backup is checked before anything is changed; a store that is replaced is kept aside.")]
pub(crate) struct Restore {
    /// The folder that backup made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The store to make. Default: that of --db, else of the project
    #[arg(long, value_name = "STORE")]
    into: Option<PathBuf>,
    /// Also where there is a store already
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    output: FactsOutput,
}

impl Restore {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let store = target(context, self.into.as_deref())?;
        context.end_idle_process(&Located::Store { file: store.clone() })?;
        let mut bar = Bar::new("restoring", context.quiet());
        let restored = restore(&self.folder, &store, self.replace, |progress| bar.show_step(progress)).map_err(|error| {
            match error {
                StoreError::Exists { path, .. } => Failure::Failed(format!(
                    "{} exists already: restore to another place with --into, or add --replace (the old one is then kept aside)",
                    path.display()
                )),
                error => error.into(),
            }
        })?;
        drop(bar);
        let spans = restored.manifest.stored_spans + restored.manifest.archived_spans;
        let kept = restored.kept.as_ref().map(|kept| kept.display().to_string());
        let output = Output::from(self.output);
        let content = if output.format == Format::Json {
            let facts = serde_json::json!({ "store": store.display().to_string(), "spans": spans, "kept": kept });
            format!("{facts:#}\n")
        } else {
            let kept = kept.map_or_else(String::new, |kept| {
                format!("The store that was there is kept as {kept}\n")
            });
            format!("{} spans restored to {}\n{kept}", HumanCount(spans), store.display())
        };
        output.write(content.as_bytes())
    }
}
