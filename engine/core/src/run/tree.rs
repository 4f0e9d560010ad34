//! The nodes of a run: how they are born, named and found.

use std::sync::Arc;

use super::derive::Derived;
use super::inside::Inside;
use super::{Misfit, Path, Run, ScriptCall, StepRun};
use crate::{ActionName, Direction, Map, Pin, Step, Value, Work};

/// The number of a node in its run, in the order of birth.
pub(super) type NodeId = u32;

/// The node that is the whole runbook.
pub(super) const ROOT: NodeId = 0;

/// One place in a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) step: Arc<Step>,
    pub(super) parent: Option<NodeId>,
    pub(super) children: Vec<NodeId>,
    /// Once it has or may have children.
    pub(super) inside: Option<Box<Inside>>,
    pub(super) derived: Derived,
    pub(super) run: StepRun,
}

impl Run {
    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// A node that is about to change.
    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.touched.insert(id);
        &mut self.nodes[id as usize]
    }

    /// What became of a node.
    pub(super) fn at(&self, id: NodeId) -> &StepRun {
        &self.node(id).run
    }

    pub(super) fn at_mut(&mut self, id: NodeId) -> &mut StepRun {
        &mut self.node_mut(id).run
    }

    /// The step of a node.
    pub(super) fn step_at(&self, id: NodeId) -> &Step {
        &self.node(id).step
    }

    pub(super) fn path(&self, id: NodeId) -> &Path {
        &self.node(id).run.path
    }

    pub(super) fn shown(&self, id: NodeId) -> (&Step, &StepRun) {
        (self.step_at(id), self.at(id))
    }

    pub(super) fn inside(&self, id: NodeId) -> Option<&Inside> {
        self.node(id).inside.as_deref()
    }

    pub(super) fn inside_mut(&mut self, id: NodeId) -> Option<&mut Inside> {
        self.node_mut(id).inside.as_deref_mut()
    }

    /// The node with this path, if there is one.
    pub(super) fn find(&self, path: &str) -> Option<NodeId> {
        self.at.get(path).copied().filter(|id| *id != ROOT)
    }

    /// The step with this name in a node that holds steps, if there is one.
    pub(super) fn child(&self, id: NodeId, name: &str) -> Option<NodeId> {
        // A group that is tried again has new steps, whose paths say so.
        let beside = self.path(*self.node(id).children.first()?);
        let found = match beside.rsplit_once('/') {
            Some((above, _)) => self.find(&format!("{above}/{name}")),
            None => self.find(name),
        };
        found.filter(|found| self.node(*found).parent == Some(id))
    }

    /// Every node but the root, each followed by what is in it.
    pub(super) fn places(&self) -> impl Iterator<Item = NodeId> {
        let mut rest: Vec<NodeId> = self.node(ROOT).children.iter().rev().copied().collect();
        std::iter::from_fn(move || {
            let id = rest.pop()?;
            rest.extend(self.node(id).children.iter().rev());
            Some(id)
        })
    }

    /// What is called at this node in this direction.
    pub(super) fn work_at(&self, id: NodeId, direction: Direction) -> &Work {
        self.step_at(id).work(direction)
    }

    pub(super) fn pin_at(&self, id: NodeId, direction: Direction) -> Option<&Pin> {
        self.pin_of(self.work_at(id, direction))
    }

    /// Whether undoing this step is the action's own `undo`, which is safe to repeat by contract.
    pub(super) fn undoes_itself(&self, id: NodeId, direction: Direction) -> bool {
        direction == Direction::Undo && self.step_at(id).undo.is_none()
    }

    pub(super) fn is_script(&self, id: NodeId) -> bool {
        matches!(self.step_at(id).work, Work::Script { .. })
    }

    /// The script that made this call; none for a step of the runbook.
    pub(super) fn script_of(&self, id: NodeId) -> Option<NodeId> {
        self.node(id).parent.filter(|parent| self.is_script(*parent))
    }

    /// The node whose course decides about this one: for a call of a script that around the script.
    pub(super) fn around(&self, id: NodeId) -> NodeId {
        let step = self.script_of(id).unwrap_or(id);
        self.node(step).parent.unwrap_or(ROOT)
    }

    /// Adds a node below `parent`.
    pub(super) fn bear(&mut self, parent: NodeId, step: Arc<Step>, name: &str) -> NodeId {
        let path: Path = match &**self.path(parent) {
            "" => name.into(),
            above => format!("{above}/{name}").into(),
        };
        let id = NodeId::try_from(self.nodes.len()).unwrap_or(NodeId::MAX);
        self.at.insert(Arc::clone(&path), id);
        self.nodes.push(Node {
            step,
            parent: Some(parent),
            children: Vec::new(),
            inside: None,
            derived: Derived::default(),
            run: StepRun::pending(path),
        });
        self.touched.insert(id);
        self.node_mut(parent).children.push(id);
        id
    }

    /// Makes room for the next call of a script that runs.
    pub(super) fn next_call(
        &mut self,
        path: &str,
        direction: Direction,
        number: u32,
        action: Option<&ActionName>,
    ) -> Result<NodeId, Misfit> {
        let unknown = || Misfit::new(format!("step {path:?}"), "this run");
        let (above, call) = path.rsplit_once('/').ok_or_else(unknown)?;
        let script = self.find(above).filter(|id| self.is_script(*id)).ok_or_else(unknown)?;
        let calls = self.at(script).calls.len();
        let runs = self.computes(script) && !self.undoes(script);
        let (Some(action), true) = (action, runs && direction == Direction::Forward && number == 1) else {
            return Err(self.misfit(script, "a call started"));
        };
        if call.parse() != Ok(calls + 1) || !self.pins.contains_key(action) {
            return Err(unknown());
        }
        let mut step = self.step_at(script).clone();
        step.id = call.to_owned();
        step.work = Work::Action { action: action.clone(), with: Map::new() };
        (step.undo, step.until, step.condition) = (None, None, None);
        self.at_mut(script).calls.push(ScriptCall::Act);
        self.node_mut(script).inside.get_or_insert_default();
        Ok(self.bear(script, Arc::new(step), call))
    }

    /// What a node that holds steps bears when it starts, from its input.
    pub(super) fn bear_inside(&mut self, id: NodeId, input: &Value) {
        let step = Arc::clone(&self.node(id).step);
        match &step.work {
            Work::Group { steps, at_once, fail_fast, rescue } => {
                self.bear_group(id, steps, rescue.as_ref(), Inside::new(at_once.unwrap_or(1), *fail_fast));
            }
            Work::Runbook { runbook, .. } => self.bear_group(id, &runbook.steps, None, Inside::new(1, false)),
            Work::Each { body, between, at_once, .. } => {
                let number = |name: &str| input.get(name).and_then(Value::as_u64).unwrap_or(0);
                let items = input.get("items").and_then(Value::as_array).map_or(0, Vec::len);
                let waves = input.get("waves").and_then(Value::as_array).cloned().unwrap_or_default();
                let mut inside = Inside::new(*at_once, false);
                inside.failures_max = u32::try_from(number("max-failures")).unwrap_or(u32::MAX);
                self.node_mut(id).inside = Some(Box::new(inside));
                let ends = waves.iter().filter_map(Value::as_u64).filter_map(|end| usize::try_from(end).ok());
                let (mut segments, mut born, mut gates) = (Vec::new(), 0, 0);
                for end in ends.chain([items]).map(|end| end.min(items)) {
                    if end <= born {
                        continue;
                    }
                    if let (Some(gate), 1..) = (between, born) {
                        gates += 1;
                        self.bear(id, Arc::clone(gate), &format!("between/{gates}"));
                        segments.push(self.node(id).children.len());
                    }
                    for item in born..end {
                        self.bear(id, Arc::clone(body), &(item + 1).to_string());
                    }
                    segments.push(self.node(id).children.len());
                    born = end;
                }
                if let Some(inside) = self.inside_mut(id) {
                    inside.segments = segments;
                }
            }
            Work::Script { .. } => _ = self.node_mut(id).inside.get_or_insert_default(),
            Work::Action { .. } | Work::Wait { .. } | Work::Approve { .. } => {}
        }
    }

    fn bear_group(&mut self, id: NodeId, steps: &[Arc<Step>], rescue: Option<&Arc<Step>>, inside: Inside) {
        // A group that is tried again holds new steps: what the earlier ones did was taken back.
        self.node_mut(id).children.clear();
        let attempt = self.at(id).forward.started;
        let again = if attempt > 1 { format!("{attempt}/") } else { String::new() };
        for child in steps {
            self.bear(id, Arc::clone(child), &format!("{again}{}", child.id));
        }
        let segments = vec![self.node(id).children.len()];
        let rescue = rescue.map(|rescue| self.bear(id, Arc::clone(rescue), &format!("{again}rescue")));
        self.node_mut(id).inside = Some(Box::new(Inside { segments, rescue, ..inside }));
    }
}
