//! `runwright runs show`

use std::collections::BTreeMap;

use daemon::Access;
use daemon::view::{RunView, StepView, Tale};
use runwright_core::{Cause, Event, Record, Runbook};
use serde_json::json;

use crate::follow::{Mark, person, summary, told};
use crate::human::{clean, count, duration, table, time, value};
use crate::screen::Tone;
use crate::{Context, Error, exit};

/// Steps of one step that are shown one by one, at most.
const SHOWN_MAX: usize = 20;

const EXAMPLES: &str = "\
Examples:
  runwright runs show latest
  runwright runs show 01m5d --history
  runwright runs show latest -o json";

/// Show a run: its steps, its outputs, what people decided about it, and what a person must decide
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// Also every record of the journal about it, in words; with -o json as it is
    #[arg(long)]
    history: bool,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let access = context.access("runwright runs show").await?;
        let read = self.read(&access).await;
        access.close().await;
        let (run, runbook, history) =
            read.map_err(|error| Error::from(error).during(&format!("show run {}", self.run)))?;
        let decided = |record: &&Record| {
            let event = &record.event;
            matches!(event, Event::Settled { .. } | Event::CancelRequested { .. } | Event::RollbackRequested { .. })
        };
        let mut shown = json!(run);
        shown["decisions"] = json!(history.iter().filter(decided).collect::<Vec<_>>());
        if self.history {
            shown["history"] = json!(history);
        }
        context.screen.json(&shown);
        context.screen.lines(text(context, &run));
        let told = told(runbook, &history).map_err(|error| Error::from(daemon::Error::Internal(error)))?;
        let wanted = |record: &Record| self.history || decided(&record);
        let mut lines =
            told.iter().filter(|(record, _)| wanted(record)).flat_map(|(record, words)| line(record, words));
        if let Some(first) = lines.next() {
            let title = if self.history { "what happened" } else { "what people decided" };
            context.screen.line(context.screen.paint(Tone::Strong, title));
            context.screen.line(first);
            context.screen.lines(lines);
        }
        Ok(exit::SUCCEEDED)
    }

    async fn read(&self, access: &Access) -> Result<(RunView, Runbook, Vec<Record>), daemon::Error> {
        let id = access.find(&self.run).await?;
        let first = access.watch(id).await?.recv().await;
        let Some(Tale::Runbook(runbook)) = first else {
            return Err(daemon::Error::Internal(format!("the runbook of run {id} was not told")));
        };
        Ok((access.show(id).await?, *runbook, access.history(id).await?))
    }
}

fn text(context: &Context, run: &RunView) -> Vec<String> {
    let screen = &context.screen;
    let cause = match &run.cause {
        Cause::Person { by } => person(by),
        Cause::Alarm { name, .. } => format!("the alarm {}", clean(name)),
    };
    let mut lines = vec![format!("{}, started {} by {cause}", run.runbook, time(run.created))];
    lines.extend(run.inputs.iter().map(|(key, input)| format!("  {} = {}", clean(key), value(input))));
    let mut tree = Vec::new();
    rows(&run.steps, 0, &mut tree);
    let (rows, marks): (Vec<_>, Vec<_>) =
        tree.into_iter().map(|(indent, mark, row)| (row, ("  ".repeat(indent), mark))).unzip();
    lines.extend(table(&rows).iter().zip(marks).map(|(line, (indent, mark))| {
        let line = line.strip_prefix(&indent).unwrap_or(line);
        format!("  {indent}{} {line}", screen.paint(mark.tone(), mark.as_str()))
    }));
    lines.extend(summary(screen, run, &context.itself()));
    lines
}

/// Steps with what is in them below. Of many in one step those are shown that went wrong, are at work or ask; the others are
/// counted.
fn rows(steps: &[StepView], indent: usize, all: &mut Vec<(usize, Mark, Vec<String>)>) {
    let is_calm = |step: &&StepView| {
        let calm = matches!(step.outcome.as_str(), "succeeded" | "skipped" | "undone" | "pending");
        indent > 0 && steps.len() > SHOWN_MAX && calm
    };
    for step in steps.iter().filter(|step| !is_calm(step)).take(SHOWN_MAX.max(steps.len() * usize::from(indent == 0))) {
        all.push((indent, Mark::of(&step.outcome), row(step, &"  ".repeat(indent))));
        rows(&step.steps, indent + 1, all);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    steps.iter().filter(is_calm).for_each(|step| *counts.entry(&step.outcome).or_default() += 1);
    let hidden: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    if !hidden.is_empty() {
        let row = vec![format!("{}…", "  ".repeat(indent)), hidden.join(", ")];
        all.push((indent, Mark::Skipped, row));
    }
}

fn row(step: &StepView, indent: &str) -> Vec<String> {
    let took = step.took_ms.map(duration).unwrap_or_default();
    let attempts = if step.attempts > 1 { count(step.attempts as usize, "attempt") } else { String::new() };
    let error = step.error.as_ref().filter(|_| step.outcome != "succeeded").map(|error| error.message.as_str());
    let remark = step.note.as_deref().or(error).map(clean).unwrap_or_default();
    vec![format!("{indent}{}", step.id), step.outcome.clone(), took, attempts, remark]
}

/// A record with its number and time, a line for each thing that it means.
fn line(record: &Record, words: &[String]) -> Vec<String> {
    words.iter().map(|words| format!("  {:>4}  {}  {}", record.seq, time(record.at), clean(words))).collect()
}
