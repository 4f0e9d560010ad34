//! Asking something of a run, and seeing it through.

use daemon::Access;
use daemon::view::RunView;
use runwright_core::{Map, RunStatus};

use super::{Before, Signals, close_after_others, hand_over, see_through_since};
use crate::Error;
use crate::context::Context;

/// A command that asks something of a run.
pub(crate) struct Asking<'a> {
    /// The command, as others see it who find its engine: `runwright settle`.
    pub(crate) command: &'static str,
    /// The run, as it was named.
    pub(crate) run: &'a str,
    /// What is done, for errors: `cancel run latest`.
    pub(crate) what: String,
    /// Whether the run is left to the engine that serves.
    pub(crate) detach: bool,
    /// The end of the run by which the command did what it should; none where its exit code is that of the run.
    pub(crate) wanted: Option<RunStatus>,
}

impl Asking<'_> {
    /// Makes the request, follows the run from where it stood before, and gives the exit code. What the request gives stands
    /// beside the run in JSON.
    pub(crate) async fn see_through(
        self,
        context: &Context,
        request: impl AsyncFnOnce(&Access, &RunView) -> Result<Map, daemon::Error>,
    ) -> Result<u8, Error> {
        let signals = Signals::listen()?;
        let access = context.access_to_go_on(self.command, self.detach).await?;
        let asked = async {
            let run = access.show(access.find(self.run).await?).await?;
            let said = request(&access, &run).await?;
            Ok::<_, daemon::Error>((run, said))
        };
        match asked.await {
            Ok((run, said)) if self.detach => Ok(hand_over::done(context, run.run, said)),
            Ok((run, said)) => {
                let before = Before { run: run.run, seq: run.seq, said, wanted: self.wanted };
                see_through_since(context, access, before, None, signals).await
            }
            Err(error) => {
                close_after_others(context, access, signals).await;
                Err(Error::from(error).during(&self.what))
            }
        }
    }
}
