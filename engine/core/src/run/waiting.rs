//! Who waits for whom: scripts for their calls, runs for people.

use super::place::Place;
use super::{Phase, Run, ScriptCall, Stage, StepRun, StepState};
use crate::{Direction, Step, Work};

impl Run {
    /// The call of this script that has not ended, if there is one. A script owes nothing before it has: it is run again
    /// when all its calls have their answers.
    pub(super) fn open_call(&self, script: Place) -> Option<Place> {
        if script.call.is_some() {
            return None;
        }
        let calls = self.steps[script.step].calls.iter().enumerate();
        let mut open = calls.filter(|(_, call)| matches!(call, ScriptCall::Act(act) if !act.run.state.has_ended()));
        open.next().map(|(call, _)| Place { step: script.step, call: Some(call) })
    }

    /// The call that the script `step` waits for, and what became of it so far.
    pub fn waits_for(&self, step: &str) -> Option<(&Step, &StepRun)> {
        let script = self.find(step).filter(|place| self.at(*place).active().is_some())?;
        self.open_call(script).map(|call| (self.step_at(call), self.at(call)))
    }

    /// Whether the script is not run any further, because its run is ending.
    pub(super) fn is_given_up(&self, place: Place) -> bool {
        let step = self.step_at(place);
        self.is_ending() && matches!(step.work, Work::Script { .. }) && !step.always
    }

    /// Whether it is on its way to its end: no further step starts but those that always run.
    fn is_ending(&self) -> bool {
        matches!(self.stage, Stage::Undoing | Stage::Closing(_))
    }

    /// The attempts whose answer is lost if the engine that made the call is gone. A script that waits for its call is none
    /// of them: it has nothing to lose.
    pub fn in_flight(&self) -> impl Iterator<Item = &StepRun> {
        let calling = |place: &Place| {
            self.at(*place).active().is_some_and(|attempt| attempt.phase == Phase::Calling)
                && self.open_call(*place).is_none()
        };
        self.places().filter(calling).map(|place| self.at(place))
    }

    /// The steps and calls about which a person must decide before anything can go on.
    fn asking(&self) -> Vec<Place> {
        let asks = |place: &Place| match &self.at(*place).state {
            StepState::Unknown { direction: Direction::Forward, .. } => !self.is_to_be_undone(*place),
            StepState::Unknown { direction: Direction::Undo, .. } => true,
            StepState::UndoFailed { accepted } => !accepted && self.next_undo().is_none(),
            _ => false,
        };
        self.places().filter(asks).collect()
    }

    /// Whether nothing can go on before a person decides.
    pub(super) fn is_blocked(&self) -> bool {
        let asking = self.asking();
        // A script whose call asks waits for the same decision, in whatever phase it is.
        let waits = |place: Place| {
            let open = self.open_call(place);
            open.is_some_and(|call| asking.contains(&call)) && !self.is_given_up(place)
        };
        let busy = self.places().any(|place| self.at(place).active().is_some() && !waits(place));
        !asking.is_empty() && !busy
    }
}
