//! `runwright runs watch`

use crate::follow::{Signals, to_watch, watch_through};
use crate::{Context, Error};

const EXAMPLES: &str = "\
Examples:
  runwright runs watch latest
  runwright runs watch 01m5d -o json   every record, log line and progress as one line of JSON

Ctrl-C stops watching; the run goes on.";

/// Watch a run from its first record on, until it is over or a person must decide
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Watch {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
}

impl Watch {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let signals = Signals::listen()?;
        let mut access = context.access("runwright runs watch").await?;
        match to_watch(context, &mut access, &self.run).await {
            Ok((id, stop)) => watch_through(context, access, id, stop, signals).await,
            Err(error) => {
                access.close().await;
                Err(error)
            }
        }
    }
}
