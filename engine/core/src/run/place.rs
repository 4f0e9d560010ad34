//! Where in a run a step stands: in the runbook, or among the calls of a script.

use super::{Act, Run, ScriptCall, StepRun};
use crate::{Direction, Pin, Step, Work};

/// The place of a step in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Its place in the runbook, or that of the script that calls it.
    pub(super) step: usize,
    /// Its place among the calls of that script.
    pub(super) call: Option<usize>,
}

impl Place {
    /// The step at this place of the runbook.
    pub(super) fn of(step: usize) -> Self {
        Self { step, call: None }
    }
}

/// The parts of a path: a step's id and, for a call of a script, its number among the calls, from 1.
pub(super) fn split(path: &str) -> (&str, Option<usize>) {
    match path.split_once('/') {
        Some((id, number)) => (id, number.parse().ok().or(Some(0))),
        None => (path, None),
    }
}

impl Run {
    /// The place with this path, if something stands there.
    pub(super) fn find(&self, path: &str) -> Option<Place> {
        let (id, number) = split(path);
        let step = self.runbook.position(id)?;
        let Some(number) = number else { return Some(Place::of(step)) };
        let call = number.checked_sub(1)?;
        matches!(self.steps[step].calls.get(call)?, ScriptCall::Act(_)).then_some(Place { step, call: Some(call) })
    }

    /// Every place, in the order of the runbook; the calls of a script follow it.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.steps.iter().enumerate().flat_map(|(step, run)| {
            let calls = run.calls.iter().enumerate().filter(|(_, call)| matches!(call, ScriptCall::Act(_)));
            std::iter::once(Place::of(step)).chain(calls.map(move |(call, _)| Place { step, call: Some(call) }))
        })
    }

    fn act(&self, place: Place) -> Option<&Act> {
        match self.steps[place.step].calls.get(place.call?)? {
            ScriptCall::Act(act) => Some(act),
            ScriptCall::Value { .. } => None,
        }
    }

    /// The step at a place that [`find`](Self::find) or [`places`](Self::places) gave.
    pub(super) fn step_at(&self, place: Place) -> &Step {
        self.act(place).map_or(&self.runbook.steps[place.step], |act| &act.step)
    }

    /// What became of the step at such a place.
    pub(super) fn at(&self, place: Place) -> &StepRun {
        self.act(place).map_or(&self.steps[place.step], |act| &act.run)
    }

    pub(super) fn at_mut(&mut self, place: Place) -> &mut StepRun {
        let step = &mut self.steps[place.step];
        let is_act = place.call.is_some_and(|call| matches!(step.calls.get(call), Some(ScriptCall::Act(_))));
        if !is_act {
            return step;
        }
        match place.call.and_then(|call| step.calls.get_mut(call)) {
            Some(ScriptCall::Act(act)) => &mut act.run,
            _ => unreachable!("it was looked at"),
        }
    }

    /// What is called at this place in this direction.
    pub(super) fn work_at(&self, place: Place, direction: Direction) -> &Work {
        self.step_at(place).work(direction)
    }

    pub(super) fn pin_at(&self, place: Place, direction: Direction) -> Option<&Pin> {
        self.pin_of(self.work_at(place, direction))
    }

    /// Whether undoing this step is the action's own `undo`, which is safe to repeat by contract.
    pub(super) fn undoes_itself(&self, place: Place, direction: Direction) -> bool {
        direction == Direction::Undo && self.step_at(place).undo.is_none()
    }
}
