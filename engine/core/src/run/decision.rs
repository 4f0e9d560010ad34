//! What people decide, and the end that a run comes to.

use super::inside::{Course, End};
use super::tree::{NodeId, ROOT};
use super::{Misfit, Run, Stage, StepState};
use crate::{Answer, By, Direction, Failure, FailureKind, Map, RunStatus, Settlement, Timestamp};

impl Run {
    pub(super) fn settle(&mut self, id: NodeId, settlement: &Settlement, by: &By, at: Timestamp) -> Result<(), Misfit> {
        let Some(direction) = self.at(id).state.asks() else {
            return self.settle_calls(id, settlement, at);
        };
        let decided = || {
            let why = if by.why.is_empty() { String::new() } else { format!(": {}", by.why) };
            Failure::new(FailureKind::Partial, format!("{} settled it as {}{why}", by.who, settlement.as_str()))
        };
        match settlement {
            Settlement::Done { output } => {
                let answer = Answer { output: output.clone(), changed: true, undo_data: None };
                self.succeed(id, direction, &answer, at);
            }
            Settlement::Failed if direction == Direction::Forward => self.fail(id, decided(), at),
            Settlement::Failed => self.leave(id, at),
            Settlement::Retry => self.retry(id, direction, at),
            Settlement::Undo if direction == Direction::Undo || !self.has_undo(self.step_at(id)) => {
                let path = self.path(id);
                return Err(Misfit::refusal(format!(
                    "step {path:?} has no undo that could run: settle it as done, failed or retry"
                )));
            }
            Settlement::Undo => {
                let (around, step) = (self.around(id), self.script_of(id).unwrap_or(id));
                if let Some(inside) = self.inside_mut(around).filter(|inside| inside.course == Course::Forward) {
                    inside.cause = Some(step);
                }
                self.take_back_from(step, around, at);
                self.fail(id, decided(), at);
            }
        }
        Ok(())
    }

    /// What is around a step takes back what it did, up to the whole run.
    fn take_back_from(&mut self, mut from: NodeId, mut around: NodeId, at: Timestamp) {
        loop {
            self.tell_to_stop(around);
            self.set_course(around, Course::Undoing);
            self.inside_mut(around).into_iter().for_each(|inside| inside.stopped = true);
            self.touch_open(around);
            let others = self.inside(around).map(|inside| inside.open.clone()).unwrap_or_default();
            others.into_iter().filter(|other| *other != from).for_each(|other| self.stop(other, Course::Undoing, at));
            let Some(parent) = self.node(around).parent else { return };
            if let Some(inside) = self.inside_mut(parent).filter(|inside| inside.course == Course::Forward) {
                inside.cause = Some(around);
            }
            (from, around) = (around, parent);
        }
    }

    /// Settles what a script did as a whole, where some of its calls could not be taken back: also the calls that wait for
    /// those, because they came before.
    fn settle_calls(&mut self, script: NodeId, settlement: &Settlement, at: Timestamp) -> Result<(), Misfit> {
        let calls = self.left_calls(script);
        if calls.is_empty() {
            return Err(self.nothing_to_settle(script));
        }
        if *settlement == Settlement::Undo {
            let id = self.path(script);
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

    fn retry(&mut self, id: NodeId, direction: Direction, at: Timestamp) {
        let step = self.at_mut(id);
        let attempts = step.attempts_mut(direction);
        (attempts.spent, attempts.deaths) = (0, 0);
        if direction == Direction::Forward {
            step.doubtful = false;
        }
        self.again(id, direction, 0, at);
    }

    /// What it did is not taken back, because a person says so.
    fn leave(&mut self, id: NodeId, at: Timestamp) {
        self.at_mut(id).ended = Some(at);
        self.set(id, StepState::UndoFailed { accepted: true });
    }

    pub(super) fn cancel(&mut self, rollback: bool, at: Timestamp) -> Result<(), Misfit> {
        if self.course() != Course::Forward {
            return Err(self.ends_already());
        }
        self.turn_back(if rollback { Course::Undoing } else { Course::Closing(End::Cancelled) }, at);
        Ok(())
    }

    pub(super) fn roll_back(&mut self, at: Timestamp) -> Result<(), Misfit> {
        let over = self.stage == Stage::Finished(RunStatus::RolledBack);
        if over || self.stage == Stage::Open && self.course() == Course::Undoing {
            return Err(self.ends_already());
        }
        self.turn_back(Course::Undoing, at);
        Ok(())
    }

    /// The whole run goes no further. One that ends before it held its lock did nothing, so nothing is to be cleaned up:
    /// what always runs would act without the lock.
    fn turn_back(&mut self, course: Course, at: Timestamp) {
        if self.stage == Stage::Queued {
            self.skip_rest(ROOT, at);
        }
        self.stage = Stage::Open;
        self.set_course(ROOT, course);
        self.stop_children(ROOT, course, at);
    }

    pub(super) fn finish(&mut self, outputs: &Map, failure: Option<&Failure>, at: Timestamp) -> Result<(), Misfit> {
        if self.stage != Stage::Open || !self.rest_inside(ROOT).0.is_over() {
            return Err(Misfit::new("finished", "a run with steps left"));
        }
        let status = self.end_reached();
        self.skip_rest(ROOT, at);
        self.outputs = outputs.clone();
        self.failure = failure.cloned();
        self.stage = Stage::Finished(if failure.is_some() { RunStatus::Failed } else { status });
        Ok(())
    }
}
