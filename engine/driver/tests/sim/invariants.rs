//! What must hold in every history, whatever fails. The books are kept outside the engine: of what is on the disk, and
//! of what happened in the world.
//!
//! 1. Nothing acts that is not written down: every effect has a durable `started` that is still in flight.
//! 2. An effect of an unsafe action never happens twice under one key, unless in between the plugin said that nothing
//!    remained, `verify` said that it did not happen, or a person said `retry`.
//! 3. No undo begins before it is settled what became of the step, nor while another step is in flight; undoing goes in the
//!    reverse order of completion, but what a step builds on stays while that step could not be taken back. (That an undo
//!    does not happen twice is rule 2; an action's own undo may be repeated.)
//! 4. Every run comes to its end, or is blocked with a step that asks a person. No unfinished run is without a task.
//! 5. What the engine thinks of a run is what its history says, and every beginning of a history can be replayed.
//! 6. A run that is over never acts again, unless a person asks to take it back.
//! 7. Of the runs and steps with one lock at most one is between `locked` and its end, and only that one acts.
//! 8. One seed, one history.
//! 9. What the journal says at a run's end is true, where plugins tell the truth: what succeeded happened, what failed
//!    with nothing remaining did not, and a run that was rolled back left nothing that has an undo.
//!
//! 10. In a run that was told to stop, no step starts any more but those that always run, what takes back, and what a person
//!     says to try again.
//! 11. Of the runs of one runbook no more are at work than it says when one begins.
//! 12. What a run derives record by record is what it derives from nothing.
//!
//! Rules 4 and 8 are looked after where engines live (`history.rs`), the others here.

use std::collections::BTreeSet;
use std::sync::Arc;

use runwright_core::{
    Direction, EffectClass, Event, FailureKind, Key, Outcome, Phase, Record, Run, RunId, RunStatus, Settlement,
    StepRun, StepState, Verdict, Work,
};

use crate::books::{Books, Undone, Watched, around, paths};

impl Books {
    /// Something happens outside, for this attempt.
    pub(crate) fn acts(&mut self, id: RunId, path: &str, direction: Direction, attempt: u32, key: &Key) {
        self.story.push(format!("   effect of {path} {direction:?} {attempt} of {id}"));
        let Some(Watched { run, .. }) = self.runs.get(&id) else {
            return self.blame(format!("1: {path} acts in a run that is not written down"));
        };
        let Some((step, state)) = run.step(path) else {
            return self.blame(format!("1: {path} acts, and is not written down"));
        };
        let own_undo = direction == Direction::Undo && step.undo.is_none();
        let effect = run.pin_of(step.work(direction)).map_or(EffectClass::Read, |pin| pin.effect);
        let in_flight =
            state.active().is_some_and(|a| (a.direction, a.number, &a.phase) == (direction, attempt, &Phase::Calling));
        let (over, once) = (run.status().is_finished(), effect == EffectClass::Unsafe && !step.idempotent && !own_undo);
        let held = |lock: &String| self.holders.get(lock).is_some_and(|(holder, _)| *holder == id);
        let of_steps = around(path).filter_map(|path| run.step(path)).flat_map(|(_, state)| &state.locks);
        let unlocked = run.lock().map(str::to_owned).iter().chain(of_steps).any(|lock| !held(lock));
        let state = format!("{:?}", state.state);
        if !in_flight || *key != Key::of(id, path, direction) {
            self.blame(format!("1: attempt {attempt} of {path} {direction:?} acts, and the journal says {state}"));
        }
        if over {
            self.blame(format!("6: {path} acts in a run that is over"));
        }
        if unlocked {
            self.blame(format!("7: {path} acts without the lock"));
        }
        if once && !self.spent.insert(key.as_str().to_owned()) {
            self.blame(format!("2: {path} {direction:?} acts twice under one key"));
        }
        *self.effects.entry(key.as_str().to_owned()).or_default() += 1;
    }

    /// Who holds which lock when this is written down, and who acts.
    pub(crate) fn lock_rule(&mut self, before: &Run, after: &Run, record: &Record) -> Option<String> {
        let (id, over) = (record.run, before.status().is_finished());
        let held = self.locks(before);
        match &record.event {
            Event::Started { step, .. } if over => return Some(format!("6: {step} starts in a run that is over")),
            Event::Locked { step } if step.is_empty() => {
                // Each runbook says another number, and who comes last may be written down first.
                let begun = self.begun.iter().filter_map(|id| self.runs.get(id)).map(|watched| &watched.run);
                let most = begun.chain([before]).map(|run| run.runbook().max_parallel.unwrap_or(u32::MAX) as usize);
                let most = most.max().unwrap_or(usize::MAX);
                if self.begun.len() >= most {
                    return Some(format!("11: {id} begins, and {} are at work: {most} may", self.begun.len()));
                }
                self.begun.insert(id);
            }
            Event::RollbackRequested { .. } if over => _ = self.begun.insert(id),
            Event::Finished { .. } => _ = self.begun.remove(&id),
            _ => {}
        }
        let holds = self.locks(after);
        for (path, key) in held.iter().filter(|lock| !holds.contains(*lock)) {
            if self.holders.get(key) == Some(&(id, path.clone())) {
                self.holders.remove(key);
            }
        }
        for (path, key) in holds.into_iter().filter(|lock| !held.contains(lock)) {
            if let Some((other, place)) = self.holders.insert(key.clone(), (id, path.clone())) {
                return Some(format!("7: {path:?} of {id} takes the lock {key:?}, which {place:?} of {other} holds"));
            }
        }
        None
    }

    /// The locks that the run holds itself, and those of its steps.
    fn locks(&self, run: &Run) -> Vec<(String, String)> {
        let own = run.lock().filter(|_| self.begun.contains(&run.id())).map(|key| (String::new(), key.to_owned()));
        own.into_iter().chain(run.step_locks()).collect()
    }

    /// What may start in a run that was told to stop, maybe together with that it was taken over.
    pub(crate) fn stop_rule(&mut self, before: &Run, record: &Record) -> Option<String> {
        match &record.event {
            Event::CancelRequested { .. } | Event::RollbackRequested { .. } => {
                self.stopped.insert(record.run);
                None
            }
            Event::Settled { step, settlement: Settlement::Retry, .. } => {
                self.retried.insert((record.run, step.clone()));
                None
            }
            Event::Started { step: path, direction: Direction::Forward, .. } => {
                let always = around(path).any(|path| before.step(path).is_some_and(|(step, _)| step.always));
                let again = self.retried.contains(&(record.run, path.clone()));
                let starts = self.stopped.contains(&record.run) && !always && !again;
                starts.then(|| format!("10: {path} starts in a run that was told to stop"))
            }
            _ => None,
        }
    }

    /// What may be undone when this is written down.
    pub(crate) fn undo_rule(&mut self, before: &Run, record: &Record) -> Option<String> {
        let path = match &record.event {
            Event::Started { step, direction: Direction::Undo, .. } => step,
            Event::Refused { step, .. } if before.step(step)?.1.state != StepState::Pending => step,
            _ => return None,
        };
        let (step, state) = before.step(path)?;
        let settled = match &state.state {
            StepState::Succeeded | StepState::Failed => true,
            StepState::Active(attempt) => attempt.direction == Direction::Undo,
            StepState::Unknown { direction: Direction::Forward, .. } => {
                step.undo.is_none() && before.pin(step).is_some_and(|pin| pin.undo_safe_if_not_run)
            }
            _ => false,
        };
        if !settled {
            return Some(format!("3: {path} is undone, and it is {:?}", state.state));
        }
        // An undo that has begun comes to its end, also where something beside it then goes forward.
        let begins = !matches!(record.event, Event::Started { attempt: 2.., .. });
        if let Some(other) = in_the_way(before, path).filter(|_| begins) {
            return Some(format!("3: {path} is undone while {other} is in flight"));
        }
        let held = held_back(before);
        if held.contains(path) {
            return Some(format!("3: {path} is undone, and what builds on it stands"));
        }
        let watched = self.runs.get_mut(&record.run)?;
        if watched.undone.iter().any(|undone| undone.path == *path) {
            return None;
        }
        let done = |path: &str| watched.completed.get(path).copied().unwrap_or(u64::MAX);
        // What is in a step is taken back with it, also when what was held back as that began is so no more.
        let had_to_wait = |other: &Undone| {
            let begun = |above: &str| watched.undone.iter().find(|undone| undone.path == above);
            around(&other.path).filter_map(begun).any(|above| above.held_back.contains(path))
        };
        let early = |other: &&Undone| {
            done(&other.path) < done(path)
                && done(path) < other.began
                && !had_to_wait(other)
                && in_sequence(before, &other.path, path)
        };
        let early = watched.undone.iter().find(early).map(|other| other.path.clone());
        watched.undone.push(Undone { path: path.clone(), began: record.seq, held_back: held });
        early.map(|other| format!("3: {path} is undone after {other}, which completed before it"))
    }

    /// What makes it right that an unsafe effect happens again.
    pub(crate) fn licence(&mut self, before: &Run, record: &Record) {
        let (step, direction) = match &record.event {
            Event::Ended { step, direction, outcome: Outcome::Failed(failure), .. }
                if failure.kind != FailureKind::Partial =>
            {
                (step, *direction)
            }
            Event::Verified { step, direction, verdict: Verdict::NotHappened, .. } => (step, *direction),
            Event::Settled { step, settlement: Settlement::Retry, .. } => match before.step(step).map(|s| &s.1.state) {
                Some(StepState::Unknown { direction, .. }) => (step, *direction),
                _ => (step, Direction::Undo),
            },
            _ => return,
        };
        self.spent.remove(Key::of(record.run, step, direction).as_str());
    }

    /// Whether what the journal says at the run's end is true.
    pub(crate) fn truth_rule(&self, record: &Record) -> Option<String> {
        let Event::Finished { .. } = record.event else { return None };
        let run = &self.runs.get(&record.run)?.run;
        if !self.honest {
            return None;
        }
        paths(run).into_iter().find_map(|path| {
            let (step, state) = run.step(&path)?;
            let writes = run.effect(step) != EffectClass::Read;
            let times = |direction| self.effects(&Key::of(run.id(), &path, direction));
            let (done, undone) = (times(Direction::Forward), times(Direction::Undo));
            let calls = |direction| step.work(direction).action().is_some();
            let partial = state.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Partial);
            let lie = match &state.state {
                StepState::Succeeded => calls(Direction::Forward) && done == 0,
                StepState::Failed => writes && done > 0 && !partial,
                StepState::Undone => calls(Direction::Undo) && undone == 0,
                StepState::Skipped(_) => done > 0,
                StepState::UndoFailed { accepted } => !accepted,
                _ => true,
            };
            let stays = |path| run.step(path).is_some_and(|(step, _)| step.undo.is_some() || step.always);
            let may = run.has_undo(step) && !step.always && !around(&path).skip(1).any(stays);
            let left = run.status() == RunStatus::RolledBack && may && writes && done > 0;
            let taken = matches!(state.state, StepState::Undone | StepState::UndoFailed { accepted: true });
            (lie || left && !taken).then(|| {
                let state = &state.state;
                format!("9: {path} acted {done} times and was taken back {undone} times, and the journal says {state:?} in a run that is {}", run.status().as_str())
            })
        })
    }

    /// Whether the whole history, read again from the disk, gives the run that the records gave one by one.
    pub(crate) fn replayed(&mut self, history: &[Record]) {
        let Some(watched) = history.first().and_then(|first| self.runs.get(&first.run)) else {
            return self.blame("5: a history of which no record was seen".into());
        };
        let replayed = Run::replay(Arc::clone(watched.run.runbook()), history);
        if replayed.as_ref() != Ok(&watched.run) {
            self.blame(format!("5: replayed from the disk, run {} is another one", watched.run.id()));
        }
    }
}

/// The node in which both are, with the child of it that is, or is around, each.
fn meet<'p>(one: &'p str, other: &'p str) -> (&'p str, &'p str, &'p str) {
    let mut ends = one.match_indices('/').map(|(at, _)| at).chain([one.len()]);
    let mut above = "";
    loop {
        let Some(end) = ends.next() else { return (above, one, other) };
        let part = &one[..end];
        if around(other).any(|path| path == part) {
            above = part;
            continue;
        }
        let of_other = around(other).take_while(|path| *path != above).last().unwrap_or(other);
        return (above, part, of_other);
    }
}

/// Whether both stand in steps that are done one after the other.
fn in_sequence(run: &Run, one: &str, other: &str) -> bool {
    // A group that was tried again has its number in the path.
    let above = around(meet(one, other).0).find_map(|path| run.step(path));
    match above.map(|(step, _)| &step.work) {
        Some(Work::Group { at_once: Some(at_once), .. }) => *at_once == 1,
        Some(Work::Each { at_once, .. }) => *at_once == 1,
        _ => true,
    }
}

/// A step that goes forward while this one may not be undone because of that: side by side with what takes itself back,
/// others may.
fn in_the_way(run: &Run, path: &str) -> Option<String> {
    let forward = |path: &str| {
        let active = run.step(path).and_then(|(_, state)| state.active());
        active.is_some_and(|attempt| attempt.direction == Direction::Forward)
    };
    // What holds steps is at work only by those.
    let is_leaf =
        |state: &StepRun| state.active().is_some_and(|attempt| !matches!(attempt.phase, Phase::Inside { .. }));
    let at_work = run.attempts().filter(|(_, state)| is_leaf(state) && forward(&state.path));
    let others = at_work.filter(|(_, state)| !around(path).any(|around| *around == *state.path));
    // What was stuck beside it may close meanwhile.
    let closes = |other: &str| around(other).any(|path| run.step(path).is_some_and(|(step, _)| step.always));
    let in_way = |other: &str| in_sequence(run, path, other) || !forward(meet(path, other).1) && !closes(other);
    others.map(|(_, state)| state.path.to_string()).find(|other| in_way(other))
}

/// The paths that a step whose undo did not succeed builds on, directly or through others, with all that is in them.
fn held_back(run: &Run) -> BTreeSet<String> {
    let all = paths(run);
    let stuck = |path: &&String| {
        run.step(path).is_some_and(|(_, state)| {
            matches!(
                state.state,
                StepState::UndoFailed { accepted: false } | StepState::Unknown { direction: Direction::Undo, .. }
            )
        })
    };
    let mut held = BTreeSet::new();
    let mut above: Vec<String> = all.iter().filter(stuck).cloned().collect();
    while let Some(path) = above.pop() {
        for level in around(&path) {
            let (parent, name) = level.rsplit_once('/').unwrap_or(("", level));
            let reads = run.step(level).map(|(step, _)| step.builds_on.clone()).unwrap_or_default();
            let is_call = run.step(parent).is_some_and(|(step, _)| matches!(step.work, Work::Script { .. }));
            for below in &all {
                let (other, id) = below.rsplit_once('/').unwrap_or(("", below));
                let number = |call: &str| call.parse::<u32>().unwrap_or(0);
                let reads_it = match is_call {
                    true => number(id) > 0 && number(id) < number(name),
                    false => reads.iter().any(|read| read == id),
                };
                if other == parent && reads_it && held.insert(below.clone()) {
                    above.push(below.clone());
                }
            }
        }
    }
    let inside = all.iter().filter(|path| around(path).any(|around| held.contains(around)));
    inside.cloned().collect()
}
