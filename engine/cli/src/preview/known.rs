//! Values before a run: known, or known only after a step.

use std::collections::BTreeSet;

use runwright_core::Value;
use script::Part;
use serde::ser::{Serialize, SerializeMap, Serializer};

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
pub(crate) struct Scope<'a> {
    /// The expressions' engine.
    pub(crate) scripts: &'a script::Engine,
    /// The variables; what is in them about the steps in `unknown` is meaningless.
    pub(crate) variables: Value,
    /// The steps whose end is not known, although they come before.
    pub(crate) unknown: BTreeSet<String>,
    /// The names of items, which are known when their steps run.
    pub(crate) items: BTreeSet<String>,
}

impl Scope<'_> {
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
                let value = |(key, value): &(String, Known)| Some((key.clone(), value.value()?.clone()));
                let values: Option<runwright_core::Map> = entries.iter().map(value).collect();
                Ok(values.map_or(Known::Map(entries), |values| Known::Now(values.into())))
            }
            other => Ok(Known::Now(other.clone())),
        }
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
                    unknown.into_iter().for_each(|unknown| _ = all.get_or_insert_default().insert(unknown.clone()));
                }
                ("steps", None) if !self.unknown.is_empty() => {
                    all.get_or_insert_default().extend(self.unknown.iter().cloned());
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
        serde_json::to_value(
            Scope { scripts: &scripts, variables, unknown, items: BTreeSet::new() }.resolve(&template).unwrap(),
        )
        .unwrap()
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
