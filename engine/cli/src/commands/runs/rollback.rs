//! `runwright runs rollback`

use runwright_core::By;

use crate::follow::{Signals, hand_over, see_through};
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
        let asked = match access.find(&self.run).await {
            Ok(id) => access.roll_back(id, by).await.map(|()| id),
            Err(error) => Err(error),
        };
        match asked {
            Ok(id) if self.detach => Ok(hand_over::done(context, id)),
            Ok(id) => match see_through(context, access, id, None, signals).await? {
                exit::ROLLED_BACK => Ok(exit::SUCCEEDED),
                other => Ok(other),
            },
            Err(error) => {
                access.close().await;
                Err(Error::from(error).during(&format!("roll back run {}", self.run)))
            }
        }
    }
}
