use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;

/// The completions of a shell, to be put where it looks for them
#[derive(Args)]
#[command(after_help = "\
Examples:
  flockscope completions bash > ~/.local/share/bash-completion/completions/flockscope
  flockscope completions zsh > ~/.zfunc/_flockscope
  flockscope completions fish > ~/.config/fish/completions/flockscope.fish")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// The manual page, in roff
#[derive(Args)]
#[command(after_help = "\
Example:
  flockscope man > ~/.local/share/man/man1/flockscope.1")]
pub(crate) struct Man {}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "flockscope", &mut script);
        write(&script)
    }
}

impl Man {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command())
            .render(&mut page)
            .map_err(Failure::writing)?;
        write(&page)
    }
}

fn write(content: &[u8]) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(content)
        .and_then(|()| stdout.flush())
        .map_err(Failure::writing)
}
