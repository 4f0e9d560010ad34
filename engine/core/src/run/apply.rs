//! The one transition table: what an event makes of a run, live and on replay.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::derive::Derived;
use super::owed::Owed;
use super::tree::{Node, NodeId, ROOT};
use super::{Attempt, Phase, Run, ScriptCall, Stage, StepRun, StepState};
use crate::{Direction, Event, Map, Note, Record, Runbook, Step, Value, Work};

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
        let work = Work::group(runbook.steps.clone());
        let state = StepState::Active(Attempt {
            direction: Direction::Forward,
            number: 1,
            phase: Phase::Inside { until: None },
        });
        let root = Node {
            step: Arc::new(Step::new("", work)),
            parent: None,
            children: Vec::new(),
            inside: None,
            derived: Derived::default(),
            run: StepRun { state, ..StepRun::pending("".into()) },
        };
        let waits = lock.is_some() || runbook.max_parallel.is_some();
        let mut run = Self {
            id: record.run,
            digest: *digest,
            inputs: inputs.clone(),
            pins: pins.clone(),
            cause: cause.clone(),
            lock: lock.clone(),
            nodes: vec![root],
            at: HashMap::from([("".into(), ROOT)]),
            changed: Vec::new(),
            stage: if waits { Stage::Queued } else { Stage::Open },
            holders: BTreeSet::new(),
            owed: Owed::default(),
            touched: BTreeSet::new(),
            outputs: Map::new(),
            failure: None,
            seq: 1,
            created: record.at,
            updated: record.at,
            runbook,
        };
        run.bear_inside(ROOT, &Value::Null);
        if run.stage == Stage::Open {
            run.set_out(record.at);
        }
        run.derive();
        Ok(run)
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
        let before = std::mem::take(&mut self.changed);
        if let Err(misfit) = self.transition(record) {
            self.changed = before;
            return Err(misfit);
        }
        self.owed.begun.clear();
        self.derive();
        self.seq = record.seq;
        self.updated = record.at;
        debug_assert!(!self.status().is_finished() || self.active().next().is_none());
        debug_assert!(self.changed().all(|(_, step, _)| step.forward.spent <= step.forward.started));
        Ok(())
    }

    /// What `event` makes of the run; nothing changes before it is known to fit.
    fn transition(&mut self, record: &Record) -> Result<(), Misfit> {
        let at = record.at;
        match &record.event {
            Event::Created { .. } => Err(Misfit::new("a second created", "a run that exists")),
            Event::Locked { step } if step.is_empty() && self.stage == Stage::Queued => {
                self.stage = Stage::Open;
                self.set_out(at);
                Ok(())
            }
            Event::Locked { step } => self.locked(step, at),
            Event::Skipped { step, reason } => {
                let id = self.pending(step, "skipped")?;
                self.at_mut(id).ended = Some(at);
                self.set(id, StepState::Skipped(*reason));
                self.pass(id);
                Ok(())
            }
            Event::Refused { step, failure } => {
                let id = self.existing(step)?;
                self.refuse(id, failure, at)
            }
            Event::Started { step, direction, attempt, input, action, locks, .. } => {
                let id = self.starting(step, *direction, *attempt, action.as_ref())?;
                if (*direction, *attempt) == (Direction::Forward, 1) {
                    self.at_mut(id).locks.clone_from(locks);
                }
                self.start(id, *direction, *attempt, input, at);
                Ok(())
            }
            Event::Noted { step, direction, attempt, note } => {
                let id = self.noting(step, *direction, *attempt)?;
                self.at_mut(id).remember(note);
                Ok(())
            }
            Event::Ended { step, direction, attempt, outcome } => {
                let id = self.awaited(step, *direction, *attempt, "ended")?;
                self.end(id, *direction, outcome, at);
                Ok(())
            }
            Event::Interrupted { engine, not_begun } => {
                self.interrupt(*engine, not_begun, at);
                Ok(())
            }
            Event::Verified { step, direction, attempt, verdict } => {
                let id = self.existing(step)?;
                self.verified(id, *direction, *attempt, verdict, at)
            }
            Event::Settled { step, settlement, by } => {
                let id = self.find(step).ok_or_else(|| self.no_such_step(step))?;
                self.settle(id, settlement, by, at)
            }
            Event::Approval { step, yes, by } => self.answer(step, *yes, by, at),
            Event::TimedOut { step } => self.time_out(step, at),
            Event::CancelRequested { rollback, .. } => self.cancel(*rollback, at),
            Event::RollbackRequested { .. } => self.roll_back(at),
            Event::Finished { outputs, failure } => self.finish(outputs, failure.as_ref(), at),
        }
    }

    pub(super) fn existing(&self, path: &str) -> Result<NodeId, Misfit> {
        self.find(path).ok_or_else(|| Misfit::new(format!("step {path:?}"), "this run"))
    }

    fn pending(&self, path: &str, event: &str) -> Result<NodeId, Misfit> {
        let id = self.existing(path)?;
        match self.at(id).state {
            StepState::Pending => Ok(id),
            _ => Err(self.misfit(id, event)),
        }
    }

    /// The node whose attempt of this number awaits its answer, sleeps, or has nothing left to do inside. The next attempt
    /// of a script that is given up waits in vain: that one can end too.
    fn awaited(&self, path: &str, direction: Direction, number: u32, event: &str) -> Result<NodeId, Misfit> {
        let id = self.existing(path)?;
        let awaited = self.at(id).active().is_some_and(|attempt| {
            let is_it = (attempt.direction, attempt.number) == (direction, number);
            is_it
                && match attempt.phase {
                    Phase::Calling | Phase::Sleeping { .. } | Phase::Queued => true,
                    Phase::Inside { .. } => self.rest_inside(id).0.is_over(),
                    Phase::Waiting { .. } => direction == Direction::Forward && self.is_given_up(id),
                    Phase::Verifying { .. } | Phase::Asking { .. } => false,
                }
        });
        if awaited { Ok(id) } else { Err(self.misfit(id, event)) }
    }

    /// The node that a note of its attempt is about. Whoever is asked whether an attempt happened may start
    /// programs too.
    fn noting(&self, path: &str, direction: Direction, number: u32) -> Result<NodeId, Misfit> {
        let id = self.existing(path)?;
        match &self.at(id).state {
            StepState::Active(Attempt { direction: d, number: n, phase: Phase::Verifying { .. } })
                if (*d, *n) == (direction, number) =>
            {
                Ok(id)
            }
            _ => self.awaited(path, direction, number, "noted"),
        }
    }

    /// The node at which an attempt of this number is about to begin; a script's next call is made there.
    fn starting(
        &mut self,
        path: &str,
        direction: Direction,
        number: u32,
        action: Option<&crate::ActionName>,
    ) -> Result<NodeId, Misfit> {
        let Some(id) = self.find(path) else { return self.next_call(path, direction, number, action) };
        let first = match direction {
            Direction::Forward => self.at(id).state == StepState::Pending,
            Direction::Undo => self.undoes_next(id),
        };
        let step = self.at(id);
        let next = matches!(&step.state, StepState::Active(Attempt { direction: d, phase: Phase::Waiting { .. }, .. })
            if *d == direction);
        if (first || next) && number == step.attempts(direction).started + 1 {
            Ok(id)
        } else {
            Err(self.misfit(id, "started"))
        }
    }

    pub(super) fn misfit(&self, id: NodeId, event: &str) -> Misfit {
        let (id, step) = (self.path(id), self.at(id));
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
        Event::Locked { .. } => "locked",
        Event::Skipped { .. } => "skipped",
        Event::Refused { .. } => "refused",
        Event::Started { .. } => "started",
        Event::Noted { .. } => "noted",
        Event::Ended { .. } => "ended",
        Event::Interrupted { .. } => "interrupted",
        Event::Verified { .. } => "verified",
        Event::Settled { .. } => "settled",
        Event::Approval { .. } => "approval",
        Event::TimedOut { .. } => "timed-out",
        Event::CancelRequested { .. } => "cancel-requested",
        Event::RollbackRequested { .. } => "rollback-requested",
        Event::Finished { .. } => "finished",
    }
}
