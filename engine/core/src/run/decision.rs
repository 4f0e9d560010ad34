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
        let direction = match self.at(place).state {
            StepState::Unknown { direction, .. } => direction,
            StepState::UndoFailed { accepted: false } => Direction::Undo,
            _ => return Err(self.misfit(place, "settled")),
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
            Settlement::Failed => self.at_mut(place).state = StepState::UndoFailed { accepted: true },
            Settlement::Retry => {
                let step = self.at_mut(place);
                let attempts = step.attempts_mut(direction);
                (attempts.spent, attempts.deaths) = (0, 0);
                if direction == Direction::Forward {
                    step.doubtful = false;
                }
                self.again(place, direction, 0, at);
            }
            Settlement::Undo => {
                let step = self.step_at(place);
                if direction == Direction::Undo || !self.has_undo(step) {
                    return Err(Misfit::new(
                        "settled as undo",
                        format!("step {:?}, which has no undo to run", step.id),
                    ));
                }
                let seq = self.seq + 1;
                let step = self.at_mut(place);
                step.conclude(StepState::Failed, seq, at);
                step.failure = Some(decided());
                self.stage = Stage::Undoing;
            }
        }
        Ok(())
    }

    pub(super) fn cancel(&mut self, rollback: bool, at: Timestamp) -> Result<(), Misfit> {
        if !matches!(self.stage, Stage::Forward | Stage::Queued) {
            return Err(Misfit::new("cancel-requested", "a run that is ending already"));
        }
        self.leave_queue(at);
        self.stage = if rollback { Stage::Undoing } else { Stage::Closing(RunStatus::Cancelled) };
        self.give_up_waiting(at);
        Ok(())
    }

    pub(super) fn roll_back(&mut self, at: Timestamp) -> Result<(), Misfit> {
        if self.stage == Stage::Undoing || self.stage == Stage::Finished(RunStatus::RolledBack) {
            return Err(Misfit::new("rolling back", "a run that is rolled back, or on its way there"));
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
