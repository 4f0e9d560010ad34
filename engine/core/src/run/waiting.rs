//! Who waits for whom: scripts for their calls, runs for people.

use super::due::Rest;
use super::owed::Owed;
use super::tree::{NodeId, ROOT};
use super::{Phase, Run, ScriptCall, StepRun};
use crate::{Direction, Step};

impl Run {
    /// The call of this script that has not ended, if there is one. A script owes nothing before it has: it is run again
    /// when all its calls have their answers.
    pub(super) fn open_call(&self, script: NodeId) -> Option<NodeId> {
        let last = self.node(script).children.last().filter(|_| self.is_script(script));
        last.copied().filter(|call| !self.at(*call).state.has_ended())
    }

    /// The call that the script `step` waits for, and what became of it so far.
    pub fn waits_for(&self, step: &str) -> Option<(&Step, &StepRun)> {
        let script = self.find(step).filter(|id| self.at(*id).active().is_some())?;
        self.open_call(script).map(|call| self.shown(call))
    }

    /// What a script asked of the world as its call with this number, from 1, and the call itself.
    pub fn asked(&self, script: &str, number: usize) -> Option<(&ScriptCall, Option<(&Step, &StepRun)>)> {
        let call = self.step(script)?.1.calls.get(number.checked_sub(1)?)?;
        Some((call, self.step(&format!("{script}/{number}"))))
    }

    /// Whether the script is not run any further, because what holds it is ending.
    pub(super) fn is_given_up(&self, id: NodeId) -> bool {
        self.is_script(id) && !self.step_at(id).always && self.ends(self.around(id))
    }

    /// Whether an attempt of it is in flight.
    pub(super) fn computes(&self, id: NodeId) -> bool {
        self.at(id).active().is_some_and(|attempt| attempt.phase == Phase::Calling)
    }

    /// Whether it is being undone.
    pub(super) fn undoes(&self, id: NodeId) -> bool {
        self.at(id).active().is_some_and(|attempt| attempt.direction == Direction::Undo)
    }

    /// The nodes that are open, each before what is in it.
    fn open(&self) -> impl Iterator<Item = NodeId> {
        let open = |id| self.inside(id).into_iter().flat_map(|inside| inside.open.iter().rev().copied());
        let mut rest: Vec<NodeId> = open(ROOT).collect();
        std::iter::from_fn(move || {
            let id = rest.pop()?;
            rest.extend(open(id));
            Some(id)
        })
    }

    /// What is at work, each before what is in it.
    pub fn active(&self) -> impl Iterator<Item = (&Step, &StepRun)> {
        self.open().map(|id| self.shown(id)).filter(|(_, state)| state.active().is_some())
    }

    /// The nodes with an attempt in flight, each before what is in it.
    pub(super) fn calling(&self) -> Vec<NodeId> {
        self.open().filter(|id| self.computes(*id)).collect()
    }

    /// The attempts whose answer is lost if the engine that made the call is gone. A script that waits for its call is none
    /// of them: it has nothing to lose.
    pub fn in_flight(&self) -> impl Iterator<Item = &StepRun> {
        self.calling().into_iter().filter(|id| self.open_call(*id).is_none()).map(|id| self.at(id))
    }

    /// Whether nothing can go on before a person decides.
    pub(super) fn is_blocked(&self) -> bool {
        matches!(self.node(ROOT).derived.rest, Rest::Stuck | Rest::Asks)
    }

    /// Whether nothing goes on but time.
    pub(super) fn only_waits(&self) -> bool {
        let Owed { now, called, waiting, queued, .. } = &self.owed;
        now.is_empty() && called.is_empty() && !(waiting.is_empty() && queued.is_empty())
    }
}
