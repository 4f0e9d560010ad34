//! `runwright runs resume`

use crate::follow::{Signals, close_after_others, hand_over, see_on, stands};
use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright runs resume latest
  runwright runs resume 01m5d --detach

A run whose engine died, or was stopped, goes on where it was; `runwright serve` does so by itself when it starts. A step \
that was in flight is repeated only where that is safe.";

/// Go on with a run whose engine is gone, and watch it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Resume {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// Leave the run to the engine that serves
    #[arg(long)]
    detach: bool,
}

impl Resume {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let signals = Signals::listen()?;
        let access = context.access_to_go_on("runwright runs resume", self.detach).await?;
        let resumed = async {
            let before = stands(&access, &self.run).await?;
            access.resume(before.run).await?;
            Ok::<_, daemon::Error>(before)
        };
        match resumed.await {
            Ok(before) if self.detach => Ok(hand_over::done(context, before.run)),
            Ok(before) => see_on(context, access, &before, signals).await,
            Err(error) => {
                close_after_others(context, access, signals).await;
                Err(Error::from(error).during(&format!("resume run {}", self.run)))
            }
        }
    }
}
