//! Errors of an evaluation in the words of the person who wrote the text: what is missing, and what is there.

use rhai::EvalAltResult;
use runwright_core::{Value, did_you_mean};

use crate::names::{At, Names, has_names, is_word};
use crate::{Error, Key, Read};

/// The error with what the scope tells about it.
pub(crate) fn explain(error: &EvalAltResult, names: &Names, scope: &Value) -> Error {
    let plain = Error::of_run(error);
    let at = At { line: plain.line, column: plain.column };
    match innermost(error) {
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            let known: Vec<&str> = keys(scope);
            let hint =
                did_you_mean(name, known.iter().copied()).unwrap_or_else(|| format!("there are: {}", list(&known)));
            plain.hint(hint)
        }
        EvalAltResult::ErrorPropertyNotFound(name, _) | EvalAltResult::ErrorDotExpr(name, _) => {
            match names
                .iter()
                .find_map(|read| missing(read, scope).filter(|(key, _)| key.at == at || names_it(key, name)))
            {
                Some((key, parent)) => missing_key(&key.name, &parent, scope).place(key.at),
                None if matches!(innermost(error), EvalAltResult::ErrorPropertyNotFound(..)) => {
                    plain.hint(format!("where it may be missing, write `.get({name:?}) ?? …`"))
                }
                None => plain,
            }
        }
        _ => plain,
    }
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => innermost(inner),
        other => other,
    }
}

fn names_it(key: &Key, message: &str) -> bool {
    key.name == message || message.contains(&format!("'{}'", key.name))
}

/// The first key of `read` that can't be read, and the read up to there.
fn missing<'a>(read: &'a Read, scope: &Value) -> Option<(&'a Key, Read)> {
    let mut value = scope.get(&read.variable)?;
    for index in 0..read.keys.len() {
        let up_to = Read { keys: read.keys[..=index].to_vec(), ..read.clone() };
        match up_to.value(scope) {
            Some(inner) => value = inner,
            None => {
                // Before `??` what a map lacks is null, and the key behind that is the one that can't be read.
                let index = index + usize::from(read.defaulted && value.is_object());
                let key = read.keys.get(index)?;
                return Some((key, Read { keys: read.keys[..index].to_vec(), ..read.clone() }));
            }
        }
    }
    None
}

fn missing_key(name: &str, parent: &Read, scope: &Value) -> Error {
    let value = parent.value(scope);
    match value {
        Some(Value::Object(map)) => {
            let known: Vec<&str> = map.keys().map(String::as_str).collect();
            let error = Error::value(format!("`{parent}` has no `{name}`"));
            if let Some(dashed) = known.iter().find(|key| key.starts_with(&format!("{name}-"))) {
                if parent.keys.is_empty() && has_names(&parent.variable) {
                    return error.hint(format!("`-` is minus: write `{parent}.{}`", dashed.replace('-', "_")));
                }
                return error.hint(format!("a name with dashes is read like this: {parent}[{dashed:?}]"));
            }
            match did_you_mean(name, known.iter().copied()) {
                _ if parent.is_labels() => error.hint("where it may be missing, give another value with `?? …`"),
                Some(hint) => error.hint(hint),
                None if known.is_empty() => error.hint("it is empty"),
                None => error.hint(format!("it has: {}", list(&known))),
            }
        }
        Some(Value::Null) | None => Error::value(format!("`{parent}` is null, so it has no `{name}`"))
            .hint(format!("where it may be missing, write `?.{name}` and give another value with `?? …`")),
        Some(other) => Error::value(format!("`{parent}` is {}, so it has no `{name}`", kind(other))),
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn list(names: &[&str]) -> String {
    const MOST: usize = 12;
    let shown = names.iter().take(MOST).map(|name| match is_word(name) {
        true => (*name).to_owned(),
        false => format!("{name:?}"),
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(MOST) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// What `value` is, for people.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
