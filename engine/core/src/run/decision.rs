//! What people decide, and the end that a run comes to.

use super::place::Place;
use super::{Misfit, Run, Stage, StepState};
use crate::{Answer, By, Direction, Failure, FailureKind, Map, RunStatus, Settlement, SkipReason, Timestamp};

impl Run {
    pub(super) fn settle(
        &mut self,
        place: Place,
        settlement: &Settlement,
        by: &By,
        at: Timestamp,
    ) -> Result<(), Misfit> {
        let Some(direction) = self.at(place).state.asks() else {
            return self.settle_calls(place, settlement, at);
        };
        let decided = || {
            let why = if by.why.is_empty() { String::new() } else { format!(": {}", by.why) };
            Failure::new(FailureKind::Partial, format!("{} settled it as {}{why}", by.who, settlement.as_str()))
        };
        match settlement {
            Settlement::Done { output } => {
                let answer = Answer { output: output.clone(), changed: true, undo_data: None };
                self.succeed(place, direction, &answer, at);
            }
            Settlement::Failed if direction == Direction::Forward => self.fail(place, decided(), at),
            Settlement::Failed => self.leave(place, at),
            Settlement::Retry => self.retry(place, direction, at),
            Settlement::Undo if direction == Direction::Undo || !self.has_undo(self.step_at(place)) => {
                let id = &self.step_at(place).id;
                return Err(Misfit::refusal(format!(
                    "step {id:?} has no undo that could run: settle it as done, failed or retry"
                )));
            }
            Settlement::Undo => {
                let seq = self.seq + 1;
                let step = self.at_mut(place);
                step.conclude(StepState::Failed, seq, at);
                step.failure = Some(decided());
                if self.stage == Stage::Forward {
                    self.failed_at = Some(place.step);
                }
                self.stage = Stage::Undoing;
            }
        }
        Ok(())
    }

    /// Settles what a script did as a whole, where some of its calls could not be taken back: also the calls that wait for
    /// those, because they came before.
    fn settle_calls(&mut self, script: Place, settlement: &Settlement, at: Timestamp) -> Result<(), Misfit> {
        let calls = self.left_calls(script);
        if calls.is_empty() {
            return Err(self.nothing_to_settle(script));
        }
        if *settlement == Settlement::Undo {
            let id = &self.step_at(script).id;
            return Err(Misfit::refusal(format!(
                "what step {id:?} did is being taken back already: settle it as done, failed or retry"
            )));
        }
        for call in calls {
            match settlement {
                Settlement::Done { .. } => self.succeed(call, Direction::Undo, &Answer::default(), at),
                Settlement::Retry if self.at(call).state.asks().is_some() => self.retry(call, Direction::Undo, at),
                Settlement::Retry => {}
                Settlement::Failed | Settlement::Undo => self.leave(call, at),
            }
        }
        Ok(())
    }

    fn retry(&mut self, place: Place, direction: Direction, at: Timestamp) {
        let step = self.at_mut(place);
        let attempts = step.attempts_mut(direction);
        (attempts.spent, attempts.deaths) = (0, 0);
        if direction == Direction::Forward {
            step.doubtful = false;
        }
        self.again(place, direction, 0, at);
    }

    /// What it did is not taken back, because a person says so.
    fn leave(&mut self, place: Place, at: Timestamp) {
        let step = self.at_mut(place);
        step.state = StepState::UndoFailed { accepted: true };
        step.ended = Some(at);
    }

    pub(super) fn cancel(&mut self, rollback: bool, at: Timestamp) -> Result<(), Misfit> {
        if !matches!(self.stage, Stage::Forward | Stage::Queued) {
            return Err(self.ends_already());
        }
        self.leave_queue(at);
        self.stage = if rollback { Stage::Undoing } else { Stage::Closing(RunStatus::Cancelled) };
        self.give_up_waiting(at);
        Ok(())
    }

    pub(super) fn roll_back(&mut self, at: Timestamp) -> Result<(), Misfit> {
        if self.stage == Stage::Undoing || self.stage == Stage::Finished(RunStatus::RolledBack) {
            return Err(self.ends_already());
        }
        self.leave_queue(at);
        self.stage = Stage::Undoing;
        self.give_up_waiting(at);
        Ok(())
    }

    /// A run that ends before it held its lock did nothing, so nothing is to be cleaned up: what always runs would act
    /// without the lock.
    fn leave_queue(&mut self, at: Timestamp) {
        if self.stage == Stage::Queued {
            self.skip_rest(at);
        }
    }

    fn skip_rest(&mut self, at: Timestamp) {
        for step in self.steps.iter_mut().filter(|step| step.state == StepState::Pending) {
            step.state = StepState::Skipped(SkipReason::NotReached);
            step.ended = Some(at);
        }
    }

    pub(super) fn finish(&mut self, outputs: &Map, failure: Option<&Failure>, at: Timestamp) -> Result<(), Misfit> {
        let Some(status) = self.end_reached() else {
            return Err(Misfit::new("finished", "a run with steps left"));
        };
        self.skip_rest(at);
        self.outputs = outputs.clone();
        self.failure = failure.cloned();
        self.stage = Stage::Finished(if failure.is_some() { RunStatus::Failed } else { status });
        Ok(())
    }
}
