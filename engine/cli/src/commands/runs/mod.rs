//! `runwright runs`

mod cancel;
pub(super) mod list;
mod logs;
mod resume;
mod rollback;
mod show;
mod watch;

use clap::Subcommand;

use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright runs list --status blocked   what waits for a person
  runwright runs show latest             what became of the last run
  runwright runs logs latest             what its steps said

RUN is an id, the beginning or end of one, or `latest`.";

/// List, show, watch, resume, cancel and roll back runs, and read what they said
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Runs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Watch(watch::Watch),
    Logs(logs::Logs),
    Resume(resume::Resume),
    Cancel(cancel::Cancel),
    Rollback(rollback::Rollback),
}

impl Runs {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        match self.command {
            Command::List(list) => list.run(context).await,
            Command::Show(show) => show.run(context).await,
            Command::Watch(watch) => watch.run(context).await,
            Command::Logs(logs) => logs.run(context).await,
            Command::Resume(resume) => resume.run(context).await,
            Command::Cancel(cancel) => cancel.run(context).await,
            Command::Rollback(rollback) => rollback.run(context).await,
        }
    }
}
