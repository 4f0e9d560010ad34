//! Steps that hold many: what is in them is counted instead of shown line by line.

use runwright_core::{Run, SkipReason, StepState};

use super::story::{Line, Mark};

/// What one step holds, at most, where each is shown.
pub(crate) const MANY: usize = 20;

/// The lines without those of steps of which there are many, and the counts instead. What failed or asks stays.
pub(super) fn counted(run: &Run, lines: Vec<Line>) -> Vec<Line> {
    let is_quiet = |line: &Line| match line {
        Line::Step { step, mark, .. } => !matches!(mark, Mark::Bad | Mark::Unknown) && holder(run, step).is_some(),
        _ => false,
    };
    let mut lines: Vec<Line> = lines.into_iter().filter(|line| !is_quiet(line)).collect();
    lines.extend(counts(run).into_iter().map(Line::Run));
    lines
}

/// The outermost step around this one that holds many. What is between two waves is shown: there are few gates.
fn holder<'p>(run: &Run, path: &'p str) -> Option<&'p str> {
    let mut around = path.match_indices('/').map(|(at, _)| (&path[..at], &path[at + 1..]));
    let holds = |(above, below): &(&str, &str)| {
        run.children(above).nth(MANY).is_some() && !(kind(run, above) == "for-each" && below.starts_with("between/"))
    };
    around.find(holds).map(|(above, _)| above)
}

/// The kind of the step at this path; empty where there is none.
fn kind(run: &Run, path: &str) -> &'static str {
    run.step(path).map_or("", |(step, _)| step.work.kind())
}

/// How far those that hold many are, where the last record took them a good way on.
fn counts(run: &Run) -> Vec<String> {
    let mut ended: Vec<(&str, bool, usize)> = Vec::new();
    for (_, state, before) in run.changed() {
        let undone = state.state == StepState::Undone;
        let is_new = undone || is_over(&state.state) && !is_over(before);
        let Some(above) = holder(run, &state.path).filter(|above| is_new && is_child(run, above, &state.path)) else {
            continue;
        };
        match ended.iter_mut().find(|(path, back, _)| (*path, *back) == (above, undone)) {
            Some((.., count)) => *count += 1,
            None => ended.push((above, undone, 1)),
        }
    }
    ended.into_iter().filter_map(|(path, undone, ended)| count(run, path, undone, ended)).collect()
}

/// Whether it came to an end, and not only because nothing got there any more.
fn is_over(state: &StepState) -> bool {
    !matches!(state, StepState::Pending | StepState::Active(_) | StepState::Skipped(SkipReason::NotReached))
}

/// Whether nothing stands between the two.
fn is_child(run: &Run, above: &str, path: &str) -> bool {
    let name = path.strip_prefix(above).and_then(|rest| rest.strip_prefix('/')).unwrap_or_default();
    // A group that is tried again has its number between.
    !name.contains('/') || kind(run, above) != "for-each" && run.children(above).any(|(_, child)| *child.path == *path)
}

/// How far it is, if the `ended` ones passed a tenth of the way; the way of a script is not known, so twenty calls are.
fn count(run: &Run, path: &str, undone: bool, ended: usize) -> Option<String> {
    let all = run.children(path).count();
    let is_script = kind(run, path) == "script";
    let counts = |state: &StepState| if undone { *state == StepState::Undone } else { is_over(state) };
    let done = run.children(path).filter(|(_, child)| counts(&child.state)).count();
    let part = if is_script { MANY } else { all.div_ceil(10) };
    let is_last = done == all && !is_script;
    if done / part == done.saturating_sub(ended) / part && !is_last {
        return None;
    }
    Some(match run.items(path).filter(|_| !undone) {
        Some(items) => format!("{path}: {items}"),
        None if undone => format!("{path}: {done} undone"),
        None => format!("{path}: {done} calls done"),
    })
}
