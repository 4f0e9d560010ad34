//! `runwright settle`

use clap::ValueEnum;
use daemon::view::{RefusedSettlement, SettleRequest, Settled};
use runwright_core::{By, Settlement, Value};
use serde_json::json;

use crate::follow::Asking;
use crate::human::count;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright settle latest restart done --reason 'it answers again'
  runwright settle 01m5d create done --output '{\"id\": 7}'
  runwright settle latest restart retry
  runwright settle latest 'clean/*' failed

Where nobody can tell whether a step happened, its run is blocked until a person looked and says what became of it. Who \
decided what, and why, is in the journal. A STEP with `*` means all that fit it and wait for a person: `*` stands for any \
characters of one name, `**` for any names, so `fleet/*/patch` is that step of every item, and `**` is all. Afterwards the \
run goes on and is watched.";

/// Say what became of a step, where nobody but a person can
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Settle {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// The step, or a call of a script, such as `fix/2`; or a pattern for several, such as `fix/*`
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
        let Self { run, step, reason, detach, .. } = self;
        let by = By { who: context.who(), why: reason };
        let what = format!("settle step {step} of run {run}");
        let request = SettleRequest { step, settlement, by };
        let is_pattern = request.step.contains('*');
        let mut refused = Vec::new();
        let asking = Asking { command: "runwright settle", run: &run, what, detach, wanted: None };
        let ended = asking.see_through(context, async |access, before| {
            let settled = access.settle(before.run, request).await?;
            if is_pattern {
                context.screen.line(told(&settled, self.became));
            }
            let said = [("settled", json!(settled.settled)), ("refused", json!(settled.refused))];
            refused = settled.refused;
            Ok(said.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
        });
        let ended = ended.await;
        if refused.is_empty() {
            return ended;
        }
        let partly = partly(&run, &refused);
        match ended {
            Ok(_) => Err(partly),
            Err(error) => {
                context.screen.error(&partly);
                Err(error)
            }
        }
    }
}

/// Which steps were settled, where one pattern meant them.
fn told(settled: &Settled, became: Became) -> String {
    let word = became.to_possible_value().map(|word| word.get_name().to_owned()).unwrap_or_default();
    let steps = count(settled.settled.len(), "step");
    format!("settled {steps} as {word}: {}", settled.settled.join(", "))
}

/// What of it was refused, where some was not.
fn partly(run: &str, refused: &[RefusedSettlement]) -> Error {
    let steps = count(refused.len(), "step");
    let mut error = Error::new(exit::PARTLY, format!("could not settle {steps} of run {run} that fit"));
    error.causes = refused.iter().map(|RefusedSettlement { step, problem }| format!("{step}: {problem}")).collect();
    error
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
