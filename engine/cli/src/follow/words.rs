//! What records mean, in words.

use runwright_core::{
    Attempt, By, Cause, Direction, Event, Exit, Outcome, Phase, Record, Run, Settlement, SkipReason, Step, StepRun,
    StepState, Verdict,
};

use super::story::{Line, Mark};
use crate::human::{clean, count, duration};

/// Steps of which it is told where they stand when a run is followed that went on before.
const SO_FAR_MAX: usize = 12;

/// The first line about a run.
pub(super) fn opening(run: &Run) -> String {
    let by = match run.cause() {
        Cause::Person { by } => format!("started by {}", person(by)),
        Cause::Alarm { name, .. } => format!("started by the alarm {}", clean(name)),
    };
    format!("run {} of {}, {by}", run.id(), run.runbook().name)
}

/// `alice`, or `alice: why`.
pub(crate) fn person(by: &By) -> String {
    match by.why.as_str() {
        "" => clean(&by.who),
        why => format!("{} ({})", clean(&by.who), clean(why)),
    }
}

/// What the event means for the run as a whole.
pub(super) fn of_run(event: &Event) -> Option<String> {
    Some(match event {
        Event::Interrupted { engine: Exit::Died, .. } => "the engine died and another one took over".to_owned(),
        Event::Interrupted { engine: Exit::Stopped, .. } => "the engine was stopped".to_owned(),
        Event::CancelRequested { by, rollback: false } => format!("cancelled by {}", person(by)),
        Event::CancelRequested { by, rollback: true } => {
            format!("cancelled, with all that was done, by {}", person(by))
        }
        Event::Approval { step, yes: true, by } => format!("{step} approved by {}", person(by)),
        Event::TimedOut { step } if step.is_empty() => "it took longer than its `timeout`".to_owned(),
        Event::Created { lock: Some(key), .. } => format!("waits for the lock {key:?}"),
        Event::RollbackRequested { by } => format!("rollback asked for by {}", person(by)),
        _ => return None,
    })
}

/// What a person decided about all that a script did, where the event is that and not about a step that asks itself.
pub(super) fn of_calls(event: &Event, before: Option<&StepState>) -> Option<Line> {
    let Event::Settled { step: id, settlement, by } = event else { return None };
    if before?.asks().is_some() {
        return None;
    }
    let (mark, what) = match settlement {
        Settlement::Done { .. } => (Mark::Good, "all that its script did is taken back"),
        Settlement::Failed => (Mark::Bad, "all that its script did stays as it is"),
        Settlement::Retry => (Mark::Again, "trying to take back what its script did again"),
        Settlement::Undo => return None,
    };
    let text = format!("settled as {} by {}: {what}", settlement.as_str(), person(by));
    Some(Line::Step { step: id.clone(), mark, text: clean(&text) })
}

/// Where a run stands that went on before, on one line; none if nothing happened to its steps yet.
pub(super) fn so_far(run: &Run) -> Option<String> {
    let begun = run.steps().filter(|(_, state)| state.state != StepState::Pending);
    let word = |state: &StepRun| match state.active().map(|attempt| &attempt.phase) {
        Some(Phase::Asking { .. }) => "asks for approval",
        Some(Phase::Queued) => "waits for its lock",
        _ => state.state.as_str(),
    };
    let mut told: Vec<String> = begun.map(|(_, state)| format!("{} {}", state.path, word(state))).collect();
    let more = told.len().saturating_sub(SO_FAR_MAX);
    if more > 0 {
        told.drain(..more);
        told.insert(0, format!("{} before", count(more, "step")));
    }
    (!told.is_empty()).then(|| format!("so far: {}", told.join(", ")))
}

/// How many lines were left out before this one, if any were.
pub(crate) fn left_out(line: &runwright_core::Line) -> Option<String> {
    let lines = usize::try_from(line.left_out).unwrap_or(usize::MAX);
    (lines > 0).then(|| format!("… {} left out", count(lines, "line")))
}

/// What the step came to.
pub(super) fn of_step(run: &Run, step: &Step, state: &StepRun, before: &StepState, record: &Record) -> Line {
    let (mark, text) = match state.active().map(|attempt| &attempt.phase) {
        Some(Phase::Queued) => {
            (Mark::Began, format!("waits for the lock {}", run.waits_for_locks(&state.path).join(", ")))
        }
        _ => words(step, state, before, record),
    };
    Line::Step { step: state.path.to_string(), mark, text: clean(&text) }
}

/// What the step came to, in words.
fn words(step: &Step, state: &StepRun, before: &StepState, record: &Record) -> (Mark, String) {
    let failure = || {
        let failure = state.undo_failure.as_ref().or(state.failure.as_ref());
        failure.map(|failure| failure.message.as_str()).unwrap_or_default()
    };
    let spent = || spent(state, record);
    match &state.state {
        StepState::Pending => (Mark::Began, "pending".to_owned()),
        StepState::Active(Attempt { direction, number, phase }) => match phase {
            Phase::Calling | Phase::Inside { .. } | Phase::Queued => (Mark::Began, began(step, *direction, *number)),
            Phase::Sleeping { until } => {
                (Mark::Began, format!("waits for {}", duration(until.millis_since(record.at))))
            }
            Phase::Asking { .. } => {
                let asked = state.input.as_ref().and_then(|input| input.get("message")?.as_str()).unwrap_or_default();
                (Mark::Unknown, format!("asks for approval: {asked}"))
            }
            Phase::Verifying { reason } => (Mark::Again, format!("{reason}: asking the plugin whether it happened")),
            Phase::Waiting { until } => {
                let wait = match until.millis_since(record.at) {
                    0 => "trying again".to_owned(),
                    millis => format!("trying again in {}", duration(millis)),
                };
                (Mark::Again, format!("{}; {wait}", lost(*number, *direction, &record.event, failure())))
            }
        },
        StepState::Succeeded => (Mark::Good, format!("{}succeeded{}", learned(&record.event), spent())),
        StepState::Failed => {
            let began = matches!(before, StepState::Pending);
            let when = if began { " before it started".to_owned() } else { spent() };
            match &record.event {
                Event::Settled { settlement, by, .. } => {
                    (Mark::Bad, format!("settled as {} by {}", settlement.as_str(), person(by)))
                }
                event => (Mark::Bad, format!("{}failed{when}: {}", learned(event), failure())),
            }
        }
        StepState::Skipped(SkipReason::Condition) => (Mark::Skipped, "skipped: its `if` is false".to_owned()),
        StepState::Skipped(SkipReason::NotReached) => (Mark::Skipped, "skipped: the run ended before it".to_owned()),
        StepState::Unknown { direction, reason } => {
            let what = if *direction == Direction::Undo { "the undo" } else { "it" };
            (Mark::Unknown, format!("nobody knows whether {what} happened: {reason}"))
        }
        StepState::Undone => (Mark::Good, format!("{}undone", learned(&record.event))),
        StepState::UndoFailed { accepted: false } => (Mark::Bad, format!("undo failed: {}", failure())),
        StepState::UndoFailed { accepted: true } => (Mark::Bad, format!("{}not undone", learned(&record.event))),
    }
}

fn began(step: &Step, direction: Direction, number: u32) -> String {
    let allowed = step.retry.attempts;
    match (direction, number) {
        (Direction::Undo, 1) => "undoing".to_owned(),
        (Direction::Undo, number) => format!("undoing, attempt {number}"),
        (Direction::Forward, 1) if allowed == 1 => "started".to_owned(),
        (Direction::Forward, number) => format!("started, {}", attempt_of(number, allowed)),
    }
}

/// `attempt 1 of 2`; attempts that a crash took don't count against those allowed, so there may be more.
pub(crate) fn attempt_of(number: u32, allowed: u32) -> String {
    if number > allowed { format!("attempt {number}") } else { format!("attempt {number} of {allowed}") }
}

/// Why there is another attempt.
fn lost(number: u32, direction: Direction, event: &Event, failure: &str) -> String {
    let what = if direction == Direction::Undo { "undo attempt" } else { "attempt" };
    match event {
        Event::Ended { outcome: Outcome::Lost { reason }, .. } => format!("{what} {number} was lost: {reason}"),
        Event::Interrupted { .. } => format!("{what} {number} was in flight when the engine ended"),
        Event::Verified { verdict: Verdict::NotHappened, .. } => {
            format!("the plugin says that {what} {number} did not happen")
        }
        Event::Settled { by, .. } => format!("settled as retry by {}", person(by)),
        _ => format!("{what} {number} failed: {failure}"),
    }
}

/// From whom it is known, where not from the action itself.
fn learned(event: &Event) -> String {
    match event {
        Event::Verified { verdict: Verdict::Happened(_), .. } => "the plugin says that it happened: ".to_owned(),
        Event::Settled { settlement, by, .. } => format!("settled as {} by {}: ", settlement.as_str(), person(by)),
        _ => String::new(),
    }
}

/// ` in 1.2s after 2 attempts`.
fn spent(state: &StepRun, record: &Record) -> String {
    let took = state.started.map(|started| state.ended.unwrap_or(record.at).millis_since(started));
    let took = took.map(|took| format!(" in {}", duration(took))).unwrap_or_default();
    match state.forward.started {
        0 | 1 => took,
        attempts => format!("{took} after {attempts} attempts"),
    }
}
