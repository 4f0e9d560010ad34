//! What is due in a run, in the order of its time.

use std::collections::BTreeSet;

use super::derive::Derived;
use super::tree::NodeId;
use crate::Timestamp;

/// Something that is due at a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: NodeId,
    pub(super) when: When,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// It needs nothing from the world.
    Now,
    /// The world is at work for it.
    Called,
    /// The world is asked what became of it.
    Asked,
    /// It waits for locks.
    Queued,
    /// It waits for this time.
    At(Timestamp),
}

/// The nodes whose way goes on, at themselves or at something in them. The derivation of each says where.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Owed {
    pub(super) now: BTreeSet<NodeId>,
    pub(super) called: BTreeSet<NodeId>,
    pub(super) queued: BTreeSet<NodeId>,
    pub(super) waiting: BTreeSet<(Timestamp, NodeId)>,
    /// Nodes whose time is up then.
    pub(super) limits: BTreeSet<(Timestamp, NodeId)>,
    /// The nodes for which the last record asked something of the world.
    pub(super) begun: Vec<NodeId>,
}

impl Owed {
    /// The node was derived again.
    pub(super) fn learn(&mut self, id: NodeId, before: &Derived, after: &Derived) {
        if before.due != after.due {
            self.put(id, before.due, false);
            self.put(id, after.due, true);
        }
        if before.limit != after.limit {
            before.limit.map(|limit| self.limits.remove(&(limit, id)));
            after.limit.map(|limit| self.limits.insert((limit, id)));
        }
    }

    fn put(&mut self, id: NodeId, due: Option<Due>, is_due: bool) {
        match due.map(|due| due.when) {
            None => {}
            Some(When::Now) => put(&mut self.now, id, is_due),
            Some(When::At(time)) => put(&mut self.waiting, (time, id), is_due),
            Some(When::Called | When::Asked) => {
                put(&mut self.called, id, is_due);
                self.begun.extend(is_due.then_some(id));
            }
            Some(When::Queued) => {
                put(&mut self.queued, id, is_due);
                self.begun.extend(is_due.then_some(id));
            }
        }
    }
}

/// Puts an element into a set, or takes it out.
pub(super) fn put<T: Ord>(set: &mut BTreeSet<T>, element: T, is_in: bool) {
    match is_in {
        true => set.insert(element),
        false => set.remove(&element),
    };
}
