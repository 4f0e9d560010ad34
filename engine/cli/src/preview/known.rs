//! Values before a run: known, or known only after a step.

use std::collections::{BTreeMap, BTreeSet};

use runwright_core::{Map, Runbook, Value};
use script::Part;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

/// A value as far as it is known before the run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Known {
    /// It will be this.
    Now(Value),
    /// It is known after these steps; after none of them: when the run starts.
    After(BTreeSet<String>),
    /// A map of which some values are unknown.
    Map(Vec<(String, Known)>),
    /// A list of which some values are unknown.
    List(Vec<Known>),
}

impl Known {
    /// The value, if all of it is known.
    pub(crate) fn value(&self) -> Option<&Value> {
        match self {
            Self::Now(value) => Some(value),
            _ => None,
        }
    }

    /// The inputs that a runbook has when it is given these.
    pub(crate) fn with_defaults(self, runbook: &Runbook) -> Self {
        let mut entries: Vec<(String, Self)> = match self {
            Self::Now(Value::Object(map)) => map.into_iter().map(|(name, value)| (name, Self::Now(value))).collect(),
            Self::Map(entries) => entries,
            other => return other,
        };
        for (name, input) in &runbook.inputs {
            if let (Some(default), false) = (&input.default, entries.iter().any(|(given, _)| given == name)) {
                entries.push((name.clone(), Self::Now(default.clone())));
            }
        }
        Self::of_entries(entries)
    }

    /// The steps after which all of it is known.
    fn steps(&self) -> BTreeSet<String> {
        match self {
            Self::Now(_) => BTreeSet::new(),
            Self::After(steps) => steps.clone(),
            Self::Map(entries) => entries.iter().flat_map(|(_, value)| value.steps()).collect(),
            Self::List(items) => items.iter().flat_map(Self::steps).collect(),
        }
    }

    fn of_entries(entries: Vec<(String, Self)>) -> Self {
        let value = |(key, value): &(String, Self)| Some((key.clone(), value.value()?.clone()));
        let values: Option<Map> = entries.iter().map(value).collect();
        values.map_or(Self::Map(entries), |values| Self::Now(values.into()))
    }
}

impl Serialize for Known {
    /// The value itself; `{"unknown": true, "after": [STEP…]}` in the place of what is not known.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Now(value) => value.serialize(serializer),
            Self::After(steps) => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("unknown", &true)?;
                map.serialize_entry("after", steps)?;
                map.end()
            }
            Self::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
            Self::List(items) => serializer.collect_seq(items),
        }
    }
}

/// What expressions can be worked out with before the run.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    /// The expressions' engine.
    pub(crate) scripts: &'a script::Engine,
    /// The variables; what is in them about the steps in `unknown` is meaningless.
    pub(crate) variables: Value,
    /// The steps whose end is not known, although they come before.
    pub(crate) unknown: BTreeSet<String>,
    /// The names of items, which are known when their steps run.
    pub(crate) items: BTreeSet<String>,
    /// The inputs that are not known, each with the steps after which it is.
    pub(crate) inputs: BTreeMap<String, BTreeSet<String>>,
    /// The path of the step that calls the runbook, with a slash behind it; empty in the run's own.
    pub(crate) within: String,
}

impl<'a> Scope<'a> {
    /// What the steps of the run see, of which these are `unknown`.
    pub(crate) const fn of_run(scripts: &'a script::Engine, variables: Value, unknown: BTreeSet<String>) -> Self {
        Self { scripts, variables, unknown, items: BTreeSet::new(), inputs: BTreeMap::new(), within: String::new() }
    }

    /// What the steps of a runbook see, which is given these inputs by a step.
    pub(crate) fn of_runbook(scripts: &'a script::Engine, runbook: &Runbook, given: &Known, path: &str) -> Self {
        let (mut known, mut inputs) = (Map::new(), BTreeMap::new());
        for name in runbook.inputs.keys() {
            let value = match given {
                Known::Now(map) => map.get(name).cloned().map(Known::Now),
                Known::Map(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
                unknown => Some(unknown.clone()),
            };
            match value {
                Some(Known::Now(value)) => _ = known.insert(name.clone(), value),
                Some(unknown) => _ = inputs.insert(name.clone(), unknown.steps()),
                None => {}
            }
        }
        let variables = json!({ "inputs": known, "steps": {}, "run": { "name": runbook.name } });
        Self { inputs, within: format!("{path}/"), ..Self::of_run(scripts, variables, BTreeSet::new()) }
    }
    /// `template` with every `${{ }}` worked out where that is possible.
    pub(crate) fn resolve(&self, template: &Value) -> Result<Known, script::Error> {
        match template {
            Value::String(text) => match self.waits_for_text(text)? {
                Some(steps) => Ok(Known::After(steps)),
                None => self.scripts.resolve(template, &self.variables).map(Known::Now),
            },
            Value::Array(items) => {
                let items: Vec<Known> = items.iter().map(|item| self.resolve(item)).collect::<Result<_, _>>()?;
                let values: Option<Vec<Value>> = items.iter().map(|item| item.value().cloned()).collect();
                Ok(values.map_or(Known::List(items), |values| Known::Now(values.into())))
            }
            Value::Object(map) => {
                let entry = |(key, value): (&String, &Value)| Ok((key.clone(), self.resolve(value)?));
                let entries: Vec<(String, Known)> = map.iter().map(entry).collect::<Result<_, script::Error>>()?;
                Ok(Known::of_entries(entries))
            }
            other => Ok(Known::Now(other.clone())),
        }
    }

    fn named(&self, step: &str) -> String {
        format!("{}{step}", self.within)
    }

    /// Whether a condition will hold.
    pub(crate) fn condition(&self, expression: &str) -> Result<Known, script::Error> {
        match self.waits_for(expression)? {
            Some(steps) => Ok(Known::After(steps)),
            None => self.scripts.condition(expression, &self.variables).map(|holds| Known::Now(holds.into())),
        }
    }

    fn waits_for_text(&self, text: &str) -> Result<Option<BTreeSet<String>>, script::Error> {
        let mut all: Option<BTreeSet<String>> = None;
        for part in script::parts(text)? {
            if let Part::Expression { text, .. } = part
                && let Some(steps) = self.waits_for(text)?
            {
                all.get_or_insert_default().extend(steps);
            }
        }
        Ok(all)
    }

    /// The unknown steps that an expression reads; none if all that it reads is known.
    fn waits_for(&self, expression: &str) -> Result<Option<BTreeSet<String>>, script::Error> {
        let mut all: Option<BTreeSet<String>> = None;
        for read in self.scripts.check_expression(expression)?.iter() {
            let key = read.keys.first().map(|key| key.name.as_str());
            match (read.variable.as_str(), key) {
                ("steps", Some(step)) => {
                    let unknown = self.unknown.iter().find(|unknown| script::means(step, unknown));
                    unknown.into_iter().for_each(|unknown| _ = all.get_or_insert_default().insert(self.named(unknown)));
                }
                ("steps", None) if !self.unknown.is_empty() => {
                    all.get_or_insert_default().extend(self.unknown.iter().map(|unknown| self.named(unknown)));
                }
                ("inputs", key) => {
                    let read = |name: &str| key.is_none_or(|key| script::means(key, name));
                    let unknown: Vec<_> = self.inputs.iter().filter(|(name, _)| read(name)).collect();
                    unknown
                        .into_iter()
                        .for_each(|(_, steps)| all.get_or_insert_default().extend(steps.iter().cloned()));
                }
                (item, _) if self.items.contains(item) => _ = all.get_or_insert_default(),
                // A run has its name from its runbook, and its id when it starts.
                ("run", key) if key != Some("name") => _ = all.get_or_insert_default(),
                _ => {}
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolve(template: Value) -> Value {
        let scripts = script::Engine::new(script::Limits::default());
        let unknown = BTreeSet::from(["test".to_owned(), "look".to_owned()]);
        let steps = json!({"skipped": {"ran": false}, "test": null, "look": null});
        let variables = json!({"inputs": {"vm": "web1"}, "steps": steps, "run": {"name": "r"}});
        serde_json::to_value(Scope::of_run(&scripts, variables, unknown).resolve(&template).unwrap()).unwrap()
    }

    #[test]
    fn what_is_known_is_worked_out_and_the_rest_says_after_which_step() {
        let template = json!({
            "name": "vm-${{ inputs.vm }}",
            "ran": "${{ steps.skipped.ran }}",
            "why": ["${{ steps.test.error }}", "${{ run.name }}", 7],
            "both": "${{ steps.test.output }} ${{ steps.look.output }}",
            "all": "${{ steps.len() }}",
            "id": "${{ run.id }}",
        });
        let expected = json!({
            "name": "vm-web1",
            "ran": false,
            "why": [{"unknown": true, "after": ["test"]}, "r", 7],
            "both": {"unknown": true, "after": ["look", "test"]},
            "all": {"unknown": true, "after": ["look", "test"]},
            "id": {"unknown": true, "after": []},
        });
        assert_eq!(resolve(template), expected);
    }
}
