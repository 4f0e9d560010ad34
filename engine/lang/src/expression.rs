//! Expressions in a runbook: they compile, and what they read is there.

use std::ops::Range;

use runwright_core::short;
use saphyr_parser::ScalarStyle;
use script::{At, Names, Part, Read};

use crate::characters;
use crate::check::Check;
use crate::node::{Kind, Node, Scalar};
use crate::place::raw_offset;
use crate::scope::{Scope, dashed, missing, part_of_dashed};

impl Check<'_> {
    /// Every `${{ }}` in the texts of a value.
    pub(crate) fn template(&mut self, node: &Node, scope: Scope) {
        match &node.kind {
            Kind::Scalar(scalar) if node.text().is_some() => {
                self.braces(node, scalar, scope);
                match script::parts(&scalar.text) {
                    Ok(parts) => {
                        let is_joined = parts.len() > 1;
                        for part in parts {
                            if let Part::Expression { text, offset } = part {
                                self.expression_at(node, scalar, text, offset, scope);
                                if is_joined {
                                    self.joined(node, scalar, text, offset);
                                }
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

    fn expression_at(&mut self, node: &Node, scalar: &Scalar, text: &str, offset: usize, scope: Scope) {
        match self.engine.check_expression(text) {
            Ok(names) => self.names(node, scalar, offset, &names, scope),
            Err(error) => self.script_error(node, scalar, offset, &error, scope),
        }
    }

    /// What a text reads is there, and so is what it calls.
    pub(crate) fn names(&mut self, node: &Node, scalar: &Scalar, offset: usize, names: &Names, scope: Scope) {
        names.iter().for_each(|read| self.read(node, scalar, offset, read, scope));
        let engine = self.engine;
        for wrong in engine.wrong_calls(names) {
            if self.full() {
                return;
            }
            let span = self.span(node, scalar, offset, At { line: wrong.line, column: wrong.column }, 0);
            self.error("unknown-function", span, wrong.message).help = wrong.hint;
        }
    }

    pub(crate) fn script_error(
        &mut self,
        node: &Node,
        scalar: &Scalar,
        offset: usize,
        error: &script::Error,
        scope: Scope,
    ) {
        if self.full() {
            return;
        }
        let span = self.span(node, scalar, offset, At { line: error.line, column: error.column }, 0);
        let sign = self.source.text.get(span.start..).and_then(|rest| rest.chars().next());
        let sign = span.start..span.start + sign.map_or(0, char::len_utf8);
        if let Some(odd) = characters::first(self.source, sign) {
            let message = format!("{} can't stand in an expression", odd.named());
            self.error("character", odd.at.clone(), message).help(odd.help());
            return;
        }
        let hint = dashed(&scalar.text, scope).map(|(_, help)| help);
        let hint = hint.or_else(|| self.comment(node, scalar)).or(error.hint.clone());
        let usual = "expressions look like this: inputs.count > 2 && !steps.test.succeeded";
        let found = self.error("expression", span, error.message.clone());
        found.help = hint.or_else(|| (error.reason == script::Reason::Syntax).then(|| usual.to_owned()));
    }

    /// The help for text that YAML cut off: a `#` behind a space begins a comment where there are no quotes, and maps of
    /// expressions begin with one.
    fn comment(&self, node: &Node, scalar: &Scalar) -> Option<String> {
        let behind = self.source.text.get(node.span.end..)?.trim_start_matches(' ');
        let cut = scalar.style == ScalarStyle::Plain && behind.starts_with("#{");
        cut.then(|| {
            "` #` begins a comment here: put the text in quotes, or behind a `|` on lines of its own".to_owned()
        })
    }

    /// The bytes of the file at which a place in an expression stands. `offset` is where the expression begins in the
    /// text of the scalar; a length of 0 means the word there.
    pub(crate) fn span(&self, node: &Node, scalar: &Scalar, offset: usize, at: At, length: usize) -> Range<usize> {
        let begin = byte(scalar, offset, at);
        let length = if length == 0 { token(&scalar.text[begin..]) } else { length };
        let start = self.raw(node, scalar, begin);
        start..start + length
    }

    /// The byte of the file at which the byte at `offset` of a scalar's text stands.
    pub(crate) fn raw(&self, node: &Node, scalar: &Scalar, offset: usize) -> usize {
        let raw = self.source.text.get(node.span.clone()).unwrap_or_default();
        node.span.start + raw_offset(raw, scalar, offset)
    }

    pub(crate) fn read(&mut self, node: &Node, scalar: &Scalar, offset: usize, read: &Read, scope: Scope) {
        if read.variable == "steps" {
            self.steps_read.extend(scope.steps_in(read).map(str::to_owned));
        }
        if self.full() {
            return;
        }
        self.error_as_text(node, scalar, offset, read);
        let (name, at, message, help) = if !scope.roots().contains(&read.variable.as_str()) {
            let message = format!("there is no `{}` here", short(&read.variable));
            if dashed(&scalar.text, scope)
                .is_some_and(|(name, _)| name.split('-').skip(1).any(|part| part == read.variable))
            {
                // The end of a name with dashes: its beginning is told of already.
                return;
            }
            let part = part_of_dashed(&scalar.text, byte(scalar, offset, read.at));
            (&read.variable, read.at, message, part.unwrap_or_else(|| scope.help(&read.variable)))
        } else {
            let Some((key, message, help)) = missing(read, scope, &scalar.text) else { return };
            (&key.name, key.at, message, help)
        };
        let span = self.span(node, scalar, offset, at, name.len());
        self.error("unknown-name", span, message).help(help);
    }
}

/// The byte of the scalar's text at which a place in an expression stands that begins at `offset`.
fn byte(scalar: &Scalar, offset: usize, at: At) -> usize {
    let text = &scalar.text[offset..];
    let line: usize = text.split_inclusive('\n').take(at.line - 1).map(str::len).sum();
    let inside: usize = text[line..].chars().take(at.column - 1).map(char::len_utf8).sum();
    offset + line + inside
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
