//! `runwright alarm`

use std::io::Read;

use clap::Subcommand;
use daemon::Access;
use daemon::view::{Accepted, AcceptedAlarm};
use runwright_core::RunId;

use crate::human::{clean, count};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright alarm send vm-down.json
  runwright alarm send - < vm-down.json";

const SEND_EXAMPLES: &str = "\
Examples:
  runwright alarm send vm-down.json
  curl -s http://alertmanager/api/v2/alerts | runwright alarm send -
  runwright alarm send vm-down.json -o json

When this returns, the alarms are in the journal, and so are the runs that they start: nothing that was accepted is lost. \
An alarm that was here before starts nothing.";

/// Bytes that are read of an alarm file, at most.
const BYTES_MAX: u64 = 16 << 20;

/// Send alarms
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Alarm {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Send(Send),
}

/// Send alarms to the engine that serves, in Alertmanager's form
#[derive(Debug, clap::Args)]
#[command(after_help = SEND_EXAMPLES)]
struct Send {
    /// A file with the JSON that Alertmanager sends, or - for standard input
    #[arg(value_name = "FILE|-")]
    file: String,
}

impl Alarm {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        match self.command {
            Command::Send(send) => send.run(context).await,
        }
    }
}

impl Send {
    async fn run(self, context: &Context) -> Result<u8, Error> {
        let body = read(&self.file)?;
        let access = context.access("runwright alarm send").await?;
        let accepted = match &access {
            Access::There(_) => access.alarm(&body).await.map_err(Error::from),
            // The runs that it starts would have nobody who goes on with them.
            Access::Here(_) => Err(Error::new(exit::INVALID, "no engine serves this state directory")
                .hint(format!("start one with `{} serve`", context.itself()))),
        };
        access.close().await;
        let accepted = accepted.map_err(|error| error.during("send the alarm"))?;
        context.screen.json(&accepted);
        context.screen.lines(text(&accepted));
        Ok(exit::SUCCEEDED)
    }
}

fn read(file: &str) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    let read = match file {
        "-" => std::io::stdin().take(BYTES_MAX).read_to_end(&mut body),
        path => std::fs::File::open(path).and_then(|opened| opened.take(BYTES_MAX).read_to_end(&mut body)),
    };
    let name = if file == "-" { "standard input" } else { file };
    read.map_err(|error| Error::because(exit::INVALID, format!("could not read {name}"), &error))?;
    Ok(body)
}

fn text(accepted: &Accepted) -> Vec<String> {
    if accepted.alarms.is_empty() {
        return vec!["no alarm in it".to_owned()];
    }
    accepted.alarms.iter().flat_map(line).collect()
}

fn line(alarm: &AcceptedAlarm) -> Vec<String> {
    let what = match (alarm.duplicate, alarm.runs.len()) {
        (true, _) => "was here before, nothing is started".to_owned(),
        (false, 0) => clean(&alarm.note),
        (false, runs) => format!("starts {}: {}", count(runs, "run"), clean(&alarm.note)),
    };
    let mut lines = vec![format!("{}: {what}", clean(&alarm.name))];
    lines.extend(alarm.runs.iter().map(RunId::to_string).map(|run| format!("  {run}")));
    lines
}
