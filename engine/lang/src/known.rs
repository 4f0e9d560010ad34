//! What an expression gives, where that is plain to see: it is a literal, an input, or something of a step before.

use runwright_core::{Value, kind_of};
use script::{Part, Read};
use serde_json::json;

use crate::check::Check;
use crate::node::{Kind, Node};
use crate::schema::words;
use crate::types::is_error;

/// What one whole `${{ }}` gives.
pub(crate) struct Known {
    /// A value of the type that it gives.
    pub(crate) sample: Value,
    /// The expression, and what it gives, for people.
    pub(crate) told: String,
    /// What it reads; a literal reads nothing.
    read: Option<Read>,
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
            let told = format!("`{text}`, which is {}", kind_of(&literal));
            return Some(Known { told, sample: literal, read: None });
        }
        let read = self.engine.plain_read(text)?;
        let kinds = self.types.of(&read)?;
        let [kind] = kinds.as_slice() else { return None };
        Some(Known { sample: sample(kind)?, told: format!("`{read}`, which is {}", words(&[kind])), read: Some(read) })
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
        convert(self.read.as_ref()?, &self.sample, expected)
    }
}

/// How to make what is `expected` of what is read.
pub(crate) fn convert(read: &Read, sample: &Value, expected: &str) -> Option<String> {
    let expression = match sample {
        _ if is_error(read) && expected.contains("text") => format!("{read}.message"),
        Value::Number(_) | Value::Bool(_) if expected.contains("text") => format!("{read}.to_string()"),
        Value::Array(_) | Value::Object(_) if expected.contains("text") => format!("{read}.to_json()"),
        Value::String(_) if expected.contains("a whole number") => format!("parse_int({read})"),
        Value::String(_) if expected.contains("a number") => format!("parse_float({read})"),
        _ => return None,
    };
    Some(format!("write `${{{{ {expression} }}}}`"))
}

/// A value of this type of JSON Schema.
pub(crate) fn sample(kind: &str) -> Option<Value> {
    Some(match kind {
        "string" => json!(""),
        "integer" | "number" => json!(0),
        "boolean" => json!(false),
        "array" => json!([]),
        "object" => json!({}),
        _ => return None,
    })
}
