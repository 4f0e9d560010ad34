//! Attempts: how they begin, end, are lost and are repeated.

use super::inside::{Course, End};
use super::tree::NodeId;
use super::{Attempt, Misfit, Phase, Run, StepRun, StepState};
use crate::recovery::unverifiable;
use crate::{
    Answer, Direction, EffectClass, Exit, Failure, FailureKind, Outcome, Recovery, Timestamp, Value, Verdict, Work,
    recovery,
};

/// In flight at this many deaths of the engine, a step is suspected to be what kills it.
const DEATHS_BEFORE_QUARANTINE: u32 = 3;

/// Attempts of an undo, at least: giving up on one needs a person.
const UNDO_ATTEMPTS: u32 = 3;

impl Run {
    /// An attempt starts. Where it needs locks that it does not hold it waits for them, and begins then.
    pub(super) fn start(&mut self, id: NodeId, direction: Direction, number: u32, input: &Value, at: Timestamp) {
        let own_undo = self.undoes_itself(id, direction);
        let holds_steps = self.holds_steps(id);
        let step = self.at_mut(id);
        step.attempts_mut(direction).started = number;
        step.told_to_stop = false;
        step.approvals.clear();
        if holds_steps && direction == Direction::Forward {
            // What the attempt before failed of says nothing about this one.
            step.failure = None;
        }
        step.started.get_or_insert(at);
        step.children.clear();
        match direction {
            Direction::Forward => step.input = Some(input.clone()),
            Direction::Undo if !own_undo => step.undo_input = Some(input.clone()),
            Direction::Undo => {}
        }
        if self.missing_locks(id).is_empty() {
            self.begin(id, direction, number, at);
        } else {
            self.set(id, StepState::Active(Attempt { direction, number, phase: Phase::Queued }));
        }
        self.pass(id);
    }

    /// An attempt that has all that it needs begins.
    pub(super) fn begin(&mut self, id: NodeId, direction: Direction, number: u32, at: Timestamp) {
        let own_undo = self.undoes_itself(id, direction);
        let holds = self.holds_steps(id) && (own_undo || direction == Direction::Forward);
        let step = self.at(id);
        let input = if direction == Direction::Forward || own_undo { &step.input } else { &step.undo_input };
        let input = input.clone().unwrap_or_default();
        match direction {
            Direction::Forward if self.node(id).inside.is_none() || self.holds_steps(id) => {
                self.bear_inside(id, &input);
            }
            Direction::Undo if holds => {
                self.set_course(id, Course::Undoing);
                self.inside_mut(id).into_iter().for_each(|inside| inside.undo_from = 0);
            }
            _ => {}
        }
        // What rescues a step is not taken back by what it rescues from.
        if let Some(parent) = self.node(id).parent
            && let Some(inside) = self.inside_mut(parent).filter(|inside| inside.rescue == Some(id))
            && direction == Direction::Forward
        {
            inside.course = Course::Closing(End::Failed);
            self.touch_open(parent);
        }
        let phase = match self.work_at(id, direction) {
            Work::Wait { .. } => {
                Phase::Sleeping { until: at.plus_millis(input.get("ms").and_then(Value::as_u64).unwrap_or(0)) }
            }
            _ if holds => Phase::Inside { until: self.time_from(id, direction, at) },
            Work::Approve { .. } => Phase::Asking { until: self.time_from(id, direction, at) },
            _ => Phase::Calling,
        };
        self.set(id, StepState::Active(Attempt { direction, number, phase }));
    }

    /// When it has taken all the time that it may, if it begins now.
    fn time_from(&self, id: NodeId, direction: Direction, at: Timestamp) -> Option<Timestamp> {
        let own = self.runbook_in(id).and_then(|runbook| runbook.limit).map(|limit| limit.ms);
        let limit = self.step_at(id).limit_ms.into_iter().chain(own).min();
        limit.filter(|_| direction == Direction::Forward).map(|ms| at.plus_millis(ms))
    }

    /// Brings a node to this state.
    pub(super) fn set(&mut self, id: NodeId, state: StepState) {
        let before = std::mem::replace(&mut self.at_mut(id).state, state);
        self.let_go(id);
        self.changed.push((id, before));
        if self.is_script(id) {
            self.touch_open(id);
        }
    }

    fn conclude(&mut self, id: NodeId, state: StepState, at: Timestamp) {
        let seq = self.seq + 1;
        let step = self.at_mut(id);
        (step.completed, step.ended) = (Some(seq), Some(at));
        self.set(id, state);
    }

    /// Whether it holds steps, which are its work.
    pub(super) fn holds_steps(&self, id: NodeId) -> bool {
        matches!(self.step_at(id).work, Work::Group { .. } | Work::Each { .. } | Work::Runbook { .. })
    }

    pub(super) fn end(&mut self, id: NodeId, direction: Direction, outcome: &Outcome, at: Timestamp) {
        if self.at(id).active().is_some_and(|attempt| matches!(attempt.phase, Phase::Inside { .. })) {
            self.skip_rest(id, at);
        }
        match outcome {
            Outcome::Succeeded(answer) => self.succeed(id, direction, answer, at),
            Outcome::Failed(failure) => {
                let mut failure = failure.clone();
                // A runbook whose outputs can't be worked out has done something.
                if self.holds_steps(id) && direction == Direction::Forward && self.inside_remains(id) {
                    failure.kind = FailureKind::Partial;
                }
                self.at_mut(id).attempts_mut(direction).spent += 1;
                if failure.kind == FailureKind::Transient && self.may_repeat(id, direction, at) {
                    self.at_mut(id).note_failure(direction, failure.clone());
                    self.again(id, direction, failure.retry_after_ms.unwrap_or(0), at);
                } else {
                    self.give_up(id, direction, failure, at);
                }
            }
            Outcome::Lost { reason } => {
                self.at_mut(id).attempts_mut(direction).spent += 1;
                self.lose(id, direction, reason, at);
            }
        }
    }

    /// Applies the recovery table to an attempt whose answer is lost.
    fn lose(&mut self, id: NodeId, direction: Direction, reason: &str, at: Timestamp) {
        let verdict = if self.undoes_itself(id, direction) {
            Recovery::Again
        } else {
            recovery(self.step_at(id), self.pin_at(id, direction))
        };
        match verdict {
            Recovery::Verify => {
                if let Some(attempt) = self.at(id).active().cloned() {
                    let phase = Phase::Verifying { reason: reason.to_owned() };
                    self.set(id, StepState::Active(Attempt { phase, ..attempt }));
                }
            }
            verdict => self.follow(verdict, id, direction, reason, at),
        }
    }

    fn follow(&mut self, verdict: Recovery, id: NodeId, direction: Direction, reason: &str, at: Timestamp) {
        match verdict {
            Recovery::Again if self.may_repeat(id, direction, at) => {
                self.doubt(id, direction);
                self.again(id, direction, 0, at);
            }
            Recovery::Again | Recovery::Fail => {
                let effect = self.pin_at(id, direction).map_or(EffectClass::Read, |pin| pin.effect);
                let kind = if effect == EffectClass::Read { FailureKind::Permanent } else { FailureKind::Partial };
                self.give_up(id, direction, Failure::new(kind, reason), at);
            }
            Recovery::Ask | Recovery::Verify => {
                self.at_mut(id).ended = Some(at);
                self.set(id, StepState::Unknown { direction, reason: reason.to_owned() });
            }
        }
    }

    /// An attempt that may have happened is repeated without asking whether it did.
    fn doubt(&mut self, id: NodeId, direction: Direction) {
        let writes = self.pin_at(id, direction).is_some_and(|pin| pin.effect != EffectClass::Read);
        if direction == Direction::Forward && writes {
            self.at_mut(id).doubtful = true;
        }
    }

    pub(super) fn interrupt(&mut self, engine: Exit, not_begun: &[String], at: Timestamp) {
        for id in self.calling() {
            let Some(direction) = self.at(id).active().map(|attempt| attempt.direction) else { continue };
            if not_begun.iter().any(|path| **path == **self.path(id)) {
                self.not_begun(id, direction, at);
                continue;
            }
            let step = self.at_mut(id);
            let attempts = step.attempts_mut(direction);
            if engine == Exit::Died {
                attempts.deaths += 1;
            }
            let deaths = attempts.deaths;
            if deaths < DEATHS_BEFORE_QUARANTINE {
                let how = if engine == Exit::Died { "died" } else { "was stopped" };
                self.lose(id, direction, &format!("the engine {how} while the step was in flight"), at);
            } else {
                let reason = format!("the engine died {deaths} times while the step was in flight: quarantined");
                self.follow(Recovery::Ask, id, direction, &reason, at);
            }
        }
    }

    /// An attempt ended before anything of it began: it is repeated, unless the run is ending.
    fn not_begun(&mut self, id: NodeId, direction: Direction, at: Timestamp) {
        if direction == Direction::Forward && self.ends(self.around(id)) && !self.step_at(id).always {
            let failure = Failure::new(FailureKind::Cancelled, "it was cancelled before it began");
            return self.fail(id, failure, at);
        }
        self.again(id, direction, 0, at);
    }

    pub(super) fn verified(
        &mut self,
        id: NodeId,
        direction: Direction,
        number: u32,
        verdict: &Verdict,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let reason = match &self.at(id).state {
            StepState::Active(Attempt { direction: d, number: n, phase: Phase::Verifying { reason } })
                if (*d, *n) == (direction, number) =>
            {
                reason.clone()
            }
            _ => return Err(self.misfit(id, "verified")),
        };
        match verdict {
            Verdict::Happened(answer) => self.succeed(id, direction, answer, at),
            Verdict::NotHappened if self.may_repeat(id, direction, at) => self.again(id, direction, 0, at),
            Verdict::NotHappened => {
                let failure = Failure::new(FailureKind::Transient, format!("{reason}; it did not happen"));
                self.give_up(id, direction, failure, at);
            }
            Verdict::CannotTell { reason: why } => {
                let verdict = unverifiable(self.step_at(id));
                self.follow(verdict, id, direction, &format!("{reason}; {why}"), at);
            }
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, id: NodeId, failure: &Failure, at: Timestamp) -> Result<(), Misfit> {
        if self.at(id).state == StepState::Pending {
            self.fail(id, failure.clone(), at);
            self.pass(id);
            return Ok(());
        }
        if self.undoes_next(id) || self.undo_unresolved(id) {
            self.give_up(id, Direction::Undo, failure.clone(), at);
            return Ok(());
        }
        Err(self.misfit(id, "refused"))
    }

    pub(super) fn succeed(&mut self, id: NodeId, direction: Direction, answer: &Answer, at: Timestamp) {
        let step = self.at_mut(id);
        match direction {
            Direction::Forward => {
                step.answer = Some(answer.clone());
                step.failure = None;
                if self.step_at(id).point_of_no_return && self.script_of(id).is_none() {
                    self.pass_no_return(id);
                }
                self.conclude(id, StepState::Succeeded, at);
            }
            Direction::Undo => {
                step.undo_failure = None;
                step.ended = Some(at);
                let own_undo = self.step_at(id).undo.is_some();
                let left = self.holds_steps(id) && !own_undo && self.inside(id).is_some_and(|inside| inside.left > 0);
                self.set(id, if left { StepState::UndoFailed { accepted: true } } else { StepState::Undone });
            }
        }
    }

    pub(super) fn give_up(&mut self, id: NodeId, direction: Direction, failure: Failure, at: Timestamp) {
        match direction {
            Direction::Forward => self.fail(id, failure, at),
            Direction::Undo => {
                let step = self.at_mut(id);
                step.undo_failure = Some(failure);
                step.ended = Some(at);
                self.set(id, StepState::UndoFailed { accepted: false });
            }
        }
    }

    /// The step failed for good, which may decide where what holds it goes.
    pub(super) fn fail(&mut self, id: NodeId, mut failure: Failure, at: Timestamp) {
        let step = self.at_mut(id);
        if step.doubtful && failure.kind != FailureKind::Partial {
            failure.kind = FailureKind::Partial;
            failure.message += "; an earlier attempt, whose answer was lost, may have happened";
        }
        step.failure = Some(failure);
        self.conclude(id, StepState::Failed, at);
        self.rise(id, at);
    }

    /// Whether one more attempt is allowed. A run that is ending repeats only what its end needs.
    fn may_repeat(&self, id: NodeId, direction: Direction, at: Timestamp) -> bool {
        let (step, state) = (self.step_at(id), self.at(id));
        let spent = state.attempts(direction).spent;
        match direction {
            Direction::Undo => spent < step.retry.attempts.max(UNDO_ATTEMPTS),
            Direction::Forward if self.ends(self.around(id)) && !step.always => false,
            // Its items are what can be tried again.
            Direction::Forward if self.is_each(id) => false,
            Direction::Forward => match (&step.until, state.started) {
                // Polling ends with the time that all of it may take.
                (Some(until), Some(started)) => at.millis_since(started) + until.every_ms <= step.timeout_ms,
                _ => spent < step.retry.attempts,
            },
        }
    }

    pub(super) fn again(&mut self, id: NodeId, direction: Direction, delay_ms: u64, at: Timestamp) {
        let step = self.step_at(id);
        let spent = self.at(id).attempts(direction).spent;
        let delay_ms = match (&step.until, direction) {
            _ if spent == 0 => 0,
            (Some(until), Direction::Forward) => until.every_ms,
            _ => delay_ms.max(step.retry.delay_after_ms(spent)),
        };
        let phase = Phase::Waiting { until: at.plus_millis(delay_ms) };
        let number = self.at(id).attempts(direction).started;
        self.set(id, StepState::Active(Attempt { direction, number, phase }));
    }
}

impl StepRun {
    fn note_failure(&mut self, direction: Direction, failure: Failure) {
        match direction {
            Direction::Forward => self.failure = Some(failure),
            Direction::Undo => self.undo_failure = Some(failure),
        }
    }
}
