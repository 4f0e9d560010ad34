//! What follows from a run's state without meeting the world.

use std::collections::BTreeSet;
use std::fmt::Display;

use runwright_core::{
    Answer, Direction, Effect, Event, Failure, FailureKind, Map, Outcome, Reads, RunStatus, Runbook, Share, SkipReason,
    Step, StepRun, Timestamp, Value, Work, admit_inputs, duration_ms, kind_of, secret_names,
};
use serde_json::json;

use super::{Standing, Task, too_large};
use crate::Error;
use crate::locks::Key;

impl Task {
    /// Adds every event that follows, until only the world can go on, or there is enough for one commit.
    pub(super) fn decide(&mut self) -> Result<(), Error> {
        let now = self.world.clock.now();
        while let Some(effect) = self.next_effect(now) {
            let event = match effect {
                Effect::Record(event) => Some(*event),
                Effect::Resolve { step } => Some(self.resolve(&step)?),
                Effect::ResolveUndo { step } => Some(self.resolve_undo(&step)?),
                Effect::Outputs { step, attempt } => Some(self.outputs(step, attempt)),
                Effect::Finish { status } => Some(self.finish(status)),
                Effect::Lock { step, keys } => self.lock(step, keys),
                Effect::Call { .. } | Effect::Verify { .. } | Effect::Sleep { .. } => None,
            };
            match event {
                Some(event) => self.add(event)?,
                None if self.run.status() == RunStatus::Queued => break,
                None => {}
            }
        }
        Ok(())
    }

    /// The next that gives an event at once: what follows, then a claim on locks that may be held by now.
    fn next_effect(&mut self, now: Timestamp) -> Option<Effect> {
        if self.batch_is_full() {
            return None;
        }
        if let Some(effect) = self.run.follows(now) {
            return Some(effect);
        }
        while let Some(step) = self.queued.pop_first() {
            if let Some(effect) = self.run.queued(&step) {
                return Some(effect);
            }
        }
        None
    }

    /// What comes of a claim on locks by now; nothing while it waits for its turn.
    fn lock(&mut self, step: String, keys: Vec<String>) -> Option<Event> {
        let (locks, run) = (&self.world.locks, self.run.id());
        // In one order everywhere: so two steps that want the same do not wait for each other.
        let keys: BTreeSet<String> = keys.into_iter().collect();
        let wanted = keys.into_iter().map(|key| (Key::Lock(key), 1)).collect();
        // What takes something back does not give up for what goes forward.
        let is_undo = |state: &StepRun| state.active().is_some_and(|attempt| attempt.direction == Direction::Undo);
        let mut around = std::iter::successors(Some(&*step), |path| path.rsplit_once('/').map(|(above, _)| above));
        let yields = !around.any(|path| self.run.step(path).is_some_and(|(_, state)| is_undo(state)));
        match self.claims.claim(locks, run, &step, wanted, yields) {
            Standing::Held => Some(Event::Locked { step }),
            Standing::Waits => None,
            Standing::Never(holder) => {
                let attempt = self.run.step(&step).and_then(|(_, state)| state.active())?;
                let (direction, attempt) = (attempt.direction, attempt.number);
                let why = format!(
                    "its lock is held by run {holder}, which waits, itself or for others, for what this run holds"
                );
                let outcome = Outcome::Failed(Failure::new(FailureKind::Transient, why));
                Some(Event::Ended { step, direction, attempt, outcome })
            }
        }
    }

    /// Works out the step's condition, input and locks.
    fn resolve(&self, id: &str) -> Result<Event, Error> {
        let (step, _) = self.run.step(id).ok_or_else(|| Error::Internal(format!("no step {id:?} in this runbook")))?;
        let input = self.input_of(id, step);
        let locks = |input: Value| self.locks_of(id, step, &input).map(|locks| (input, locks));
        Ok(match input.and_then(|input| input.map(locks).transpose()) {
            Ok(Some((input, keys))) => {
                let mut event = self.first_attempt(id, Direction::Forward, input)?;
                if let Event::Started { locks, .. } = &mut event {
                    *locks = keys;
                }
                event
            }
            Ok(None) => Event::Skipped { step: id.to_owned(), reason: SkipReason::Condition },
            Err(failure) => Event::Refused { step: id.to_owned(), failure },
        })
    }

    /// Works out the input of what undoes the step.
    fn resolve_undo(&self, id: &str) -> Result<Event, Error> {
        let undo = self.run.step(id).and_then(|(step, _)| step.undo.as_ref());
        let undo = undo.ok_or_else(|| Error::Internal(format!("no undo of {id:?} in this runbook")))?;
        match self.input_for(id, undo) {
            Ok(input) => self.first_attempt(id, Direction::Undo, input),
            Err(failure) => Ok(Event::Refused { step: id.to_owned(), failure }),
        }
    }

    fn first_attempt(&self, id: &str, direction: Direction, input: Value) -> Result<Event, Error> {
        let event = self.run.first_attempt(id, direction, input);
        event.ok_or_else(|| Error::Internal(format!("no step {id:?} in this runbook")))
    }

    /// The input of a step that should run; none if its condition is false.
    fn input_of(&self, path: &str, step: &Step) -> Result<Option<Value>, Failure> {
        if let Some(condition) = &step.condition {
            let held = self.world.scripts.condition(condition, &self.scope_of_condition(path, condition));
            if !held.map_err(|error| invalid("`if`", &error))? {
                return Ok(None);
            }
        }
        self.input_for(path, &step.work).map(Some)
    }

    /// The locks that a step holds while it is at work: its own, and that of the runbook that it calls.
    fn locks_of(&self, path: &str, step: &Step, input: &Value) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        let wrong = |why: String| invalid("`lock`", &why);
        if let Some(key) = &step.lock {
            let template = Value::String(key.clone());
            let scope = if has_expression(&template) { self.scope(path, &template) } else { Value::Null };
            keys.push(lock_key(&self.world.scripts, key, &scope).map_err(wrong)?);
        }
        if let Work::Runbook { runbook, .. } = &step.work
            && let Some(lock) = &runbook.lock
        {
            let scope = json!({ "inputs": input });
            keys.push(lock_key(&self.world.scripts, &lock.key, &scope).map_err(wrong)?);
        }
        Ok(keys)
    }

    fn input_for(&self, path: &str, work: &Work) -> Result<Value, Failure> {
        match work {
            Work::Script { .. } | Work::Group { .. } => Ok(Value::Null),
            Work::Wait { time } => self.wait_for(path, time),
            Work::Approve { message, .. } => {
                let question = Map::from_iter([("message".to_owned(), Value::String(message.clone()))]);
                self.resolved(path, "`approve`", &question)
            }
            Work::Runbook { runbook, with } => self.inputs_for(path, runbook, with),
            Work::Each { items, waves, max_failures, .. } => self.items(path, items, waves, *max_failures),
            Work::Action { action, with } => {
                let input = self.resolved(path, "`with`", with)?;
                if let Some(pin) = self.run.pin_of(work) {
                    self.world.plugins.check(pin.plugin, action, &input)?;
                }
                Ok(input)
            }
        }
    }

    /// The inputs of a runbook that a step calls.
    fn inputs_for(&self, path: &str, runbook: &Runbook, with: &Map) -> Result<Value, Failure> {
        let Value::Object(given) = self.resolved(path, "`with`", with)? else { return Ok(Value::Null) };
        let inputs = admit_inputs(runbook, given).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Failure::new(FailureKind::InvalidInput, format!("`with` does not fit: {}", problems.join("; ")))
        })?;
        // What is no name of a secret may be one: it is not shown.
        let unknown = |(_, secret): &(&str, &str)| !self.world.plugins.grants_secret(secret);
        if let Some((input, _)) = secret_names(runbook, &inputs).into_iter().find(unknown) {
            let why = format!("`with` does not fit: the input `{input}`: no plugin is granted a secret of this name");
            return Err(Failure::new(FailureKind::InvalidInput, why));
        }
        let steps = runbook.all_steps().len();
        if self.run.size().saturating_add(steps) > NODES_MAX {
            let why = format!("its {steps} steps are more than a run can have: {NODES_MAX} in all");
            return Err(invalid("`runbook`", &why));
        }
        Ok(Value::Object(inputs))
    }

    /// What a for-each goes through, worked out once: its items, where its waves end, and how many may fail.
    fn items(&self, path: &str, items: &Value, waves: &[Share], max_failures: Share) -> Result<Value, Failure> {
        let items = match has_expression(items) {
            true => {
                let resolved = self.world.scripts.resolve(items, &self.scope(path, items));
                resolved.map_err(|error| invalid("`for-each`", &error))?
            }
            false => items.clone(),
        };
        let wrong = |why: String| invalid("`for-each`", &why);
        let count = items.as_array().ok_or_else(|| wrong(format!("{} is no list", kind_of(&items))))?.len();
        if count > ITEMS_MAX {
            return Err(wrong(format!("it has {count} items, and {ITEMS_MAX} are possible")));
        }
        let body = self.run.step(path).map_or(0, |(step, _)| size(step));
        let nodes = self.run.size().saturating_add(count.saturating_mul(body));
        if nodes > NODES_MAX {
            let why = format!("its {count} items of {body} steps are more than a run can have: {NODES_MAX} in all");
            return Err(wrong(why));
        }
        let ends: Vec<usize> = waves.iter().map(|end| end.up(count)).collect();
        let input = json!({ "items": items, "waves": ends, "max-failures": max_failures.down(count) });
        too_large(&input).map_or(Ok(input), |why| Err(wrong(why)))
    }

    fn wait_for(&self, path: &str, time: &str) -> Result<Value, Failure> {
        let time = Value::String(time.to_owned());
        let time = match has_expression(&time) {
            true => self
                .world
                .scripts
                .resolve(&time, &self.scope(path, &time))
                .map_err(|error| invalid("`wait`", &error))?,
            false => time,
        };
        let wrong = |why: String| Failure::new(FailureKind::InvalidInput, format!("could not work out `wait`: {why}"));
        let text = time.as_str().ok_or_else(|| wrong(format!("{time} is no duration, which is text like `5m`")))?;
        Ok(json!({ "ms": duration_ms(text).map_err(wrong)? }))
    }

    /// What an event means for a step that polls: an output for which its condition does not hold is not the end yet.
    pub(super) fn judged(&self, event: Event) -> Event {
        let Event::Ended { step, direction: Direction::Forward, attempt, outcome: Outcome::Succeeded(answer) } = event
        else {
            return event;
        };
        let until = self.run.step(&step).and_then(|(known, _)| known.until.as_ref());
        let outcome = match until.map(|until| self.holds(&step, &until.condition, &answer)) {
            None | Some(Ok(true)) => Outcome::Succeeded(answer),
            Some(Ok(false)) => {
                Outcome::Failed(Failure::new(FailureKind::Transient, "the condition of `wait-until` does not hold yet"))
            }
            Some(Err(failure)) => Outcome::Failed(failure),
        };
        Event::Ended { step, direction: Direction::Forward, attempt, outcome }
    }

    fn holds(&self, path: &str, condition: &str, answer: &Answer) -> Result<bool, Failure> {
        let mut scope = self.scope_of_condition(path, condition);
        scope["output"] = answer.output.clone();
        self.world.scripts.condition(condition, &scope).map_err(|error| invalid("`if` of `wait-until`", &error))
    }

    fn resolved(&self, path: &str, what: &str, template: &Map) -> Result<Value, Failure> {
        let mut value = Value::Object(template.clone());
        if has_expression(&value) {
            value =
                self.world.scripts.resolve(&value, &self.scope(path, &value)).map_err(|error| invalid(what, &error))?;
        }
        too_large(&value).map_or(Ok(value), |why| Err(invalid(what, &why)))
    }

    /// What a template at this path reads of the run.
    fn scope(&self, path: &str, template: &Value) -> Value {
        self.scope_read(path, self.world.scripts.reads(template).as_ref())
    }

    fn scope_of_condition(&self, path: &str, condition: &str) -> Value {
        self.scope_read(path, self.world.scripts.check_expression(condition).ok().as_ref())
    }

    /// All of the run where it is not known what is read.
    pub(super) fn scope_read(&self, path: &str, names: Option<&script::Names>) -> Value {
        self.run.scope_for(path, &Read(names))
    }

    /// What the runbook at this path gives, or the run where the path is empty.
    fn outputs_of(&self, path: &str, runbook: &Runbook) -> Result<Map, Failure> {
        let mut outputs = Value::Object(runbook.outputs.clone());
        let what = "`outputs`";
        if has_expression(&outputs) {
            let scripts = &self.world.scripts;
            let names = scripts.reads(&outputs);
            let scope = self.run.scope_of_outputs(path, &Read(names.as_ref()));
            outputs = scripts.resolve(&outputs, &scope).map_err(|error| invalid(what, &error))?;
        }
        match (too_large(&outputs), outputs) {
            (Some(why), _) => Err(invalid(what, &why)),
            (None, Value::Object(outputs)) => Ok(outputs),
            (None, _) => Ok(Map::new()),
        }
    }

    fn outputs(&self, step: String, attempt: u32) -> Event {
        let work = self.run.step(&step).map(|(step, _)| &step.work);
        let outcome = match work {
            Some(Work::Runbook { runbook, .. }) => match self.outputs_of(&step, runbook) {
                Ok(outputs) => Outcome::Succeeded(Answer { output: Value::Object(outputs), ..Answer::default() }),
                Err(failure) => Outcome::Failed(Failure { kind: FailureKind::Permanent, ..failure }),
            },
            _ => Outcome::Succeeded(Answer::default()),
        };
        Event::Ended { step, direction: Direction::Forward, attempt, outcome }
    }

    fn finish(&self, status: RunStatus) -> Event {
        let outputs = match status {
            RunStatus::Succeeded => self.outputs_of("", self.run.runbook()),
            _ => Ok(Map::new()),
        };
        let (outputs, failure) = outputs.map_or_else(|failure| (Map::new(), Some(failure)), |outputs| (outputs, None));
        Event::Finished { outputs, failure }
    }
}

/// What a text reads; everything where that is not known.
struct Read<'n>(Option<&'n script::Names>);

impl Reads for Read<'_> {
    fn variable(&self, name: &str) -> bool {
        self.0.is_none_or(|names| names.reads(name))
    }

    fn steps(&self) -> Option<Vec<String>> {
        self.0?.entries("steps")
    }
}

/// A lock's key, in bytes.
const LOCK_BYTES_MAX: usize = 256;

/// The key of a lock; an error says what is wrong with it.
pub(crate) fn lock_key(scripts: &script::Engine, key: &str, scope: &Value) -> Result<String, String> {
    match scripts.resolve(&Value::String(key.to_owned()), scope).map_err(|error| error.to_string())? {
        Value::String(given) if given.is_empty() => Err(format!("{key:?} gives an empty text")),
        Value::String(given) if given.len() > LOCK_BYTES_MAX => {
            Err(format!("{key:?} gives {} bytes, more than {LOCK_BYTES_MAX}", given.len()))
        }
        Value::String(given) => Ok(given),
        _ => Err(format!("{key:?} does not give text")),
    }
}

/// Steps, items and calls of one run, at most.
const NODES_MAX: usize = 100_000;

/// How many steps are in a step, at every depth, for one item.
fn size(step: &Step) -> usize {
    step.steps().map(|inner| 1 + size(inner)).sum()
}

/// Items of one for-each, at most.
pub(crate) const ITEMS_MAX: usize = 10_000;

fn invalid(what: &str, error: &impl Display) -> Failure {
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
