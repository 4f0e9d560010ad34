//! A person who starts runs, changes their mind, stops engines, and decides by looking at the world.

use std::collections::BTreeSet;
use std::time::Duration;

use driver::{Admitted, Driver, Error};
use journal::{Batch, Journal, Query};
use runwright_core::{By, Direction, Key, Run, RunId, RunStatus, Settlement, Work};
use serde_json::json;

use crate::dice::Dice;
use crate::history::{Left, Wish, is_answer};
use crate::world::World;

/// How often a person looks in one life, at most.
const LOOKS_MAX: u64 = 800;

/// Brings what is left to its end, as far as this engine lives.
pub(crate) async fn looks_after(
    world: &World,
    driver: &Driver,
    wishes: &[Wish],
    taken_back: &mut BTreeSet<RunId>,
) -> Left {
    decides_first(world, driver, wishes).await;
    match driver.resume_all().await {
        Ok((_, left)) if left.is_empty() => {}
        Ok((_, left)) => world.books().blame(format!("4: these can't go on: {left:?}")),
        Err(error) => world.books().blame(format!("4: nothing can go on: {error}")),
    }
    let mut skipped = BTreeSet::new();
    for look in 0..LOOKS_MAX {
        let mut dice = world.dice(format_args!("look {} {look}", world.life()));
        world.schedule.after(1 + dice.below(20_000) * (1 + look / 20), "person".into()).await;
        if world.books().broken.is_some() {
            return Left::Done;
        }
        let mut busy = false;
        for wish in wishes {
            if skipped.contains(&wish.id) {
                continue;
            }
            let known = world.books().run(wish.id);
            let did = match known {
                None => starts(world, driver, wish, &mut skipped).await,
                Some(run) => minds(world, driver, &run, &mut dice, taken_back).await,
            };
            match did {
                Ok(unfinished) => busy |= unfinished,
                Err(error) if is_answer(&error) => busy = true,
                // The journal has failed: whoever runs the engine ends it.
                Err(Error::Journal(_)) => return Left::Stopped,
                Err(error) => world.books().blame(format!("4: {error}")),
            }
        }
        if !busy {
            return Left::Done;
        }
        let unfinished = world.journal.runs(&Query::unfinished()).unwrap_or_default();
        let left = unfinished.into_iter().map(|head| head.run).find(|run| !driver.is_living(*run));
        if let Some(left) = left {
            // With a failed journal every task ends.
            if !failed(driver).await {
                world.books().blame(format!("4: run {left} is not over, and has no task"));
            }
            return Left::Stopped;
        }
        if !world.is_calm() && dice.percent(4) {
            // Not while a script computes that what was decided just now has started: which of both is first differs.
            world.schedule.after(1, "who stops it".into()).await;
            world.books().story.push("-- the engine is stopped".into());
            driver.stop(Duration::from_millis(dice.below(3_000))).await;
            return Left::Stopped;
        }
    }
    world.books().blame(format!("4: after {LOOKS_MAX} looks not every run came to its end"));
    Left::Stopped
}

/// Before the engine takes its runs over, somebody may tell one of them to stop, or settle what it asks.
async fn decides_first(world: &World, driver: &Driver, wishes: &[Wish]) {
    let mut dice = world.dice(format_args!("first {}", world.life()));
    if let Err(error) = driver.remember_locks() {
        return world.books().blame(format!("4: {error}"));
    }
    for wish in wishes {
        let known = world.books().run(wish.id).filter(|run| !run.status().is_finished());
        let Some(run) = known.filter(|_| !world.is_calm() && dice.percent(10)) else { continue };
        let by = By { who: "ada".into(), why: "first".into() };
        let did = match run.status() {
            RunStatus::Blocked => settles(world, driver, &run, &mut dice, by).await,
            _ => stops(world, driver, run.id(), &mut dice, by).await,
        };
        match did {
            Ok(()) | Err(Error::Journal(_)) => {}
            Err(error) if is_answer(&error) => {}
            Err(error) => world.books().blame(format!("4: {error}")),
        }
    }
}

/// Tells one run to stop.
async fn stops(world: &World, driver: &Driver, id: RunId, dice: &mut Dice, by: By) -> Result<(), Error> {
    let rollback = dice.percent(50);
    world.books().story.push(format!("-- {id} is cancelled, rollback {rollback}"));
    match dice.percent(30) {
        true => driver.roll_back(id, by).await,
        false => driver.cancel(id, by, rollback).await,
    }
}

async fn failed(driver: &Driver) -> bool {
    matches!(driver.journal().append(Batch::default()).await, Err(error) if error.is_final())
}

async fn starts(world: &World, driver: &Driver, wish: &Wish, skipped: &mut BTreeSet<RunId>) -> Result<bool, Error> {
    match driver.admit(vec![(wish.id, wish.admission())], |_| Batch::default()).await?.pop() {
        Some(Admitted::Skipped { key, .. }) => {
            world.books().story.push(format!("-- {} is skipped: {key} is held", wish.id));
            skipped.insert(wish.id);
            Ok(true)
        }
        Some(Admitted::Refused(error)) => Err(error),
        _ => Ok(true),
    }
}

/// Looks at one run; returns whether there is more to come of it.
async fn minds(
    world: &World,
    driver: &Driver,
    run: &Run,
    dice: &mut Dice,
    taken_back: &mut BTreeSet<RunId>,
) -> Result<bool, Error> {
    let by = || By { who: "ada".into(), why: "simulated".into() };
    let id = run.id();
    match run.status() {
        RunStatus::RolledBack => Ok(false),
        status if status.is_finished() => {
            if !world.dice(format_args!("regret {id}")).percent(25) || taken_back.contains(&id) {
                return Ok(false);
            }
            world.books().story.push(format!("-- {id} is to be taken back"));
            driver.roll_back(id, by()).await?;
            taken_back.insert(id);
            Ok(true)
        }
        RunStatus::Blocked => {
            settles(world, driver, run, dice, by()).await?;
            Ok(true)
        }
        _ => {
            if dice.percent(30) && run.attempts().any(|(_, state)| state.state.asks().is_some() || state.is_asking()) {
                // Something else still goes on.
                settles(world, driver, run, dice, by()).await?;
            } else if !world.is_calm() && dice.percent(6) {
                stops(world, driver, id, dice, by()).await?;
            }
            Ok(true)
        }
    }
}

/// The script that made this call.
fn scripts(run: &Run, path: &str) -> Option<String> {
    let (above, _) = path.rsplit_once('/')?;
    run.step(above).filter(|(step, _)| matches!(step.work, Work::Script { .. })).map(|_| above.to_owned())
}

/// Answers a step that asks for approval.
async fn answers(world: &World, driver: &Driver, run: &Run, path: &str, dice: &mut Dice) -> Result<(), Error> {
    let (yes, who) = (dice.percent(80), dice.one(&["bob", "cyd", "eve as root"]));
    world.books().story.push(format!("-- {who} answers {path} of {}: {yes}", run.id()));
    driver.approve(run.id(), path.to_owned(), yes, By { who: who.into(), why: String::new() }).await
}

/// Settles one step by what is true outside.
async fn settles(world: &World, driver: &Driver, run: &Run, dice: &mut Dice, by: By) -> Result<(), Error> {
    if let Some((_, state)) = run.attempts().find(|(_, state)| state.is_asking()) {
        return answers(world, driver, run, &state.path, dice).await;
    }
    let asks = run.attempts().find_map(|(_, state)| Some((state.path.to_string(), state.state.asks()?)));
    let Some((path, direction)) = asks else {
        world.books().blame(format!("4: run {} is blocked, and no step asks", run.id()));
        return Ok(());
    };
    let happened = world.books().effects(&Key::of(run.id(), &path, direction)) > 0;
    let undoes = direction == Direction::Forward && run.step(&path).is_some_and(|(step, _)| run.has_undo(step));
    let done = || Settlement::Done { output: json!({ "n": 1 }) };
    let settlement = match (happened, dice.below(3)) {
        (true, 0) if undoes => Settlement::Undo,
        (true, _) => done(),
        (false, 0) => Settlement::Failed,
        (false, _) => Settlement::Retry,
    };
    // What a script did can be left as a whole.
    let script = scripts(run, &path);
    let (path, settlement) = match script.filter(|_| direction == Direction::Undo && dice.percent(30)) {
        Some(script) => (script, Settlement::Failed),
        None => (path, settlement),
    };
    world.books().story.push(format!("-- {path} of {} is settled: {}", run.id(), settlement.as_str()));
    driver.settle(run.id(), path, settlement, by).await
}
