//! `runwright run`

use daemon::view::{StartRequest, Started};
use runwright_core::{By, Map};

use super::plan::Plan;
use crate::follow::{Signals, close_after_others, hand_over, see_through};
use crate::inputs::Inputs;
use crate::runbook::Source;
use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright run recover-vm.yaml -i vm=web1           a file, shown while it runs
  runwright run recover-vm -i vm=web1 --reason test  one of the folder of runbooks
  runwright run probe.yaml -i 'hosts:=[\"a\", \"b\"]'    an input that is a list
  runwright run recover-vm.yaml -i vm=web1 -o json   one JSON document at the end

Ctrl-C cancels the run: the step in flight is asked to stop. Ctrl-C again, SIGTERM or SIGHUP (unless it is ignored, as \
under nohup) leaves it as it is; it goes on with `runwright runs resume`.

Where `runwright serve` has the journal, the run is its, and goes on when this command is left. Without it, other commands \
go through this one while it lasts: runs that they start here are waited for at its end.";

/// Run a runbook and watch it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// The path of a runbook, or the name of one in the folder of runbooks
    #[arg(value_name = "FILE|NAME")]
    runbook: String,
    #[command(flatten)]
    inputs: Inputs,
    /// Why, for the journal
    #[arg(long, value_name = "WHY", default_value = "", hide_default_value = true)]
    reason: String,
    /// Show what it would do instead, as `runwright plan` does
    #[arg(long, conflicts_with = "detach", aliases = ["dry-run", "check"])]
    plan: bool,
    /// Print the run's id and leave it to the engine that serves
    #[arg(long)]
    detach: bool,
}

impl Run {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        if self.plan {
            return Plan { runbook: self.runbook, inputs: self.inputs }.run(context).await;
        }
        let runbook = Source::find(&self.runbook)?.into_ref()?;
        let inputs = self.inputs.map()?;
        let signals = Signals::listen()?;
        let access = context.access_to_start(&format!("runwright run {}", self.runbook), self.detach).await?;
        let by = By { who: context.who(), why: self.reason };
        match access.start_watched(StartRequest { runbook, inputs, by }).await {
            Ok((Started { run, note }, tales)) => {
                note.inspect(|note| context.screen.remark(format!("warning: {note}")));
                match self.detach {
                    true => Ok(hand_over::done(context, run, Map::new())),
                    false => see_through(context, access, run, tales, signals).await,
                }
            }
            Err(error) => {
                close_after_others(context, access, signals).await;
                Err(Error::from(error).during(&format!("run {}", self.runbook)))
            }
        }
    }
}
