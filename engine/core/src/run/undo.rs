//! Which steps a rollback undoes, and in which order.

use std::collections::BTreeSet;

use super::inside::{Course, Inside};
use super::tree::NodeId;
use super::{Attempt, Phase, Run, StepRun, StepState};
use crate::{Direction, EffectClass, FailureKind, Step};

impl Run {
    /// The undo that comes next in a node: of the children that are left and not held back, the one that completed last, if
    /// there is room for it beside those at work.
    pub(super) fn next_undo(&self, id: NodeId) -> Option<NodeId> {
        let inside = self.inside(id)?;
        if inside.forward > 0 || inside.at_work.len() >= inside.at_once as usize {
            return None;
        }
        let held = self.held_back(id, &inside.stuck);
        let waits =
            |child: &NodeId| held.contains(child) || inside.at_work.contains(child) || inside.stuck.contains(child);
        let left = inside.undo.range((inside.no_return + 1, 0)..).rev().map(|(_, child)| *child);
        let next = left.take_while(|child| *child >= inside.undo_from).find(|child| !waits(child))?;
        // Waves and gates were done one after the other.
        let part = |child: NodeId| inside.part_number(self.node(id).children.binary_search(&child).unwrap_or(0));
        let begins = inside.at_work.first().is_none_or(|other| part(*other) == part(next));
        begins.then(|| self.undone_first(next))
    }

    /// A script is taken back call by call, unless it has an undo of its own.
    fn undone_first(&self, id: NodeId) -> NodeId {
        let calls = self.inside(id).filter(|_| self.is_script(id) && self.step_at(id).undo.is_none());
        calls.and_then(|inside| inside.undo.last()).map_or(id, |(_, call)| *call)
    }

    /// Whether the undo of this node may begin.
    pub(super) fn undoes_next(&self, id: NodeId) -> bool {
        let has_ended = self.at(id).state != StepState::Pending && self.at(id).active().is_none();
        has_ended && self.node(self.around(id)).derived.due.is_some_and(|due| due.at == id)
    }

    /// The children that must stay as they are while a person decides about the undo of one that builds on them, directly
    /// or through others.
    fn held_back(&self, id: NodeId, stuck: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
        let (mut open, mut held): (Vec<NodeId>, _) = (stuck.iter().copied().collect(), BTreeSet::new());
        while let Some(above) = open.pop() {
            let reads = self.step_at(above).builds_on.iter().filter_map(|name| self.child(id, name));
            let below: Vec<NodeId> = reads.filter(|below| held.insert(*below)).collect();
            open.extend(below);
        }
        held
    }

    /// A point of no return was passed: in every node around it that goes step by step, what completed before stays.
    pub(super) fn pass_no_return(&mut self, id: NodeId) {
        let (seq, mut child) = (self.seq + 1, id);
        while let Some(node) = self.node(child).parent {
            // What rescues steps side by side comes after all of them.
            let counts = |inside: &&mut Inside| inside.at_once == 1 || inside.rescue == Some(child);
            if let Some(inside) = self.inside_mut(node).filter(counts) {
                inside.no_return = seq;
            }
            child = node;
        }
    }

    /// Whether a rollback leaves it as it is, because a point of no return came after it.
    fn is_past_return(&self, mut id: NodeId) -> bool {
        while let Some(parent) = self.node(id).parent {
            let completed = self.at(id).completed.unwrap_or(u64::MAX);
            if self.inside(parent).is_some_and(|inside| completed <= inside.no_return) {
                return true;
            }
            id = parent;
        }
        false
    }

    /// The steps and calls that did something outside which a rollback leaves as it is: their action has no undo, a point
    /// of no return came after them, or a person decided to leave them so.
    pub fn not_undoable(&self) -> impl Iterator<Item = (&Step, &StepRun)> {
        let left = self.places().filter(|id| {
            let undoable = self.undo_key(*id).is_some() && !self.is_past_return(*id);
            let left = self.at(*id).state == StepState::UndoFailed { accepted: true };
            left || self.has_effect(*id) && !undoable && !self.is_covered(*id)
        });
        left.map(|id| self.shown(id))
    }

    /// Whether something around it has an undo of its own, which takes it back.
    fn is_covered(&self, id: NodeId) -> bool {
        let mut around = self.node(id).parent;
        while let Some(node) = around {
            if self.step_at(node).undo.is_some() {
                return true;
            }
            around = self.node(node).parent;
        }
        false
    }

    /// The calls of this script whose undo a person is asked about, or that wait for that; none if nobody is asked.
    pub(super) fn left_calls(&self, script: NodeId) -> Vec<NodeId> {
        let stuck = |call: &&NodeId| self.at(**call).state.asks() == Some(Direction::Undo);
        let calls = &self.node(script).children;
        if !self.is_script(script) || !calls.iter().any(|call| stuck(&call)) {
            return Vec::new();
        }
        calls.iter().filter(|call| stuck(call) || self.node(**call).derived.undo_key.is_some()).copied().collect()
    }

    /// Whether, and by which record, a rollback takes the node back.
    pub(super) fn undo_key(&self, id: NodeId) -> Option<u64> {
        let (step, state) = self.shown(id);
        let key = state.completed.unwrap_or(u64::MAX);
        if self.script_of(id).is_some_and(|script| self.step_at(script).undo.is_some()) {
            return None;
        }
        let own = step.undo.is_some() || self.inside(id).is_none();
        let taken_back = match own {
            true => self.has_effect(id) && self.has_undo(step),
            // What holds others is taken back by taking those back.
            false => {
                let is_concluded = matches!(state.state, StepState::Succeeded | StepState::Failed);
                let inside = self.inside(id).is_some_and(|inside| !inside.undo.is_empty());
                inside && !step.always && (is_concluded || self.is_script(id))
            }
        };
        taken_back.then_some(key)
    }

    /// Whether the step did, or may have done, something outside that was not taken back. Steps marked `always` clean
    /// up, so they are left as they are.
    pub(super) fn has_effect(&self, id: NodeId) -> bool {
        let (step, state) = self.shown(id);
        let happened = match &state.state {
            StepState::Succeeded => true,
            StepState::Failed => {
                let partial = state.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Partial);
                // A script may have acted before it failed: its own undo takes that back.
                partial || (step.undo.is_some() && !state.calls.is_empty())
            }
            StepState::Unknown { direction: Direction::Forward, .. } => self.is_undone_unsettled(id),
            _ => false,
        };
        let writes = self.effect(step) != EffectClass::Read || step.undo.is_some();
        happened && writes && !step.always
    }

    /// Whether the action's own undo may run though nobody knows if the step happened. An `undo` of the step, or of the
    /// script whose call it is, promises no such thing.
    fn is_undone_unsettled(&self, id: NodeId) -> bool {
        let step = self.step_at(id);
        let has_own = |id| self.step_at(id).undo.is_some();
        self.course_of(self.around(id)) == Course::Undoing
            && !has_own(id)
            && !self.script_of(id).is_some_and(has_own)
            && self.pin(step).is_some_and(|pin| pin.has_undo && pin.undo_safe_if_not_run)
    }

    /// Whether a step's undo waits for an attempt whose input was never worked out: it was refused, and a person says to
    /// try again.
    pub(super) fn undo_unresolved(&self, id: NodeId) -> bool {
        let waits = matches!(
            self.at(id).active(),
            Some(Attempt { direction: Direction::Undo, phase: Phase::Waiting { .. }, .. })
        );
        waits && self.step_at(id).undo.is_some() && self.at(id).undo_input.is_none()
    }
}
