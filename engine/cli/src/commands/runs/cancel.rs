//! `runwright runs cancel`

use daemon::view::CancelRequest;
use runwright_core::{By, Map, RunStatus};

use super::rollback::warnings;
use crate::follow::Asking;
use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright runs cancel latest --reason 'wrong host'
  runwright runs cancel 01m5d --rollback

The step in flight is asked to stop, no other one starts but those marked `always`, and what was done stays done or, with \
--rollback, is undone. The exit code is 0 if the run ends as asked, and with --rollback all came back; else that of its end.";

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
        let Self { run, reason, rollback, detach } = self;
        let request = CancelRequest { by: By { who: context.who(), why: reason }, rollback };
        let wanted = Some(if rollback { RunStatus::RolledBack } else { RunStatus::Cancelled });
        Asking { command: "runwright runs cancel", run: &run, what: format!("cancel run {run}"), detach, wanted }
            .see_through(context, async |access, before| {
                if rollback {
                    context.screen.lines(warnings(before));
                }
                access.cancel(before.run, request).await?;
                Ok(Map::new())
            })
            .await
    }
}
