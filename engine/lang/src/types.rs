//! The types that values are known to have before a run: of its inputs, and of what actions say that they give.

use std::collections::HashMap;

use indexmap::IndexMap;
use runwright_core::{Input, InputKind, Value};
use script::{Part, Read, means};

use crate::check::Check;
use crate::node::{Kind, Node, Scalar};
use crate::schema::{dotted, words};

/// What is known of the names at one place of a runbook.
#[derive(Default)]
pub(crate) struct Types<'a> {
    pub(crate) inputs: IndexMap<String, Input>,
    /// The output schemas of the actions of steps, by the ids of the steps.
    pub(crate) outputs: HashMap<String, &'a Value>,
}

impl Types<'_> {
    /// The words of JSON Schema for the types that a read can have; none where that is not known.
    fn of(&self, read: &Read) -> Option<Vec<&str>> {
        let keys: Vec<&str> = read.keys.iter().map(|key| key.name.as_str()).collect();
        match (read.variable.as_str(), keys.as_slice()) {
            ("inputs", [name, inner @ ..]) => {
                let (_, input) = self.inputs.iter().find(|(known, _)| means(name, known))?;
                let input = inner.iter().try_fold(input, |input, _| input.of.as_deref())?;
                Some(vec![word(input.kind)])
            }
            ("run", [_]) => Some(vec!["string"]),
            ("steps", [_, "ran" | "succeeded" | "failed" | "skipped"]) => Some(vec!["boolean"]),
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

/// Whether a value of one of the types `given` can be one of `wanted`. A number may be whole.
fn can_be(given: &[&str], wanted: &[&str]) -> bool {
    let number = |kind: &str| matches!(kind, "integer" | "number");
    given.iter().any(|given| wanted.iter().any(|wanted| given == wanted || number(given) && number(wanted)))
}

impl Check<'_> {
    /// Tells of references in an input whose type can't be what the schema wants. `at` is where `node` stands in it.
    pub(crate) fn flows(&mut self, node: &Node, schema: &Value, at: &str) {
        match &node.kind {
            Kind::Scalar(scalar) => {
                let parts = script::parts(&scalar.text).unwrap_or_default();
                let [Part::Expression { text, .. }] = parts.as_slice() else { return };
                let Some(read) = self.engine.plain_read(text) else { return };
                let (Some(given), Some(wanted)) = (self.types.of(&read), types(schema)) else { return };
                if can_be(&given, &wanted) {
                    return;
                }
                let help = convert(&read, &given, &wanted);
                let message = format!(
                    "`{}`: expected {}, found `{read}`, which is {}",
                    dotted(at),
                    words(&wanted),
                    words(&given)
                );
                self.error("wrong-type", node.span.clone(), message).help = help;
            }
            Kind::List(items) => {
                let Some(inner) = schema.get("items") else { return };
                items.iter().zip(0..).for_each(|(item, index)| self.flows(item, inner, &format!("{at}/{index}")));
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let known = schema.get("properties").and_then(|known| known.get(&entry.key));
                    if let Some(inner) = known.or_else(|| schema.get("additionalProperties")) {
                        self.flows(&entry.value, inner, &format!("{at}/{}", entry.key));
                    }
                }
            }
            Kind::Broken => {}
        }
    }
}

impl Check<'_> {
    /// Tells of a value that is put into text, and is of a type that has none.
    pub(crate) fn joined(&mut self, node: &Node, scalar: &Scalar, text: &str, offset: usize) {
        let Some(read) = self.engine.plain_read(text) else { return };
        let Some(given) = self.types.of(&read) else { return };
        if given.iter().all(|kind| matches!(*kind, "array" | "object")) {
            let message = format!("`{read}` is {}, which can't be put into text", words(&given));
            let help = convert(&read, &given, &["string"]);
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

fn is_error(read: &Read) -> bool {
    read.variable == "steps" && read.keys.len() == 2 && read.keys[1].name == "error"
}

/// How to make of what is read what is wanted.
fn convert(read: &Read, given: &[&str], wanted: &[&str]) -> Option<String> {
    let expression = match (given, wanted) {
        _ if is_error(read) && wanted.contains(&"string") => format!("{read}.message"),
        (["integer" | "number" | "boolean"], wanted) if wanted.contains(&"string") => format!("{read}.to_string()"),
        (["array" | "object"], wanted) if wanted.contains(&"string") => format!("{read}.to_json()"),
        (["string"], wanted) if wanted.contains(&"integer") => format!("parse_int({read})"),
        (["string"], wanted) if wanted.contains(&"number") => format!("parse_float({read})"),
        _ => return None,
    };
    Some(format!("write `${{{{ {expression} }}}}`"))
}
