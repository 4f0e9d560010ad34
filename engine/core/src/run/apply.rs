//! The one transition table: what an event makes of a run, live and on replay.

use std::sync::Arc;

use super::place::{Place, split};
use super::{Attempt, Phase, Run, ScriptCall, Stage, StepRun, StepState};
use crate::{Direction, Event, Map, Note, Record, Runbook, Work};

/// An event that does not fit the run that it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

impl Misfit {
    /// The misfit of an event that the engine made: a defect, or a history that was tampered with.
    pub(super) fn new(event: impl std::fmt::Display, state: impl std::fmt::Display) -> Self {
        Self(format!("{event} does not fit {state}"))
    }

    /// The refusal of what a person asked for, in their words.
    pub(super) fn refusal(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl Run {
    /// The run that `record`, which must be its first, creates from `runbook`.
    pub fn create(runbook: Arc<Runbook>, record: &Record) -> Result<Self, Misfit> {
        let Event::Created { runbook: digest, inputs, pins, cause, lock, .. } = &record.event else {
            return Err(Misfit::new(name(&record.event), "the start of a history"));
        };
        if record.seq != 1 {
            return Err(Misfit::new(format!("record {}", record.seq), "the start of a history"));
        }
        if let Some(action) = runbook.actions().into_iter().find(|action| !pins.contains_key(*action)) {
            return Err(Misfit::new("a runbook that uses an action without pinning it", action.to_string()));
        }
        Ok(Self {
            id: record.run,
            digest: *digest,
            inputs: inputs.clone(),
            pins: pins.clone(),
            cause: cause.clone(),
            lock: lock.clone(),
            steps: vec![StepRun::pending(); runbook.steps.len()],
            stage: if lock.is_some() { Stage::Queued } else { Stage::Forward },
            outputs: Map::new(),
            failed_at: None,
            failure: None,
            seq: 1,
            created: record.at,
            updated: record.at,
            runbook,
        })
    }

    /// The run that these records, from its first on, describe.
    pub fn replay(runbook: Arc<Runbook>, records: &[Record]) -> Result<Self, Misfit> {
        let Some((first, rest)) = records.split_first() else {
            return Err(Misfit::new("nothing", "the start of a history"));
        };
        let mut run = Self::create(runbook, first)?;
        for record in rest {
            run.apply(record)?;
        }
        Ok(run)
    }

    /// Adds one record. An error leaves the run as it was.
    pub fn apply(&mut self, record: &Record) -> Result<(), Misfit> {
        if record.run != self.id || record.seq != self.seq + 1 {
            let what = format!("record {} of run {}", record.seq, record.run);
            return Err(Misfit::new(what, format!("run {} after record {}", self.id, self.seq)));
        }
        if let Stage::Finished(status) = self.stage
            && !matches!(record.event, Event::RollbackRequested { .. })
        {
            return Err(Misfit::new(name(&record.event), format!("a run that is {}", status.as_str())));
        }
        self.transition(record)?;
        self.seq = record.seq;
        self.updated = record.at;
        debug_assert!(!self.status().is_finished() || self.attempts().all(|(_, step)| step.active().is_none()));
        debug_assert!(self.steps.iter().all(|step| step.forward.spent <= step.forward.started));
        Ok(())
    }

    /// What `event` makes of the run; nothing changes before it is known to fit.
    fn transition(&mut self, record: &Record) -> Result<(), Misfit> {
        let at = record.at;
        match &record.event {
            Event::Created { .. } => Err(Misfit::new("a second created", "a run that exists")),
            Event::Locked if self.stage == Stage::Queued => {
                self.stage = Stage::Forward;
                Ok(())
            }
            Event::Locked => Err(Misfit::new("locked", "a run that waits for no lock")),
            Event::Skipped { step, reason } => {
                let place = self.pending(step, "skipped")?;
                let step = self.at_mut(place);
                step.state = StepState::Skipped(*reason);
                step.ended = Some(at);
                Ok(())
            }
            Event::Refused { step, failure } => self.refuse(step, failure, at),
            Event::Started { step, direction, attempt, input, action, .. } => {
                let place = self.starting(step, *direction, *attempt, action.as_ref())?;
                self.start(place, *direction, *attempt, input, at);
                Ok(())
            }
            Event::Noted { step, direction, attempt, note } => {
                let place = self.noting(step, *direction, *attempt)?;
                self.at_mut(place).remember(note);
                Ok(())
            }
            Event::Ended { step, direction, attempt, outcome } => {
                let place = self.awaited(step, *direction, *attempt, "ended")?;
                self.end(place, *direction, outcome, at);
                Ok(())
            }
            Event::Interrupted { engine, not_begun } => {
                self.interrupt(*engine, not_begun, at);
                Ok(())
            }
            Event::Verified { step, direction, attempt, verdict } => {
                let place = self.existing(step)?;
                self.verified(place, *direction, *attempt, verdict, at)
            }
            Event::Settled { step, settlement, by } => {
                let place = self.find(step).ok_or_else(|| self.no_such_step(step))?;
                self.settle(place, settlement, by, at)
            }
            Event::CancelRequested { rollback, .. } => self.cancel(*rollback, at),
            Event::RollbackRequested { .. } => self.roll_back(at),
            Event::Finished { outputs, failure } => self.finish(outputs, failure.as_ref(), at),
        }
    }

    fn existing(&self, path: &str) -> Result<Place, Misfit> {
        self.find(path).ok_or_else(|| Misfit::new(format!("step {path:?}"), "this run"))
    }

    fn pending(&self, path: &str, event: &str) -> Result<Place, Misfit> {
        let place = self.existing(path)?;
        match self.at(place).state {
            StepState::Pending => Ok(place),
            _ => Err(self.misfit(place, event)),
        }
    }

    /// The place of the step whose attempt of this number awaits its answer, or sleeps. The next attempt of a script that
    /// is given up waits in vain: that one can end too.
    fn awaited(&self, path: &str, direction: Direction, number: u32, event: &str) -> Result<Place, Misfit> {
        let place = self.existing(path)?;
        match &self.at(place).state {
            StepState::Active(Attempt { direction: d, number: n, phase: Phase::Calling | Phase::Sleeping { .. } })
                if (*d, *n) == (direction, number) =>
            {
                Ok(place)
            }
            StepState::Active(Attempt { direction: Direction::Forward, number: n, phase: Phase::Waiting { .. } })
                if (direction, number) == (Direction::Forward, *n) && self.is_given_up(place) =>
            {
                Ok(place)
            }
            _ => Err(self.misfit(place, event)),
        }
    }

    /// The place of the step that a note of its attempt is about. Whoever is asked whether an attempt happened may start
    /// programs too.
    fn noting(&self, path: &str, direction: Direction, number: u32) -> Result<Place, Misfit> {
        let place = self.existing(path)?;
        match &self.at(place).state {
            StepState::Active(Attempt { direction: d, number: n, phase: Phase::Verifying { .. } })
                if (*d, *n) == (direction, number) =>
            {
                Ok(place)
            }
            _ => self.awaited(path, direction, number, "noted"),
        }
    }

    /// The place of the step that an attempt of this number is about to begin at; a script's next call is made there.
    fn starting(
        &mut self,
        path: &str,
        direction: Direction,
        number: u32,
        action: Option<&crate::ActionName>,
    ) -> Result<Place, Misfit> {
        let Some(place) = self.find(path) else { return self.next_call(path, direction, number, action) };
        let first = match direction {
            Direction::Forward => self.at(place).state == StepState::Pending,
            Direction::Undo => self.stage == Stage::Undoing && self.next_undo() == Some(place),
        };
        let step = self.at(place);
        let next = matches!(&step.state, StepState::Active(Attempt { direction: d, phase: Phase::Waiting { .. }, .. })
            if *d == direction);
        if (first || next) && number == step.attempts(direction).started + 1 {
            Ok(place)
        } else {
            Err(self.misfit(place, "started"))
        }
    }

    /// Makes room for the next call of a script that runs.
    fn next_call(
        &mut self,
        path: &str,
        direction: Direction,
        number: u32,
        action: Option<&crate::ActionName>,
    ) -> Result<Place, Misfit> {
        let unknown = || Misfit::new(format!("step {path:?}"), "this run");
        let (id, Some(call)) = split(path) else { return Err(unknown()) };
        let parent = self.existing(id)?;
        let calls = self.at(parent).calls.len();
        let runs = matches!(self.at(parent).active(), Some(Attempt { phase: Phase::Calling, .. }));
        let (Some(action), true) = (action, runs && direction == Direction::Forward && number == 1) else {
            return Err(self.misfit(parent, "a call started"));
        };
        if call != calls + 1 || !self.pins.contains_key(action) {
            return Err(unknown());
        }
        let mut step = self.step_at(parent).clone();
        step.id = path.to_owned();
        step.work = Work::Action { action: action.clone(), with: Map::new() };
        (step.undo, step.until, step.condition) = (None, None, None);
        let act = super::Act { step, run: StepRun::pending() };
        self.at_mut(parent).calls.push(ScriptCall::Act(Box::new(act)));
        Ok(Place { step: parent.step, call: Some(calls) })
    }

    pub(super) fn misfit(&self, place: Place, event: &str) -> Misfit {
        let (id, step) = (&self.step_at(place).id, self.at(place));
        let attempt = step.active().map_or_else(String::new, |attempt| format!(" in attempt {}", attempt.number));
        Misfit::new(event, format!("step {id:?}, which is {}{attempt}", step.state.as_str()))
    }
}

impl StepRun {
    fn remember(&mut self, note: &Note) {
        match note {
            Note::Checkpoint { key, value: Some(value) } => {
                self.checkpoints.insert(key.clone(), value.clone());
            }
            Note::Checkpoint { key, value: None } => {
                self.checkpoints.remove(key);
            }
            Note::Value { function, value } => {
                self.calls.push(ScriptCall::Value { function: function.clone(), value: value.clone() });
            }
            Note::Child { detached: false, pid, started, .. } => self.children.push((*pid, *started)),
            Note::Child { detached: true, .. } => {}
        }
    }
}

/// The event's kind, for people.
fn name(event: &Event) -> &'static str {
    match event {
        Event::Created { .. } => "created",
        Event::Locked => "locked",
        Event::Skipped { .. } => "skipped",
        Event::Refused { .. } => "refused",
        Event::Started { .. } => "started",
        Event::Noted { .. } => "noted",
        Event::Ended { .. } => "ended",
        Event::Interrupted { .. } => "interrupted",
        Event::Verified { .. } => "verified",
        Event::Settled { .. } => "settled",
        Event::CancelRequested { .. } => "cancel-requested",
        Event::RollbackRequested { .. } => "rollback-requested",
        Event::Finished { .. } => "finished",
    }
}
