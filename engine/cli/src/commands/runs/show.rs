//! `runwright runs show`

use std::collections::BTreeMap;

use daemon::Access;
use daemon::view::{LogQuery, RunView, Said, StepView, Tale};
use runwright_core::{Cause, Event, Record, Runbook};
use serde_json::json;

use crate::follow::{MANY, Mark, person, summary, told};
use crate::human::{clean, count, duration, one_line, table, time, value};
use crate::screen::Tone;
use crate::{Context, Error, exit};

/// Failed steps of which it is shown what they said last, at most, and lines of each.
const TOLD_MAX: usize = 5;
const WORDS_MAX: usize = 5;

/// Lines among which those are looked for that the error does not say.
const LOOKED_AT_MAX: usize = 40;

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
        let said = match &read {
            Ok((run, ..)) if !context.screen.is_json() => last_words(context, &access, run).await,
            _ => BTreeMap::new(),
        };
        access.close().await;
        let (run, runbook, history) =
            read.map_err(|error| Error::from(error).during(&format!("show run {}", self.run)))?;
        let decided = |record: &&Record| {
            let event = &record.event;
            matches!(
                event,
                Event::Approval { .. }
                    | Event::Settled { .. }
                    | Event::CancelRequested { .. }
                    | Event::RollbackRequested { .. }
            )
        };
        let mut shown = json!(run);
        shown["decisions"] = json!(history.iter().filter(decided).collect::<Vec<_>>());
        if self.history {
            shown["history"] = json!(history);
        }
        context.screen.json(&shown);
        context.screen.lines(text(context, &run, &said));
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

/// The last that each failed step said, as far as its error does not say it already, and how to see all of it.
async fn last_words(context: &Context, access: &Access, run: &RunView) -> BTreeMap<String, Vec<String>> {
    let failed = |step: &&StepView| {
        let is_leaf = matches!(step.kind.as_str(), "uses" | "script");
        is_leaf && matches!(step.outcome.as_str(), "failed" | "unknown" | "undo-failed")
    };
    let mut words = BTreeMap::new();
    for step in run.all_steps().filter(failed).take(TOLD_MAX) {
        let query = LogQuery { step: Some(step.id.clone()), last: Some(LOOKED_AT_MAX), ..LogQuery::default() };
        // What was said explains an error, and is no reason to show nothing else.
        let Ok(mut said) = access.logs(run.run, &query).await else { continue };
        let error = step.error.as_ref().map(|error| one_line(&error.message)).unwrap_or_default();
        let mut lines = Vec::new();
        while let Some(Said { line, .. }) = said.recv().await {
            let text = one_line(&line.text);
            if !text.is_empty() && !error.contains(&text) {
                lines.push(format!("| {text}"));
            }
        }
        lines.drain(..lines.len().saturating_sub(WORDS_MAX));
        if !lines.is_empty() {
            lines.push(format!("all of it: `{} runs logs {} {}`", context.itself(), run.run, step.id));
            words.insert(step.id.clone(), lines);
        }
    }
    words
}

fn text(context: &Context, run: &RunView, said: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let screen = &context.screen;
    let cause = match &run.cause {
        Cause::Person { by } => person(by),
        Cause::Alarm { name, .. } => format!("the alarm {}", clean(name)),
    };
    let mut lines = vec![format!("{}, started {} by {cause}", run.runbook, time(run.created))];
    lines.extend(run.inputs.iter().map(|(key, input)| format!("  {} = {}", clean(key), value(input))));
    let mut tree = Vec::new();
    rows(&run.steps, false, 0, &mut tree);
    let (rows, marks): (Vec<_>, Vec<_>) =
        tree.into_iter().map(|(indent, mark, row)| (row, ("  ".repeat(indent), mark))).unzip();
    for ((line, (indent, mark)), row) in table(&rows).iter().zip(marks).zip(&rows) {
        let line = line.strip_prefix(&indent).unwrap_or(line);
        lines.push(format!("  {indent}{} {line}", screen.paint(mark.tone(), mark.as_str())));
        let words = row.first().and_then(|step| said.get(step.trim_start())).into_iter().flatten();
        lines.extend(words.map(|words| format!("  {indent}    {}", screen.paint(Tone::Dim, words))));
    }
    lines.extend(summary(screen, run, &context.itself()));
    lines
}

/// Steps with what is in them below. Of many in one step those are shown that went wrong or ask, and some that are at work; the
/// others are counted.
fn rows(steps: &[StepView], of_each: bool, indent: usize, all: &mut Vec<(usize, Mark, Vec<String>)>) {
    let is_many = indent > 0 && steps.len() > MANY;
    let (mut hidden, mut at_work) = (BTreeMap::<&str, usize>::new(), 0);
    for step in steps {
        let is_calm = matches!(step.outcome.as_str(), "succeeded" | "skipped" | "undone" | "pending");
        at_work += usize::from(!is_calm);
        if is_many && !matters(step) && (is_calm || at_work > MANY) {
            // Gates between waves are no items.
            let is_gate = of_each && step.id.rsplit('/').nth(1) == Some("between");
            *hidden.entry(&step.outcome).or_default() += usize::from(!is_gate);
            continue;
        }
        all.push((indent, Mark::of(&step.outcome), row(step, &"  ".repeat(indent))));
        rows(&step.steps, step.kind == "for-each", indent + 1, all);
    }
    let hidden: Vec<String> =
        hidden.iter().filter(|(_, count)| **count > 0).map(|(outcome, count)| format!("{count} {outcome}")).collect();
    if !hidden.is_empty() {
        let row = vec![format!("{}…", "  ".repeat(indent)), hidden.join(", ")];
        all.push((indent, Mark::Skipped, row));
    }
}

/// Whether it went wrong or asks, or something in it did that it did not get over.
fn matters(step: &StepView) -> bool {
    let is_bad = matches!(step.outcome.as_str(), "failed" | "undo-failed" | "unknown");
    is_bad || step.decide.is_some() || step.outcome != "succeeded" && step.steps.iter().any(matters)
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
