//! Attempts: how they begin, end, are lost and are repeated.

use super::place::Place;
use super::{Attempt, Misfit, Phase, Run, Stage, StepRun, StepState};
use crate::recovery::unverifiable;
use crate::{
    Answer, Direction, EffectClass, Exit, Failure, FailureKind, OnFailure, Outcome, Recovery, RunStatus, Timestamp,
    Value, Verdict, Work, recovery,
};

/// In flight at this many deaths of the engine, a step is suspected to be what kills it.
const DEATHS_BEFORE_QUARANTINE: u32 = 3;

/// Attempts of an undo, at least: giving up on one needs a person.
const UNDO_ATTEMPTS: u32 = 3;

impl Run {
    pub(super) fn start(&mut self, place: Place, direction: Direction, number: u32, input: &Value, at: Timestamp) {
        let sleeps = matches!(self.work_at(place, direction), Work::Wait { .. });
        let own_undo = self.undoes_itself(place, direction);
        let step = self.at_mut(place);
        step.attempts_mut(direction).started = number;
        step.started.get_or_insert(at);
        step.children.clear();
        match direction {
            Direction::Forward => step.input = Some(input.clone()),
            Direction::Undo if !own_undo => step.undo_input = Some(input.clone()),
            Direction::Undo => {}
        }
        let phase = if sleeps {
            Phase::Sleeping { until: at.plus_millis(input.get("ms").and_then(Value::as_u64).unwrap_or(0)) }
        } else {
            Phase::Calling
        };
        step.state = StepState::Active(Attempt { direction, number, phase });
    }

    pub(super) fn end(&mut self, place: Place, direction: Direction, outcome: &Outcome, at: Timestamp) {
        match outcome {
            Outcome::Succeeded(answer) => self.succeed(place, direction, answer, at),
            Outcome::Failed(failure) => {
                self.at_mut(place).attempts_mut(direction).spent += 1;
                if failure.kind == FailureKind::Transient && self.may_repeat(place, direction, at) {
                    self.at_mut(place).note_failure(direction, failure.clone());
                    self.again(place, direction, failure.retry_after_ms.unwrap_or(0), at);
                } else {
                    self.give_up(place, direction, failure.clone(), at);
                }
            }
            Outcome::Lost { reason } => {
                self.at_mut(place).attempts_mut(direction).spent += 1;
                self.lose(place, direction, reason, at);
            }
        }
    }

    /// Applies the recovery table to an attempt whose answer is lost.
    fn lose(&mut self, place: Place, direction: Direction, reason: &str, at: Timestamp) {
        let verdict = if self.undoes_itself(place, direction) {
            Recovery::Again
        } else {
            recovery(self.step_at(place), self.pin_at(place, direction))
        };
        match verdict {
            Recovery::Verify => {
                if let StepState::Active(attempt) = &mut self.at_mut(place).state {
                    attempt.phase = Phase::Verifying { reason: reason.to_owned() };
                }
            }
            verdict => self.follow(verdict, place, direction, reason, at),
        }
    }

    fn follow(&mut self, verdict: Recovery, place: Place, direction: Direction, reason: &str, at: Timestamp) {
        match verdict {
            Recovery::Again if self.may_repeat(place, direction, at) => {
                self.doubt(place, direction);
                self.again(place, direction, 0, at);
            }
            Recovery::Again | Recovery::Fail => {
                let effect = self.pin_at(place, direction).map_or(EffectClass::Read, |pin| pin.effect);
                let kind = if effect == EffectClass::Read { FailureKind::Permanent } else { FailureKind::Partial };
                self.give_up(place, direction, Failure::new(kind, reason), at);
            }
            Recovery::Ask | Recovery::Verify => {
                let step = self.at_mut(place);
                step.state = StepState::Unknown { direction, reason: reason.to_owned() };
                step.ended = Some(at);
            }
        }
    }

    /// An attempt that may have happened is repeated without asking whether it did.
    fn doubt(&mut self, place: Place, direction: Direction) {
        let writes = self.pin_at(place, direction).is_some_and(|pin| pin.effect != EffectClass::Read);
        if direction == Direction::Forward && writes {
            self.at_mut(place).doubtful = true;
        }
    }

    pub(super) fn interrupt(&mut self, engine: Exit, not_begun: &[String], at: Timestamp) {
        for place in self.places().collect::<Vec<_>>() {
            let StepState::Active(Attempt { direction, phase: Phase::Calling, .. }) = self.at(place).state else {
                continue;
            };
            if not_begun.contains(&self.step_at(place).id) {
                self.not_begun(place, direction, at);
                continue;
            }
            let step = self.at_mut(place);
            let attempts = step.attempts_mut(direction);
            if engine == Exit::Died {
                attempts.deaths += 1;
            }
            let deaths = attempts.deaths;
            if deaths < DEATHS_BEFORE_QUARANTINE {
                let how = if engine == Exit::Died { "died" } else { "was stopped" };
                self.lose(place, direction, &format!("the engine {how} while the step was in flight"), at);
            } else {
                let reason = format!("the engine died {deaths} times while the step was in flight: quarantined");
                self.follow(Recovery::Ask, place, direction, &reason, at);
            }
        }
    }

    /// An attempt ended before anything of it began: it is repeated, unless the run is ending.
    fn not_begun(&mut self, place: Place, direction: Direction, at: Timestamp) {
        if direction == Direction::Forward && self.stage != Stage::Forward && !self.step_at(place).always {
            let failure = Failure::new(FailureKind::Cancelled, "it was cancelled before it began");
            return self.fail(place, failure, at);
        }
        self.again(place, direction, 0, at);
    }

    pub(super) fn verified(
        &mut self,
        place: Place,
        direction: Direction,
        number: u32,
        verdict: &Verdict,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let reason = match &self.at(place).state {
            StepState::Active(Attempt { direction: d, number: n, phase: Phase::Verifying { reason } })
                if (*d, *n) == (direction, number) =>
            {
                reason.clone()
            }
            _ => return Err(self.misfit(place, "verified")),
        };
        match verdict {
            Verdict::Happened(answer) => self.succeed(place, direction, answer, at),
            Verdict::NotHappened if self.may_repeat(place, direction, at) => self.again(place, direction, 0, at),
            Verdict::NotHappened => {
                let failure = Failure::new(FailureKind::Transient, format!("{reason}; it did not happen"));
                self.give_up(place, direction, failure, at);
            }
            Verdict::CannotTell { reason: why } => {
                let verdict = unverifiable(self.step_at(place));
                self.follow(verdict, place, direction, &format!("{reason}; {why}"), at);
            }
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, path: &str, failure: &Failure, at: Timestamp) -> Result<(), Misfit> {
        let place = self.find(path).ok_or_else(|| Misfit::new(format!("step {path:?}"), "this run"))?;
        if self.at(place).state == StepState::Pending {
            self.fail(place, failure.clone(), at);
            return Ok(());
        }
        let next = self.stage == Stage::Undoing && self.next_undo() == Some(place);
        if next || self.undo_unresolved(place) {
            self.give_up(place, Direction::Undo, failure.clone(), at);
            return Ok(());
        }
        Err(self.misfit(place, "refused"))
    }

    pub(super) fn succeed(&mut self, place: Place, direction: Direction, answer: &Answer, at: Timestamp) {
        let seq = self.seq + 1;
        let step = self.at_mut(place);
        match direction {
            Direction::Forward => {
                step.answer = Some(answer.clone());
                step.failure = None;
                step.conclude(StepState::Succeeded, seq, at);
            }
            Direction::Undo => {
                step.undo_failure = None;
                step.state = StepState::Undone;
                step.ended = Some(at);
            }
        }
    }

    pub(super) fn give_up(&mut self, place: Place, direction: Direction, failure: Failure, at: Timestamp) {
        match direction {
            Direction::Forward => self.fail(place, failure, at),
            Direction::Undo => {
                let step = self.at_mut(place);
                step.undo_failure = Some(failure);
                step.state = StepState::UndoFailed { accepted: false };
                step.ended = Some(at);
            }
        }
    }

    /// The step failed for good: the run goes where its `on-failure` says, unless it is ending already. What the failure
    /// of a call means, its script decides.
    pub(super) fn fail(&mut self, place: Place, mut failure: Failure, at: Timestamp) {
        let seq = self.seq + 1;
        let step = self.at_mut(place);
        if step.doubtful && failure.kind != FailureKind::Partial {
            failure.kind = FailureKind::Partial;
            failure.message += "; an earlier attempt, whose answer was lost, may have happened";
        }
        let kind = failure.kind;
        step.failure = Some(failure);
        step.conclude(StepState::Failed, seq, at);
        if self.stage == Stage::Forward && place.call.is_none() {
            let step = self.step_at(place);
            self.stage = match step.on_failure.after(kind, step.always) {
                OnFailure::Continue | OnFailure::ContinueAnyway => return,
                OnFailure::Stop => Stage::Closing(RunStatus::Failed),
                OnFailure::Rollback => Stage::Undoing,
            };
            self.failed_at = Some(place.step);
        }
    }

    /// Whether one more attempt is allowed. A run that is ending repeats only what its end needs.
    fn may_repeat(&self, place: Place, direction: Direction, at: Timestamp) -> bool {
        let (step, state) = (self.step_at(place), self.at(place));
        let spent = state.attempts(direction).spent;
        match direction {
            Direction::Undo => spent < step.retry.attempts.max(UNDO_ATTEMPTS),
            Direction::Forward if self.stage != Stage::Forward && !step.always => false,
            Direction::Forward => match (&step.until, state.started) {
                // Polling ends with the time that all of it may take.
                (Some(until), Some(started)) => at.millis_since(started) + until.every_ms <= step.timeout_ms,
                _ => spent < step.retry.attempts,
            },
        }
    }

    pub(super) fn again(&mut self, place: Place, direction: Direction, delay_ms: u64, at: Timestamp) {
        let step = self.step_at(place);
        let spent = self.at(place).attempts(direction).spent;
        let delay_ms = match (&step.until, direction) {
            _ if spent == 0 => 0,
            (Some(until), Direction::Forward) => until.every_ms,
            _ => delay_ms.max(step.retry.delay_after_ms(spent)),
        };
        let phase = Phase::Waiting { until: at.plus_millis(delay_ms) };
        let step = self.at_mut(place);
        let number = step.attempts(direction).started;
        step.state = StepState::Active(Attempt { direction, number, phase });
    }

    /// Steps that wait, for their next attempt or for a time, will not get it: the run is ending.
    pub(super) fn give_up_waiting(&mut self, at: Timestamp) {
        for place in self.places().collect::<Vec<_>>() {
            let waits = matches!(
                self.at(place).active(),
                Some(Attempt {
                    direction: Direction::Forward,
                    phase: Phase::Waiting { .. } | Phase::Sleeping { .. },
                    ..
                })
            );
            if waits && !self.step_at(place).always {
                let failure = self.at(place).failure.clone();
                let failure =
                    failure.unwrap_or_else(|| Failure::new(FailureKind::Cancelled, "cancelled while it waited"));
                self.fail(place, failure, at);
            }
        }
    }
}

impl StepRun {
    fn note_failure(&mut self, direction: Direction, failure: Failure) {
        match direction {
            Direction::Forward => self.failure = Some(failure),
            Direction::Undo => self.undo_failure = Some(failure),
        }
    }

    pub(super) fn conclude(&mut self, state: StepState, seq: u64, at: Timestamp) {
        self.state = state;
        self.completed = Some(seq);
        self.ended = Some(at);
    }
}
