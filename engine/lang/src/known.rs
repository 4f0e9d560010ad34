//! What an expression gives, where that is plain to see: it is a literal, or an input by its name.

use runwright_core::{InputKind, Value};
use script::Part;
use serde_json::json;

use crate::check::Check;
use crate::node::{Kind, Node, found};

/// What one whole `${{ }}` gives.
pub(crate) struct Known {
    /// A value of the kind that it gives.
    pub(crate) sample: Value,
    /// The expression, and what it gives, for people.
    pub(crate) told: String,
    /// The input that it is.
    pub(crate) input: Option<String>,
}

impl Check<'_> {
    /// What a value that is one whole `${{ }}` gives, if that is plain to see.
    pub(crate) fn known(&self, node: &Node) -> Option<Known> {
        let Kind::Scalar(scalar) = &node.kind else { return None };
        let parts = script::parts(&scalar.text).ok()?;
        let [Part::Expression { text, .. }] = parts.as_slice() else { return None };
        let text = text.trim();
        if let Ok(literal) = serde_json::from_str::<Value>(text)
            && !(literal.is_array() || literal.is_object() || literal.is_null())
        {
            return Some(Known {
                told: format!("`{text}`, which is {}", found(&literal)),
                sample: literal,
                input: None,
            });
        }
        let name = text.strip_prefix("inputs.").or_else(|| text.strip_prefix("inputs[\"")?.strip_suffix("\"]"))?;
        let kind = *self.kinds.get(name)?;
        let sample = sample(kind);
        let of = if kind == InputKind::Integer { "a whole number" } else { found(&sample) };
        Some(Known { told: format!("`{text}`, which is {of}"), sample, input: Some(text.to_owned()) })
    }

    /// The value of a node, with samples in the places of expressions of which it is plain what they give.
    pub(crate) fn with_samples(&self, node: &Node) -> Value {
        match &node.kind {
            Kind::List(items) => items.iter().map(|item| self.with_samples(item)).collect(),
            Kind::Map(entries) => {
                let entry = |entry: &crate::node::Entry| (entry.key.clone(), self.with_samples(&entry.value));
                Value::Object(entries.iter().map(entry).collect())
            }
            _ => self.known(node).map_or_else(|| node.value(), |known| known.sample),
        }
    }
}

impl Known {
    /// How to make what is `expected` of it.
    pub(crate) fn help(&self, expected: &str) -> Option<String> {
        let input = self.input.as_ref()?;
        match &self.sample {
            Value::Number(_) | Value::Bool(_) if expected.contains("text") => {
                Some(format!("make text of it: ${{{{ {input}.to_string() }}}}"))
            }
            Value::Array(_) | Value::Object(_) if expected.contains("text") => {
                Some(format!("make text of it: ${{{{ {input}.to_json() }}}}"))
            }
            Value::String(_) if expected.contains("a whole number") => {
                Some(format!("make a number of it: ${{{{ parse_int({input}) }}}}, or declare the input as `integer`"))
            }
            _ => None,
        }
    }
}

fn sample(kind: InputKind) -> Value {
    match kind {
        InputKind::String => json!(""),
        InputKind::Integer | InputKind::Number => json!(0),
        InputKind::Boolean => json!(false),
        InputKind::List => json!([]),
        InputKind::Map => json!({}),
    }
}
