//! The types that values are known to have before a run: of its inputs, and of what actions say that they give.

use std::collections::HashMap;

use indexmap::IndexMap;
use runwright_core::{Input, InputKind, Value};
use script::{Read, means};

use crate::check::Check;
use crate::known::{convert, sample};
use crate::node::{Node, Scalar};
use crate::schema::words;

/// What is known of the names at one place of a runbook.
#[derive(Default)]
pub(crate) struct Types<'a> {
    pub(crate) inputs: IndexMap<String, Input>,
    /// The output schemas of the actions of steps, by the ids of the steps.
    pub(crate) outputs: HashMap<String, &'a Value>,
}

impl Types<'_> {
    /// The words of JSON Schema for the types that a read can have; none where that is not known.
    pub(crate) fn of(&self, read: &Read) -> Option<Vec<&str>> {
        let keys: Vec<&str> = read.keys.iter().map(|key| key.name.as_str()).collect();
        match (read.variable.as_str(), keys.as_slice()) {
            ("inputs", [name, inner @ ..]) => {
                let (_, input) = self.inputs.iter().find(|(known, _)| means(name, known))?;
                let input = inner
                    .iter()
                    .try_fold(input, |input, _| input.of.as_deref().filter(|_| input.kind == InputKind::Map))?;
                Some(vec![word(input.kind)])
            }
            ("run", [_]) => Some(vec!["string"]),
            ("steps", [_, "ran" | "succeeded" | "failed" | "skipped" | "rescued"]) => Some(vec!["boolean"]),
            ("steps", [_, "outcome"]) => Some(vec!["string"]),
            ("steps", [_, "attempts"]) => Some(vec!["integer"]),
            ("steps", [_, "error"]) => Some(vec!["object"]),
            ("steps", [_, "error", "kind" | "message"]) => Some(vec!["string"]),
            ("steps", [step, "output", inner @ ..]) => {
                let (_, schema) = self.outputs.iter().find(|(known, _)| means(step, known))?;
                types(inner.iter().try_fold(*schema, |schema, key| schema.get("properties")?.get(key))?)
            }
            _ => None,
        }
    }
}

/// The type of a value of this kind, in JSON Schema.
pub(crate) fn word(kind: InputKind) -> &'static str {
    match kind {
        InputKind::String | InputKind::Secret => "string",
        InputKind::Integer => "integer",
        InputKind::Number => "number",
        InputKind::Boolean => "boolean",
        InputKind::List => "array",
        InputKind::Map => "object",
    }
}

/// The types that a schema allows, where it says so by itself.
fn types(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type") {
        Some(Value::String(kind)) => Some(vec![kind]),
        Some(Value::Array(kinds)) => kinds.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

impl Check<'_> {
    /// Tells of a value that is put into text, and is of a type that has none.
    pub(crate) fn joined(&mut self, node: &Node, scalar: &Scalar, text: &str, offset: usize) {
        let Some(read) = self.engine.plain_read(text) else { return };
        let Some(given) = self.types.of(&read) else { return };
        if given.iter().all(|kind| matches!(*kind, "array" | "object")) {
            let message = format!("`{read}` is {}, which can't be put into text", words(&given));
            let help = given.first().and_then(|kind| convert(&read, &sample(kind)?, "text"));
            let span = self.span(node, scalar, offset, read.at, read.to_string().len());
            self.error("wrong-type", span, message).help = help;
        }
    }

    /// Warns of the error of a step with text in its place where there is none: it is a map, and so never that text.
    pub(crate) fn error_as_text(&mut self, node: &Node, scalar: &Scalar, offset: usize, read: &Read) {
        if read.defaulted && is_error(read) {
            let span = self.span(node, scalar, offset, read.at, read.to_string().len());
            let message = format!("`{read}` is a map of `kind`, `message` and `code`");
            self.warning("wrong-type", span, message).help(format!("its text is `{read}?.message ?? …`"));
        }
    }
}

/// Whether it is the error of a step as a whole.
pub(crate) fn is_error(read: &Read) -> bool {
    read.variable == "steps" && read.keys.len() == 2 && read.keys[1].name == "error"
}
