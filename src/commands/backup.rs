use std::path::PathBuf;

use clap::Args;
use flockscope_store::Manifest;
use indicatif::{BinaryBytes, HumanCount};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};
use crate::progress::{Bar, Spinner};

/// Copy the store, archive included, into a new folder
#[derive(Args)]
#[command(after_help = "\
Example:
  flockscope backup ~/backups/traces-2026-11-23")]
pub(crate) struct Backup {
    /// The folder; it must not exist yet
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    #[command(flatten)]
    output: FactsOutput,
}

impl Backup {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let manifest = match context.kept(&context.locate()?)? {
            Some(kept) => {
                let folder = std::path::absolute(&self.folder)
                    .map_err(|error| Failure::Usage(format!("{}: {error}", self.folder.display())))?;
                let spinner = Spinner::new("the process that keeps the traces makes the backup", context.quiet());
                kept.run(async |connection| Ok(connection.backup(&folder).await?))?;
                drop(spinner);
                Manifest::read(&folder)?
            }
            None => {
                let opened = context.open_to_care()?;
                let mut bar = Bar::new("backing up", context.quiet());
                opened.store.backup(&self.folder, |progress| bar.show_step(progress))?
            }
        };
        let output = Output::from(self.output);
        let content = if output.format == Format::Json {
            serde_json::to_string_pretty(&manifest).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
        } else {
            format!(
                "{} spans, {}, in {}\nRestore it with: flockscope restore {2}\n",
                HumanCount(manifest.stored_spans + manifest.archived_spans),
                BinaryBytes(manifest.files.iter().map(|file| file.bytes).sum()),
                self.folder.display()
            )
        };
        output.write(content.as_bytes())
    }
}
