//! `runwright runs rollback`

use daemon::view::{RunView, StepView};
use runwright_core::{By, Map, RunStatus};

use crate::follow::{Asking, grouped};
use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright runs rollback latest --reason 'the patch is bad'
  runwright runs rollback 01m5d

What the run did is undone, last step first: by the step's own `undo` or the action's. It works while a run lasts and \
after its end. What has no undo is told. The exit code is 0 if the run ends as rolled back and all came back, else that of its end.";

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
        let Self { run, reason, detach } = self;
        let by = By { who: context.who(), why: reason };
        let (what, wanted) = (format!("roll back run {run}"), Some(RunStatus::RolledBack));
        Asking { command: "runwright runs rollback", run: &run, what, detach, wanted }
            .see_through(context, async |access, before| {
                context.screen.lines(warnings(before));
                access.roll_back(before.run, by).await?;
                Ok(Map::new())
            })
            .await
    }
}

/// What will not come back, or may not.
pub(super) fn warnings(run: &RunView) -> Vec<String> {
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
