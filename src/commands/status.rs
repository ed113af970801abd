use chrono::{DateTime, SecondsFormat};
use clap::Args;
use flockscope_client::{ClientError, ConnectOptions, Connection, locate_to_serve};
use flockscope_protocol::{OtlpStatus, ProcessStatus};
use indicatif::{HumanCount, HumanDuration};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Format, Output};
use crate::traces;

/// The process that keeps the traces: where it listens, what it follows, how it does
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope status
  flockscope status --format json

Without a running process the exit code is 3.")]
pub(crate) struct Status {
    #[command(flatten)]
    output: FactsOutput,
}

impl Status {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let status = traces::runtime()?.block_on(async {
            let status = connect(context).await?.status().await?;
            status.ok_or_else(|| Failure::NothingFound("no process keeps these traces".into()))
        })?;
        let output = Output::from(self.output);
        let content = if output.format == Format::Json {
            serde_json::to_string_pretty(&status).map_err(|error| Failure::Failed(error.to_string()))? + "\n"
        } else {
            text(&status)
        };
        output.write(content.as_bytes())
    }
}

/// The running process of the traces that are meant; one is never started.
pub(super) async fn connect(context: &Context) -> Result<Connection, Failure> {
    let located = locate_to_serve(&Context::working_directory()?, context.given())?;
    let options = ConnectOptions {
        start: false,
        ..ConnectOptions::default()
    };
    Connection::open(&located, options).await.map_err(|error| match error {
        ClientError::NotRunning { .. } => Failure::NothingFound(error.to_string()),
        error => error.into(),
    })
}

fn text(status: &ProcessStatus) -> String {
    let started = DateTime::from_timestamp_nanos(status.started_at);
    let mut lines = vec![
        ("process", format!("{}, version {}", status.pid, status.version)),
        ("since", started.to_rfc3339_opts(SecondsFormat::Secs, true)),
        ("store", status.store.clone().unwrap_or_default()),
        (
            "holds",
            format!(
                "{} spans of {} traces",
                HumanCount(status.spans),
                HumanCount(status.traces)
            ),
        ),
        ("follows", status.following.clone().unwrap_or_else(|| "no file".into())),
        ("OTLP/gRPC", receiver(&status.otlp_grpc)),
        ("OTLP/HTTP", receiver(&status.otlp_http)),
        (
            "ends",
            match status.ends_when_idle_for_s {
                Some(seconds) => {
                    let time = HumanDuration(std::time::Duration::from_secs(seconds));
                    format!("when idle for {time}")
                }
                None => "when told to".into(),
            },
        ),
    ];
    lines.extend(status.notes.iter().map(|note| ("note", note.clone())));
    lines
        .iter()
        .map(|(name, value)| format!("{name:10} {}\n", crate::failure::printable(value)))
        .collect()
}

fn receiver(status: &OtlpStatus) -> String {
    match status {
        OtlpStatus::Listening { address } => address.to_string(),
        OtlpStatus::Off => "off".into(),
        OtlpStatus::Unavailable { reason } => format!("unavailable: {reason}"),
    }
}
