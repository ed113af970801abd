use clap::Args;

use crate::context::Context;
use crate::failure::Failure;

/// Serve an editor by the language server protocol, at standard input and output
#[derive(Args)]
#[command(after_help = "\
Example:
  flockscope lsp --stdio

Editors start it by themselves; docs/editors.md says how to tell them. In Neovim:
  :lua vim.lsp.start({ name = \"flockscope\", cmd = { \"flockscope\", \"lsp\" } })

The traces are those of the folder that the editor has open, or of --db.")]
pub(crate) struct Lsp {
    /// What editors add to say that they talk by standard input and output; there is no other way
    #[arg(long)]
    stdio: bool,
}

impl Lsp {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let Self { stdio: _ } = self;
        // It is meant from here, wherever the editor's folder is.
        let traces = context.given().map(std::path::absolute).transpose();
        let options = flockscope_lsp::Options {
            traces: traces.map_err(|error| Failure::Usage(format!("--db: {error}")))?,
            in_process: context.in_process(),
            program: None,
        };
        flockscope_lsp::serve(options).map_err(|error| Failure::Failed(error.to_string()))
    }
}
