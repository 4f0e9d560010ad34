//! The JSON Schema of runbooks, for editors: made of the keys that the reader takes.
//!
//! It says less than a check does: an editor knows no plugins, and what is in an expression is text to it.

use runwright_core::{FailureKind, InputKind, Value};
use serde_json::json;

use crate::check::Keys;
use crate::{approve, defaults, failing, input, lock, runbook, step, trigger, undo, wait};

/// The JSON Schema (draft 2020-12) of a runbook's file.
pub fn editor_schema() -> Value {
    let mut root = object(&runbook::KEYS, &["name", "steps"], of_runbook);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("A runbook of Runwright");
    root["$defs"] = json!({
        "step": step(),
        "defaults": object(&defaults::KEYS, &[], of_defaults),
        "continue": object(&failing::KEYS, &["continue"], of_failing),
        "retry": object(&step::RETRY, &["attempts"], of_retry),
        "wait-until": object(&wait::KEYS, &["uses", "if"], of_wait_until),
        "approve": object(&approve::KEYS, &["message"], of_approve),
        "undo": one_of(object(&undo::KEYS, &[], of_undo), &["uses", "script"]),
        "lock": object(&lock::KEYS, &["key"], of_lock),
        "input": object(&input::KEYS, &["type"], of_input),
        "of": object(&input::OF, &["type"], of_input),
        "on": object(&trigger::ON, &[], of_on),
        "alarm": object(&trigger::ALARM, &["where"], of_alarm),
    });
    root
}

/// A map with these keys, each as `property` describes it.
fn object(keys: &Keys, required: &[&str], property: fn(&str) -> Value) -> Value {
    let properties: runwright_core::Map = keys.known.iter().map(|key| ((*key).to_owned(), property(key))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The same with exactly one of these keys.
fn one_of(mut object: Value, keys: &[&str]) -> Value {
    object["oneOf"] = keys.iter().map(|key| json!({ "required": [key] })).collect();
    object
}

/// A step: `for-each` stands beside `steps`, all other kinds alone.
fn step() -> Value {
    let mut step = object(&step::KEYS, &["id"], of_step);
    let others: Vec<&str> = step::KINDS.into_iter().filter(|kind| *kind != "for-each").collect();
    let lone = json!({ "oneOf": others.iter().map(|kind| json!({ "required": [kind] })).collect::<Vec<_>>() });
    step["if"] = json!({ "required": ["for-each"] });
    step["then"] = json!({ "required": ["steps"] });
    step["else"] = lone;
    step
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

fn defined(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn boolean() -> Value {
    json!({ "type": "boolean" })
}

fn identifier() -> Value {
    json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$" })
}

fn duration() -> Value {
    json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$" })
}

fn share() -> Value {
    json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9]{1,3}%$" }] })
}

fn condition() -> Value {
    json!({ "type": ["string", "boolean", "number"] })
}

fn action() -> Value {
    json!({ "type": "string", "pattern": "^[^/]+/[^/]+$" })
}

fn steps() -> Value {
    json!({ "type": "array", "items": defined("step"), "maxItems": crate::limits::STEPS })
}

/// A map of named values of any type.
fn values() -> Value {
    json!({ "type": ["object", "null"] })
}

fn of_runbook(key: &str) -> Value {
    match key {
        "name" => described(json!({ "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" }), "Its name."),
        "description" => described(text(), "One sentence for people."),
        "inputs" => described(
            json!({ "type": "object", "propertyNames": identifier(), "additionalProperties": defined("input") }),
            "What a run is given.",
        ),
        "on" => {
            described(json!({ "anyOf": [{ "const": "manual" }, defined("on")] }), "What starts it besides a person.")
        }
        "lock" => described(json!({ "anyOf": [text(), defined("lock")] }), "Runs with the same key run one at a time."),
        "max-parallel" => described(
            json!({ "type": "integer", "minimum": 1, "maximum": 1000 }),
            "How many runs of it are at work at the same time, at most.",
        ),
        "timeout" => described(duration(), "How long a run may take, from when it begins."),
        "on-failure" => described(words(&["stop", "rollback"]), "The on-failure of every step that has none."),
        "defaults" => described(defined("defaults"), "What holds for the steps that say nothing of it."),
        "steps" => described(steps(), "What is done, one after the other."),
        "outputs" => described(
            json!({ "type": "object", "propertyNames": identifier() }),
            "What a run gives back when it succeeded.",
        ),
        _ => Value::Null,
    }
}

fn of_step(key: &str) -> Value {
    match key {
        "id" => described(identifier(), "Its name: others read it as steps.ID."),
        "if" => described(condition(), "It runs only where this holds."),
        "uses" => described(action(), "The action of a plugin that it calls."),
        "with" => described(values(), "The input of the action, or of the runbook."),
        "script" => described(text(), "A script in Rhai."),
        "runbook" => described(
            json!({ "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" }),
            "Another runbook, by its name: its steps are done here.",
        ),
        "wait" => described(text(), "How long it waits, for example 5m."),
        "wait-until" => described(defined("wait-until"), "Calls an action that reads until a condition holds."),
        "steps" => described(steps(), "The steps of a group, or those for each item."),
        "parallel" => described(steps(), "Steps that are done side by side."),
        "for-each" => described(json!({ "type": ["string", "array"] }), "The list that its steps go through."),
        "as" => {
            described(json!({ "type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,63}$" }), "The name of the item.")
        }
        "waves" => {
            described(json!({ "type": "array", "items": share() }), "Where each wave ends: numbers, then shares.")
        }
        "at-once" => {
            described(json!({ "type": "integer", "minimum": 1, "maximum": 1000 }), "How many at the same time.")
        }
        "max-failures" => described(share(), "How many items may fail."),
        "between" => described(steps(), "What is done between two waves."),
        "approve" => described(json!({ "anyOf": [text(), defined("approve")] }), "What people must approve."),
        "rescue" => described(steps(), "What is done where a step of the group failed."),
        "fail-fast" => described(boolean(), "A failure also stops those at work."),
        "timeout" => described(duration(), "How long one attempt may take; of a group, all of it."),
        "retry" => described(defined("retry"), "When it is tried again."),
        "on-failure" => described(
            json!({ "anyOf": [words(&["stop", "rollback", "continue", "rollback-wave"]), defined("continue")] }),
            "What its failure means for the list in which it stands.",
        ),
        "on-unknown" => described(words(&["ask", "retry", "fail"]), "Where nobody can tell whether it happened."),
        "idempotent" => described(boolean(), "Repeating it is safe, whatever the action declares."),
        "always" => described(boolean(), "It also runs after a failure or a cancel."),
        "undo" => described(defined("undo"), "What takes it back."),
        "lock" => described(text(), "What it holds while it is at work: no other run or step has it."),
        "point-of-no-return" => described(boolean(), "Once it succeeded, a rollback does not go further back."),
        _ => Value::Null,
    }
}

fn of_defaults(key: &str) -> Value {
    match key {
        "timeout" => described(duration(), "How long one attempt of a call or a script may take."),
        "retry" => described(defined("retry"), "When a call is tried again."),
        "on-failure" => described(
            json!({ "anyOf": [words(&["stop", "rollback", "continue"]), defined("continue")] }),
            "What the failure of a step means for the list in which it stands.",
        ),
        "on-unknown" => described(words(&["ask", "fail"]), "Where nobody can tell whether a call happened."),
        _ => Value::Null,
    }
}

fn of_failing(key: &str) -> Value {
    let kinds = FailureKind::ALL.map(FailureKind::as_str);
    match key {
        "continue" => described(
            json!({ "type": "array", "items": words(&kinds), "minItems": 1 }),
            "The kinds of failure after which the list goes on.",
        ),
        _ => Value::Null,
    }
}

fn of_retry(key: &str) -> Value {
    match key {
        "attempts" => described(json!({ "type": "integer", "minimum": 1, "maximum": 100 }), "Attempts in all."),
        "delay" => described(duration(), "The time before the second attempt."),
        "backoff" => {
            described(json!({ "type": "number", "minimum": 1, "maximum": 100 }), "The factor by which it grows.")
        }
        "max-delay" => described(duration(), "No delay is longer."),
        _ => Value::Null,
    }
}

fn of_wait_until(key: &str) -> Value {
    match key {
        "uses" => described(action(), "An action that only reads."),
        "with" => described(values(), "Its input, worked out once."),
        "if" => described(condition(), "What is waited for; it also sees output."),
        "every" => described(duration(), "The time between two calls."),
        "timeout" => described(duration(), "For all calls together."),
        _ => Value::Null,
    }
}

fn of_approve(key: &str) -> Value {
    match key {
        "message" => described(text(), "What they are asked."),
        "role" => {
            described(json!({ "type": "string", "pattern": "^[a-z0-9_-]{1,64}$" }), "The role that they must have.")
        }
        "quorum" => described(json!({ "type": "integer", "minimum": 1, "maximum": 10 }), "How many must say yes."),
        "not-requester" => described(boolean(), "Who asked for the run may not approve it."),
        "timeout" => described(duration(), "How long they have."),
        "on-timeout" => described(words(&["fail", "approve"]), "What follows when nobody answers in time."),
        _ => Value::Null,
    }
}

fn of_undo(key: &str) -> Value {
    match key {
        "uses" => described(action(), "The action that takes the step back."),
        "with" => described(values(), "Its input."),
        "script" => described(text(), "Or a script."),
        _ => Value::Null,
    }
}

fn of_lock(key: &str) -> Value {
    match key {
        "key" => described(text(), "What is locked; it sees inputs only."),
        "on-busy" => described(words(&["queue", "skip", "replace"]), "What becomes of a run that finds it held."),
        _ => Value::Null,
    }
}

fn of_input(key: &str) -> Value {
    let bound = || json!({ "type": "number" });
    let kinds = || words(&InputKind::ALL.map(InputKind::as_str));
    match key {
        "type" => described(kinds(), "What values it takes; secret: the name of one."),
        "description" => described(text(), "For people; shown where it is missing."),
        "default" => described(json!({}), "Used where nothing is given."),
        "required" => described(boolean(), "May repeat what default says."),
        "enum" => described(json!({ "type": "array", "minItems": 1 }), "The only values of a text or number."),
        "pattern" => described(text(), "A regular expression that the whole text matches."),
        "min" => described(bound(), "The least number, or the fewest characters, items or entries."),
        "max" => described(bound(), "The greatest number, or the most characters, items or entries."),
        "of" => described(json!({ "anyOf": [kinds(), defined("of")] }), "What each value of a list or map is."),
        _ => Value::Null,
    }
}

fn of_on(key: &str) -> Value {
    match key {
        "manual" => described(json!({}), "A person starts it, which is always possible."),
        "alarm" => described(
            json!({ "anyOf": [defined("alarm"), { "type": "array", "items": defined("alarm") }] }),
            "An alarm starts it.",
        ),
        _ => Value::Null,
    }
}

fn of_alarm(key: &str) -> Value {
    match key {
        "where" => described(condition(), "Which alarms: an expression over alarm."),
        "with" => described(values(), "The inputs of the run."),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_the_reader_takes_is_described() {
        let schema = editor_schema();
        let empty = runwright_core::Map::new();
        let maps = std::iter::once(&schema).chain(schema["$defs"].as_object().unwrap_or(&empty).values());
        let mut keys = 0;
        for (name, property) in maps.flat_map(|map| map["properties"].as_object().unwrap_or(&empty)) {
            assert!(property["description"].is_string(), "say in `editor.rs` what the key `{name}` is");
            keys += 1;
        }
        let tables = [&step::KEYS, &step::RETRY, &wait::KEYS, &undo::KEYS, &lock::KEYS, &input::KEYS, &input::OF];
        let tables = tables.into_iter().chain([&trigger::ON, &trigger::ALARM, &runbook::KEYS, &approve::KEYS]);
        let tables = tables.chain([&defaults::KEYS, &failing::KEYS]);
        assert_eq!(keys, tables.map(|table| table.known.len()).sum::<usize>());
    }
}
