//! The locks that steps hold.

use super::tree::NodeId;
use super::{Attempt, Misfit, Phase, Run, StepState};
use crate::Timestamp;

impl Run {
    /// The locks that the node needs and that neither it nor what is around it holds. A call of a script needs those of the
    /// script, for its undo.
    pub(super) fn missing_locks(&self, id: NodeId) -> Vec<String> {
        let needed = &self.at(self.script_of(id).unwrap_or(id)).locks;
        let mut missing = Vec::new();
        for key in needed {
            if self.lock.as_ref() != Some(key) && !self.is_held(id, key) && !missing.contains(key) {
                missing.push(key.clone());
            }
        }
        missing
    }

    fn is_held(&self, id: NodeId, key: &String) -> bool {
        let mut around = Some(id);
        while let Some(id) = around {
            if self.at(id).holds.contains(key) {
                return true;
            }
            around = self.node(id).parent;
        }
        false
    }

    /// A step that waited for its locks holds them and begins.
    pub(super) fn locked(&mut self, path: &str, at: Timestamp) -> Result<(), Misfit> {
        let id = self.existing(path)?;
        let StepState::Active(Attempt { direction, number, phase: Phase::Queued }) = self.at(id).state else {
            return Err(self.misfit(id, "locked"));
        };
        let holds = self.missing_locks(id);
        self.at_mut(id).holds.extend(holds);
        self.holders.insert(id);
        self.begin(id, direction, number, at);
        Ok(())
    }

    /// What is neither at work nor asked about holds nothing.
    pub(super) fn let_go(&mut self, id: NodeId) {
        let step = self.at_mut(id);
        if !step.holds.is_empty() && step.active().is_none() && step.state.asks().is_none() {
            step.holds.clear();
            self.holders.remove(&id);
        }
    }

    /// The locks that steps hold, each with the step's path.
    pub fn step_locks(&self) -> Vec<(String, String)> {
        let holders = self.holders.iter().map(|id| self.at(*id));
        holders.flat_map(|step| step.holds.iter().map(|key| (step.path.to_string(), key.clone()))).collect()
    }

    /// The locks that the step at this path waits for.
    pub fn waits_for_locks(&self, path: &str) -> Vec<String> {
        self.find(path).map(|id| self.missing_locks(id)).unwrap_or_default()
    }

    /// Whether the step at this path waits for locks or holds some.
    pub fn needs_locks(&self, path: &str) -> bool {
        let Some(id) = self.find(path) else { return false };
        let waits = self.at(id).active().is_some_and(|attempt| attempt.phase == Phase::Queued);
        waits || !self.at(id).holds.is_empty()
    }
}
