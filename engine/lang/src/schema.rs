//! What a step gives to its action, against the action's JSON Schema.
//!
//! What an expression gives is known only when the run gets there (the engine checks the whole input again then). So a
//! literal must fit, a property must be known and a required one be there, and about a value that an expression gives
//! nothing is said.

use std::ops::Range;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use runwright_core::{ActionName, Value, did_you_mean};

use crate::admit::listed;
use crate::check::{Check, find, short};
use crate::node::{Kind, Node, found};
use crate::runbook::first;

/// What is wrong with one place of an input.
struct Misfit {
    span: Range<usize>,
    code: &'static str,
    message: String,
    help: Option<String>,
    note: Option<String>,
}

impl Check<'_> {
    /// Tells what does not fit the schema of an action's input.
    pub(crate) fn fits(&mut self, action: &ActionName, schema: &Value, given: Given) {
        if !self.schemas.contains_key(action) {
            self.schemas.insert(action.clone(), jsonschema::validator_for(schema).ok());
        }
        let Some(Some(validator)) = self.schemas.get(action) else { return };
        let input = given.node.map_or_else(|| Value::Object(runwright_core::Map::new()), Node::value);
        let place = Place { action, schema, node: given.node, missing: given.missing, by: given.by };
        let misfits: Vec<Misfit> = validator.iter_errors(&input).flat_map(|error| place.misfits(&error)).collect();
        for misfit in misfits {
            let error = self.error(misfit.code, misfit.span, misfit.message);
            error.help = misfit.help;
            error.notes.extend(misfit.note);
        }
    }
}

/// The input that is given to an action.
pub(crate) struct Given<'n> {
    /// None where nothing is given.
    pub(crate) node: Option<&'n Node>,
    /// What is underlined where a property is missing.
    pub(crate) missing: Range<usize>,
    pub(crate) by: GivenBy,
}

/// Where the input of an action is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenBy {
    /// In the `with` of a step.
    With,
    /// In a script's `act(…)`.
    Script,
}

/// Where an input stands, and what it is for.
struct Place<'a> {
    action: &'a ActionName,
    schema: &'a Value,
    node: Option<&'a Node>,
    /// What is underlined where a property is missing.
    missing: Range<usize>,
    by: GivenBy,
}

impl Place<'_> {
    /// What the error says of the runbook; nothing where it speaks of what only the run will know.
    fn misfits(&self, error: &ValidationError) -> Vec<Misfit> {
        let path = error.instance_path().as_str();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|name| self.unknown(path, name)).collect()
            }
            ValidationErrorKind::Required { property } => {
                vec![self.required(path, property.as_str().unwrap_or_default())]
            }
            _ => self.misfit(path, error).into_iter().collect(),
        }
    }

    fn unknown(&self, path: &str, name: &str) -> Misfit {
        let known: Vec<&str> = self.properties(path);
        let span = match self.find(path).map(|node| &node.kind) {
            Some(Kind::Map(entries)) => find(entries, name).map(|entry| entry.at.clone()),
            _ => None,
        };
        let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| match known.as_slice() {
            [] => "it takes no input".to_owned(),
            known => format!("there are: {}", known.join(", ")),
        });
        let message = match path {
            "" => format!("`{}` has no input `{}`", self.action, short(name)),
            path => format!("`{}` has no `{}`", dotted(path), short(name)),
        };
        Misfit {
            span: span.unwrap_or(self.missing.clone()),
            code: "unknown-input",
            message,
            help: Some(help),
            note: None,
        }
    }

    fn required(&self, path: &str, name: &str) -> Misfit {
        let (span, message) = match (path, self.find(path)) {
            ("", _) | (_, None) => (self.missing.clone(), format!("`{}` needs the input `{name}`", self.action)),
            (path, Some(node)) => (first(node), format!("`{}` needs `{name}`", dotted(path))),
        };
        let help = match (path, self.node, self.by) {
            ("", None, GivenBy::With) => format!("add `with: {{ {name}: … }}`"),
            ("", Some(_), GivenBy::With) => format!("add `{name}: …` to `with`"),
            ("", None, GivenBy::Script) => format!("write act(\"{}\", #{{ {name}: … }})", self.action),
            _ => format!("add `{name}: …`"),
        };
        let note = if path.is_empty() { self.described(name) } else { None };
        Misfit { span, code: "missing-input", message, help: Some(help), note }
    }

    fn misfit(&self, path: &str, error: &ValidationError) -> Option<Misfit> {
        let node = self.find(path);
        let span = node.map_or(self.missing.clone(), |node| node.span.clone());
        let open = node.map_or(Open::No, open);
        let at = if path.is_empty() { String::new() } else { format!("`{}`: ", dotted(path)) };
        let new = |code, span, message: String| Misfit {
            span,
            code,
            message: format!("{at}{message}"),
            help: None,
            note: None,
        };
        match error.kind() {
            ValidationErrorKind::Type { kind } if open != Open::Whole => {
                let actual = found(error.instance());
                let mut misfit = new("wrong-type", span, format!("expected {}, found {actual}", types(kind)));
                misfit.help = match (types(kind).as_str(), error.instance().as_ref()) {
                    ("a boolean", Value::String(text)) if matches!(text.as_str(), "yes" | "no" | "on" | "off") => {
                        Some("write `true` or `false`".to_owned())
                    }
                    (kinds, Value::Number(_) | Value::Bool(_)) if kinds.contains("text") => node.and_then(Node::quoted),
                    _ => None,
                };
                Some(misfit)
            }
            ValidationErrorKind::Type { .. } => None,
            _ if open != Open::No => None,
            _ => {
                let found = short(&plain(error.instance()));
                if let Some(words) = self.words_of(error) {
                    let help =
                        error.instance().as_str().and_then(|text| did_you_mean(text, words.iter().map(String::as_str)));
                    let message = format!("expected one of {}, found {found}", listed(&words));
                    return Some(Misfit { help, ..new("bad-value", span, message) });
                }
                let note = path.strip_prefix('/').and_then(|name| self.described(name));
                let message = limit(error.kind(), &found).unwrap_or_else(|| short_message(&error.to_string()));
                Some(Misfit { note, ..new("bad-value", span, message) })
            }
        }
    }

    /// The only words that fit, where the schema lists them in one of the ways that it can.
    fn words_of(&self, error: &ValidationError) -> Option<Vec<String>> {
        match error.kind() {
            ValidationErrorKind::Enum { options } => Some(options.as_array()?.iter().map(plain).collect()),
            ValidationErrorKind::Constant { expected_value } => Some(vec![plain(expected_value)]),
            ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
                let ways = self.schema.pointer(error.schema_path().as_str())?.as_array()?;
                let words = |way: &Value| match (way.get("const"), way.get("enum")) {
                    (Some(word), _) => Some(vec![plain(word)]),
                    (_, Some(Value::Array(words))) => Some(words.iter().map(plain).collect()),
                    _ => None,
                };
                Some(ways.iter().map(words).collect::<Option<Vec<_>>>()?.concat())
            }
            _ => None,
        }
    }

    /// The node at a JSON pointer.
    fn find(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self.node?, |node, part| match &node.kind {
            Kind::Map(entries) => find(entries, &part.replace("~1", "/").replace("~0", "~")).map(|entry| &entry.value),
            Kind::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The properties that the schema has for the map at a JSON pointer.
    fn properties(&self, pointer: &str) -> Vec<&str> {
        let mut schema = Some(self.schema);
        for part in pointer.split('/').skip(1) {
            schema = schema.and_then(|schema| schema.get("properties")?.get(part).or_else(|| schema.get("items")));
        }
        let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
        properties.map(|properties| properties.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn described(&self, name: &str) -> Option<String> {
        let text = self.schema.get("properties")?.get(name)?.get("description")?.as_str()?;
        Some(format!("`{name}`: {}", short(text.trim_end_matches('.'))))
    }
}

/// What a bound that is not kept says, for people.
fn limit(kind: &ValidationErrorKind, found: &str) -> Option<String> {
    use ValidationErrorKind as Of;
    Some(match kind {
        Of::Minimum { limit } => format!("expected at least {limit}, found {found}"),
        Of::Maximum { limit } => format!("expected at most {limit}, found {found}"),
        Of::ExclusiveMinimum { limit } => format!("expected more than {limit}, found {found}"),
        Of::ExclusiveMaximum { limit } => format!("expected less than {limit}, found {found}"),
        Of::MinLength { limit: 1 } => "it is empty".to_owned(),
        Of::MinLength { limit } => format!("expected at least {limit} characters, found {found}"),
        Of::MaxLength { limit } => format!("expected at most {limit} characters, found {found}"),
        Of::MinItems { limit: 1 } => "the list is empty".to_owned(),
        Of::MinItems { limit } => format!("expected at least {limit} items"),
        Of::MaxItems { limit } => format!("expected at most {limit} items"),
        Of::Pattern { pattern } => format!("expected text that matches `{pattern}`, found {found}"),
        _ => return None,
    })
}

/// A JSON pointer for people.
pub(crate) fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// Whether a value has expressions in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    /// None: it is what it says.
    No,
    /// Somewhere in it; of what type it is, is known.
    Inside,
    /// It is one whole `${{ }}`, which may give anything.
    Whole,
}

fn open(node: &Node) -> Open {
    let inside = |found: bool| if found { Open::Inside } else { Open::No };
    match &node.kind {
        Kind::Scalar(scalar) if !scalar.text.contains("${{") => Open::No,
        Kind::Scalar(scalar) => match script::parts(&scalar.text).as_deref() {
            Ok([script::Part::Text(_)]) => Open::No,
            Ok([script::Part::Expression { .. }]) | Err(_) => Open::Whole,
            Ok(_) => Open::Inside,
        },
        Kind::List(items) => inside(items.iter().any(|item| open(item) != Open::No)),
        Kind::Map(entries) => inside(entries.iter().any(|entry| open(&entry.value) != Open::No)),
        Kind::Broken => Open::Whole,
    }
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => words(&[kind.as_str()]),
        TypeKind::Multiple(kinds) => words(&kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>()),
    }
}

/// Types of JSON Schema, for people.
pub(crate) fn words(kinds: &[&str]) -> String {
    let word = |name: &str| match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "a boolean",
        "array" => "a list",
        "object" => "a map",
        _ => "null",
    };
    kinds.iter().map(|kind| word(kind)).collect::<Vec<_>>().join(" or ")
}

/// A value as people write it.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn short_message(text: &str) -> String {
    const MOST: usize = 200;
    text.chars().take(MOST).collect()
}
