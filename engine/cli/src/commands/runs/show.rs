//! `runwright runs show`

use daemon::view::RunView;
use runwright_core::{Cause, Record};
use serde_json::json;

use crate::follow::{Mark, person, summary};
use crate::human::{clean, count, duration, table, time, value};
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright runs show latest
  runwright runs show 01m5d --history
  runwright runs show latest -o json";

/// Show a run: its steps, its outputs, and what a person must decide
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// The run: its id, the beginning or end of it, or `latest`
    run: String,
    /// Also every record of the journal about it
    #[arg(long)]
    history: bool,
}

impl Show {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let access = context.access("runwright runs show").await?;
        let read = async {
            let id = access.find(&self.run).await?;
            let history = if self.history { Some(access.history(id).await?) } else { None };
            Ok::<_, daemon::Error>((access.show(id).await?, history))
        };
        let read = read.await;
        access.close().await;
        let (run, history) = read.map_err(|error| Error::from(error).during(&format!("show run {}", self.run)))?;
        match &history {
            Some(history) => {
                let mut shown = json!(run);
                shown["history"] = json!(history);
                context.screen.json(&shown);
            }
            None => context.screen.json(&run),
        }
        context.screen.lines(text(context, &run));
        context.screen.lines(history.iter().flatten().map(record));
        Ok(exit::SUCCEEDED)
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
    let rows: Vec<Vec<String>> = run.steps.iter().map(row).collect();
    let steps = table(&rows).into_iter().zip(&run.steps);
    lines.extend(steps.map(|(line, step)| {
        let mark = Mark::of(&step.outcome);
        format!("  {} {line}", screen.paint(mark.tone(), mark.as_str()))
    }));
    lines.extend(summary(screen, run, &context.itself()));
    lines
}

fn row(step: &daemon::view::StepView) -> Vec<String> {
    let took = step.took_ms.map(duration).unwrap_or_default();
    let attempts = if step.attempts > 1 { count(step.attempts as usize, "attempt") } else { String::new() };
    let error = step.error.as_ref().filter(|_| step.outcome != "succeeded").map(|error| error.message.as_str());
    let remark = step.note.as_deref().or(error).map(clean).unwrap_or_default();
    vec![step.id.clone(), step.outcome.clone(), took, attempts, remark]
}

fn record(record: &Record) -> String {
    let event = serde_json::to_string(&record.event).unwrap_or_default();
    format!("{:>4}  {}  {}", record.seq, time(record.at), clean(&event))
}
