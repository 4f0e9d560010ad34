//! `runwright runs cancel`

use daemon::view::CancelRequest;
use runwright_core::By;

use crate::follow::{Signals, close_after_others, hand_over, see_on, stands};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright runs cancel latest --reason 'wrong host'
  runwright runs cancel 01m5d --rollback

The step in flight is asked to stop, no other one starts but those marked `always`, and what was done stays done or, with \
--rollback, is undone. The exit code is 0 if the run ends as asked, else that of its end.";

/// Cancel a run and wait until it is over
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Cancel {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// Why, for the journal
    #[arg(long, value_name = "WHY", default_value = "", hide_default_value = true)]
    reason: String,
    /// Take back what was done
    #[arg(long)]
    rollback: bool,
    /// Do not wait: leave the run to the engine that serves
    #[arg(long)]
    detach: bool,
}

impl Cancel {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let signals = Signals::listen()?;
        let access = context.access_to_go_on("runwright runs cancel", self.detach).await?;
        let request = CancelRequest { by: By { who: context.who(), why: self.reason }, rollback: self.rollback };
        let cancelled = async {
            let before = stands(&access, &self.run).await?;
            access.cancel(before.run, request).await?;
            Ok::<_, daemon::Error>(before)
        };
        match cancelled.await {
            Ok(before) if self.detach => Ok(hand_over::done(context, before.run)),
            Ok(before) => match see_on(context, access, &before, signals).await? {
                exit::CANCELLED if !self.rollback => Ok(exit::SUCCEEDED),
                exit::ROLLED_BACK if self.rollback => Ok(exit::SUCCEEDED),
                other => Ok(other),
            },
            Err(error) => {
                close_after_others(context, access, signals).await;
                Err(Error::from(error).during(&format!("cancel run {}", self.run)))
            }
        }
    }
}
