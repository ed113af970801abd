mod by_process;
mod in_process;
mod view;

use clap::Args;
use flockscope_client::{Located, locate_flock_file};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{FactsOutput, Output};
use crate::traces::Kept;
use view::View;

/// Show new spans as a program writes or sends them, and keep the store up to date
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope watch
  flockscope watch --format json | jq 'select(.status_code == \"ERROR\")'

Shown is what a Flock program writes to .flock/traces.duckdb, and what any program sends over OTLP. The program is never
held up: its file is copied, not opened. It need not have been started yet. Ctrl-C ends it.")]
pub(crate) struct Watch {
    /// Show also the spans that are there already
    #[arg(long)]
    from_start: bool,
    #[command(flatten)]
    output: FactsOutput,
}

impl Watch {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let stop = stop_signals()?;
        let located = locate_flock_file(&Context::working_directory()?, context.given())?;
        let Located::Flock { file, store, .. } = &located else {
            return Err(Failure::Failed(format!(
                "{}: not a Flock file",
                located.path().display()
            )));
        };
        let view = View {
            format: Output::from(self.output).format,
            style: context.style(),
        };
        if let Some(kept) = Kept::running_or_started(context, &located)? {
            return by_process::watch(&kept, file, self.from_start, &view, stop, context);
        }
        let watched = in_process::Watched {
            file,
            store,
            options: context.opening(&located)?,
            from_start: self.from_start,
        };
        in_process::watch(&watched, &view, stop, context)
    }
}

/// Ctrl-C and SIGTERM, as messages.
fn stop_signals() -> Result<UnboundedReceiver<()>, Failure> {
    let (sender, receiver) = mpsc::unbounded_channel();
    ctrlc::set_handler(move || {
        // Nobody listens any more: the program is ending.
        let _ = sender.send(());
    })
    .map_err(|error| Failure::Failed(format!("the interrupt can't be caught: {error}")))?;
    Ok(receiver)
}
