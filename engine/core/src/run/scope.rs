//! What expressions in a runbook see of a run.

use serde_json::json;

use super::tree::{NodeId, ROOT};
use super::{Run, StepRun, StepState};
use crate::{Map, Runbook, Value, Work};

/// What a text reads of a scope.
pub trait Reads {
    /// Whether it reads this variable.
    fn variable(&self, name: &str) -> bool;

    /// The steps that it reads, by all the names that they may have; none where that may be any.
    fn steps(&self) -> Option<Vec<String>>;
}

struct All;

impl Reads for All {
    fn variable(&self, _: &str) -> bool {
        true
    }

    fn steps(&self) -> Option<Vec<String>> {
        None
    }
}

impl Run {
    /// The variables of expressions: `inputs`, `steps` and `run`.
    ///
    /// Every step is there, also before it ran: `steps.ID` has `ran`, `succeeded`, `failed`, `skipped`, `rescued` (booleans),
    /// `outcome` (the word for its state), `output` (null before it succeeded), `error` (its last failure, or
    /// null) and `attempts`.
    pub fn scope(&self) -> Value {
        self.scope_of("")
    }

    /// The same for the step at this path: it also sees the steps of all that is around it, nearer ones first, and the items
    /// that it is for, under their names.
    pub fn scope_of(&self, path: &str) -> Value {
        self.scope_for(path, &All)
    }

    /// The same, with no more of it than is read: a run of many steps is not copied, nor gone through, for each of them.
    pub fn scope_for(&self, path: &str, reads: &impl Reads) -> Value {
        self.scope_inside(self.find(path).map_or(ROOT, |id| self.around(id)), reads)
    }

    /// What the outputs of the runbook at this path see, or of the run's own where the path is empty: its inputs and steps.
    pub fn scope_of_outputs(&self, path: &str, reads: &impl Reads) -> Value {
        self.scope_inside(self.find(path).unwrap_or(ROOT), reads)
    }

    /// What is seen by what stands in this node. A runbook sees nothing of what is around it.
    fn scope_inside(&self, mut above: NodeId, reads: &impl Reads) -> Value {
        let (mut scope, mut steps, names) = (Map::new(), Map::new(), reads.steps());
        loop {
            let named: Vec<NodeId> = match &names {
                // What an each holds has no names.
                _ if self.is_each(above) => Vec::new(),
                Some(names) => names.iter().filter_map(|name| self.child(above, name)).collect(),
                None => self.node(above).children.clone(),
            };
            for child in named {
                let (step, _) = self.shown(child);
                if !steps.contains_key(&step.id) {
                    steps.insert(step.id.clone(), self.step_scope(child));
                }
            }
            if let Some(runbook) = self.runbook_in(above) {
                scope.insert("run".to_owned(), json!({ "id": self.id, "name": runbook.name }));
                if reads.variable("inputs") {
                    scope.insert("inputs".to_owned(), self.inputs_of(above));
                }
                break;
            }
            if let Some((name, item)) = self.item(above)
                && !scope.contains_key(name)
                && reads.variable(name)
            {
                scope.insert(name.to_owned(), item.clone());
            }
            above = self.node(above).parent.unwrap_or(ROOT);
        }
        scope.insert("steps".to_owned(), Value::Object(steps));
        Value::Object(scope)
    }

    /// The runbook that this node is: that of the run, or one that a step calls.
    pub(super) fn runbook_in(&self, id: NodeId) -> Option<&Runbook> {
        match &self.step_at(id).work {
            _ if id == ROOT => Some(&self.runbook),
            Work::Runbook { runbook, .. } => Some(runbook),
            _ => None,
        }
    }

    fn inputs_of(&self, runbook: NodeId) -> Value {
        if runbook == ROOT { json!(self.inputs) } else { self.at(runbook).input.clone().unwrap_or_default() }
    }

    /// Whether its end is worked out of what its steps gave.
    pub(super) fn gives_outputs(&self, id: NodeId) -> bool {
        id != ROOT && self.runbook_in(id).is_some() && self.outcome(id).is_ok()
    }

    /// The item that this node is for, under its name.
    fn item(&self, id: NodeId) -> Option<(&str, &Value)> {
        let parent = self.node(id).parent?;
        let Work::Each { name, .. } = &self.step_at(parent).work else { return None };
        let items = self.at(parent).input.as_ref()?.get("items")?;
        Some((name, items.get(self.item_of(id)?)?))
    }

    fn step_scope(&self, id: NodeId) -> Value {
        let (step, rescue) = (self.at(id), self.inside(id).and_then(|inside| inside.rescue));
        json!({
            "ran": step.forward.started > 0,
            "succeeded": step.state == StepState::Succeeded,
            "failed": step.state == StepState::Failed,
            "rescued": rescue.is_some_and(|rescue| self.at(rescue).state == StepState::Succeeded),
            "skipped": matches!(step.state, StepState::Skipped(_)),
            "outcome": step.state.as_str(),
            "output": self.output(id),
            "error": self.error(step),
            "attempts": step.forward.started,
        })
    }

    /// The last failure of a step, with the same keys as what a script catches.
    fn error(&self, step: &StepRun) -> Value {
        let Some(failure) = &step.failure else { return Value::Null };
        match self.runbook.edition {
            0 => json!(failure.message),
            _ => json!({ "kind": failure.kind.as_str(), "message": failure.message, "code": failure.code }),
        }
    }

    /// What later steps see of it: of a group the outputs of its steps by name, of a for-each those of its items in their
    /// order.
    fn output(&self, id: NodeId) -> Value {
        let children = &self.node(id).children;
        let answer = self.at(id).answer.as_ref();
        match &self.step_at(id).work {
            _ if answer.is_none() => Value::Null,
            Work::Group { .. } => {
                children.iter().map(|child| (self.step_at(*child).id.clone(), self.output(*child))).collect()
            }
            Work::Each { .. } => {
                let items = children.iter().filter(|child| self.item_of(**child).is_some());
                items.map(|child| self.output(*child)).collect()
            }
            _ => answer.map(|answer| answer.output.clone()).unwrap_or_default(),
        }
    }
}
