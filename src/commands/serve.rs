use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use flockscope_client::{Located, Served, locate_to_serve};
use flockscope_collector::{Options, Ready, RunError, SettingsFiles};
use flockscope_configuration::Sources;
use flockscope_protocol::OtlpStatus;

use super::setting_flags::SettingFlags;
use crate::context::Context;
use crate::failure::Failure;
use crate::time;

/// Keep the traces for editor, notebooks and browser: OTLP in, one API
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope serve
  flockscope serve --viewer ./viewer --http-address 127.0.0.1:14318
  flockscope serve --db team.duckdb --set retention.days=30

A Flock program then sends its spans with FLOCK_AUTO_TRACE=true OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317;
what it writes to .flock/traces.duckdb is read, too. Ctrl-C, or flockscope stop, ends it.")]
pub(crate) struct Serve {
    /// The store, if not that of the project: a file, made where there is none
    #[arg(value_name = "STORE", conflicts_with = "db")]
    path: Option<PathBuf>,
    /// Where the API is served
    #[arg(long, value_name = "ADDRESS", alias = "api-address")]
    address: Option<String>,
    /// Where OTLP over gRPC is taken in
    #[arg(long, value_name = "ADDRESS", alias = "otlp-grpc-address")]
    grpc_address: Option<String>,
    /// Where OTLP over HTTP is taken in
    #[arg(long, value_name = "ADDRESS", alias = "otlp-http-address")]
    http_address: Option<String>,
    /// Take no OTLP in
    #[arg(long)]
    no_otlp: bool,
    /// Serve this folder at /, such as that of Flock's own viewer
    #[arg(long, value_name = "FOLDER", alias = "viewer-folder")]
    viewer: Option<PathBuf>,
    /// End when nobody asked anything and no span came for so long; without it, it stays
    #[arg(long, value_name = "DURATION", value_parser = time::duration, alias = "idle-time", conflicts_with = "stay")]
    idle: Option<Duration>,
    /// Stay, however idle it is
    #[arg(long)]
    stay: bool,
    /// Any other setting, such as retention.days=30; most have a flag, too (docs/configuration.md)
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Started by a client, in the background
    #[arg(long, hide = true)]
    detached: bool,
    /// The store, exactly
    #[arg(long, value_name = "FILE", hide = true, conflicts_with_all = ["path", "db"])]
    store: Option<PathBuf>,
    /// The Flock file to follow
    #[arg(long, value_name = "FILE", hide = true, requires = "store")]
    follow: Option<PathBuf>,
    /// The store only mirrors the Flock file
    #[arg(long, hide = true, requires = "follow")]
    mirror: bool,
    #[command(flatten)]
    others: SettingFlags,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, such as retention.days=30".into()),
    }
}

impl Serve {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let located = self.locate(context)?;
        let mut served = located
            .served()
            .ok_or_else(|| Failure::Usage(format!("{} is not kept in a store", located.path().display())))?;
        if self.store.is_some() {
            served = Served {
                follow: self.follow.clone().or(served.follow),
                keeps_history: !self.mirror,
                ..served
            };
        }
        let settings = self.settings(&located)?;
        let loaded = settings
            .load()
            .map_err(|problems| Failure::Usage(problems.to_string()))?;
        for warning in &loaded.warnings {
            context.note(&format!("note: {warning}"));
        }
        let process = &loaded.configuration.process;
        // One that a person started stays until that person ends it.
        let may_end = self.detached || self.idle.is_some();
        let idle = (may_end && !process.stay).then_some(process.idle_time);
        let quiet = context.quiet() || self.detached;
        let outcome = flockscope_collector::run(Options {
            served,
            loaded,
            settings,
            is_detached: self.detached,
            idle,
            ready: Box::new(move |ready| {
                if !quiet {
                    println!("{}", introduction(ready));
                }
            }),
        });
        match outcome {
            Ok(_) => Ok(()),
            Err(RunError::Client(error @ flockscope_client::ClientError::AlreadyServed { .. })) => {
                Err(Failure::AlreadyServed(error.to_string()))
            }
            Err(error) => Err(Failure::Failed(error.to_string())),
        }
    }

    fn locate(&self, context: &Context) -> Result<Located, Failure> {
        if let Some(store) = &self.store {
            return Ok(Located::Store { file: store.clone() });
        }
        let given = self.path.as_deref().or(context.given());
        Ok(locate_to_serve(&Context::working_directory()?, given)?)
    }

    /// What is given by the flags that the help does not list.
    pub(crate) fn other_settings(&self) -> &[(String, String)] {
        &self.others.0
    }

    fn settings(&self, located: &Located) -> Result<SettingsFiles, Failure> {
        let mut sources = Sources::of_environment();
        sources.flags = self.set.clone();
        sources.flags.extend_from_slice(self.other_settings());
        let mut flag = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                sources.flags.push((key.to_owned(), value));
            }
        };
        flag("api.address", self.address.clone());
        flag("otlp.grpc_address", self.grpc_address.clone());
        flag("otlp.http_address", self.http_address.clone());
        flag("otlp.enabled", self.no_otlp.then(|| "false".to_owned()));
        let viewer = self.viewer.as_ref().map(std::path::absolute).transpose();
        let viewer = viewer.map_err(|error| Failure::Usage(format!("--viewer: {error}")))?;
        flag("api.viewer_folder", viewer.map(|folder| folder.display().to_string()));
        flag(
            "process.idle_time",
            self.idle.map(|idle| format!("{}ms", idle.as_millis())),
        );
        flag("process.stay", self.stay.then(|| "true".to_owned()));
        Ok(SettingsFiles {
            sources,
            project: located.project_folder().map(Path::to_owned),
        })
    }
}

/// What a person wants to know of a process that is ready.
fn introduction(ready: &Ready) -> String {
    let scheme = if ready.uses_tls { "https" } else { "http" };
    let status = &ready.status;
    let mut lines = vec![
        format!(
            "serving {} (process {})",
            status.store.as_deref().unwrap_or("a store"),
            status.pid
        ),
        format!("  API      {scheme}://{}", ready.api),
        format!(
            "  browser  http://{}/?token={}",
            ready.record.address, ready.record.token
        ),
        format!(
            "  OTLP     gRPC {}, HTTP {}",
            receiver(&status.otlp_grpc),
            receiver(&status.otlp_http)
        ),
    ];
    if let Some(file) = &status.following {
        lines.push(format!("  follows  {file}"));
    }
    if let OtlpStatus::Listening { address } = &status.otlp_grpc {
        lines.push(format!(
            "A Flock program sends its spans with FLOCK_AUTO_TRACE=true OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:{}",
            address.port()
        ));
    }
    lines.extend(status.notes.iter().map(|note| format!("note: {note}")));
    lines.join("\n")
}

fn receiver(status: &OtlpStatus) -> String {
    match status {
        OtlpStatus::Listening { address } => address.to_string(),
        OtlpStatus::Off => "off".into(),
        OtlpStatus::Unavailable { reason } => reason.clone(),
    }
}
