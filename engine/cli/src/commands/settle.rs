//! `runwright settle`

use clap::ValueEnum;
use daemon::view::SettleRequest;
use runwright_core::{By, Settlement, Value};

use crate::follow::{Signals, close_after_others, hand_over, see_on, stands};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright settle latest restart done --reason 'it answers again'
  runwright settle 01m5d create done --output '{\"id\": 7}'
  runwright settle latest restart retry

Where nobody can tell whether a step happened, its run is blocked until a person looked and says what became of it. Who \
decided what, and why, is in the journal. Afterwards the run goes on and is watched.";

/// Say what became of a step, where nobody but a person can
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Settle {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// The step, or a call of a script, such as `fix/2`
    step: String,
    /// What became of it
    #[arg(value_enum)]
    became: Became,
    /// With done: what the step gave, as JSON, for later steps
    #[arg(long, value_name = "JSON")]
    output: Option<String>,
    /// Why, for the journal
    #[arg(long, value_name = "WHY", default_value = "", hide_default_value = true)]
    reason: String,
    /// Leave the run to the engine that serves
    #[arg(long)]
    detach: bool,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Became {
    /// It happened
    Done,
    /// It did not happen, or not in full: go on as after a failure
    Failed,
    /// It did not happen: try again
    Retry,
    /// Take back whatever it did, and what came before it
    Undo,
}

impl Settle {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let settlement = settlement(self.became, self.output.as_deref())?;
        let signals = Signals::listen()?;
        let access = context.access_to_go_on("runwright settle", self.detach).await?;
        let by = By { who: context.who(), why: self.reason };
        let request = SettleRequest { step: self.step.clone(), settlement, by };
        let settled = async {
            let before = stands(&access, &self.run).await?;
            access.settle(before.run, request).await?;
            Ok::<_, daemon::Error>(before)
        };
        match settled.await {
            Ok(before) if self.detach => Ok(hand_over::done(context, before.run)),
            Ok(before) => see_on(context, access, &before, signals).await,
            Err(error) => {
                close_after_others(context, access, signals).await;
                Err(Error::from(error).during(&format!("settle step {} of run {}", self.step, self.run)))
            }
        }
    }
}

fn settlement(became: Became, output: Option<&str>) -> Result<Settlement, Error> {
    if output.is_some() && became != Became::Done {
        return Err(Error::new(exit::USAGE, "could not settle the step: --output goes with `done` only"));
    }
    Ok(match became {
        Became::Done => Settlement::Done { output: output.map(json).transpose()?.unwrap_or(Value::Null) },
        Became::Failed => Settlement::Failed,
        Became::Retry => Settlement::Retry,
        Became::Undo => Settlement::Undo,
    })
}

fn json(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| {
        let own = Error::because(exit::USAGE, format!("could not read the output {text:?} as JSON"), &error);
        own.hint("text needs quotes in quotes: --output '\"like this\"'")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_done_takes_an_output() {
        let done = settlement(Became::Done, Some("{\"id\": 7}"));
        assert_eq!(done, Ok(Settlement::Done { output: serde_json::json!({"id": 7}) }));
        assert_eq!(settlement(Became::Done, None), Ok(Settlement::Done { output: Value::Null }));
        assert_eq!(settlement(Became::Retry, Some("1")).unwrap_err().exit, exit::USAGE);
        assert_eq!(settlement(Became::Done, Some("oops")).unwrap_err().exit, exit::USAGE);
    }
}
