//! What expressions in a runbook see of a run.

use serde_json::json;

use super::{Run, StepRun, StepState};
use crate::{Map, Value};

impl Run {
    /// The variables of expressions: `inputs`, `steps` and `run`.
    ///
    /// Every step is there, also before it ran: `steps.ID` has `ran`, `succeeded`, `failed`, `skipped` (booleans),
    /// `outcome` (the word for its state), `output` (null before it succeeded), `error` (the message of its last
    /// failure, or null) and `attempts`.
    pub fn scope(&self) -> Value {
        let steps: Map = self.steps().map(|(step, state)| (step.id.clone(), step_scope(state))).collect();
        json!({
            "inputs": self.inputs,
            "steps": steps,
            "run": { "id": self.id, "name": self.runbook.name },
        })
    }
}

fn step_scope(step: &StepRun) -> Value {
    json!({
        "ran": step.forward.started > 0,
        "succeeded": step.state == StepState::Succeeded,
        "failed": step.state == StepState::Failed,
        "skipped": matches!(step.state, StepState::Skipped(_)),
        "outcome": step.state.as_str(),
        "output": step.answer.as_ref().map(|answer| &answer.output),
        "error": step.failure.as_ref().map(|failure| &failure.message),
        "attempts": step.forward.started,
    })
}
