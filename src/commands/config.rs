use std::path::PathBuf;

use clap::{Args, Subcommand};
use flockscope_configuration::{Configuration, Loaded, Origin, Sources, sample_file, set_in_file, unset_in_file};
use flockscope_render::{json, text};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};

const FILE: &str = "flockscope.toml";

/// Every setting: its value and where that comes from
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope config
  flockscope config --changed
  flockscope config set retention.days 30
  flockscope config sample > flockscope.toml

A flag of serve beats the environment, the environment the project's .env, and that flockscope.toml.")]
pub(crate) struct Config {
    /// Only the settings that are not at their default
    #[arg(long)]
    changed: bool,
    #[command(flatten)]
    output: FactsOutput,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Write a setting into the project's flockscope.toml; comments there are kept
    Set {
        /// The setting, such as retention.days
        key: String,
        /// Its value
        value: String,
    },
    /// Take a setting out of the project's flockscope.toml
    Unset {
        /// The setting
        key: String,
    },
    /// Print a flockscope.toml with every setting, explained and commented out
    Sample,
}

impl Config {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let refused = |problem: &dyn std::fmt::Display| Failure::Usage(problem.to_string());
        match &self.action {
            None => self.show(context),
            Some(Action::Sample) => Output::from(self.output).write(sample_file().as_bytes()),
            Some(Action::Set { key, value }) => {
                let file = project_folder(context)?.join(FILE);
                set_in_file(&file, key, value).map_err(|problem| refused(&problem))?;
                context.note(&format!("{}: {key} = {value}", file.display()));
                Ok(())
            }
            Some(Action::Unset { key }) => {
                let file = project_folder(context)?.join(FILE);
                unset_in_file(&file, key).map_err(|problem| refused(&problem))?;
                context.note(&format!("{}: {key} is at its default again", file.display()));
                Ok(())
            }
        }
    }

    fn show(self, context: &Context) -> Result<(), Failure> {
        let Loaded {
            mut effective,
            warnings,
            ..
        } = Configuration::load(&Sources::of_project(&project_folder(context)?))
            .map_err(|problems| Failure::Usage(problems.to_string()))?;
        for warning in &warnings {
            context.note(&format!("note: {warning}"));
        }
        if self.changed {
            effective.retain(|setting| setting.origin != Origin::Default);
        }
        let output = Output::from(self.output);
        if output.format == Format::Json {
            let objects = json::rows(&effective).map_err(|error| Failure::Failed(error.to_string()))?;
            return output.write(objects.as_bytes());
        }
        let names = ["setting", "value", "from", "variable"].map(str::to_owned);
        let rows: Vec<Vec<Option<String>>> = effective
            .iter()
            .map(|setting| {
                let value = (!setting.value.is_empty()).then(|| setting.value.clone());
                vec![
                    Some(setting.key.to_owned()),
                    value,
                    Some(setting.origin.to_string()),
                    Some(setting.variable.to_owned()),
                ]
            })
            .collect();
        output.write(text::answer(&names, &rows, None, &output.style(context)).as_bytes())
    }
}

/// The folder whose `.env` and `flockscope.toml` count: that of the project, or the working directory.
fn project_folder(context: &Context) -> Result<PathBuf, Failure> {
    let here = Context::working_directory()?;
    let located = flockscope_client::locate_to_serve(&here, context.given())?;
    Ok(located.project_folder().map_or(here, std::path::Path::to_owned))
}
