//! `runwright plugin`

mod inspect;
mod list;
mod workbench;

use clap::Subcommand;

use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright plugin list                        the plugins here, and what they may reach
  runwright plugin inspect hello.wasm          what a file does and can ask for, before it is used";

/// Look at plugins, make them, test them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Inspect(inspect::Inspect),
}

impl Plugin {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Inspect(inspect) => inspect.run(context).await,
        }
    }
}
