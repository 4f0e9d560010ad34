//! `runwright runs list`

use daemon::view::{Listed, LockHolder};
use journal::Query;
use runwright_core::{Cause, RunStatus};
use serde_json::json;

use crate::follow::INTERRUPTED;
use crate::human::{clean, count, cut, duration, now, table, time, value};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright runs list
  runwright runs list --status blocked --status running
  runwright runs list --runbook recover-vm --limit 5 -o json

A run that no engine goes on with, because that was killed or stopped, is shown as interrupted. In JSON it has the status \
of its last record, and `live` is false. `more` says whether there are runs beyond the limit.";

/// Runs that are listed, at most.
const LIMIT_MAX: i64 = 999;

/// Characters of a run's inputs where no terminal bounds them.
const INPUTS_WIDE: usize = 80;

/// Characters of a run's inputs that are shown on the narrowest terminal.
const INPUTS_NARROW: usize = 20;

/// List runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// Only those that stand so: queued, running, waiting, blocked, rolling-back, succeeded, failed, cancelled, rolled-back
    #[arg(long, value_name = "STATUS", value_parser = status)]
    status: Vec<RunStatus>,
    /// Only those that are not over
    #[arg(long, conflicts_with = "status")]
    unfinished: bool,
    /// Only those of this runbook
    #[arg(long, value_name = "NAME")]
    runbook: Option<String>,
    /// At most this many, up to 999
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=LIMIT_MAX))]
    limit: u32,
}

impl List {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let limit = self.limit as usize;
        let status = if self.unfinished { Query::unfinished().status } else { self.status };
        // One more than is shown tells whether there are more.
        let query = Query { status, name: self.runbook, before: None, limit: Some(limit + 1) };
        let access = context.access("runwright runs list").await?;
        let runs = access.runs(&query).await;
        access.close().await;
        let mut runs = runs.map_err(|error| Error::from(error).during("list the runs"))?;
        let more = runs.len() > limit;
        runs.truncate(limit);
        context.screen.json(&json!({ "runs": runs, "more": more }));
        if runs.is_empty() {
            context.screen.line("no runs");
            context.screen.lines(context.no_journal()?);
            return Ok(exit::SUCCEEDED);
        }
        context.screen.lines(text(&runs, context.screen.width()));
        if more {
            context.screen.line(format!("there are more than these {limit}: --limit shows more of them"));
        }
        let interrupted = runs.iter().filter(|run| run.is_interrupted()).count();
        if interrupted > 0 {
            let itself = context.itself();
            let runs = count(interrupted, "run");
            context.screen.line(format!(
                "{runs} interrupted: `{itself} runs resume RUN` goes on with one, `{itself} serve` with all"
            ));
        }
        Ok(exit::SUCCEEDED)
    }
}

fn status(text: &str) -> Result<RunStatus, String> {
    let known = RunStatus::ALL.into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| {
        let words: Vec<&str> = RunStatus::ALL.iter().map(|status| status.as_str()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

fn text(runs: &[Listed], width: Option<usize>) -> Vec<String> {
    let head = ["RUN", "RUNBOOK", "STATUS", "STARTED", "FOR", "BY", "INPUTS"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(row));
    // The inputs get what the other columns leave of a line.
    let others = table(&rows.iter().map(|row| row[..row.len() - 1].to_vec()).collect::<Vec<_>>());
    let others = others.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let left = width.map_or(INPUTS_WIDE, |width| width.saturating_sub(others + 2).max(INPUTS_NARROW));
    rows.iter_mut().filter_map(|row| row.last_mut()).for_each(|inputs| *inputs = cut(inputs, left));
    table(&rows)
}

fn row(run: &Listed) -> Vec<String> {
    let head = &run.head;
    // What nobody goes on with lasts no longer than to its last record.
    let is_still = head.status.is_finished() || run.is_interrupted();
    let end = if is_still { head.updated } else { now() };
    let by = match &run.cause {
        Some(Cause::Person { by }) => clean(&by.who),
        Some(Cause::Alarm { name, .. }) => format!("alarm {}", clean(name)),
        None => "?".to_owned(),
    };
    let inputs = run.inputs.iter().flatten().map(|(name, input)| format!("{}={}", clean(name), value(input)));
    vec![
        head.run.to_string(),
        head.name.clone(),
        standing(run),
        time(head.created),
        duration(end.millis_since(head.created)),
        by,
        inputs.collect::<Vec<_>>().join(" "),
    ]
}

/// Where a run stands, in words.
pub(crate) fn standing(run: &Listed) -> String {
    match (&run.queued_behind, run.head.status) {
        _ if run.is_interrupted() => INTERRUPTED.to_owned(),
        (Some(LockHolder { run: Some(holder), .. }), status) => format!("{} behind {holder}", status.as_str()),
        (_, status) => status.as_str().to_owned(),
    }
}
