//! `runwright plugin`

mod build;
mod grants;
mod inspect;
mod list;
mod lock;
mod manifest;
mod new;
mod pins;
mod pull;
mod test;
mod workbench;

use clap::Subcommand;

use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright plugin list                        the plugins here, and what they may reach
  runwright plugin grants vm                   what it has, and lines for what it lacks
  runwright plugin inspect hello.wasm          what a file does and can ask for, before it is used
  runwright plugin new --lang rust disk-check  begin one
  runwright plugin build                       build the project in this folder
  runwright plugin test hello.wasm cases.yaml  call its actions and compare what comes back
  runwright plugin lock                        refuse other binaries from now on";

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
    Grants(grants::Grants),
    Inspect(inspect::Inspect),
    New(new::New),
    Build(build::Build),
    Test(test::Test),
    Lock(lock::Lock),
    Pull(pull::Pull),
}

impl Plugin {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Grants(grants) => grants.run(context).await,
            Command::Inspect(inspect) => inspect.run(context).await,
            Command::New(new) => new.run(context).await,
            Command::Build(build) => build.run(context).await,
            Command::Test(test) => test.run(context).await,
            Command::Lock(lock) => lock.run(context).await,
            Command::Pull(pull) => pull.run(context).await,
        }
    }
}
