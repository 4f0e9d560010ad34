//! What waits for locks.

use std::collections::HashMap;

use runwright_core::{Phase, Run, RunId, StepRun};

use super::{RunView, StepView};

impl RunView {
    /// The locks that steps of it wait for.
    pub(crate) fn waits_for_locks(&self) -> Vec<String> {
        self.all_steps().flat_map(|step| step.waits_for.iter().cloned()).collect()
    }

    /// Says of each step that waits for a lock which run holds that.
    pub(crate) fn name_holders(&mut self, holders: &HashMap<String, RunId>) {
        let mut rest: Vec<&mut StepView> = self.steps.iter_mut().collect();
        while let Some(step) = rest.pop() {
            if let Some(holder) = step.waits_for.iter().find_map(|lock| holders.get(lock)) {
                step.note.iter_mut().for_each(|note| *note += &format!(", which run {holder} holds"));
            }
            rest.extend(step.steps.iter_mut());
        }
    }
}

/// The locks that a step waits for.
pub(super) fn waits_for(run: &Run, state: &StepRun) -> Vec<String> {
    match state.active().map(|attempt| &attempt.phase) {
        Some(Phase::Queued) => run.waits_for_locks(&state.path),
        _ => Vec::new(),
    }
}
