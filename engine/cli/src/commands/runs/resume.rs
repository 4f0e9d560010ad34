//! `runwright runs resume`

use crate::follow::{Signals, hand_over, see_through};
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
        let resumed = match access.find(&self.run).await {
            Ok(id) => access.resume(id).await.map(|()| id),
            Err(error) => Err(error),
        };
        match resumed {
            Ok(id) if self.detach => Ok(hand_over::done(context, id)),
            Ok(id) => see_through(context, access, id, None, signals).await,
            Err(error) => {
                access.close().await;
                Err(Error::from(error).during(&format!("resume run {}", self.run)))
            }
        }
    }
}
