//! `runwright runs rollback`

use daemon::view::{RunView, StepView};
use runwright_core::{By, RunStatus};

use crate::follow::{Signals, close_after_others, grouped, hand_over, see_on, stands};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright runs rollback latest --reason 'the patch is bad'
  runwright runs rollback 01m5d

What the run did is undone, last step first: by the step's own `undo` or the action's. It works while a run lasts and \
after its end. What has no undo is told. The exit code is 0 if the run ends as rolled back, else that of its end.";

/// Take back what a run did and wait until that is over
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rollback {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// Why, for the journal
    #[arg(long, value_name = "WHY", default_value = "", hide_default_value = true)]
    reason: String,
    /// Do not wait: leave the run to the engine that serves
    #[arg(long)]
    detach: bool,
}

impl Rollback {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let signals = Signals::listen()?;
        let access = context.access_to_go_on("runwright runs rollback", self.detach).await?;
        let by = By { who: context.who(), why: self.reason };
        let asked = async {
            let before = stands(&access, &self.run).await?;
            context.screen.lines(warnings(&before));
            access.roll_back(before.run, by).await?;
            Ok::<_, daemon::Error>(before)
        };
        match asked.await {
            Ok(before) if self.detach => Ok(hand_over::done(context, before.run)),
            Ok(before) => match see_on(context, access, &before, signals).await? {
                exit::ROLLED_BACK => Ok(exit::SUCCEEDED),
                other => Ok(other),
            },
            Err(error) => {
                close_after_others(context, access, signals).await;
                Err(Error::from(error).during(&format!("roll back run {}", self.run)))
            }
        }
    }
}

/// What will not come back, or may not.
fn warnings(run: &RunView) -> Vec<String> {
    if matches!(run.outcome, RunStatus::RollingBack | RunStatus::RolledBack) {
        return Vec::new();
    }
    let all = run.all_steps();
    let doubtful =
        |step: &&StepView| step.destructive && step.outcome == "succeeded" && !run.not_undoable.contains(&step.id);
    let destroyed: Vec<String> = all.filter(doubtful).map(|step| step.id.clone()).collect();
    let told = [
        ("can't be taken back, and stays as it is", &run.not_undoable),
        ("destroyed something that may not come back", &destroyed),
    ];
    let told = told.into_iter().filter(|(_, steps)| !steps.is_empty());
    told.map(|(what, steps)| format!("{what}: {}", grouped(steps))).collect()
}
