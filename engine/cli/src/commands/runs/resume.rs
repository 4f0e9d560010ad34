//! `runwright runs resume`

use runwright_core::Map;

use crate::follow::Asking;
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
        let Self { run, detach } = self;
        Asking { command: "runwright runs resume", run: &run, what: format!("resume run {run}"), detach, wanted: None }
            .see_through(context, async |access, before| {
                access.resume(before.run).await?;
                Ok(Map::new())
            })
            .await
    }
}
