//! The state of one run: the fold of its history, a tree.

mod apply;
mod approval;
mod attempt;
mod decision;
mod derive;
mod due;
mod inside;
mod limit;
mod lock;
mod owed;
mod refusal;
mod scope;
mod tree;
mod undo;
mod waiting;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use inside::Course;
use owed::Owed;
use tree::{Node, NodeId, ROOT};

use crate::{
    ActionName, Answer, By, Cause, Digest, Direction, EffectClass, Failure, Head, Map, Pin, RunId, RunStatus, Runbook,
    SkipReason, Step, Timestamp, Work,
};

pub use apply::Misfit;
pub use approval::Approver;
pub use due::Effect;
pub use inside::Items;
pub use scope::Reads;

/// One run of a runbook: everything that its history says, and nothing that it does not.
///
/// [`Run::replay`] builds it from records, [`Run::apply`] adds one more; both go through the same table. Equal
/// histories give equal runs.
///
/// It is a tree of nodes, kept flat: the runbook is its root, steps that hold steps have those as children, and a script
/// has its calls. A node is named by its path, for example `fleet/3/patch`: names are definitions, numbers are instances.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    id: RunId,
    runbook: Arc<Runbook>,
    digest: Digest,
    inputs: Map,
    pins: BTreeMap<ActionName, Pin>,
    cause: Cause,
    lock: Option<String>,
    nodes: Vec<Node>,
    at: HashMap<Path, NodeId>,
    stage: Stage,
    /// The nodes that hold locks.
    holders: BTreeSet<NodeId>,
    owed: Owed,
    /// Nodes that changed and are to be derived again; none between two records.
    touched: BTreeSet<NodeId>,
    /// The nodes whose state the last record changed, each with its state before.
    changed: Vec<(NodeId, StepState)>,
    outputs: Map,
    failure: Option<Failure>,
    seq: u64,
    created: Timestamp,
    updated: Timestamp,
}

/// Where in a run a step stands: the ids of the steps around it and its own, with a number where one definition has
/// several instances.
pub type Path = Arc<str>;

/// How far the run is. Which way it goes is the course of its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It waits for its lock, or for its turn among the runs of its runbook.
    Queued,
    /// It goes on.
    Open,
    /// It is over.
    Finished(RunStatus),
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRun {
    /// Its place in the run.
    pub path: Path,
    /// Where it stands.
    pub state: StepState,
    /// The input of its last attempt.
    pub input: Option<Value>,
    /// The input of the last attempt of the step that undoes it, where it has one.
    pub undo_input: Option<Value>,
    /// What it gave back, once it succeeded; kept when it is undone.
    pub answer: Option<Answer>,
    /// Why its last attempt to do it failed, if it did.
    pub failure: Option<Failure>,
    /// Why its last attempt to undo it failed, if it did.
    pub undo_failure: Option<Failure>,
    /// Attempts to do it.
    pub forward: Attempts,
    /// Attempts to undo it.
    pub undo: Attempts,
    /// Whether an attempt whose answer was lost may have happened, though the step was tried again since: a later clean
    /// failure does not rule that attempt out.
    pub doubtful: bool,
    /// What a script asked of the world, in its order: when it is run again, it gets the same answers.
    pub calls: Vec<ScriptCall>,
    /// What its attempts asked to remember, by name.
    pub checkpoints: BTreeMap<String, Vec<u8>>,
    /// Processes that its last attempt started and that must not outlive it: pid and start time in clock ticks.
    pub children: Vec<(u32, u64)>,
    /// Whether the attempt in flight was asked to stop.
    pub told_to_stop: bool,
    /// Who approved it so far, in their order.
    pub approvals: Vec<By>,
    /// The locks that it needs while it is at work.
    pub locks: Vec<String>,
    /// Those of them that it holds; the others are held around it, or waited for.
    pub holds: Vec<String>,
    /// When its first attempt started.
    pub started: Option<Timestamp>,
    /// When it came to its present state.
    pub ended: Option<Timestamp>,
    /// The sequence number at which it succeeded or failed: rollback goes down these.
    completed: Option<u64>,
}

impl StepRun {
    fn pending(path: Path) -> Self {
        Self {
            path,
            state: StepState::Pending,
            input: None,
            undo_input: None,
            answer: None,
            failure: None,
            undo_failure: None,
            forward: Attempts::default(),
            undo: Attempts::default(),
            doubtful: false,
            calls: Vec::new(),
            checkpoints: BTreeMap::new(),
            children: Vec::new(),
            told_to_stop: false,
            approvals: Vec::new(),
            locks: Vec::new(),
            holds: Vec::new(),
            started: None,
            ended: None,
            completed: None,
        }
    }

    /// The attempts in this direction.
    pub fn attempts(&self, direction: Direction) -> &Attempts {
        match direction {
            Direction::Forward => &self.forward,
            Direction::Undo => &self.undo,
        }
    }

    fn attempts_mut(&mut self, direction: Direction) -> &mut Attempts {
        match direction {
            Direction::Forward => &mut self.forward,
            Direction::Undo => &mut self.undo,
        }
    }

    /// The attempt in flight or waiting, if there is one.
    pub fn active(&self) -> Option<&Attempt> {
        match &self.state {
            StepState::Active(attempt) => Some(attempt),
            _ => None,
        }
    }
}

/// Something that a script asked of the world.
#[derive(Debug, Clone, PartialEq)]
pub enum ScriptCall {
    /// `act(…)`: a node of its own below the script, named by its place among the calls, from 1.
    Act,
    /// `now()`, `random()` or `uuid()`.
    Value {
        /// The function.
        function: String,
        /// What it gave.
        value: Value,
    },
}

/// Counts of attempts in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts started.
    pub started: u32,
    /// Attempts that used up one of those that `retry` allows.
    pub spent: u32,
    /// Attempts in flight when an engine died, since a person last looked.
    pub deaths: u32,
}

/// Where a step stands.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// Nothing happened yet.
    Pending,
    /// An attempt is in flight, or the next one waits.
    Active(Attempt),
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// It did not run.
    Skipped(SkipReason),
    /// Nobody knows whether it happened: a person must decide.
    Unknown {
        /// Doing or undoing.
        direction: Direction,
        /// What made it so, for people.
        reason: String,
    },
    /// What it did was taken back.
    Undone,
    /// What it did could not be taken back: a person must decide.
    UndoFailed {
        /// A person decided to leave it so.
        accepted: bool,
    },
}

impl StepState {
    /// The word for it in files and output.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active(Attempt { direction: Direction::Forward, .. }) => "running",
            Self::Active(Attempt { direction: Direction::Undo, .. }) => "undoing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped(_) => "skipped",
            Self::Unknown { .. } => "unknown",
            Self::Undone => "undone",
            Self::UndoFailed { .. } => "undo-failed",
        }
    }

    /// What a person must decide about: doing it or undoing it. None if nobody is asked.
    pub const fn asks(&self) -> Option<Direction> {
        match self {
            Self::Unknown { direction, .. } => Some(*direction),
            Self::UndoFailed { accepted: false } => Some(Direction::Undo),
            _ => None,
        }
    }

    /// Whether it is over, as far as doing it goes: a script that made this call can go on.
    const fn has_ended(&self) -> bool {
        !matches!(self, Self::Pending | Self::Active(_) | Self::Unknown { .. })
    }
}

/// An attempt of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Doing or undoing.
    pub direction: Direction,
    /// Its number, from 1 in each direction.
    pub number: u32,
    /// What it waits for.
    pub phase: Phase,
}

/// What an attempt waits for.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// The action's answer.
    Calling,
    /// The plugin's word on whether the attempt, whose answer was lost, happened.
    Verifying {
        /// How the answer was lost, for people.
        reason: String,
    },
    /// The time of the next attempt.
    Waiting {
        /// That time.
        until: Timestamp,
    },
    /// The end of a wait.
    Sleeping {
        /// When that is.
        until: Timestamp,
    },
    /// Its locks.
    Queued,
    /// The steps in it.
    Inside {
        /// When it has taken all the time that it may.
        until: Option<Timestamp>,
    },
    /// The approval of people.
    Asking {
        /// When it has taken all the time that it may.
        until: Option<Timestamp>,
    },
}

impl Phase {
    /// When the attempt has taken all the time that it may; none where it has the time that it needs.
    pub const fn limit(&self) -> Option<Timestamp> {
        match self {
            Self::Inside { until } | Self::Asking { until } => *until,
            _ => None,
        }
    }
}

impl Run {
    /// Its id.
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The checked runbook that it is pinned to.
    pub fn runbook(&self) -> &Arc<Runbook> {
        &self.runbook
    }

    /// Its inputs, with defaults filled in.
    pub fn inputs(&self) -> &Map {
        &self.inputs
    }

    /// Who or what started it.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Its outputs; empty until it succeeded.
    pub fn outputs(&self) -> &Map {
        &self.outputs
    }

    /// Why it failed in its end, where its outputs could not be worked out.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref().or(self.at(ROOT).failure.as_ref())
    }

    /// The step whose failure decided that the run stops or is rolled back; none where no failure did. Of steps that hold
    /// steps it is the innermost.
    pub fn failed_at(&self) -> Option<(&Step, &StepRun)> {
        self.inside(ROOT)?.cause?;
        Some(self.shown(self.innermost(ROOT)))
    }

    /// How many places it has.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// The sequence number of its last record.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// When it was created.
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// When its last record was written.
    pub fn updated(&self) -> Timestamp {
        self.updated
    }

    /// The steps of the runbook with what became of them, in its order.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &StepRun)> {
        self.node(ROOT).children.iter().map(|id| self.shown(*id))
    }

    /// Everything that has a place in the run, with what became of it: each step is followed by what is in it.
    pub fn attempts(&self) -> impl Iterator<Item = (&Step, &StepRun)> {
        self.places().map(|id| self.shown(id))
    }

    /// What the run got since it had so many places, in the order in which that came.
    pub fn born_since(&self, size: usize) -> impl Iterator<Item = (&Step, &StepRun)> {
        let born = self.nodes.get(size.max(1)..).unwrap_or_default();
        born.iter().map(|node| (&*node.step, &node.run))
    }

    /// The step at this path, and what became of it.
    pub fn step(&self, path: &str) -> Option<(&Step, &StepRun)> {
        Some(self.shown(self.find(path)?))
    }

    /// What the last record changed: each step with its state before.
    pub fn changed(&self) -> impl Iterator<Item = (&Step, &StepRun, &StepState)> {
        let mut changed: Vec<&(NodeId, StepState)> = self.changed.iter().collect();
        changed.sort_by_key(|(id, _)| *id);
        changed.dedup_by_key(|(id, _)| *id);
        changed.into_iter().map(|(id, before)| (self.step_at(*id), self.at(*id), before))
    }

    /// What is in the step at this path: the calls of a script, the steps of a group.
    pub fn children(&self, path: &str) -> impl Iterator<Item = (&Step, &StepRun)> {
        let children = self.find(path).map(|id| self.node(id).children.as_slice()).unwrap_or_default();
        children.iter().map(|id| self.shown(*id))
    }

    /// What the run keeps of the action that `step` calls; none for scripts and waits.
    pub fn pin(&self, step: &Step) -> Option<&Pin> {
        self.pin_of(&step.work)
    }

    /// What the run keeps of the action that `work` is; none for scripts and waits.
    pub fn pin_of(&self, work: &Work) -> Option<&Pin> {
        match work {
            Work::Action { action, .. } => self.pins.get(action),
            _ => None,
        }
    }

    /// What an attempt of `step` may do outside.
    pub fn effect(&self, step: &Step) -> EffectClass {
        self.pin(step).map_or(EffectClass::Read, |pin| pin.effect)
    }

    /// Whether the run can take `step` back: by the step's own undo or by the action's.
    pub fn has_undo(&self, step: &Step) -> bool {
        step.undo.is_some() || self.pin(step).is_some_and(|pin| pin.has_undo)
    }

    /// The lock that the run claims.
    pub fn lock(&self) -> Option<&str> {
        self.lock.as_deref()
    }

    /// The plugins that the run is pinned to.
    pub fn plugins(&self) -> impl Iterator<Item = Digest> {
        self.pins.values().map(|pin| pin.plugin)
    }

    /// Where it stands.
    pub fn status(&self) -> RunStatus {
        match self.stage {
            Stage::Finished(status) => status,
            Stage::Queued => RunStatus::Queued,
            Stage::Open if self.is_blocked() => RunStatus::Blocked,
            Stage::Open if self.only_waits() => RunStatus::Waiting,
            Stage::Open if self.course() == Course::Undoing => RunStatus::RollingBack,
            Stage::Open => RunStatus::Running,
        }
    }

    /// Its short form.
    pub fn head(&self) -> Head {
        Head {
            run: self.id,
            name: self.runbook.name.clone(),
            runbook: self.digest,
            status: self.status(),
            lock: self.lock.clone(),
            step_locks: self.step_locks(),
            seq: self.seq,
            created: self.created,
            updated: self.updated,
        }
    }
}
