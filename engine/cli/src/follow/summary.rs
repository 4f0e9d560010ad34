//! How a run ended, for people: outcome, outputs, and what a person must do.

use daemon::view::{LockHolder, RunView, StepView};
use runwright_core::{Failure, FailureKind, RunId, RunStatus};

use crate::human::{clean, duration, value};
use crate::screen::{Screen, Tone};

/// A run that is not over, and that no engine goes on with.
pub(crate) const INTERRUPTED: &str = "interrupted, no engine";

/// The lines at the end of a run. `itself` is how this program is called, for commands that people copy.
pub(crate) fn summary(screen: &Screen, run: &RunView, itself: &str) -> Vec<String> {
    let took = duration(run.updated.millis_since(run.created));
    let (tone, text) = match run.outcome {
        RunStatus::Succeeded => (Tone::Good, format!("succeeded in {took}")),
        RunStatus::Failed => (Tone::Bad, format!("failed in {took}{}", reason(run))),
        RunStatus::Cancelled => (Tone::Warn, format!("cancelled after {took}")),
        RunStatus::RolledBack => (Tone::Warn, format!("rolled back after {took}{}", reason(run))),
        RunStatus::Blocked => (Tone::Warn, "blocked: a person must decide".to_owned()),
        _ if run.is_interrupted() => (Tone::Warn, INTERRUPTED.to_owned()),
        other => (Tone::Plain, other.as_str().to_owned()),
    };
    let mut lines = vec![format!("run {} {}", run.run, screen.paint(tone, text))];
    let width = run.outputs.keys().map(|key| key.chars().count()).max().unwrap_or(0);
    lines.extend(run.outputs.iter().map(|(key, output)| format!("  {:<width$}  {}", clean(key), value(output))));
    if !run.not_undoable.is_empty() {
        lines.push(format!("  not taken back, because it can't be: {}", run.not_undoable.join(", ")));
    }
    if run.is_interrupted() {
        lines.push(format!("  go on with it with `{itself} runs resume {}`, or with all by `{itself} serve`", run.run));
    }
    lines.extend(run.queued_behind.iter().map(|behind| format!("  it {}", waits(behind))));
    if run.outcome == RunStatus::Blocked {
        lines.extend(run.steps.iter().flat_map(|step| decide(run.run, step, itself)));
    }
    lines
}

/// What a run that is queued does.
pub(super) fn waits(behind: &LockHolder) -> String {
    let holder = behind.run.map(|run| format!(", which run {run} holds")).unwrap_or_default();
    format!("waits for the lock {:?}{holder}", behind.lock)
}

/// `: STEP: why`, for the end of a run that did not succeed.
fn reason(run: &RunView) -> String {
    if let Some(failure) = &run.error {
        return format!(": {}", clean(&failure.message));
    }
    let failed = run.steps.iter().rev().find(|step| step.error.is_some() && step.outcome != "succeeded");
    let why = failed.and_then(|step| step.error.as_ref().map(|error| (&step.id, error)));
    why.map(|(step, error)| format!(": {step}: {}", in_short(error))).unwrap_or_default()
}

/// The failure's words; how to allow what was denied stands in the line of its step.
fn in_short(failure: &Failure) -> String {
    let whole = clean(&failure.message);
    let short = whole.split("; to allow it, ").next().filter(|_| failure.kind == FailureKind::Denied);
    short.unwrap_or(&whole).to_owned()
}

/// What a person can do about a step on which its run is blocked; nothing for other steps.
pub(crate) fn decide(run: RunId, step: &StepView, itself: &str) -> Vec<String> {
    let note = step.note.as_deref().unwrap_or_default();
    let (why, undo) = match step.outcome.as_str() {
        "unknown" => (note, note.contains("its undo")),
        "undo-failed" if note.is_empty() => ("it could not be taken back", true),
        _ => return Vec::new(),
    };
    let choices: &[(&str, &str)] = if undo {
        &[("done", "it is taken back"), ("failed", "leave it as it is"), ("retry", "try to take it back again")]
    } else {
        &[
            ("done", "it happened; --output gives later steps its output"),
            ("failed", "it did not, or not in full"),
            ("retry", "it did not: try again"),
            ("undo", "take back whatever it did, and what came before it"),
        ]
    };
    let mut lines = vec![format!("  {}: {}", step.id, clean(why))];
    lines.push("  look at it, then say what became of it with one of:".to_owned());
    let choice = |(word, means): &(&str, &str)| format!("    {itself} settle {run} {} {word:<6}  # {means}", step.id);
    lines.extend(choices.iter().map(choice));
    lines
}
