//! `runwright journal abandon`

use runwright_core::By;
use serde_json::json;

use super::{forget_logs, open};
use crate::human::now;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright journal abandon 01m5d --reason 'web1 was rebuilt by hand'

For a run that `runwright journal repair` could not mend: it stays blocked and holds its lock until somebody looked at \
what it was about and gives it up. Its records go; who gave it up, when and why is kept and exported. The damaged files \
that a repair set aside stay where they are.";

/// Give up a run that is damaged beyond repair
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Abandon {
    /// The run: its id, or the beginning or end of it
    run: String,
    /// Why, for the journal
    #[arg(long, value_name = "WHY")]
    reason: String,
}

impl Abandon {
    pub(super) fn run(self, context: &Context) -> Result<u8, Error> {
        let during = |error: Error| error.during(&format!("give up run {}", self.run));
        let journal = open(context, "runwright journal abandon")?;
        let run = daemon::view::find_run(&journal, &self.run).map_err(|error| during(error.into()))?;
        let by = By { who: context.who(), why: self.reason.clone() };
        let given_up = journal::abandon(&journal, run, &by, now()).map_err(|error| {
            if !matches!(error, journal::Error::Invalid(_)) {
                return during(error.into());
            }
            let whole = Error::new(exit::INVALID, format!("run {run} is not damaged"));
            during(whole).hint(format!("`runwright runs cancel {run}` ends it"))
        })?;
        forget_logs(context, &journal)?;
        journal.close().map_err(|error| Error::from(error).during("close the journal"))?;
        context.screen.json(&json!(given_up));
        context.screen.line(format!("gave up run {run}, of which {}", given_up.what));
        Ok(exit::SUCCEEDED)
    }
}
