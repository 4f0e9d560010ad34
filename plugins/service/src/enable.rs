//! `enable` and `disable`: whether a unit starts at boot. What was so before is noted first; undo brings that back.

use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint};
use serde::{Deserialize, Serialize};

use crate::unit::{Input, State, Unit, other_state};

const NOTE: &str = "before";

/// How the unit stood before the step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Before {
    enabled: String,
}

fn verb(on: bool) -> &'static str {
    if on { "enable" } else { "disable" }
}

/// What `systemctl enable` and `disable` go between; any other state is not theirs to change.
fn is(state: &State, on: bool) -> Result<bool> {
    match state.enabled.as_str() {
        "enabled" => Ok(on),
        "disabled" => Ok(!on),
        other => {
            let message = format!("{} is {other}: what starts it is not its own [Install] section", state.unit);
            Err(Error::permanent(message).code("service.not-installable"))
        }
    }
}

/// Enables it, or disables it, and looks whether that is so now.
fn act(unit: &Unit, on: bool, input: &Input) -> Result<State> {
    let state = unit.act(verb(on), input.timeout)?;
    if is(&state, on).is_ok_and(|done| done) { Ok(state) } else { Err(other_state(verb(on), &state)) }
}

fn turn(input: &Input, on: bool, context: &Context) -> Result<Outcome<State>> {
    let unit = Unit::of(&input.named, context)?;
    let state = unit.find()?;
    let there = is(&state, on)?;
    let before = match checkpoint::get::<Before>(NOTE)? {
        Some(before) => before,
        None => {
            let before = Before { enabled: state.enabled.clone() };
            checkpoint::set(NOTE, &before)?;
            before
        }
    };
    let state = if there { state } else { act(&unit, on, input)? };
    let changed = before.enabled != state.enabled;
    Outcome { output: state, changed, undo: None }.with_undo(before)
}

pub(crate) fn enable(input: Input, context: &Context) -> Result<Outcome<State>> {
    turn(&input, true, context)
}

pub(crate) fn disable(input: Input, context: &Context) -> Result<Outcome<State>> {
    turn(&input, false, context)
}

fn plan(input: &Input, on: bool, context: &Context) -> Result<Preview> {
    let unit = Unit::of(&input.named, context)?;
    let verb = verb(on);
    let change = match unit.preview()? {
        Some(state) if is(&state, on)? => Change::new(ChangeKind::None, &unit.name, format!("it is {verb}d already")),
        Some(state) => Change::new(ChangeKind::Update, &unit.name, verb).states(state.enabled, format!("{verb}d")),
        None => Change::new(ChangeKind::Update, &unit.name, format!("{verb}, unless that is done already")),
    };
    Ok(Preview::new(format!("{verb}s {}", unit.name)).change(change))
}

pub(crate) fn plan_enable(input: Input, context: &Context) -> Result<Preview> {
    plan(&input, true, context)
}

pub(crate) fn plan_disable(input: Input, context: &Context) -> Result<Preview> {
    plan(&input, false, context)
}

fn verify(input: &Input, on: bool, context: &Context) -> Result<Verdict<State>> {
    let state = Unit::of(&input.named, context)?.find()?;
    if !is(&state, on)? {
        return Ok(Verdict::NotHappened);
    }
    let before: Option<Before> = checkpoint::get(NOTE)?;
    let changed = before.as_ref().is_some_and(|before| before.enabled != state.enabled);
    Ok(Verdict::Happened(Outcome { output: state, changed, undo: None }.with_undo(before)?))
}

pub(crate) fn verify_enable(input: Input, context: &Context) -> Result<Verdict<State>> {
    verify(&input, true, context)
}

pub(crate) fn verify_disable(input: Input, context: &Context) -> Result<Verdict<State>> {
    verify(&input, false, context)
}

/// Without data the answer was lost, and the note tells.
pub(crate) fn undo(input: Input, data: Option<Option<Before>>, context: &Context) -> Result<Outcome<State>> {
    let unit = Unit::of(&input.named, context)?;
    let before = match data.flatten() {
        Some(before) => Some(before),
        None => checkpoint::get::<Before>(NOTE)?,
    };
    let state = unit.look()?;
    match before {
        Some(before) if before.enabled != state.enabled => {
            act(&unit, before.enabled == "enabled", &input).map(Outcome::changed)
        }
        _ => Ok(Outcome::unchanged(state)),
    }
}
