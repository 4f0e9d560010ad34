//! What follows from the states of nodes, kept up to date record by record, so that a step costs the same in a small run
//! and in a large one.

use std::collections::BTreeSet;

use super::due::Rest;
use super::inside::Course;
use super::owed::{Due, Owed, When};
use super::tree::NodeId;
use super::{Attempt, Phase, Run, StepState};
use crate::{Direction, Timestamp};

/// What follows from the state of a node and of what is in it.
///
/// Every change of a node touches it; after each record all that was touched is derived again, from the innermost node up
/// to the root. What is open in a node also depends on which way the node goes: that touches it too.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Derived {
    /// It is at work or waits for a person, it or something in it.
    pub(super) is_open: bool,
    /// What is left to do in it.
    pub(super) rest: Rest,
    /// An attempt to do it, and not to undo it, is in flight or waits.
    pub(super) goes_forward: bool,
    /// Where its way goes on: at itself, or at what begins next in it.
    pub(super) due: Option<Due>,
    /// When it has taken all the time that it may.
    pub(super) limit: Option<Timestamp>,
    /// Its place among what its parent takes back.
    pub(super) undo_key: Option<u64>,
    /// It always runs, and has not begun.
    pub(super) is_always_left: bool,
    /// Something that was done there stands.
    pub(super) remains: bool,
    /// A person left something that was done there as it is.
    pub(super) was_left: bool,
}

impl Derived {
    pub(super) fn is_at_work(&self) -> bool {
        matches!(self.rest, Rest::Asks | Rest::Busy)
    }
}

impl Run {
    /// Derives again what follows from all that was touched.
    pub(super) fn derive(&mut self) {
        while let Some(id) = self.touched.pop_last() {
            let after = self.derived(id);
            let node = &mut self.nodes[id as usize];
            let before = std::mem::replace(&mut node.derived, after);
            self.owed.learn(id, &before, &after);
            let Some(parent) = node.parent else { continue };
            if let Some(inside) = &mut self.nodes[parent as usize].inside {
                inside.learn(id, &before, &after);
            }
            // Its number is smaller: it is derived after all that is in it.
            self.touched.insert(parent);
        }
    }

    /// What is open in a node depends on which way the node goes, and so do the calls of scripts among that.
    pub(super) fn touch_open(&mut self, id: NodeId) {
        let open = |id: NodeId| self.inside(id).into_iter().flat_map(|inside| inside.open.iter().copied());
        let calls = open(id).filter(|child| self.is_script(*child)).flat_map(open);
        let touched: BTreeSet<NodeId> = open(id).chain(calls).collect();
        self.touched.extend(touched);
    }

    /// The same run, with everything that is derived worked out from nothing: it must be equal.
    pub fn derived_afresh(&self) -> Self {
        let mut run = self.clone();
        run.owed = Owed::default();
        for node in &mut run.nodes {
            node.derived = Derived::default();
            node.inside.iter_mut().for_each(|inside| inside.forget());
        }
        run.touched = (0..run.nodes.len()).filter_map(|id| NodeId::try_from(id).ok()).collect();
        run.derive();
        run.owed.begun.clone_from(&self.owed.begun);
        run
    }

    fn derived(&self, id: NodeId) -> Derived {
        let (step, state) = self.shown(id);
        let (rest, due) = self.rest(id);
        let inside = self.inside(id);
        let stuck = matches!(state.state, StepState::UndoFailed { .. });
        let is_own = self.node(id).children.is_empty() || step.undo.is_some();
        let is_open_inside = inside.is_some_and(|inside| !inside.open.is_empty());
        Derived {
            is_open: is_open_inside || state.active().is_some() || state.state.asks().is_some(),
            rest,
            goes_forward: state.active().is_some_and(|attempt| attempt.direction == Direction::Forward),
            due: due.and_then(|at| Some(Due { at, when: self.when(at)? })),
            limit: self.limit(id),
            undo_key: self.undo_key(id),
            is_always_left: step.always && state.state == StepState::Pending,
            remains: match is_own {
                true => stuck || self.has_effect(id),
                false => inside.is_some_and(|inside| inside.remains > 0),
            },
            was_left: stuck || inside.is_some_and(|inside| inside.left > 0),
        }
    }

    /// What is left to do in a node, as what holds it sees it, and where that goes on.
    fn rest(&self, id: NodeId) -> (Rest, Option<NodeId>) {
        if self.script_of(id).is_some_and(|script| !self.reaches_calls(script)) {
            return (Rest::Over, None);
        }
        match &self.at(id).state {
            StepState::Active(Attempt { phase: Phase::Asking { .. }, .. }) => (Rest::Asks, None),
            StepState::Active(Attempt { phase: Phase::Inside { .. }, .. }) => match self.rest_inside(id) {
                // It ends as a whole.
                (Rest::Over, _) => (Rest::Busy, Some(id)),
                rest => rest,
            },
            StepState::Active(Attempt { direction: Direction::Undo, .. }) => (Rest::Busy, Some(id)),
            StepState::Active(_) => {
                let call = self.open_call(id).map(|call| self.at(call).state.asks());
                match call {
                    Some(None) => (Rest::Busy, None),
                    Some(Some(_)) if !self.is_given_up(id) => (Rest::Asks, None),
                    _ => (Rest::Busy, Some(id)),
                }
            }
            StepState::Unknown { direction: Direction::Forward, .. } if self.has_effect(id) => (Rest::Over, None),
            StepState::Unknown { .. } => (Rest::Asks, None),
            StepState::UndoFailed { accepted: false } => (Rest::Stuck, None),
            // A script is taken back call by call.
            _ => (self.inside(id).map_or(Rest::Over, |inside| inside.rest()), None),
        }
    }

    /// Whether calls of a script go on: they do not where a person must decide about the script itself, nor while it is
    /// undone as a whole.
    fn reaches_calls(&self, script: NodeId) -> bool {
        match &self.at(script).state {
            StepState::Active(attempt) => attempt.direction == Direction::Forward,
            state => state.asks().is_none(),
        }
    }

    /// What is left to do among the children of a node, and which of them begins next, or is taken back next.
    pub(super) fn rest_inside(&self, id: NodeId) -> (Rest, Option<NodeId>) {
        let Some(inside) = self.inside(id) else { return (Rest::Over, None) };
        let rest = inside.rest();
        if inside.course == Course::Undoing {
            let next = self.next_undo(id);
            if next.is_some() {
                return (Rest::Busy, next);
            }
            if rest != Rest::Over {
                return (rest, None);
            }
        }
        match self.next_child(id) {
            None => (rest, None),
            next => (Rest::Busy, next),
        }
    }

    /// When it is time for what is due at a node.
    fn when(&self, id: NodeId) -> Option<When> {
        let StepState::Active(attempt) = &self.at(id).state else { return Some(When::Now) };
        match attempt.phase {
            _ if attempt.direction == Direction::Forward && self.is_given_up(id) => Some(When::Now),
            Phase::Asking { .. } => None,
            Phase::Queued => Some(When::Queued),
            Phase::Calling => Some(When::Called),
            Phase::Verifying { .. } => Some(When::Asked),
            Phase::Waiting { until } | Phase::Sleeping { until } => Some(When::At(until)),
            Phase::Inside { .. } => Some(When::Now),
        }
    }
}
