//! `runwright runs logs`

use daemon::Access;
use daemon::view::{LogQuery, Said};
use runwright_core::Direction;
use tokio::sync::mpsc::Receiver;

use crate::follow::{Signals, left_out};
use crate::human::{clean, time};
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright runs logs latest
  runwright runs logs latest web/restart       a step, and all that is in it
  runwright runs logs 01m5d fleet/3 --attempt 2
  runwright runs logs latest -f                go on until the run is over
  runwright runs logs latest -o json           one line of JSON each

What plugins, their programs and scripts say is kept beside the journal: of much that is said the first and the last lines. \
Secrets are hidden in it. It is forgotten with its run.";

/// Show what the steps of a run said
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Logs {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// Only what this step said, and all that is in it
    path: Option<String>,
    /// Go on with what is said from now on, until the run is over; Ctrl-C ends that
    #[arg(long, short)]
    follow: bool,
    /// Only what was said in this attempt of the steps
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
}

impl Logs {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let mut signals = Signals::listen()?;
        let access = context.access("runwright runs logs").await?;
        let shown = match self.read(&access).await {
            Ok(said) => Ok(show(context, said, &mut signals).await),
            Err(error) => Err(Error::from(error).during(&format!("show what run {} said", self.run))),
        };
        access.close().await;
        if shown? == 0 {
            let of = self.path.as_ref().map(|path| format!("step {path} of ")).unwrap_or_default();
            context.screen.line(format!("{of}run {} has said nothing", self.run));
        }
        Ok(exit::SUCCEEDED)
    }

    async fn read(&self, access: &Access) -> Result<Receiver<Said>, daemon::Error> {
        let run = access.find(&self.run).await?;
        let step = self.path.as_ref().map(|path| path.trim_end_matches('/').to_owned());
        let query = LogQuery { step, attempt: self.attempt, last: None, follow: self.follow };
        access.logs(run, &query).await
    }
}

/// Shows lines until there are no more, or a signal comes; gives how many there were.
async fn show(context: &Context, mut said: Receiver<Said>, signals: &mut Signals) -> usize {
    let mut count = 0;
    loop {
        let said = tokio::select! {
            said = said.recv() => said,
            _ = signals.next() => None,
        };
        let Some(said) = said else { return count };
        count += 1;
        context.screen.json_line(&said);
        context.screen.lines(text(context, &said));
    }
}

fn text(context: &Context, said: &Said) -> Vec<String> {
    let line = &said.line;
    let mut step = clean(&line.step);
    if line.direction == Direction::Undo {
        step.push_str(" (undo)");
    }
    if line.attempt > 1 {
        step.push_str(&format!(" (attempt {})", line.attempt));
    }
    let head = context.screen.paint(Tone::Dim, format!("{}  {step}  {}:", time(line.at), line.stream.as_str()));
    let mut lines: Vec<String> = left_out(line).map(|text| format!("{head} {text}")).into_iter().collect();
    if line.left_out == 0 || !line.text.is_empty() {
        lines.push(format!("{head} {}", clean(&line.text)));
    }
    lines
}
