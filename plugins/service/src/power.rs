//! `start` and `stop`. Whether the unit ran before is noted first; undo brings that back.

use runwright_sdk::{Change, ChangeKind, Context, Outcome, Preview, Result, Verdict, checkpoint};
use serde::{Deserialize, Serialize};

use crate::unit::{Input, State, Unit};

const NOTE: &str = "before";

/// How the unit stood before the step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Before {
    /// Whether it ran, or was about to.
    active: bool,
}

/// Whether the unit ran before the step: an earlier attempt may have changed that already.
fn before(state: &State) -> Result<Before> {
    if let Some(before) = checkpoint::get(NOTE)? {
        return Ok(before);
    }
    let before = Before { active: !state.is_stopped() };
    checkpoint::set(NOTE, &before)?;
    Ok(before)
}

fn turn(input: &Input, on: bool, context: &Context) -> Result<Outcome<State>> {
    let unit = Unit::of(&input.named, context)?;
    let state = unit.find()?;
    let before = before(&state)?;
    let acts = !state.stands(on);
    let state = if acts { unit.turn(on, &state, input.timeout)? } else { state };
    Outcome { output: state, changed: acts || before.active != on, undo: None }.with_undo(before)
}

fn verb(on: bool) -> &'static str {
    if on { "start" } else { "stop" }
}

pub(crate) fn start(input: Input, context: &Context) -> Result<Outcome<State>> {
    turn(&input, true, context)
}

pub(crate) fn stop(input: Input, context: &Context) -> Result<Outcome<State>> {
    turn(&input, false, context)
}

fn plan(input: &Input, on: bool, context: &Context) -> Result<Preview> {
    let unit = Unit::of(&input.named, context)?;
    let verb = verb(on);
    let (kind, now) = match unit.preview()? {
        Some(state) if state.stands(on) => (ChangeKind::None, format!("it is {} already", state.active)),
        Some(state) => (ChangeKind::Execute, format!("{verb}; it is {} now", state.active)),
        None => (ChangeKind::Execute, format!("{verb}, unless that is done already")),
    };
    Ok(Preview::new(format!("{verb}s {}", unit.name)).change(Change::new(kind, &unit.name, now)))
}

pub(crate) fn plan_start(input: Input, context: &Context) -> Result<Preview> {
    plan(&input, true, context)
}

pub(crate) fn plan_stop(input: Input, context: &Context) -> Result<Preview> {
    plan(&input, false, context)
}

fn verify(input: &Input, on: bool, context: &Context) -> Result<Verdict<State>> {
    let state = Unit::of(&input.named, context)?.find()?;
    if !state.stands(on) {
        return Ok(Verdict::NotHappened);
    }
    let before: Option<Before> = checkpoint::get(NOTE)?;
    let changed = before.is_some_and(|before| before.active != on);
    Ok(Verdict::Happened(Outcome { output: state, changed, undo: None }.with_undo(before)?))
}

pub(crate) fn verify_start(input: Input, context: &Context) -> Result<Verdict<State>> {
    verify(&input, true, context)
}

pub(crate) fn verify_stop(input: Input, context: &Context) -> Result<Verdict<State>> {
    verify(&input, false, context)
}

/// Without data the answer was lost, and the note tells.
pub(crate) fn undo(input: Input, data: Option<Option<Before>>, context: &Context) -> Result<Outcome<State>> {
    let unit = Unit::of(&input.named, context)?;
    let before = match data.flatten() {
        Some(before) => Some(before),
        None => checkpoint::get(NOTE)?,
    };
    let state = unit.look()?;
    match before {
        Some(before) if !state.stands(before.active) => {
            unit.turn(before.active, &state, input.timeout).map(Outcome::changed)
        }
        _ => Ok(Outcome::unchanged(state)),
    }
}
