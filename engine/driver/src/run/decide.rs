//! What follows from a run's state without meeting the world.

use runwright_core::{Effect, Event, Failure, FailureKind, Map, RunStatus, SkipReason, Step, Value, Work};

use super::Task;
use crate::Error;

impl Task {
    /// Adds every event that follows, until only the world can go on.
    pub(super) fn decide(&mut self) -> Result<(), Error> {
        let now = self.world.clock.now();
        'again: loop {
            for effect in self.run.due(now) {
                let event = match effect {
                    Effect::Record(event) => event,
                    Effect::Resolve { step } => self.resolve(&step)?,
                    Effect::Finish { status } => self.finish(status),
                    Effect::Call { .. } | Effect::Verify { .. } | Effect::Sleep { .. } => continue,
                };
                self.add(event)?;
                continue 'again;
            }
            return Ok(());
        }
    }

    /// Works out the step's condition and input.
    fn resolve(&self, id: &str) -> Result<Event, Error> {
        let (step, _) = self.run.step(id).ok_or_else(|| Error::Internal(format!("no step {id:?} in this runbook")))?;
        Ok(match self.input_of(step) {
            Ok(Some(input)) => self.run.first_attempt(id, input),
            Ok(None) => Event::Skipped { step: id.to_owned(), reason: SkipReason::Condition },
            Err(failure) => Event::Refused { step: id.to_owned(), failure },
        })
    }

    /// The input of a step that should run; none if its condition is false.
    fn input_of(&self, step: &Step) -> Result<Option<Value>, Failure> {
        if let Some(condition) = &step.condition {
            let held = self.world.scripts.condition(condition, &self.run.scope());
            if !held.map_err(|error| invalid("`if`", &error))? {
                return Ok(None);
            }
        }
        match &step.work {
            Work::Script { .. } => Ok(Some(Value::Null)),
            Work::Action { action, with } => {
                let input = self.resolved("`with`", with)?;
                if let Some(pin) = self.run.pin(step) {
                    self.world.plugins.check(pin.plugin, action, &input)?;
                }
                Ok(Some(input))
            }
        }
    }

    fn resolved(&self, what: &str, template: &Map) -> Result<Value, Failure> {
        let template = Value::Object(template.clone());
        if !has_expression(&template) {
            return Ok(template);
        }
        self.world.scripts.resolve(&template, &self.run.scope()).map_err(|error| invalid(what, &error))
    }

    fn finish(&self, status: RunStatus) -> Event {
        let outputs = match status {
            RunStatus::Succeeded => self.resolved("`outputs`", &self.run.runbook().outputs),
            _ => Ok(Value::default()),
        };
        match outputs {
            Ok(Value::Object(outputs)) => Event::Finished { outputs, failure: None },
            Ok(_) => Event::Finished { outputs: Map::new(), failure: None },
            Err(failure) => Event::Finished { outputs: Map::new(), failure: Some(failure) },
        }
    }
}

fn invalid(what: &str, error: &script::Error) -> Failure {
    Failure::new(FailureKind::InvalidInput, format!("could not work out {what}: {error}"))
}

/// Whether a template needs a scope at all: most steps of hot runbooks do not, and a scope is not free.
fn has_expression(template: &Value) -> bool {
    match template {
        Value::String(text) => text.contains("${{"),
        Value::Array(items) => items.iter().any(has_expression),
        Value::Object(map) => map.values().any(has_expression),
        _ => false,
    }
}
