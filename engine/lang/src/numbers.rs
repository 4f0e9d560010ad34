//! Numbers that were meant as text: versions, hashes, modes and telephone numbers without quotes.

use runwright_core::{Value, short};
use saphyr_parser::ScalarStyle;

use crate::check::Check;
use crate::node::{Kind, Node, Scalar};

impl Check<'_> {
    /// Warns of plain numbers in a value that are written otherwise when they are numbers. `schema` says what is expected
    /// there, where that is known: of text, and of numbers that are written as such, nothing is said.
    pub(crate) fn numbers(&mut self, node: &Node, schema: Option<&Value>) {
        match &node.kind {
            Kind::Scalar(scalar) => self.number(node, scalar, Expected::of(schema)),
            Kind::List(items) => {
                let inner = schema.and_then(|schema| schema.get("items"));
                items.iter().for_each(|item| self.numbers(item, inner));
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let inner = schema.and_then(|schema| property(schema, &entry.key));
                    self.numbers(&entry.value, inner);
                }
            }
            Kind::Broken => {}
        }
    }

    fn number(&mut self, node: &Node, scalar: &Scalar, expected: Expected) {
        let Some(value) = changed(scalar) else { return };
        // `0644` is 644, whatever was meant.
        let padded =
            scalar.text.trim_start_matches(['+', '-']).starts_with('0') && !scalar.text.contains(['.', 'x', 'o']);
        if expected == Expected::Text || (expected == Expected::Number && !padded) {
            return;
        }
        let text = short(&scalar.text);
        let message = format!("`{text}` is the number {value} here, and is passed on as that");
        let warning = self.warning("number", node.span.clone(), message);
        warning.help(match expected {
            Expected::Number => format!("write `{value}`"),
            _ => format!("put it in quotes, if it is a version, a code or the like: \"{text}\""),
        });
    }
}

/// The number that a plain scalar is, where that is not written like it; and whole numbers with a `.0`, which many programs
/// drop.
fn changed(scalar: &Scalar) -> Option<String> {
    if scalar.style != ScalarStyle::Plain {
        return None;
    }
    let Value::Number(number) = scalar.value() else { return None };
    let written = number.to_string();
    (written != scalar.text || written.ends_with(".0")).then(|| written.trim_end_matches(".0").to_owned())
}

/// What a schema expects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    Number,
    /// Text, which a number is not: that is told as an error already.
    Text,
    Anything,
}

impl Expected {
    fn of(schema: Option<&Value>) -> Self {
        let kinds = match schema.and_then(|schema| schema.get("type")) {
            Some(Value::String(kind)) => vec![kind.as_str()],
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return Self::Anything,
        };
        let number = kinds.iter().any(|kind| matches!(*kind, "number" | "integer"));
        match (number, kinds.contains(&"string")) {
            (true, false) => Self::Number,
            (true, true) => Self::Anything,
            (false, _) => Self::Text,
        }
    }
}

/// The schema of a property of a map.
fn property<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    schema.get("properties").and_then(|known| known.get(key)).or_else(|| schema.get("additionalProperties"))
}
