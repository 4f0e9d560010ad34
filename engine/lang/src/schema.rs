//! What a step gives to its action, against the action's JSON Schema.
//!
//! What most expressions give is known only when the run gets there (the engine checks the whole input again then). So a
//! literal must fit, a property must be known and a required one be there; of a value that an expression gives only its type
//! is looked at, where that is plain to see.

use std::ops::Range;

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use runwright_core::{ActionName, Value, did_you_mean, kind_of, listed, plain, short};

use crate::check::{Check, find};
use crate::node::{Kind, Node};
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
        let empty = || Value::Object(runwright_core::Map::new());
        let input = given.node.map_or_else(empty, |node| self.with_samples(node));
        let Given { node, missing, by } = given;
        let place = Place { check: self, action, schema, node, missing, by };
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
struct Place<'a, 'c> {
    check: &'a Check<'c>,
    action: &'a ActionName,
    schema: &'a Value,
    node: Option<&'a Node>,
    /// What is underlined where a property is missing.
    missing: Range<usize>,
    by: GivenBy,
}

impl Place<'_, '_> {
    /// What the error says of the runbook; nothing where it speaks of what only the run will know.
    fn misfits(&self, error: &ValidationError) -> Vec<Misfit> {
        let path = error.instance_path().as_str();
        match error.kind() {
            // What else an expression gives is not known, of which type it may be.
            kind if !matches!(kind, ValidationErrorKind::Type { .. })
                && self.find(path).is_some_and(|node| open(node) == Open::Whole) =>
            {
                Vec::new()
            }
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|name| self.unknown(path, name)).collect()
            }
            ValidationErrorKind::Required { property } => {
                vec![self.required(path, property.as_str().unwrap_or_default())]
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.none_of(path, error, context)
            }
            _ => self.misfit(path, error).into_iter().collect(),
        }
    }

    /// What is wrong with a value that fits none of several schemas, of which the errors are `context`: with the one that is meant
    /// where only one is for values of this type.
    fn none_of(&self, path: &str, error: &ValidationError, context: &[Vec<ValidationError<'_>>]) -> Vec<Misfit> {
        let here = |error: &&ValidationError<'_>| error.instance_path().as_str() == path;
        let of_type = |errors: &[ValidationError<'_>]| {
            errors.iter().filter(here).any(|error| matches!(error.kind(), ValidationErrorKind::Type { .. }))
        };
        let meant: Vec<_> = context.iter().filter(|errors| !of_type(errors)).collect();
        let all = context.iter().flatten().filter(here);
        let words: Vec<String> = all.clone().filter_map(|error| constant(error.kind())).collect();
        match meant.as_slice() {
            _ if !words.is_empty() && words.len() == context.len() => self.choice(path, error, &words),
            [] => {
                let kinds = all.filter_map(|error| match error.kind() {
                    ValidationErrorKind::Type { kind } => Some(types(kind)),
                    _ => None,
                });
                let kinds: Vec<String> = kinds.collect();
                self.wrong_type(path, error, &kinds.join(" or ")).into_iter().collect()
            }
            [errors] => errors.iter().flat_map(|error| self.misfits(error)).collect(),
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
        match error.kind() {
            ValidationErrorKind::Type { kind } => self.wrong_type(path, error, &types(kind)),
            _ if self.find(path).is_some_and(|node| open(node) != Open::No) => None,
            ValidationErrorKind::Enum { options } => {
                let words: Vec<String> = options.as_array()?.iter().map(plain).collect();
                self.choice(path, error, &words).pop()
            }
            _ => {
                let found = short(&plain(error.instance()));
                let note = path.strip_prefix('/').and_then(|name| self.described(name));
                let message = limit(error.kind(), &found).unwrap_or_else(|| short_message(&error.to_string()));
                Some(Misfit { note, ..self.wrong(path, "bad-value", &message) })
            }
        }
    }

    /// A value that is not of the expected type, as far as that is known.
    fn wrong_type(&self, path: &str, error: &ValidationError, expected: &str) -> Option<Misfit> {
        let node = self.find(path);
        if node.is_some_and(|node| open(node) == Open::Whole) {
            let known = self.check.known(node?)?;
            let message = format!("expected {expected}, found {}", known.told);
            return Some(Misfit { help: known.help(expected), ..self.wrong(path, "wrong-type", &message) });
        }
        let help = match (expected, error.instance().as_ref()) {
            ("a boolean", Value::String(text)) if matches!(text.as_str(), "yes" | "no" | "on" | "off") => {
                Some("write `true` or `false`".to_owned())
            }
            (expected, Value::Number(_) | Value::Bool(_)) if expected.contains("text") => node.and_then(Node::quoted),
            _ => None,
        };
        let message = format!("expected {expected}, found {}", kind_of(error.instance()));
        Some(Misfit { help, ..self.wrong(path, "wrong-type", &message) })
    }

    /// A literal that is none of these words.
    fn choice(&self, path: &str, error: &ValidationError, words: &[String]) -> Vec<Misfit> {
        if self.find(path).is_some_and(|node| open(node) != Open::No) {
            return Vec::new();
        }
        let found = error.instance();
        let help = found.as_str().and_then(|text| did_you_mean(text, words.iter().map(String::as_str)));
        let message = format!("expected one of {}, found {}", listed(words), short(&plain(found)));
        vec![Misfit { help, ..self.wrong(path, "bad-value", &message) }]
    }

    /// What is wrong with the value at a JSON pointer.
    fn wrong(&self, path: &str, code: &'static str, message: &str) -> Misfit {
        let span = self.find(path).map_or(self.missing.clone(), |node| node.span.clone());
        let at = if path.is_empty() { String::new() } else { format!("`{}`: ", dotted(path)) };
        Misfit { span, code, message: format!("{at}{message}"), help: None, note: None }
    }

    /// The node at a JSON pointer.
    fn find(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self.node?, |node, part| match &node.kind {
            Kind::Map(entries) => find(entries, &part.replace("~1", "/").replace("~0", "~")).map(|entry| &entry.value),
            Kind::List(items) => items.get(part.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The properties that the schema has for the map at a JSON pointer, in any of its forms.
    fn properties<'s>(&'s self, pointer: &str) -> Vec<&'s str> {
        let mut schemas = self.forms(self.schema);
        for part in pointer.split('/').skip(1) {
            let inner = |schema: &'s Value| {
                let known = schema.get("properties").and_then(|known| known.get(part));
                known.or_else(|| schema.get("items"))
            };
            schemas = schemas.into_iter().filter_map(inner).flat_map(|schema| self.forms(schema)).collect();
        }
        let properties = schemas.into_iter().filter_map(|schema| schema.get("properties")?.as_object());
        properties.flat_map(|properties| properties.keys().map(String::as_str)).collect()
    }

    /// The schema itself and those that it refers to or gives a choice of.
    fn forms<'s>(&'s self, schema: &'s Value) -> Vec<&'s Value> {
        /// Schemas may refer to each other without end.
        const FORMS_MAX: usize = 32;
        let mut forms = vec![schema];
        let mut at = 0;
        while let Some(schema) = forms.get(at).copied().filter(|_| forms.len() < FORMS_MAX) {
            let referred = schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix('#'));
            forms.extend(referred.and_then(|pointer| self.schema.pointer(pointer)));
            let choices = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array());
            forms.extend(choices.flatten());
            at += 1;
        }
        forms
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

/// The word that a value must be.
fn constant(kind: &ValidationErrorKind) -> Option<String> {
    match kind {
        ValidationErrorKind::Constant { expected_value } => Some(plain(expected_value)),
        _ => None,
    }
}

fn short_message(text: &str) -> String {
    const MOST: usize = 200;
    text.chars().take(MOST).collect()
}
