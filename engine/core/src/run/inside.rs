//! Nodes that hold others: which way they go, which child comes next, and what a child's failure means above it.

use std::collections::BTreeSet;
use std::fmt;

use super::derive::Derived;
use super::due::Rest;
use super::owed::put;
use super::tree::{NodeId, ROOT};
use super::{Attempt, Phase, Run, StepState};
use crate::{Direction, Failure, FailureKind, OnFailure, SkipReason, Timestamp, Work};

/// Which way a node with children goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Course {
    /// Through its children.
    #[default]
    Forward,
    /// Back through what they did.
    Undoing,
    /// Through the children that always run, then to this end.
    Closing(End),
}

/// The end of a node that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Failed,
    Cancelled,
}

/// What a node knows of its children.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Inside {
    pub(super) course: Course,
    /// Children at work at the same time, at most.
    pub(super) at_once: u32,
    /// Whether the first failure stops the children at work.
    pub(super) fail_fast: bool,
    /// Whether the children at work were stopped.
    pub(super) stopped: bool,
    /// Where each part ends, among the children: a part begins when all before it has ended.
    pub(super) segments: Vec<usize>,
    /// Children before this one have begun, or will not.
    pub(super) next: usize,
    /// Children that are at work or wait for a person, they or something in them.
    pub(super) open: BTreeSet<NodeId>,
    /// Those of them in which something is left that another child may wait for.
    pub(super) at_work: BTreeSet<NodeId>,
    /// How many of those go forward.
    pub(super) forward: u32,
    /// How many are busy.
    pub(super) busy: u32,
    /// Children about whose undo a person must decide.
    pub(super) stuck: BTreeSet<NodeId>,
    /// Children that always run and have not begun.
    pub(super) always: BTreeSet<NodeId>,
    /// Children that a rollback takes back, by the record with which they completed.
    pub(super) undo: BTreeSet<(u64, NodeId)>,
    /// How many children did something that stands.
    pub(super) remains: u32,
    /// Of how many something was left as it is, because a person said so.
    pub(super) left: u32,
    /// The last record with which a point of no return was passed, or 0: what completed before stays.
    pub(super) no_return: u64,
    /// A rollback goes no further than this child.
    pub(super) undo_from: NodeId,
    /// The child whose failure decided where it goes.
    pub(super) cause: Option<NodeId>,
    /// The child that begins when another one failed.
    pub(super) rescue: Option<NodeId>,
    pub(super) failures: u32,
    /// Failures that it bears.
    pub(super) failures_max: u32,
}

/// How far a for-each is, or a group with its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Items {
    /// Items, or steps, that have come to their end.
    pub done: usize,
    /// Those of them that failed.
    pub failed: usize,
    /// All items.
    pub all: usize,
    /// The wave that is at work, from 1.
    pub wave: usize,
    /// All waves.
    pub waves: usize,
}

impl fmt::Display for Items {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} done", self.done, self.all)?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.waves > 1 {
            write!(f, ", wave {} of {}", self.wave, self.waves)?;
        }
        Ok(())
    }
}

impl Inside {
    pub(super) fn new(at_once: u32, fail_fast: bool) -> Self {
        Self { at_once: at_once.max(1), fail_fast, ..Self::default() }
    }

    /// A child was derived again.
    pub(super) fn learn(&mut self, id: NodeId, before: &Derived, after: &Derived) {
        let learn = |set: &mut BTreeSet<NodeId>, of: fn(&Derived) -> bool| {
            if of(before) != of(after) {
                put(set, id, of(after));
            }
        };
        learn(&mut self.open, |child| child.is_open);
        learn(&mut self.at_work, Derived::is_at_work);
        learn(&mut self.stuck, |child| child.rest == Rest::Stuck);
        learn(&mut self.always, |child| child.is_always_left);
        let count = |count: &mut u32, of: fn(&Derived) -> bool| {
            *count = count.saturating_add(u32::from(of(after))).saturating_sub(u32::from(of(before)));
        };
        count(&mut self.forward, |child| child.is_at_work() && child.goes_forward);
        count(&mut self.busy, |child| child.rest == Rest::Busy);
        count(&mut self.remains, |child| child.remains);
        count(&mut self.left, |child| child.was_left);
        if before.undo_key != after.undo_key {
            before.undo_key.map(|key| self.undo.remove(&(key, id)));
            after.undo_key.map(|key| self.undo.insert((key, id)));
        }
    }

    /// Forgets what was learned of children.
    pub(super) fn forget(&mut self) {
        let sets = [&mut self.open, &mut self.at_work, &mut self.stuck, &mut self.always];
        sets.into_iter().for_each(BTreeSet::clear);
        self.undo.clear();
        (self.forward, self.busy, self.remains, self.left) = (0, 0, 0, 0);
    }

    /// What is left to do among its children that have begun.
    pub(super) fn rest(&self) -> Rest {
        match (self.busy, self.at_work.is_empty(), self.stuck.is_empty()) {
            (1.., _, _) => Rest::Busy,
            (_, false, _) => Rest::Asks,
            (_, _, false) => Rest::Stuck,
            _ => Rest::Over,
        }
    }

    /// The number of the part in which the child at this place is.
    pub(super) fn part_number(&self, place: usize) -> usize {
        self.segments.partition_point(|end| *end <= place)
    }

    /// The part in which the child at this place is: where it begins.
    fn part(&self, place: usize) -> usize {
        match self.part_number(place) {
            0 => 0,
            number => self.segments[number - 1],
        }
    }
}

impl Run {
    /// Which way the whole run goes.
    pub(super) fn course(&self) -> Course {
        self.course_of(ROOT)
    }

    /// Which way a node with children goes.
    pub(super) fn course_of(&self, id: NodeId) -> Course {
        self.inside(id).map_or(Course::Forward, |inside| inside.course)
    }

    /// Whether no further step starts there but those that always run.
    ///
    /// Where steps go side by side, those at work come to their own ends when another one failed, unless they were stopped.
    pub(super) fn ends(&self, around: NodeId) -> bool {
        let ends = |inside: &Inside| inside.course != Course::Forward && (inside.at_once == 1 || inside.stopped);
        self.inside(around).is_some_and(ends)
    }

    /// The child that comes next on this course, if another may begin now.
    pub(super) fn next_child(&self, id: NodeId) -> Option<NodeId> {
        let (inside, children) = (self.inside(id)?, &self.node(id).children);
        let at_work = inside.at_work.len() + inside.stuck.len();
        if inside.course == Course::Forward {
            let place = inside.next + children.iter().skip(inside.next).position(|child| self.is_pending(*child))?;
            if inside.rescue == Some(children[place]) {
                return None;
            }
            let begins = inside.segments.binary_search(&place).is_ok();
            let room = if begins { at_work == 0 } else { at_work < inside.at_once as usize };
            return room.then(|| children[place]);
        }
        if at_work > 0 {
            return None;
        }
        let rescue = inside.rescue.filter(|rescue| self.is_pending(*rescue) && self.calls_rescue(id));
        rescue.or_else(|| inside.always.first().copied())
    }

    /// Whether it is to be rescued: one of its steps failed, or it took too long. Where it was stopped from outside, or where
    /// the failure says nothing about the world, there is nothing to mend.
    fn calls_rescue(&self, id: NodeId) -> bool {
        let Some(inside) = self.inside(id) else { return false };
        let failed = match inside.cause {
            Some(_) => self.at(self.innermost(id)).failure.as_ref(),
            None => self.at(id).failure.as_ref(),
        };
        let is_first = self.at(id).active().is_some_and(|attempt| attempt.direction == Direction::Forward);
        let ended = matches!(inside.course, Course::Undoing | Course::Closing(End::Failed));
        let wanted = |failure: &Failure| !failure.kind.is_refusal() && !self.is_tried_again(id, failure);
        is_first && ended && !self.at(id).told_to_stop && failed.is_some_and(wanted)
    }

    /// Whether the group that failed so will be done again, and so needs no rescue yet.
    fn is_tried_again(&self, id: NodeId, failure: &Failure) -> bool {
        let left = self.at(id).forward.spent + 1 < self.step_at(id).retry.attempts;
        left && failure.kind == FailureKind::Transient && !self.inside_remains(id)
    }

    /// Whether something that was done in it stands.
    pub(super) fn inside_remains(&self, id: NodeId) -> bool {
        self.inside(id).is_some_and(|inside| inside.remains > 0)
    }

    fn is_pending(&self, id: NodeId) -> bool {
        self.at(id).state == StepState::Pending
    }

    /// The child has begun, or will not: those before it are looked at no more.
    pub(super) fn pass(&mut self, id: NodeId) {
        let Some(parent) = self.node(id).parent else { return };
        let Some(inside) = self.inside(parent) else { return };
        let (children, next) = (&self.node(parent).children, inside.next);
        let passed = children[next.min(children.len())..].iter().take_while(|child| !self.is_pending(**child)).count();
        if let Some(inside) = self.inside_mut(parent) {
            inside.next += passed;
        }
    }

    /// A step failed for good: what holds it goes where its `on-failure` says, unless that is ending already. What the
    /// failure of a call means, its script decides.
    pub(super) fn rise(&mut self, id: NodeId, at: Timestamp) {
        let kind = self.kind_of_failure(id);
        let Some(parent) = self.node(id).parent.filter(|parent| !self.is_script(*parent)) else { return };
        let step = self.step_at(id);
        let (mut follows, is_each) = (step.on_failure.after(kind, step.always), self.is_each(parent));
        let on_failure = self.step_at(parent).on_failure;
        let (is_item, from) = (self.item_of(id).is_some(), self.part_of(parent, id));
        // A missing grant says nothing about an item.
        let is_refusal = kind.is_refusal();
        let Some(inside) = self.inside_mut(parent) else { return };
        if inside.rescue == Some(id) {
            inside.cause = Some(id);
        }
        if inside.course != Course::Forward {
            return;
        }
        if is_each {
            inside.failures += u32::from(is_item);
            if is_item && !is_refusal && inside.failures <= inside.failures_max {
                return;
            }
            follows = Some(OnFailure::Stop);
            if on_failure == OnFailure::RollbackWave {
                follows = Some(OnFailure::Rollback);
                inside.undo_from = from;
            }
        }
        let course = match follows {
            None => return,
            Some(OnFailure::Rollback) => Course::Undoing,
            Some(_) => Course::Closing(End::Failed),
        };
        inside.cause = Some(id);
        let fail_fast = inside.fail_fast;
        self.set_course(parent, course);
        if fail_fast {
            self.stop_children(parent, Course::Closing(End::Cancelled), at);
        }
    }

    /// The kind of its failure. A refusal in it stays one: whatever it left behind, nothing was learnt about the world.
    fn kind_of_failure(&self, id: NodeId) -> FailureKind {
        let kind = |id| self.at(id).failure.as_ref().map(|failure| failure.kind);
        let refused = kind(self.innermost(id)).filter(|kind| kind.is_refusal());
        refused.or_else(|| kind(id)).unwrap_or(FailureKind::Permanent)
    }

    /// The innermost step whose failure decided about this one; itself where none did.
    pub(super) fn innermost(&self, mut id: NodeId) -> NodeId {
        while let Some(cause) = self.inside(id).and_then(|inside| inside.cause) {
            id = cause;
        }
        id
    }

    /// The first child of the part in which this child is.
    fn part_of(&self, parent: NodeId, child: NodeId) -> NodeId {
        let children = &self.node(parent).children;
        let place = children.binary_search(&child).unwrap_or(0);
        // What a gate between two waves finds is about the wave before it.
        let place = if self.item_of(child).is_none() && self.is_each(parent) { place.saturating_sub(1) } else { place };
        let first = self.inside(parent).map_or(0, |inside| inside.part(place));
        children.get(first).copied().unwrap_or(child)
    }

    /// How far the step at this path is with what it holds: the items of a for-each, or the steps of a group. None where it
    /// holds none.
    pub fn items(&self, path: &str) -> Option<Items> {
        let id = self.find(path).filter(|id| self.holds_steps(*id))?;
        let (inside, children) = (self.inside(id)?, &self.node(id).children);
        let is_each = self.is_each(id);
        let is_gate = |child: &NodeId| inside.rescue == Some(*child) || is_each && self.item_of(*child).is_none();
        let mut waves: Vec<usize> = Vec::new();
        for (n, end) in inside.segments.iter().enumerate() {
            let first = if n == 0 { 0 } else { inside.segments[n - 1] };
            if first < *end && !is_gate(&children[first]) {
                waves.push(*end);
            }
        }
        let items = || children.iter().filter(|child| !is_gate(child)).map(|child| &self.at(*child).state);
        let is_over = |state: &&StepState| !matches!(state, StepState::Pending | StepState::Active(_));
        Some(Items {
            done: items().filter(is_over).count(),
            failed: items().filter(|state| **state == StepState::Failed).count(),
            all: items().count(),
            wave: waves.iter().filter(|end| **end < inside.next).count() + 1,
            waves: waves.len(),
        })
    }

    pub(super) fn is_each(&self, id: NodeId) -> bool {
        matches!(self.step_at(id).work, Work::Each { .. })
    }

    /// The place of an item in its each, from 0; none for what is between waves, and for all else.
    pub(super) fn item_of(&self, id: NodeId) -> Option<usize> {
        let parent = self.node(id).parent.filter(|parent| self.is_each(*parent))?;
        let name = self.path(id).strip_prefix(&**self.path(parent))?.strip_prefix('/')?;
        name.parse::<usize>().ok()?.checked_sub(1)
    }

    /// Turns a node to a course on which no new step starts.
    pub(super) fn set_course(&mut self, id: NodeId, course: Course) {
        // What has an undo of its own is taken back by that, as a whole and after its end.
        let own_undo = self.step_at(id).undo.is_some() && !self.undoes(id);
        let course = match course {
            Course::Undoing if own_undo => Course::Closing(End::Failed),
            course => course,
        };
        let Some(inside) = self.inside_mut(id) else { return };
        inside.course = course;
        self.touch_open(id);
    }

    /// What is at work in a node comes to its end: steps that wait will not be tried again, calls are asked to stop, and
    /// what holds steps goes on this course.
    pub(super) fn stop_children(&mut self, id: NodeId, course: Course, at: Timestamp) {
        let Some(inside) = self.inside_mut(id) else { return };
        inside.stopped = true;
        let open: Vec<NodeId> = inside.open.iter().copied().collect();
        self.touch_open(id);
        open.into_iter().for_each(|child| self.stop(child, course, at));
    }

    /// The same for one node. An undo that is in flight comes to its end.
    pub(super) fn stop(&mut self, id: NodeId, course: Course, at: Timestamp) {
        let Some(Attempt { direction, phase, .. }) = self.at(id).active().cloned() else { return };
        let ends = direction == Direction::Forward && !self.step_at(id).always;
        match phase {
            Phase::Calling | Phase::Verifying { .. } if direction == Direction::Forward => {
                self.tell_to_stop(id);
            }
            Phase::Inside { .. } if ends => {
                self.tell_to_stop(id);
                if self.course_of(id) == Course::Forward {
                    self.set_course(id, course);
                }
                self.stop_children(id, course, at);
            }
            Phase::Waiting { .. } | Phase::Sleeping { .. } | Phase::Asking { .. } | Phase::Queued if ends => {
                let failure = self.at(id).failure.clone();
                let cancelled = || Failure::new(FailureKind::Cancelled, "cancelled while it waited");
                self.fail(id, failure.unwrap_or_else(cancelled), at);
            }
            _ => {}
        }
        if self.is_script(id) {
            self.stop_children(id, course, at);
        }
    }

    pub(super) fn tell_to_stop(&mut self, id: NodeId) {
        self.at_mut(id).told_to_stop = true;
        self.changed.push((id, self.at(id).state.clone()));
    }

    /// Children that have not begun will not.
    pub(super) fn skip_rest(&mut self, id: NodeId, at: Timestamp) {
        let next = self.inside(id).map_or(0, |inside| inside.next);
        for child in self.node(id).children.get(next..).unwrap_or_default().to_vec() {
            if self.is_pending(child) {
                self.at_mut(child).ended = Some(at);
                self.set(child, StepState::Skipped(SkipReason::NotReached));
            }
        }
    }

    /// What a node that holds steps comes to, once nothing is left to do in it.
    pub(super) fn outcome(&self, id: NodeId) -> Result<(), Failure> {
        let Some(inside) = self.inside(id) else { return Ok(()) };
        let direction = self.at(id).active().map_or(Direction::Forward, |attempt| attempt.direction);
        if direction == Direction::Undo || inside.course == Course::Forward {
            return Ok(());
        }
        let is_rescued = inside.rescue.is_some_and(|rescue| self.at(rescue).state == StepState::Succeeded);
        let spoils = |child: &&NodeId| {
            let (step, state) = self.shown(**child);
            let decides = || step.on_failure.after(self.kind_of_failure(**child), step.always).is_some();
            step.always && state.state == StepState::Failed && decides()
        };
        // What always runs comes after the rescue, and can fail too.
        let spoiled = self.node(id).children.iter().filter(|_| is_rescued).find(spoils);
        if is_rescued && spoiled.is_none() {
            return Ok(());
        }
        let cause = spoiled.copied().or(inside.cause).map(|cause| self.shown(self.innermost(cause)));
        let late = self.at(id).failure.as_ref().filter(|_| inside.course != Course::Closing(End::Cancelled));
        let why = match cause {
            Some((_, state)) => {
                let why = state.failure.as_ref().map_or("it failed", |failure| &failure.message);
                match (self.is_each(id), inside.failures) {
                    (true, failures @ 2..) => format!("{failures} items failed, the last: {}: {why}", state.path),
                    _ => format!("{}: {why}", state.path),
                }
            }
            None => late.map_or_else(|| "it was cancelled".to_owned(), |late| late.message.clone()),
        };
        let kind = match cause {
            _ if inside.remains > 0 => FailureKind::Partial,
            // What is left of nothing can be tried again, where that can help.
            Some((_, state)) => state.failure.as_ref().map_or(FailureKind::Permanent, |failure| failure.kind),
            None if late.is_some() => FailureKind::Permanent,
            None => FailureKind::Cancelled,
        };
        Err(Failure::new(kind, why))
    }
}
