//! Steps that take too long.

use super::inside::{Course, End};
use super::tree::{NodeId, ROOT};
use super::{Attempt, Misfit, Phase, Run, Stage, StepState};
use crate::{Direction, Failure, FailureKind, OnFailure, Timestamp};

impl Run {
    /// The node's limit, while it counts: a step that is ending ends when it does.
    pub(super) fn limit(&self, id: NodeId) -> Option<Timestamp> {
        let attempt = self.at(id).active().filter(|attempt| attempt.direction == Direction::Forward)?;
        let goes_on = self.course_of(id) == Course::Forward && !self.at(id).told_to_stop;
        attempt.phase.limit().filter(|_| goes_on)
    }

    /// The run's time counts from here: it holds its lock, or needs none.
    pub(super) fn set_out(&mut self, at: Timestamp) {
        let until = self.runbook.limit.map(|limit| at.plus_millis(limit.ms));
        let phase = Phase::Inside { until };
        self.at_mut(ROOT).state = StepState::Active(Attempt { direction: Direction::Forward, number: 1, phase });
    }

    /// A step took all the time that it may, or the run did.
    pub(super) fn time_out(&mut self, path: &str, at: Timestamp) -> Result<(), Misfit> {
        let id = if path.is_empty() { Some(ROOT) } else { self.find(path) };
        let id = id.filter(|_| self.stage == Stage::Open);
        let id = id.filter(|id| self.limit(*id).is_some_and(|until| until <= at));
        let id = id.ok_or_else(|| Misfit::new("timed-out", format!("step {path:?}, which has time left")))?;
        match self.at(id).active().map(|attempt| &attempt.phase) {
            Some(Phase::Asking { .. }) => self.unanswered(id, at),
            _ => {
                // The time of a step that calls a runbook is that of a group.
                let own = self.step_at(id).limit_ms.unwrap_or(u64::MAX);
                let of_runbook = self.runbook_in(id).and_then(|runbook| runbook.limit).filter(|limit| limit.ms < own);
                let back = of_runbook.is_some_and(|limit| limit.on_failure == OnFailure::Rollback);
                let course = if back { Course::Undoing } else { Course::Closing(End::Failed) };
                let why = Failure::new(FailureKind::Permanent, "it took longer than its `timeout`");
                self.at_mut(id).failure = Some(why);
                self.set_course(id, course);
                self.stop_children(id, course, at);
            }
        }
        Ok(())
    }
}
