//! `restart` and `reload`.
//!
//! Each start of a unit has an invocation id. The one before is noted, so [`verify`] knows whether a restart whose answer
//! was lost happened: the unit then has another.

use runwright_sdk::{Change, ChangeKind, Context, Error, Outcome, Preview, Result, Verdict, checkpoint};

use crate::unit::{Input, State, Unit, other_state};

const NOTE: &str = "invocation";

pub(crate) fn run(input: Input, context: &Context) -> Result<Outcome<State>> {
    let unit = Unit::of(&input.named, context)?;
    let before = unit.find()?.invocation;
    checkpoint::set(NOTE, &before)?;
    let state = unit.act("restart", input.timeout)?;
    if state.was_started_since(&before) {
        return Ok(Outcome::changed(state));
    }
    if state.is_active() {
        let message = format!("systemctl restart {} ended without an error, but the unit was not started", state.unit);
        return Err(Error::partial(format!("{message}: it runs on as before")).code("service.other-state"));
    }
    Err(other_state("restart", &state))
}

pub(crate) fn plan(input: Input, context: &Context) -> Result<Preview> {
    let unit = Unit::of(&input.named, context)?;
    let now = unit.preview()?.map(|state| format!("; it is {} now", state.active)).unwrap_or_default();
    let change = Change::new(ChangeKind::Execute, &unit.name, format!("restart{now}"));
    Ok(Preview::new(format!("restarts {}", unit.name)).change(change))
}

pub(crate) fn verify(input: Input, context: &Context) -> Result<Verdict<State>> {
    let Some(before) = checkpoint::get::<String>(NOTE)? else {
        return Ok(Verdict::NotHappened);
    };
    let state = Unit::of(&input.named, context)?.find()?;
    Ok(match state.active.as_str() {
        "activating" | "deactivating" => Verdict::cannot_tell(format!("{} is {} still", state.unit, state.active)),
        _ if state.is_active() && state.invocation != before => Verdict::Happened(Outcome::changed(state)),
        // It stands as it did, or stopped and did not come back: a restart helps both.
        _ => Verdict::NotHappened,
    })
}

pub(crate) fn reload(input: Input, context: &Context) -> Result<Outcome<State>> {
    let unit = Unit::of(&input.named, context)?;
    reloadable(&unit.find()?)?;
    let state = unit.act("reload", input.timeout)?;
    if state.is_active() { Ok(Outcome::changed(state)) } else { Err(other_state("reload", &state)) }
}

pub(crate) fn plan_reload(input: Input, context: &Context) -> Result<Preview> {
    let unit = Unit::of(&input.named, context)?;
    if let Some(state) = unit.preview()? {
        reloadable(&state)?;
    }
    Ok(Preview::new(format!("reloads {}", unit.name)).change(Change::new(ChangeKind::Execute, &unit.name, "reload")))
}

fn reloadable(state: &State) -> Result<()> {
    let wrong = |why: &str| Err(Error::permanent(format!("{} {why}", state.unit)).code("service.no-reload"));
    if !state.can_reload {
        return wrong("can't be reloaded; service/restart lets it read its configuration too");
    }
    if !state.is_active() {
        return wrong("does not run, so there is nothing to reload");
    }
    Ok(())
}
