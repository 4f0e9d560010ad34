//! `runwright status`

use daemon::Access;
use daemon::view::{Listed, Question, StatusView};
use runwright_core::RunStatus;

use super::alarm::unstarted;
use super::runs::list::standing;
use crate::human::{clean, duration, now, table, time};
use crate::screen::Tone;
use crate::{Context, Error, exit};

const EXAMPLES: &str = "\
Examples:
  runwright status
  runwright status -o json
  runwright status --require-engine > /dev/null || page-somebody

The first line says whether an engine serves. With --require-engine the exit code is 1 unless one does and starts runs \
(is not in safe mode); without it, it is 0 either way.";

/// Alarms that could not start what they call for, as far as they are shown.
const ALARMS_SHOWN: usize = 20;

/// Show where the engine stands: runs, runbooks, plugins, and files that can't be used
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Status {
    /// Exit with 1 unless an engine serves and is not in safe mode
    #[arg(long)]
    require_engine: bool,
}

impl Status {
    pub(crate) async fn run(self, context: &Context) -> Result<u8, Error> {
        let access = context.access("runwright status").await?;
        let is_other = matches!(access, Access::There(_));
        let status = access.status().await;
        access.close().await;
        let status = status.map_err(|error| Error::from(error).during("ask for the status"))?;
        context.screen.json(&status);
        context.screen.line(first(context, &status, is_other));
        context.screen.lines(context.no_journal()?);
        context.screen.lines(text(context, &status));
        let works = status.serves && status.safe_mode.is_none();
        Ok(if works || !self.require_engine { exit::SUCCEEDED } else { exit::FAILED })
    }
}

/// Whether an engine serves. `is_other`: it is an engine in another process that says so.
fn first(context: &Context, status: &StatusView, is_other: bool) -> String {
    if status.serves {
        let since = duration(now().millis_since(status.since));
        return format!("runwright {} serves (pid {}) for {since}", status.version, status.pid);
    }
    let start = format!("start one with `{} serve`", context.itself());
    if is_other {
        let (command, pid) = (clean(&status.command), status.pid);
        return format!("no engine serves; `{command}` (pid {pid}) answers here as long as it lasts; {start}");
    }
    format!("no engine serves; {start}")
}

fn text(context: &Context, status: &StatusView) -> Vec<String> {
    let strong = |text: &str| context.screen.paint(Tone::Strong, text);
    let mut lines = Vec::new();
    if let Some(why) = &status.safe_mode {
        let what = context.screen.paint(Tone::Bad, "safe mode:");
        lines.push(format!("{what} nothing is started, because {why}; stop it and start it again to go on"));
    }
    let mut part = |title: &str, rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            lines.push(strong(title));
            lines.extend(table(&rows).into_iter().map(|line| format!("  {line}")));
        }
    };
    let runs = status.unfinished.iter();
    let row =
        |run: &Listed| vec![run.head.run.to_string(), run.head.name.clone(), standing(run), time(run.head.created)];
    let (blocked, others): (Vec<_>, Vec<_>) = runs.partition(|run| run.head.status == RunStatus::Blocked);
    part(
        "runs that wait for a person: `runwright runs show RUN` has the commands",
        blocked.into_iter().map(row).collect(),
    );
    part("what they are asked", status.questions.iter().map(question).collect());
    part("runs that are not over", others.into_iter().map(row).collect());
    let runbooks = status.runbooks.iter().map(|runbook| {
        let stale = if runbook.stale { "(the last good version)" } else { "" };
        vec![runbook.name.clone(), clean(&runbook.description), clean(&runbook.file), stale.to_owned()]
    });
    part("runbooks", runbooks.collect());
    let plugins = status.plugins.iter();
    let row = |plugin: &daemon::view::PluginView| {
        vec![plugin.name.clone(), plugin.version.clone(), plugin.actions.join(", ")]
    };
    part("plugins", plugins.map(row).collect());
    if !status.alarms.is_empty() {
        let title =
            "alarms that could not start what they call for: `runwright alarm retry KEY`, or `alarm dismiss KEY`";
        lines.push(strong(title));
        let shown = status.alarms.iter().take(ALARMS_SHOWN).flat_map(unstarted);
        lines.extend(shown.map(|line| format!("  {line}")));
        if status.alarms.len() > ALARMS_SHOWN {
            lines.push(format!("  … and {} more: `runwright alarm list`", status.alarms.len() - ALARMS_SHOWN));
        }
    }
    for problem in &status.problems {
        lines.push(format!("{} {}:", context.screen.paint(Tone::Bad, "problem:"), clean(&problem.subject)));
        lines.extend(problem.problem.lines().map(|line| format!("  {}", clean(line))));
    }
    lines
}

/// What a person is asked, and how they say it.
fn question(question: &Question) -> Vec<String> {
    let Question { run, step, why, choices, approval } = question;
    let command = if *approval { "approve" } else { "settle" };
    vec![format!("{command} {run} {step} {}", choices.join("|")), clean(why)]
}
