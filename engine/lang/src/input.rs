//! Inputs: what a runbook declares, and what a run is given.

use std::fmt;

use indexmap::IndexMap;
use runwright_core::{Input, InputKind, Map, Runbook, Value, did_you_mean};
use serde_json::json;

use crate::check::{Check, Keys, find};
use crate::node::{Entry, Node, expected, found};

const KEYS: Keys = Keys {
    of: "an input",
    known: &["type", "description", "default", "required", "min"],
    later: &["enum", "pattern", "max", "secret"],
};

impl Check<'_> {
    /// The inputs that a runbook declares.
    pub(crate) fn inputs(&mut self, node: &Node) -> IndexMap<String, Input> {
        let mut inputs = IndexMap::new();
        for entry in self.map(node, "a map from names to inputs").unwrap_or_default() {
            self.identifier(&entry.key, &entry.at, "an input");
            if let Some(input) = self.input(entry) {
                inputs.insert(entry.key.clone(), input);
            }
        }
        inputs
    }

    fn input(&mut self, entry: &Entry) -> Option<Input> {
        let fields = self.map(&entry.value, "a map like `{ type: string }`")?;
        self.keys(fields, &KEYS);
        let kinds = InputKind::ALL.map(|kind| (kind.as_str(), kind));
        let kind = match find(fields, "type") {
            Some(kind) => self.choice(&kind.value, &kinds),
            None => {
                let error =
                    self.error("missing-key", entry.at.clone(), format!("the input `{}` has no `type`", entry.key));
                error.help(format!("one of {}", InputKind::ALL.map(InputKind::as_str).join(", ")));
                None
            }
        };
        let description = find(fields, "description").and_then(|field| self.text(&field.value)).unwrap_or_default();
        let default = find(fields, "default").map(|field| (&field.value, field.value.value()));
        if let (Some(kind), Some((node, value))) = (kind, &default)
            && !kind.accepts(value)
        {
            self.wrong_type(node, expected(kind));
        }
        let min = find(fields, "min").and_then(|field| self.min(field, kind));
        if let Some((node, value)) = &default {
            self.plain(node);
            let expected = kind.map(schema);
            self.numbers(node, expected.as_ref());
            self.long_enough(node, value, min);
        }
        if let Some(field) = find(fields, "required") {
            match (self.boolean(&field.value), &default) {
                (Some(true), Some(_)) => {
                    let error = self.error("bad-value", field.at.clone(), "an input with a default is not required");
                    error.help("remove `required` or `default`");
                }
                (Some(false), None) => {
                    let error =
                        self.error("bad-value", field.at.clone(), "an input that is not required needs a default");
                    error.help("add `default`");
                }
                _ => {}
            }
        }
        let default = default.map(|(_, value)| value);
        Some(Input { kind: kind?, description: description.to_owned(), default, min })
    }

    fn min(&mut self, field: &Entry, kind: Option<InputKind>) -> Option<u32> {
        if kind.is_some_and(|kind| kind != InputKind::String) {
            let error = self.error("unsupported", field.at.clone(), "`min` is there for inputs of type `string` only");
            error.help("leave it out for now");
            return None;
        }
        self.integer(&field.value, 1..=10_000)
    }

    /// Tells of a literal that has too few characters for its input.
    pub(crate) fn long_enough(&mut self, node: &Node, value: &Value, min: Option<u32>) {
        if let Some(short) = too_short(value, min) {
            self.error("bad-value", node.span.clone(), short);
        }
    }

    /// A default is a plain value.
    fn plain(&mut self, node: &Node) {
        if node.value().to_string().contains("${{") {
            let error = self.error("expression", node.span.clone(), "a default can't have expressions");
            error.help("work it out in the step that needs it");
        }
    }
}

/// What is wrong with the inputs that a run was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputProblem {
    /// The input.
    pub input: String,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl fmt::Display for InputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}

/// The inputs of a run: what is given, with defaults, in the order in which the runbook declares them. Otherwise
/// everything that is wrong with them.
pub fn admit_inputs(runbook: &Runbook, mut given: Map) -> Result<Map, Vec<InputProblem>> {
    let mut problems = Vec::new();
    let mut admitted = Map::new();
    let mut problem = |input: &str, message: String, help: Option<String>| {
        problems.push(InputProblem { input: input.to_owned(), message, help });
    };
    for (name, input) in &runbook.inputs {
        match given.remove(name).or_else(|| input.default.clone()) {
            Some(value) if !input.kind.accepts(&value) => {
                let (found, help) = misfit(input.kind, &value);
                problem(name, format!("the input `{name}` is {}, found {found}", expected(input.kind)), help);
            }
            Some(value) => match too_short(&value, input.min) {
                Some(short) => problem(name, format!("the input `{name}`: {short}"), None),
                None => drop(admitted.insert(name.clone(), value)),
            },
            None => {
                let help = (!input.description.is_empty()).then(|| format!("it is: {}", input.description));
                problem(name, format!("the input `{name}` is missing"), help);
            }
        }
    }
    for name in given.keys() {
        let known = || runbook.inputs.keys().map(String::as_str);
        let help = did_you_mean(name, known()).unwrap_or_else(|| match runbook.inputs.is_empty() {
            true => "it has no inputs".to_owned(),
            false => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
        });
        problem(name, format!("the runbook `{}` has no input `{name}`", runbook.name), Some(help));
    }
    if problems.is_empty() { Ok(admitted) } else { Err(problems) }
}

/// What a value is that does not fit its input, and how to mend it.
fn misfit(kind: InputKind, value: &Value) -> (String, Option<String>) {
    let Some(number) = value.as_number().filter(|_| kind == InputKind::Integer) else {
        return (found(value).to_owned(), None);
    };
    let help = match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => format!("write {float:.0}"),
        _ if number.is_f64() => {
            "write it without a `.` or an exponent, or let the input be of type `number`".to_owned()
        }
        _ => format!("a whole number is at most {}", i64::MAX),
    };
    (number.to_string(), Some(help))
}

/// What is wrong with a text that has fewer characters than `min`.
fn too_short(value: &Value, min: Option<u32>) -> Option<String> {
    let (text, min) = (value.as_str()?, min?);
    let count = text.chars().count();
    match count {
        _ if count >= min as usize => None,
        0 if min == 1 => Some("it is empty, which `min: 1` does not allow".to_owned()),
        _ => Some(format!("it has {count} characters, and `min` is {min}")),
    }
}

/// What a value of this kind is, as a schema.
pub(crate) fn schema(kind: InputKind) -> Value {
    match kind {
        InputKind::String | InputKind::Boolean => json!({ "type": "string" }),
        InputKind::Integer | InputKind::Number => json!({ "type": "number" }),
        InputKind::List | InputKind::Map => json!({}),
    }
}

/// The value of an input that was written as text, as on a command line. Lists and maps are written as JSON.
///
/// ```
/// use runwright_core::InputKind;
///
/// assert_eq!(lang::input_from_text(InputKind::Integer, "3").unwrap(), 3);
/// assert_eq!(lang::input_from_text(InputKind::String, "3").unwrap(), "3");
/// assert_eq!(lang::input_from_text(InputKind::Boolean, "yes").unwrap_err(), "`yes` is not `true` or `false`");
/// ```
pub fn input_from_text(kind: InputKind, text: &str) -> Result<Value, String> {
    let json = || serde_json::from_str::<Value>(text).ok().filter(|value| kind.accepts(value));
    let value = match kind {
        InputKind::String => return Ok(text.into()),
        InputKind::Boolean => text.parse::<bool>().ok().map(Value::from),
        InputKind::Integer => text.parse::<i64>().ok().map(Value::from),
        InputKind::Number | InputKind::List | InputKind::Map => json(),
    };
    value.ok_or_else(|| {
        let expected = match kind {
            InputKind::Boolean => "`true` or `false`",
            InputKind::Integer => "a whole number",
            InputKind::Number => "a number",
            InputKind::List => "a list in JSON, for example [\"a\", \"b\"]",
            InputKind::Map | InputKind::String => "a map in JSON, for example {\"a\": 1}",
        };
        format!("`{}` is not {expected}", crate::check::short(text))
    })
}
