//! `runwright alarm`

use std::io::Read;

use clap::Subcommand;
use daemon::Access;
use daemon::view::{Accepted, AcceptedAlarm, StartFailure, UnstartedAlarm, UnstartedRequest};
use runwright_core::{By, RunId};

use crate::human::{clean, count, time};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright alarm send vm-down.json
  runwright alarm send - < vm-down.json
  runwright alarm list
  runwright alarm retry --all";

const SEND_EXAMPLES: &str = "\
Examples:
  runwright alarm send vm-down.json
  curl -s http://alertmanager/api/v2/alerts | runwright alarm send -
  runwright alarm send vm-down.json -o json

When this returns, the alarms are in the journal: nothing that was accepted is lost. An alarm that was here before starts \
nothing, except what could not be started then because of the engine.

Exit codes: 1 where something that an alarm calls for could not be started, 7 where only a part was taken, because some \
alerts can't be read or there are too many, 3 where nothing was.";

const LIST_EXAMPLES: &str = "\
Examples:
  runwright alarm list
  runwright alarm list -o json";

const RETRY_EXAMPLES: &str = "\
Examples:
  runwright alarm retry alertmanager/0123456789abcdef/1767323045000/firing
  runwright alarm retry --all

Of each alarm only what could not be started is started, by the runbooks as they are now.";

const DISMISS_EXAMPLES: &str = "\
Examples:
  runwright alarm dismiss alertmanager/0123456789abcdef/1767323045000/firing
  runwright alarm dismiss --all

The alarm itself stays in the journal, so it starts nothing when it comes again.";

/// Bytes of an alarm file, at most.
const BYTES_MAX: u64 = daemon::ALARMS_BYTES_MAX as u64;

/// Send alarms, and see which could not start what they call for
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Alarm {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Send(Send),
    List(List),
    Retry(Retry),
    Dismiss(Dismiss),
}

/// Send alarms to the engine that serves, as Alertmanager or Grafana would
#[derive(Debug, clap::Args)]
#[command(after_help = SEND_EXAMPLES)]
struct Send {
    /// A file with the JSON that Alertmanager or Grafana sends, or - for standard input
    #[arg(value_name = "FILE|-")]
    file: String,
}

/// List the alarms that could not start what they call for
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
struct List {}

/// Try again to start what alarms call for and could not be started
#[derive(Debug, clap::Args)]
#[command(after_help = RETRY_EXAMPLES)]
struct Retry {
    #[command(flatten)]
    which: Which,
}

/// Take alarms out of the list of those that could not start what they call for
#[derive(Debug, clap::Args)]
#[command(after_help = DISMISS_EXAMPLES)]
struct Dismiss {
    #[command(flatten)]
    which: Which,
}

/// Which of the alarms in the list.
#[derive(Debug, clap::Args)]
struct Which {
    /// Their keys, as `runwright alarm list` shows them
    #[arg(value_name = "KEY", required_unless_present = "all")]
    keys: Vec<String>,
    /// All in the list
    #[arg(long, conflicts_with = "keys")]
    all: bool,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
}

impl Which {
    fn request(self, context: &Context) -> UnstartedRequest {
        UnstartedRequest { keys: self.keys, by: By { who: context.who(), why: self.reason } }
    }
}

impl Alarm {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        match self.command {
            Command::Send(send) => send.run(context).await,
            Command::List(list) => list.run(context).await,
            Command::Retry(retry) => retry.run(context).await,
            Command::Dismiss(dismiss) => dismiss.run(context).await,
        }
    }
}

impl Send {
    async fn run(self, context: &Context) -> Result<u8, Error> {
        let body = read(&self.file)?;
        let access = serving(context, "runwright alarm send").await.map_err(|error| error.during("send the alarm"))?;
        let accepted = access.alarm(&body).await;
        access.close().await;
        let accepted = accepted.map_err(|error| Error::from(error).during("send the alarm"))?;
        context.screen.json(&accepted);
        context.screen.lines(text(&accepted));
        Ok(match (accepted.has_failures(), accepted.is_partial()) {
            (true, _) => exit::FAILED,
            (false, true) => exit::PARTLY,
            (false, false) => exit::SUCCEEDED,
        })
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<u8, Error> {
        let access = context.access("runwright alarm list").await?;
        let status = access.status().await;
        access.close().await;
        let alarms = status.map_err(|error| Error::from(error).during("list the alarms"))?.alarms;
        context.screen.json(&serde_json::json!({ "alarms": alarms }));
        context.screen.lines(alarms.iter().flat_map(unstarted));
        Ok(exit::SUCCEEDED)
    }
}

impl Retry {
    async fn run(self, context: &Context) -> Result<u8, Error> {
        let access = serving(context, "runwright alarm retry").await.map_err(|error| error.during("try again"))?;
        let accepted = access.retry_unstarted(&self.which.request(context)).await;
        access.close().await;
        let accepted = accepted.map_err(|error| Error::from(error).during("try again"))?;
        context.screen.json(&accepted);
        context.screen.lines(text(&accepted));
        Ok(if accepted.has_failures() { exit::FAILED } else { exit::SUCCEEDED })
    }
}

impl Dismiss {
    async fn run(self, context: &Context) -> Result<u8, Error> {
        let access = context.access("runwright alarm dismiss").await?;
        let dismissed = access.dismiss_unstarted(&self.which.request(context)).await;
        access.close().await;
        let dismissed = dismissed.map_err(|error| Error::from(error).during("dismiss the alarm"))?;
        context.screen.json(&serde_json::json!({ "dismissed": dismissed }));
        context.screen.lines(dismissed.iter().map(|alarm| format!("dismissed {}", clean(&alarm.key))));
        Ok(exit::SUCCEEDED)
    }
}

/// The engine that serves: in one of this process's own, the runs that start would have nobody who goes on with them.
async fn serving(context: &Context, purpose: &str) -> Result<Access, Error> {
    let access = context.access(purpose).await?;
    if matches!(access, Access::There(_)) {
        return Ok(access);
    }
    access.close().await;
    let hint = format!("start one with `{} serve`", context.itself());
    Err(Error::new(exit::INVALID, "no engine serves this state directory").hint(hint))
}

fn read(file: &str) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let read = match file {
        "-" => std::io::stdin().take(BYTES_MAX + 1).read_to_end(&mut body),
        path => std::fs::File::open(path).and_then(|opened| opened.take(BYTES_MAX + 1).read_to_end(&mut body)),
    };
    let name = if file == "-" { "standard input" } else { file };
    read.map_err(|error| Error::because(exit::INVALID, format!("could not read {name}"), &error))?;
    if body.len() as u64 > BYTES_MAX {
        let error = Error::new(exit::INVALID, format!("{name} has more than {} KiB", BYTES_MAX / 1024));
        return Err(error.hint("send fewer alerts at once").during("send the alarm"));
    }
    Ok(body)
}

fn text(accepted: &Accepted) -> Vec<String> {
    let mut lines: Vec<String> = accepted.alarms.iter().flat_map(line).collect();
    lines.extend(accepted.refused.iter().map(|refused| format!("not taken: {}", clean(&refused.problem))));
    lines.extend(accepted.warnings.iter().map(|warning| format!("warning: {}", clean(warning))));
    if lines.is_empty() {
        lines.push("no alarm in it".to_owned());
    }
    lines
}

fn line(alarm: &AcceptedAlarm) -> Vec<String> {
    let name = named(&alarm.name);
    if alarm.duplicate {
        let mut lines = vec![format!("{name}: was here before, nothing is started")];
        lines.extend(alarm.failures.iter().map(failed));
        return lines;
    }
    let what = match alarm.runs.len() {
        0 => clean(&alarm.note),
        runs => format!("starts {}: {}", count(runs, "run"), clean(&alarm.note)),
    };
    let mut lines = vec![format!("{name}: {what}")];
    lines.extend(alarm.runs.iter().map(RunId::to_string).map(|run| format!("  {run}")));
    lines
}

/// What `alarm list` and `status` show of one alarm: itself, then why which runbook could not be started.
pub(crate) fn unstarted(alarm: &UnstartedAlarm) -> Vec<String> {
    let mut lines = vec![format!("{}  {}  {}", named(&alarm.alarm), time(alarm.at), clean(&alarm.key))];
    lines.extend(alarm.failures.iter().map(failed));
    lines
}

fn failed(failure: &StartFailure) -> String {
    match &failure.runbook {
        Some(runbook) => format!("  {}: {}", clean(runbook), clean(&failure.reason)),
        None => format!("  {}", clean(&failure.reason)),
    }
}

fn named(alarm: &str) -> String {
    if alarm.is_empty() { "(no name)".to_owned() } else { clean(alarm) }
}
