use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};
use clap::{Args, Subcommand, ValueEnum};
use flockscope_configuration::{Configuration, Sources};
use flockscope_render::text;
use flockscope_security::{ApiKeyFile, Role};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};
use crate::time;

/// API keys of the core process, for clients on other machines
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope keys create grafana --role viewer --expires-in 90d
  flockscope keys list
  flockscope keys revoke grafana

The keys are kept hashed in the file of the setting auth.api_keys_file (FLOCKSCOPE_API_KEYS_FILE). A running process
notices changes by itself.")]
pub(crate) struct Keys {
    /// The file, if not the one of the setting
    #[arg(long, value_name = "FILE", global = true)]
    file: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make a key and print it: this once, as only its hash is kept
    Create {
        /// What the key is for
        name: String,
        /// What it lets in to
        #[arg(long, value_enum, default_value_t = KeyRole::Viewer)]
        role: KeyRole,
        /// It is refused after this time
        #[arg(long, value_name = "DURATION", value_parser = time::duration)]
        expires_in: Option<Duration>,
    },
    /// The keys by name, role, beginning and end of life
    List {
        #[command(flatten)]
        output: FactsOutput,
    },
    /// Let a key in no more
    Revoke {
        /// Its name
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyRole {
    /// Reads
    Viewer,
    /// Reads, clears, backs up, stops
    Admin,
}

impl Keys {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let file = ApiKeyFile::new(match &self.file {
            Some(file) => file.clone(),
            None => configured(context)?,
        });
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(error.to_string());
        match self.action {
            Action::Create { name, role, expires_in } => {
                let role = match role {
                    KeyRole::Viewer => Role::Viewer,
                    KeyRole::Admin => Role::Admin,
                };
                let expires_at = expires_in.map(in_the_future).transpose()?;
                let (key, _) = file.create(&name, role, expires_at).map_err(|error| failed(&error))?;
                context.note(&format!(
                    "The key {name} is kept in {}; this is the only time it is shown:",
                    file.path().display()
                ));
                println!("{}", key.reveal());
                Ok(())
            }
            Action::List { output } => {
                let keys = file.list().map_err(|error| failed(&error))?;
                let output = Output::from(output);
                if output.format == Format::Json {
                    let json = serde_json::to_string_pretty(&keys).map_err(|error| failed(&error))?;
                    return output.write((json + "\n").as_bytes());
                }
                let names = ["name", "role", "begins with", "made", "ends"].map(str::to_owned);
                let rows: Vec<Vec<Option<String>>> = keys
                    .iter()
                    .map(|key| {
                        vec![
                            Some(key.name.clone()),
                            Some(key.role.to_string()),
                            Some(key.prefix.clone()),
                            Some(moment(key.created_at)),
                            key.expires_at.map(moment),
                        ]
                    })
                    .collect();
                output.write(text::answer(&names, &rows, None, &output.style(context)).as_bytes())
            }
            Action::Revoke { name } => {
                file.revoke(&name).map_err(|error| failed(&error))?;
                context.note(&format!("The key {name} lets nobody in any more."));
                Ok(())
            }
        }
    }
}

fn configured(context: &Context) -> Result<PathBuf, Failure> {
    let here = Context::working_directory()?;
    let located = flockscope_client::locate_to_serve(&here, context.given())?;
    let sources = match located.project_folder() {
        Some(folder) => Sources::of_project(folder),
        None => Sources::of_environment(),
    };
    let loaded = Configuration::load(&sources).map_err(|problems| Failure::Usage(problems.to_string()))?;
    loaded.configuration.auth.api_keys_file.ok_or_else(|| {
        Failure::Usage(
            "no file for API keys is set: flockscope config set auth.api_keys_file keys.json, or give one with --file"
                .into(),
        )
    })
}

fn in_the_future(time: Duration) -> Result<i64, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from((now + time).as_secs()).map_err(|_| Failure::Usage("--expires-in is too long".into()))
}

/// Seconds since the epoch, in UTC.
fn moment(seconds: i64) -> String {
    DateTime::from_timestamp(seconds, 0).map_or_else(
        || seconds.to_string(),
        |moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true),
    )
}
