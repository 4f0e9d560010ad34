//! `runwright approve`

use clap::ValueEnum;
use daemon::view::ApproveRequest;
use runwright_core::{By, Map};

use crate::follow::Asking;
use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright approve latest go yes --reason 'traffic is low'
  runwright approve 01m5d go no --reason 'not during the sale'
  runwright approve latest go yes --detach

A run whose step says `approve` waits until as many people said yes as it asks for, or one says no. Who answered, and why, is \
in the journal: by the login that the system knows, else by the user who calls this, behind sudo too. Who has a role that a \
step asks for, `[roles]` in runwright.toml says. Afterwards the run goes on and is watched.";

/// Answer a step that asks for approval
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Approve {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// The step
    step: String,
    /// Whether it may go on
    #[arg(value_enum)]
    answer: Answer,
    /// Why, for the journal
    #[arg(long, value_name = "WHY", default_value = "", hide_default_value = true)]
    reason: String,
    /// Leave the run to the engine that serves
    #[arg(long)]
    detach: bool,
}

/// What they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Answer {
    /// It may
    Yes,
    /// It may not: the step fails
    No,
}

impl Approve {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let Self { run, step, answer, reason, detach } = self;
        let by = By { who: context.who(), why: reason };
        let what = format!("answer step {step} of run {run}");
        let request = ApproveRequest { step, yes: answer == Answer::Yes, by };
        Asking { command: "runwright approve", run: &run, what, detach, wanted: None }
            .see_through(context, async |access, before| {
                access.approve(before.run, request).await?;
                Ok(Map::new())
            })
            .await
    }
}
