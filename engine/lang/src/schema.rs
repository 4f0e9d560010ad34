//! What a step gives to its action, against the action's JSON Schema.
//!
//! What an expression gives is known only when the run gets there (the engine checks the whole input again then). So a
//! literal must fit, a property must be known and a required one be there, and about a value that an expression gives
//! nothing is said.

use std::ops::Range;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use runwright_core::{ActionName, Value};

use crate::check::{Check, find, short};
use crate::diagnostic::did_you_mean;
use crate::tree::{Entry, Kind, Node, found};

/// What is wrong with one place of an input.
struct Misfit {
    span: Range<usize>,
    code: &'static str,
    message: String,
    help: Option<String>,
}

impl Check<'_> {
    pub(crate) fn fits(&mut self, action: &ActionName, schema: &Value, uses: &Entry, with: Option<&Entry>) {
        if !self.schemas.contains_key(action) {
            self.schemas.insert(action.clone(), jsonschema::validator_for(schema).ok());
        }
        let Some(Some(validator)) = self.schemas.get(action) else { return };
        let node = with.map(|with| &with.value).filter(|node| !node.is_null());
        let input = node.map_or_else(|| Value::Object(runwright_core::Map::new()), Node::value);
        let place =
            Place { action, schema, node, missing: with.map_or(uses.value.span.clone(), |with| with.at.clone()) };
        let misfits: Vec<Misfit> = validator.iter_errors(&input).filter_map(|error| place.misfit(&error)).collect();
        for misfit in misfits {
            let error = self.error(misfit.code, misfit.span, misfit.message);
            error.help = misfit.help;
        }
    }
}

/// Where an input stands, and what it is for.
struct Place<'a> {
    action: &'a ActionName,
    schema: &'a Value,
    node: Option<&'a Node>,
    /// What is underlined where a property is missing.
    missing: Range<usize>,
}

impl Place<'_> {
    /// What the error says of the runbook; none where it speaks of what only the run will know.
    fn misfit(&self, error: &ValidationError) -> Option<Misfit> {
        let path = error.instance_path().as_str();
        let (node, entry) = self.find(path);
        let span = node.map_or(self.missing.clone(), |node| node.span.clone());
        let open = node.map_or(Open::No, open);
        let at = if path.is_empty() {
            String::new()
        } else {
            format!("`{}`: ", path.trim_start_matches('/').replace('/', "."))
        };
        let new = |code, span, message: String| Misfit { span, code, message: format!("{at}{message}"), help: None };
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let span = match entry {
                    Some(entry) => entry.at.clone(),
                    None => self.missing.clone(),
                };
                let message = format!("`{}` needs the input `{name}`", self.action);
                let help = format!("add `{name}: …` to `with`{}", self.described(name));
                Some(Misfit { help: Some(help), ..new("missing-input", span, message) })
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                let name = unexpected.first()?;
                let known: Vec<&str> = self.properties(path);
                let span = match node.map(|node| &node.kind) {
                    Some(Kind::Map(entries)) => find(entries, name).map_or(span, |entry| entry.at.clone()),
                    _ => span,
                };
                let help = did_you_mean(name, known.iter().copied()).or_else(|| match known.as_slice() {
                    [] => Some("it takes no input".to_owned()),
                    known => Some(format!("there are: {}", known.join(", "))),
                });
                let others = match unexpected.len() {
                    1 => String::new(),
                    more => format!(" (nor {} others that are given)", more - 1),
                };
                let message = format!("`{}` has no input `{}`{others}", self.action, short(name));
                Some(Misfit { help, ..new("unknown-input", span, message) })
            }
            ValidationErrorKind::Type { kind } if open != Open::Whole => {
                let actual = found(error.instance());
                let mut misfit = new("wrong-type", span, format!("expected {}, found {actual}", types(kind)));
                misfit.help = match (types(kind).as_str(), error.instance().as_ref()) {
                    ("a boolean", Value::String(text)) if matches!(text.as_str(), "yes" | "no" | "on" | "off") => {
                        Some("write `true` or `false`".to_owned())
                    }
                    ("text", Value::Number(_) | Value::Bool(_)) => Some("put it in quotes".to_owned()),
                    _ => None,
                };
                Some(misfit)
            }
            ValidationErrorKind::Type { .. } => None,
            _ if open != Open::No => None,
            ValidationErrorKind::Enum { options } => {
                let words: Vec<String> = options.as_array()?.iter().map(plain).collect();
                let help =
                    error.instance().as_str().and_then(|text| did_you_mean(text, words.iter().map(String::as_str)));
                let message =
                    format!("expected one of {}, found {}", words.join(", "), short(&plain(error.instance())));
                Some(Misfit { help, ..new("bad-value", span, message) })
            }
            _ => Some(new("bad-value", span, short_message(&error.to_string()))),
        }
    }

    /// The node at a JSON pointer, and the entry that holds it.
    fn find(&self, pointer: &str) -> (Option<&Node>, Option<&Entry>) {
        let mut node = self.node;
        let mut entry = None;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            match node.map(|node| &node.kind) {
                Some(Kind::Map(entries)) => {
                    entry = find(entries, &part);
                    node = entry.map(|entry| &entry.value);
                }
                Some(Kind::List(items)) => node = part.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => return (node, entry),
            }
        }
        (node, entry)
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

    fn described(&self, name: &str) -> String {
        let text = self.schema.get("properties").and_then(|all| all.get(name)?.get("description")?.as_str());
        text.map(|text| format!(": {}", short(text.trim_end_matches('.')))).unwrap_or_default()
    }
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
    let word = |name: &str| match name {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "a boolean",
        "array" => "a list",
        "object" => "a map",
        _ => "null",
    };
    match kind {
        TypeKind::Single(kind) => word(kind.as_str()).to_owned(),
        TypeKind::Multiple(kinds) => kinds.iter().map(|kind| word(kind.as_str())).collect::<Vec<_>>().join(" or "),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn short_message(text: &str) -> String {
    const MOST: usize = 200;
    text.chars().take(MOST).collect()
}
