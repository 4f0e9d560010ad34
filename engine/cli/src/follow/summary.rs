//! How a run ended, for people: outcome, outputs, and what a person must do.

use daemon::view::{Decision, LockHolder, RunView, StepView, TakenBack};
use runwright_core::{Direction, Failure, FailureKind, RunId, RunStatus};

use crate::human::{clean, count, duration, value};
use crate::screen::{Screen, Tone};

/// Steps that are named as asking a person, at most: of the others it is said how many there are.
const ASKING_MAX: usize = 5;

/// Steps that are named as failed beside the one that decided, at most.
const ALSO_MAX: usize = 12;

/// Steps and scripts that are named in one list, at most.
const GROUPS_MAX: usize = 5;

/// A run that is not over, and that no engine goes on with.
pub(crate) const INTERRUPTED: &str = "interrupted, no engine";

/// The lines at the end of a run. `itself` is how this program is called, for commands that people copy.
pub(crate) fn summary(screen: &Screen, run: &RunView, itself: &str) -> Vec<String> {
    let took = duration(run.updated.millis_since(run.created));
    let (tone, text) = match run.outcome {
        RunStatus::Succeeded => (Tone::Good, format!("succeeded in {took}")),
        RunStatus::Failed => (Tone::Bad, format!("failed in {took}{}", reason(run))),
        RunStatus::Cancelled => (Tone::Warn, format!("cancelled after {took}")),
        RunStatus::RolledBack => (Tone::Warn, format!("{} after {took}{}", rolled_back(run), reason(run))),
        RunStatus::Blocked => (Tone::Warn, "blocked: a person must decide".to_owned()),
        _ if run.is_interrupted() => (Tone::Warn, INTERRUPTED.to_owned()),
        other => (Tone::Plain, other.as_str().to_owned()),
    };
    let mut lines = vec![format!("run {} {}", run.run, screen.paint(tone, text))];
    lines.extend(also_failed(run));
    let width = run.outputs.keys().map(|key| key.chars().count()).max().unwrap_or(0);
    lines.extend(run.outputs.iter().map(|(key, output)| format!("  {:<width$}  {}", clean(key), value(output))));
    if (run.outcome == RunStatus::RolledBack || run.was_undone()) && !run.not_undoable.is_empty() {
        lines.push(format!("  not taken back: {}", grouped(&run.not_undoable)));
    }
    if run.is_interrupted() {
        lines.push(format!("  go on with it with `{itself} runs resume {}`, or with all by `{itself} serve`", run.run));
    }
    lines.extend(run.queued_behind.iter().map(|behind| format!("  it {}", waits(behind))));
    if run.outcome == RunStatus::Queued && run.queued_behind.as_ref().is_none_or(|behind| behind.run.is_none()) {
        lines.push(format!("  it waits for its turn among the runs of {}", clean(&run.runbook)));
    }
    if run.outcome == RunStatus::Blocked {
        let asking = run.asking().take(ASKING_MAX);
        lines.extend(asking.flat_map(|(step, decide)| decision(run.run, step, decide, itself)));
        let more = run.asking().count().saturating_sub(ASKING_MAX);
        if more > 0 {
            lines.push(format!(
                "  and {} more wait for a person: `{itself} runs show {}`",
                count(more, "step"),
                run.run
            ));
        }
    }
    lines
}

/// What a run that is queued does.
pub(super) fn waits(behind: &LockHolder) -> String {
    let holder = behind.run.map(|run| format!(", which run {run} holds")).unwrap_or_default();
    format!("waits for the lock {:?}{holder}", behind.lock)
}

/// Whether all came back, for the last line.
fn rolled_back(run: &RunView) -> &'static str {
    match run.taken_back {
        None | Some(TakenBack::All) => "rolled back",
        Some(TakenBack::Part) => "rolled back in part",
        Some(TakenBack::Nothing) => "not rolled back, because nothing could be taken back,",
    }
}

/// The failure's words; how to allow what was denied stands in the line of its step.
fn in_short(failure: &Failure) -> String {
    let whole = clean(&failure.message);
    let short = whole.split("; to allow it, ").next().filter(|_| failure.kind == FailureKind::Denied);
    short.unwrap_or(&whole).to_owned()
}

/// These steps and calls, those of one script together: `second, clean (4 calls)`; of many, how many, and the first.
pub(crate) fn grouped(paths: &[String]) -> String {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for path in paths {
        // The last part of a call's path is its number.
        let call = path.rsplit_once('/').filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()));
        let script = call.map(|(script, _)| script);
        match (script, groups.last_mut()) {
            (Some(script), Some((last, calls))) if *last == script => *calls += 1,
            (script, _) => groups.push((script.unwrap_or(path), usize::from(script.is_some()))),
        }
    }
    let group = |(name, calls): &(&str, usize)| match calls {
        0 => (*name).to_owned(),
        calls => format!("{name} ({})", count(*calls, "call")),
    };
    let (first, more) = groups.split_at(groups.len().min(GROUPS_MAX));
    let named = first.iter().map(group).collect::<Vec<_>>().join(", ");
    let more: usize = more.iter().map(|(_, calls)| (*calls).max(1)).sum();
    if more > 0 { format!("{}: {named} and {more} more", count(paths.len(), "step")) } else { named }
}

/// `: STEP: why`, for the end of a run that did not succeed: the failure that decided so.
fn reason(run: &RunView) -> String {
    let Some(error) = &run.error else { return String::new() };
    let step = run.failed_at.as_ref().map(|step| format!(": {step}")).unwrap_or_default();
    format!("{step}: {}", in_short(error))
}

/// Steps that failed beside the one that decided.
fn also_failed(run: &RunView) -> Option<String> {
    if !matches!(run.outcome, RunStatus::Failed | RunStatus::RolledBack) {
        return None;
    }
    let failed = run.leaves().filter(|step| step.outcome == "failed");
    let others = failed.filter(|step| Some(&step.id) != run.failed_at.as_ref());
    let failed = others.filter_map(|step| {
        let error = step.error.as_ref().filter(|error| error.kind != FailureKind::Cancelled)?;
        Some(format!("{} ({})", step.id, in_short(error)))
    });
    let failed: Vec<String> = failed.collect();
    let more = failed.len().saturating_sub(ALSO_MAX);
    let named = failed.iter().take(ALSO_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!failed.is_empty()).then(|| format!("  also failed: {named}{more}"))
}

/// What a person can do about a step on which its run is blocked, or about the calls of its script.
fn decision(run: RunId, step: &StepView, decide: &Decision, itself: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let stuck: Vec<&StepView> = step.steps.iter().filter(|call| call.decide.is_some()).collect();
    if stuck.is_empty() {
        lines.push(format!("  {}: {}", step.id, clean(&step.why())));
    } else {
        lines.push(format!("  {}: not all that its script did could be taken back", step.id));
        lines.extend(stuck.iter().map(|call| format!("    {}: {}", call.id, clean(&call.why()))));
    }
    if decide.approval {
        let choice = |word: &String| format!("    {itself} approve {run} {} {word}", step.id);
        lines.push("  answer it with one of:".to_owned());
        lines.extend(decide.choices.iter().map(choice));
        return lines;
    }
    lines.push("  look at it, then say what became of it with one of:".to_owned());
    let width = decide.choices.iter().map(String::len).max().unwrap_or(0);
    let choice = |word: &String| {
        let means = means(word, decide.about, stuck.is_empty());
        format!("    {itself} settle {run} {} {word:<width$}  # {means}", step.id)
    };
    lines.extend(decide.choices.iter().map(choice));
    if let Some(call) = stuck.first() {
        lines.push(format!("  or decide about one call alone, `{}` in the place of `{}`:", call.id, step.id));
        lines.push("  the calls before it are taken back after that".to_owned());
    }
    lines
}

/// What it means to settle a step so; `one`: it is about one thing and not about all that a script did.
fn means(word: &str, about: Direction, one: bool) -> &'static str {
    match (word, about) {
        ("done", Direction::Forward) => "it happened; --output gives later steps its output",
        ("failed", Direction::Forward) => "it did not, or not in full",
        ("retry", Direction::Forward) => "it did not: try again",
        ("done", Direction::Undo) if one => "it is taken back",
        ("done", Direction::Undo) => "all of it is taken back",
        ("failed", Direction::Undo) if one => "leave it as it is",
        ("failed", Direction::Undo) => "leave all of it as it is",
        ("retry", Direction::Undo) => "try to take it back again",
        _ => "take back whatever it did, and what came before it",
    }
}
