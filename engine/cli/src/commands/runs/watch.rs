//! `runwright runs watch`

use crate::follow::{Signals, Stop, watch_through};
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
        let access = context.access("runwright runs watch").await?;
        let found = async {
            let id = access.find(&self.run).await?;
            // No engine goes on with it: all that there is to watch is what is in the journal.
            let stop = match access.show(id).await?.is_interrupted() {
                true => Stop::At(access.history(id).await?.len() as u64),
                false => Stop::AtTheEnd,
            };
            Ok::<_, daemon::Error>((id, stop))
        };
        match found.await {
            Ok((id, stop)) => watch_through(context, access, id, stop, signals).await,
            Err(error) => {
                access.close().await;
                Err(Error::from(error).during(&format!("watch run {}", self.run)))
            }
        }
    }
}
