//! `runwright completions`

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright completions bash > /etc/bash_completion.d/runwright
  runwright completions zsh > ~/.zfunc/_runwright
  runwright completions fish > ~/.config/fish/completions/runwright.fish";

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self, context: &Context) -> Result<u8, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Args::command(), "runwright", &mut script);
        context.screen.raw(&script);
        Ok(exit::SUCCEEDED)
    }
}
