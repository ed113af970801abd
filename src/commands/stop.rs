use clap::Args;

use crate::commands::status::connect;
use crate::context::Context;
use crate::failure::Failure;
use crate::traces;

/// End the process that keeps the traces; what it has taken in is stored first
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope stop
  flockscope stop --db team.duckdb

It returns when the process has ended. Without a running process there is nothing to do.")]
pub(crate) struct Stop {}

impl Stop {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let ended = traces::runtime()?.block_on(async { Ok(connect(context).await?.stop().await?) });
        match ended {
            Err(Failure::NothingFound(message)) => {
                context.note(&format!("note: {message}"));
                Ok(())
            }
            ended => ended,
        }
    }
}
