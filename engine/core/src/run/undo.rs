//! What rolling back takes back, and in which order.

use super::{Run, Stage, StepRun, StepState};
use crate::{Direction, EffectClass, FailureKind, RunStatus, Step};

impl Run {
    /// The step whose undo comes next: of those that are left, the one that completed last.
    pub(super) fn next_undo(&self) -> Option<usize> {
        let left = (0..self.steps.len()).filter(|place| {
            self.has_effect(*place) && self.pin(&self.runbook.steps[*place]).is_some_and(|pin| pin.has_undo)
        });
        left.max_by_key(|place| self.steps[*place].completed.unwrap_or(u64::MAX))
    }

    /// The steps that did something outside which cannot be taken back, because their action has no undo.
    pub fn not_undoable(&self) -> impl Iterator<Item = (&Step, &StepRun)> {
        let places = (0..self.steps.len()).filter(|place| {
            self.has_effect(*place) && self.pin(&self.runbook.steps[*place]).is_none_or(|pin| !pin.has_undo)
        });
        places.map(|place| (&self.runbook.steps[place], &self.steps[place]))
    }

    /// Whether the step did, or may have done, something outside that was not taken back. Steps marked `always` clean
    /// up, so they are left as they are.
    fn has_effect(&self, place: usize) -> bool {
        let (step, state) = (&self.runbook.steps[place], &self.steps[place]);
        let happened = match &state.state {
            StepState::Succeeded => true,
            StepState::Failed => state.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Partial),
            StepState::Unknown { direction: Direction::Forward, .. } => self.is_undone_unsettled(step),
            _ => false,
        };
        happened && !step.always && self.effect(step) != EffectClass::Read
    }

    /// Whether the step's undo may run though nobody knows if the step happened.
    fn is_undone_unsettled(&self, step: &Step) -> bool {
        self.stage == Stage::Undoing && self.pin(step).is_some_and(|pin| pin.has_undo && pin.undo_safe_if_not_run)
    }

    /// Whether nothing can go on before a person decides.
    pub(super) fn is_blocked(&self) -> bool {
        let in_flight = self.steps.iter().any(|step| step.active().is_some());
        let asks = self.runbook.steps.iter().zip(&self.steps).any(|(step, state)| match &state.state {
            StepState::Unknown { direction: Direction::Forward, .. } => !self.is_undone_unsettled(step),
            StepState::Unknown { direction: Direction::Undo, .. } => true,
            StepState::UndoFailed { accepted } => !accepted && self.next_undo().is_none(),
            _ => false,
        });
        asks && !in_flight
    }

    /// The end that the run has come to, when no step is left to do, undo or decide.
    pub(super) fn end_reached(&self) -> Option<RunStatus> {
        let busy = self.is_blocked() || self.steps.iter().any(|step| step.active().is_some());
        if busy || self.next_forward().is_some() {
            return None;
        }
        match self.stage {
            Stage::Forward => Some(RunStatus::Succeeded),
            Stage::Closing(status) => Some(status),
            Stage::Undoing if self.next_undo().is_some() => None,
            Stage::Undoing => Some(RunStatus::RolledBack),
            Stage::Finished(_) => None,
        }
    }

    /// The step that comes next: in a run that is ending, of those that always run.
    pub(super) fn next_forward(&self) -> Option<usize> {
        let ending = match self.stage {
            Stage::Forward => false,
            Stage::Undoing if self.next_undo().is_some() => return None,
            Stage::Undoing | Stage::Closing(_) => true,
            Stage::Finished(_) => return None,
        };
        let wanted = |place: &usize| !ending || self.runbook.steps[*place].always;
        (0..self.steps.len()).filter(wanted).find(|place| self.steps[*place].state == StepState::Pending)
    }
}
