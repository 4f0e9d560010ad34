//! What a plugin says of itself, checked.

use std::collections::{BTreeMap, HashSet};

use runwright_core::{ActionFacts, ActionName, Digest, EffectClass, PluginFacts};
use serde_json::Value;

use crate::bindings::exports::runwright::plugin::actions::PluginInfo;
use crate::bindings::types::{ActionInfo, Effect};
use crate::limits::size;
use crate::said::clean;
use crate::schema::Schema;

/// Actions of one plugin.
const ACTIONS_MAX: usize = 256;
/// Bytes of a sentence about a plugin or an action.
const SUMMARY_BYTES_MAX: usize = 1024;
/// Bytes of a version.
const VERSION_BYTES_MAX: usize = 64;
/// Bytes of one schema.
const SCHEMA_BYTES_MAX: usize = 64 * 1024;

/// The compiled schemas of one action.
#[derive(Debug)]
pub(crate) struct Schemas {
    pub(crate) input: Schema,
    pub(crate) output: Schema,
}

/// What was checked: the facts, and the schemas of each action.
pub(crate) type Checked = (PluginFacts, BTreeMap<String, Schemas>);

/// Checks what a plugin says of itself; everything that is wrong at once.
pub(crate) fn check(info: PluginInfo, digest: Digest, imports: Vec<String>) -> Result<Checked, Vec<String>> {
    let mut problems = Vec::new();
    if let Err(error) = ActionName::new(&info.name, "x") {
        problems.push(format!("its name is wrong: {error}"));
    }
    bounded("its version", &info.version, VERSION_BYTES_MAX, &mut problems);
    bounded("its summary", &info.summary, SUMMARY_BYTES_MAX, &mut problems);
    if info.actions.is_empty() || info.actions.len() > ACTIONS_MAX {
        problems.push(format!("it has {} actions instead of 1 to {ACTIONS_MAX}", info.actions.len()));
    }
    let mut names = HashSet::new();
    let mut actions = Vec::new();
    let mut schemas = BTreeMap::new();
    for action in info.actions.into_iter().take(ACTIONS_MAX) {
        if !names.insert(action.name.clone()) {
            problems.push(format!("it has two actions {:?}", action.name));
        }
        if let Some((facts, compiled)) = check_action(action, &mut problems) {
            schemas.insert(facts.name.clone(), compiled);
            actions.push(facts);
        }
    }
    if !problems.is_empty() {
        return Err(problems.into_iter().map(|problem| clean(&problem)).collect());
    }
    let PluginInfo { name, version, summary, actions: _ } = info;
    Ok((PluginFacts { name, version, summary, digest, imports, actions }, schemas))
}

fn check_action(action: ActionInfo, problems: &mut Vec<String>) -> Option<(ActionFacts, Schemas)> {
    let before = problems.len();
    let name = action.name;
    if let Err(error) = ActionName::new("x", &name) {
        problems.push(format!("the name of an action is wrong: {error}"));
    }
    bounded(&format!("the summary of {name:?}"), &action.summary, SUMMARY_BYTES_MAX, problems);
    let input = schema(&format!("the input schema of {name:?}"), &action.input_schema, problems);
    let output = schema(&format!("the output schema of {name:?}"), &action.output_schema, problems);
    let defaults = match action.defaults.as_deref().map(|text| (text.len(), serde_json::from_str::<Value>(text))) {
        None => None,
        Some((..=SCHEMA_BYTES_MAX, Ok(value @ Value::Object(_)))) => Some(value),
        Some(_) => {
            problems.push(format!("the defaults of {name:?} are not a small JSON object"));
            None
        }
    };
    let (Some((input_schema, input)), Some((output_schema, output))) = (input, output) else { return None };
    if problems.len() > before {
        return None;
    }
    let facts = ActionFacts {
        name,
        summary: action.summary,
        input_schema,
        output_schema,
        effect: match action.effect {
            Effect::Read => EffectClass::Read,
            Effect::Idempotent => EffectClass::Idempotent,
            Effect::Unsafe => EffectClass::Unsafe,
        },
        destructive: action.destructive,
        has_plan: action.has_plan,
        has_verify: action.has_verify,
        has_undo: action.has_undo,
        undo_safe_if_not_run: action.undo_safe_if_not_run,
        defaults,
    };
    Some((facts, Schemas { input, output }))
}

fn bounded(what: &str, text: &str, bytes_max: usize, problems: &mut Vec<String>) {
    if text.len() > bytes_max {
        problems.push(format!("{what} is longer than {}", size(bytes_max)));
    } else if clean(text) != text {
        problems.push(format!("{what} has control characters"));
    }
}

fn schema(what: &str, text: &str, problems: &mut Vec<String>) -> Option<(Value, Schema)> {
    if text.len() > SCHEMA_BYTES_MAX {
        problems.push(format!("{what} is larger than {}", size(SCHEMA_BYTES_MAX)));
        return None;
    }
    let value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"));
    let compiled = value.and_then(|value| match Schema::new(&value) {
        Ok(schema) => Ok((value, schema)),
        Err(error) => Err(format!("is none: {error}")),
    });
    compiled.map_err(|why| problems.push(format!("{what} {why}"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(name: &str) -> ActionInfo {
        ActionInfo {
            name: name.to_owned(),
            summary: "Does it".to_owned(),
            input_schema: "{}".to_owned(),
            output_schema: "{}".to_owned(),
            effect: Effect::Read,
            destructive: false,
            has_plan: false,
            has_verify: false,
            has_undo: false,
            undo_safe_if_not_run: false,
            defaults: None,
        }
    }

    fn plugin(name: &str, actions: Vec<ActionInfo>) -> Result<Checked, Vec<String>> {
        let info = PluginInfo { name: name.to_owned(), version: "1".to_owned(), summary: String::new(), actions };
        check(info, Digest::of(b""), vec![])
    }

    #[test]
    fn good_facts_pass_in_their_order() {
        let (facts, schemas) = plugin("vm", vec![action("start"), action("diagnose")]).unwrap();
        let names: Vec<_> = facts.actions.iter().map(|action| action.name.as_str()).collect();
        assert_eq!(names, ["start", "diagnose"]);
        assert_eq!(schemas.len(), 2);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let actions = vec![
            ActionInfo { summary: "\u{1b}[2J".to_owned(), ..action("a") },
            ActionInfo { input_schema: "{".to_owned(), output_schema: r#"{"type": 1}"#.to_owned(), ..action("b") },
            ActionInfo { defaults: Some("[]".to_owned()), ..action("c") },
            action("../d"),
            action("e"),
            action("e"),
        ];
        let problems = plugin("VM", actions).unwrap_err();
        assert_eq!(problems.len(), 7, "{problems:#?}");
        assert_eq!(plugin("vm", vec![]).unwrap_err().len(), 1);
    }
}
