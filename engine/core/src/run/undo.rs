//! Which steps a rollback undoes, and in which order.

use super::place::Place;
use super::{Attempt, Phase, Run, Stage, StepRun, StepState};
use crate::{Direction, EffectClass, FailureKind, RunStatus, Step};

impl Run {
    /// The step whose undo comes next: of those that are left and not held back, the one that completed last.
    pub(super) fn next_undo(&self) -> Option<Place> {
        let held = self.held_back();
        let left = self.places().filter(|place| self.is_to_be_undone(*place) && self.has_undo(self.step_at(*place)));
        left.filter(|place| !held.contains(place)).max_by_key(|place| self.at(*place).completed.unwrap_or(u64::MAX))
    }

    /// The steps that must stay as they are while a person decides about the undo of one that builds on them, directly or
    /// through others.
    fn held_back(&self) -> Vec<Place> {
        let stuck = |place: &Place| self.at(*place).state.asks() == Some(Direction::Undo);
        let mut open: Vec<Place> = self.places().filter(stuck).collect();
        let mut held = Vec::new();
        while let Some(above) = open.pop() {
            let below = self.places().filter(|below| self.builds_on(above, *below) && !held.contains(below));
            let below: Vec<Place> = below.collect();
            open.extend(&below);
            held.extend(below);
        }
        held
    }

    /// Whether what stands at `above` read what came of `below`. A call of a script may have used all calls before it.
    fn builds_on(&self, above: Place, below: Place) -> bool {
        match above.step == below.step {
            true => above.call.is_some() && below.call.is_some() && below.call < above.call,
            false => self.runbook.steps[above.step].builds_on.contains(&self.runbook.steps[below.step].id),
        }
    }

    /// The steps and calls that did something outside which a rollback leaves as it is: their action has no undo, a point
    /// of no return came after them, or a person decided to leave them so.
    pub fn not_undoable(&self) -> impl Iterator<Item = (&Step, &StepRun)> {
        let left = self.places().filter(|place| {
            let undoable = self.is_to_be_undone(*place) && self.has_undo(self.step_at(*place));
            let left = self.at(*place).state == StepState::UndoFailed { accepted: true };
            left || self.has_effect(*place) && !undoable
        });
        left.map(|place| (self.step_at(place), self.at(place)))
    }

    /// The calls of this script whose undo a person is asked about, or that wait for that; none if nobody is asked.
    pub(super) fn left_calls(&self, script: Place) -> Vec<Place> {
        let stuck = |place: &Place| self.at(*place).state.asks() == Some(Direction::Undo);
        let of_script = |place: &Place| place.step == script.step && place.call.is_some();
        let calls: Vec<Place> = self.places().filter(of_script).collect();
        if script.call.is_some() || !calls.iter().any(stuck) {
            return Vec::new();
        }
        let waits = |place: &Place| self.is_to_be_undone(*place) && self.has_undo(self.step_at(*place));
        calls.into_iter().filter(|place| stuck(place) || waits(place)).collect()
    }

    /// Whether a rollback takes the step back, if it can.
    pub(super) fn is_to_be_undone(&self, place: Place) -> bool {
        let after = self.at(place).completed.unwrap_or(u64::MAX) > self.no_return();
        // A script with an undo of its own is taken back by that, not call by call.
        let by_its_script = place.call.is_some() && self.runbook.steps[place.step].undo.is_some();
        after && !by_its_script && self.has_effect(place)
    }

    /// The sequence number of the last point of no return that was passed; 0 if there is none.
    fn no_return(&self) -> u64 {
        let passed = self.steps().filter(|(step, run)| step.point_of_no_return && run.state == StepState::Succeeded);
        passed.filter_map(|(_, run)| run.completed).max().unwrap_or(0)
    }

    /// Whether the step did, or may have done, something outside that was not taken back. Steps marked `always` clean
    /// up, so they are left as they are.
    fn has_effect(&self, place: Place) -> bool {
        let (step, state) = (self.step_at(place), self.at(place));
        let happened = match &state.state {
            StepState::Succeeded => true,
            StepState::Failed => {
                let partial = state.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Partial);
                // A script that failed may have acted before it did: its own undo takes that back.
                partial || (step.undo.is_some() && !state.calls.is_empty())
            }
            StepState::Unknown { direction: Direction::Forward, .. } => self.is_undone_unsettled(step),
            _ => false,
        };
        let writes = self.effect(step) != EffectClass::Read || step.undo.is_some();
        happened && writes && !step.always
    }

    /// Whether the action's own undo may run though nobody knows if the step happened. An `undo` of the step promises no
    /// such thing.
    fn is_undone_unsettled(&self, step: &Step) -> bool {
        self.stage == Stage::Undoing
            && step.undo.is_none()
            && self.pin(step).is_some_and(|pin| pin.has_undo && pin.undo_safe_if_not_run)
    }

    /// Whether a step's undo waits for an attempt whose input was never worked out: it was refused, and a person says to
    /// try again.
    pub(super) fn undo_unresolved(&self, place: Place) -> bool {
        let waits = matches!(
            self.at(place).active(),
            Some(Attempt { direction: Direction::Undo, phase: Phase::Waiting { .. }, .. })
        );
        waits && self.step_at(place).undo.is_some() && self.at(place).undo_input.is_none()
    }

    /// The end that the run has come to, when no step is left to do, undo or decide.
    pub(super) fn end_reached(&self) -> Option<RunStatus> {
        let busy = self.is_blocked() || self.places().any(|place| self.at(place).active().is_some());
        if busy || self.next_forward().is_some() {
            return None;
        }
        match self.stage {
            Stage::Forward => Some(RunStatus::Succeeded),
            Stage::Closing(status) => Some(status),
            Stage::Undoing if self.next_undo().is_some() => None,
            // What lies before a point of no return was not taken back.
            Stage::Undoing if self.no_return() > 0 => Some(RunStatus::Failed),
            Stage::Undoing => Some(RunStatus::RolledBack),
            Stage::Queued | Stage::Finished(_) => None,
        }
    }

    /// The step that comes next: in a run that is ending, of those that always run.
    pub(super) fn next_forward(&self) -> Option<usize> {
        let ending = match self.stage {
            Stage::Forward => false,
            Stage::Undoing if self.next_undo().is_some() => return None,
            Stage::Undoing | Stage::Closing(_) => true,
            Stage::Queued | Stage::Finished(_) => return None,
        };
        let wanted = |place: &usize| !ending || self.runbook.steps[*place].always;
        (0..self.steps.len()).filter(wanted).find(|place| self.steps[*place].state == StepState::Pending)
    }
}
