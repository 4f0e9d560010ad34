//! Expressions in a runbook: they compile, and what they read is there.

use std::ops::Range;

use script::{At, Part, Read};

use crate::check::{Check, short};
use crate::diagnostic::did_you_mean;
use crate::node::{Kind, Node, Scalar};
use crate::place::raw_offset;

/// What expressions at one place may read.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'s> {
    /// A step, or the outputs.
    Run {
        inputs: &'s [&'s str],
        /// The ids of all steps, in order.
        steps: &'s [&'s str],
        /// How many of the steps come before.
        before: usize,
    },
    /// The condition and the inputs of a trigger.
    Alarm,
}

const STEP_FIELDS: [&str; 8] = ["ran", "succeeded", "failed", "skipped", "outcome", "output", "error", "attempts"];
const RUN_FIELDS: [&str; 2] = ["id", "name"];
const ALARM_FIELDS: [&str; 12] = [
    "name",
    "firing",
    "resolved",
    "status",
    "severity",
    "labels",
    "annotations",
    "source",
    "id",
    "starts",
    "ends",
    "fingerprint",
];

impl Check<'_> {
    /// Every `${{ }}` in the texts of a value.
    pub(crate) fn template(&mut self, node: &Node, scope: Scope) {
        match &node.kind {
            Kind::Scalar(scalar) if node.text().is_some() && scalar.text.contains("${{") => {
                match script::parts(&scalar.text) {
                    Ok(parts) => {
                        for part in parts {
                            if let Part::Expression { text, offset } = part {
                                self.expression_at(node, scalar, text, offset, scope);
                            }
                        }
                    }
                    Err(error) => self.script_error(node, scalar, 0, &error, scope),
                }
            }
            Kind::List(items) => items.iter().for_each(|item| self.template(item, scope)),
            Kind::Map(entries) => entries.iter().for_each(|entry| self.template(&entry.value, scope)),
            _ => {}
        }
    }

    /// A condition: an expression without `${{ }}`, or one whole `${{ }}`. Gives the expression.
    pub(crate) fn condition(&mut self, node: &Node, scope: Scope) -> Option<String> {
        let Kind::Scalar(scalar) = &node.kind else {
            self.wrong_type(node, "an expression");
            return None;
        };
        if node.is_null() {
            self.wrong_type(node, "an expression");
            return None;
        }
        let (text, offset) = match script::parts(&scalar.text) {
            Ok(parts) => match parts.as_slice() {
                [Part::Expression { text, offset }] => (*text, *offset),
                _ if scalar.text.contains("${{") => {
                    let error = self.error("expression", node.span.clone(), "a condition is one expression");
                    error.help("write it without `${{ }}`");
                    return None;
                }
                _ => (scalar.text.as_str(), 0),
            },
            Err(error) => {
                self.script_error(node, scalar, 0, &error, scope);
                return None;
            }
        };
        self.expression_at(node, scalar, text, offset, scope);
        Some(text.trim().to_owned())
    }

    /// A script step's source.
    pub(crate) fn script(&mut self, node: &Node, scope: Scope) -> Option<String> {
        let text = self.text(node)?;
        let Kind::Scalar(scalar) = &node.kind else { return None };
        match self.engine.check_script(text) {
            Ok(names) => names.iter().for_each(|read| self.read(node, scalar, 0, read, scope)),
            Err(error) => self.script_error(node, scalar, 0, &error, scope),
        }
        Some(text.to_owned())
    }

    fn expression_at(&mut self, node: &Node, scalar: &Scalar, text: &str, offset: usize, scope: Scope) {
        match self.engine.check_expression(text) {
            Ok(names) => names.iter().for_each(|read| self.read(node, scalar, offset, read, scope)),
            Err(error) => self.script_error(node, scalar, offset, &error, scope),
        }
    }

    fn script_error(&mut self, node: &Node, scalar: &Scalar, offset: usize, error: &script::Error, scope: Scope) {
        if self.full() {
            return;
        }
        let span = self.span(node, scalar, offset, At { line: error.line, column: error.column }, 0);
        let hint = dashed(&scalar.text, scope).map(|(_, help)| help).or(error.hint.clone());
        let usual = "expressions look like this: inputs.count > 2 && !steps.test.succeeded";
        let found = self.error("expression", span, error.message.clone());
        found.help = hint.or_else(|| (error.reason == script::Reason::Syntax).then(|| usual.to_owned()));
    }

    /// The bytes of the file at which a place in an expression stands. `offset` is where the expression begins in the
    /// text of the scalar; a length of 0 means the word there.
    fn span(&self, node: &Node, scalar: &Scalar, offset: usize, at: At, length: usize) -> Range<usize> {
        let text = &scalar.text[offset..];
        let line: usize = text.split_inclusive('\n').take(at.line - 1).map(str::len).sum();
        let inside: usize = text[line..].chars().take(at.column - 1).map(char::len_utf8).sum();
        let begin = offset + line + inside;
        let length = if length == 0 { token(&scalar.text[begin..]) } else { length };
        let raw = self.source.text.get(node.span.clone()).unwrap_or_default();
        let start = node.span.start + raw_offset(raw, scalar, begin);
        start..start + length
    }

    fn read(&mut self, node: &Node, scalar: &Scalar, offset: usize, read: &Read, scope: Scope) {
        if self.full() {
            return;
        }
        let roots: &[&str] = match scope {
            Scope::Run { .. } => &["inputs", "steps", "run"],
            Scope::Alarm => &["alarm"],
        };
        let (name, at, message, help) = if !roots.contains(&read.variable.as_str()) {
            let message = format!("there is no `{}` here", short(&read.variable));
            if dashed(&scalar.text, scope)
                .is_some_and(|(name, _)| name.split('-').skip(1).any(|part| part == read.variable))
            {
                // The end of a name with dashes: its beginning is told of already.
                return;
            }
            let help = did_you_mean(&read.variable, roots.iter().copied()).unwrap_or_else(|| {
                match (scope, read.variable.as_str()) {
                    (Scope::Run { inputs, .. }, name) if inputs.contains(&name) => {
                        format!("an input is read as `inputs.{name}`")
                    }
                    (Scope::Run { steps, .. }, name) if steps.contains(&name) => {
                        format!("a step is read as `steps.{name}`")
                    }
                    (Scope::Run { .. }, "alarm") => {
                        "the alarm is there in `on` only: give what is needed of it to an input, in `with`".to_owned()
                    }
                    _ => format!("there are: {}", roots.join(", ")),
                }
            });
            (&read.variable, read.at, message, help)
        } else {
            let Some((key, message, help)) = missing(read, scope, &scalar.text) else { return };
            (&key.name, key.at, message, help)
        };
        let span = self.span(node, scalar, offset, at, name.len());
        self.error("unknown-name", span, message).help(help);
    }
}

/// The bytes of the word or operator at the start of a text, at least 1.
fn token(text: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let sign = |c: char| "&|=<>!+-*/%".contains(c);
    let end = match text.chars().next() {
        Some(c) if sign(c) => text.find(|c| !sign(c)),
        _ => text.find(|c| !word(c)),
    };
    end.unwrap_or(text.len()).max(1)
}

/// The first key of a read that names nothing.
fn missing<'r>(read: &'r Read, scope: Scope, text: &str) -> Option<(&'r script::Key, String, String)> {
    let first = read.keys.first()?;
    let among = |key: &'r script::Key, of: &str, known: &[&str]| {
        let help = did_you_mean(&key.name, known.iter().copied()).unwrap_or_else(|| match known {
            [] => format!("`{of}` is empty"),
            known => format!("there are: {}", short_list(known)),
        });
        Some((key, format!("`{of}` has no `{}`", short(&key.name)), help))
            .filter(|_| !known.contains(&key.name.as_str()))
    };
    match scope {
        Scope::Alarm => among(first, "alarm", &ALARM_FIELDS),
        Scope::Run { inputs, steps, before } => match read.variable.as_str() {
            "run" => among(first, "run", &RUN_FIELDS),
            "inputs" => match dashed(text, scope).filter(|_| !inputs.contains(&first.name.as_str())) {
                Some((_, help)) => Some((first, format!("`inputs` has no `{}`", short(&first.name)), help)),
                None => among(first, "inputs", inputs),
            },
            _ => match steps.iter().position(|id| *id == first.name) {
                Some(at) if at < before => {
                    read.keys.get(1).and_then(|key| among(key, &format!("steps.{}", first.name), &STEP_FIELDS))
                }
                Some(at) if at == before => Some((
                    first,
                    format!("`{}` is this step itself", first.name),
                    "a step reads the steps before it".to_owned(),
                )),
                Some(_) => Some((
                    first,
                    format!("the step `{}` comes later", first.name),
                    "a step reads the steps before it: move this step behind that one".to_owned(),
                )),
                None => {
                    let message = format!("there is no step `{}`", short(&first.name));
                    let earlier = &steps[..before];
                    let help = dashed(text, scope).map(|(_, help)| help);
                    let help = help.or_else(|| did_you_mean(&first.name, earlier.iter().copied()));
                    let help = help.unwrap_or_else(|| match earlier {
                        [] => "no step comes before".to_owned(),
                        earlier => format!("before it come: {}", short_list(earlier)),
                    });
                    Some((first, message, help))
                }
            },
        },
    }
}

/// A name with dashes that is written behind a dot, which reads as a subtraction; with the help for it.
fn dashed<'s>(text: &str, scope: Scope<'s>) -> Option<(&'s str, String)> {
    let Scope::Run { inputs, steps, .. } = scope else { return None };
    let with = |root: &str, names: &[&'s str]| {
        let written = |name: &&&str| name.contains('-') && text.contains(&format!("{root}.{name}"));
        let name = names.iter().filter(written).max_by_key(|name| name.len())?;
        Some((*name, format!("`-` is minus; a name with dashes is read like this: {root}[\"{name}\"]")))
    };
    with("steps", steps).or_else(|| with("inputs", inputs))
}

fn short_list(names: &[&str]) -> String {
    const MOST: usize = 10;
    let shown = names.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown}, …") } else { shown }
}
