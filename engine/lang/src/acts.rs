//! Scripts, and the actions that they call.

use std::ops::Range;

use runwright_core::{ActionName, Value, Work};
use saphyr_parser::ScalarStyle;
use script::{Form, Literal, Names};

use crate::check::Check;
use crate::node::{Entry, Kind, Node, Scalar};
use crate::schema::{Given, GivenBy};
use crate::scope::Scope;

impl Check<'_> {
    /// The work of a step with `script`. One that undoes a step reaches nothing outside.
    pub(crate) fn script(&mut self, entry: &Entry, with: Option<&Entry>, scope: Scope, undoes: bool) -> Option<Work> {
        if let Some(with) = with {
            let error = self.error("bad-value", with.at.clone(), "`with` belongs to `uses`");
            error.help("a script reads `inputs` and `steps` by itself");
        }
        let node = &entry.value;
        let source = self.text(node)?.to_owned();
        let Kind::Scalar(scalar) = &node.kind else { return None };
        let mut acts = Vec::new();
        match self.engine.check_script(&source) {
            Ok(names) => {
                self.names(node, scalar, 0, &names, scope);
                match undoes {
                    true => self.no_calls(node, scalar, &names),
                    false => acts = self.acts(node, scalar, &names),
                }
            }
            Err(error) => self.script_error(node, scalar, 0, &error, scope),
        }
        Some(Work::Script { source, acts, line: self.first_line(node, scalar) })
    }

    /// The actions that the script calls, each once.
    fn acts(&mut self, node: &Node, scalar: &Scalar, names: &Names) -> Vec<ActionName> {
        let mut acts = Vec::new();
        for (text, call) in names.acts().take_while(|_| !self.full()).collect::<Vec<_>>() {
            let span = self.span(node, scalar, 0, call.at, text.len() + 2);
            let Some(action) = self.action_name(text, span.clone()) else { continue };
            let facts = self.catalog.and_then(|catalog| catalog.get(&action));
            let written = call.input.as_ref().map(|input| self.written(node, scalar, input));
            let known = written.as_ref().is_none_or(|written| matches!(written.kind, Kind::Map(_)));
            if let Some(facts) = facts.filter(|_| known) {
                let given = Given { node: written.as_ref(), missing: span, by: GivenBy::Script };
                self.fits(&action, &facts.input_schema, given);
            }
            if !acts.contains(&action) {
                acts.push(action);
            }
        }
        acts
    }

    /// What is written out in a script, as a value with its places; what only the run will know is broken.
    fn written(&self, node: &Node, scalar: &Scalar, literal: &Literal) -> Node {
        let (kind, length) = match &literal.form {
            Form::Open => (Kind::Broken, 0),
            Form::Value(Value::String(text)) => {
                let scalar = Scalar { text: text.clone(), style: ScalarStyle::DoubleQuoted };
                (Kind::Scalar(scalar), text.len() + 2)
            }
            Form::Value(value) => {
                (Kind::Scalar(Scalar { text: value.to_string(), style: ScalarStyle::Plain }), value.to_string().len())
            }
            Form::List(items) => (Kind::List(items.iter().map(|item| self.written(node, scalar, item)).collect()), 0),
            Form::Map(entries) => {
                let entry = |(key, value): &(script::Key, Literal)| Entry {
                    key: key.name.clone(),
                    at: self.span(node, scalar, 0, key.at, 0),
                    value: self.written(node, scalar, value),
                };
                (Kind::Map(entries.iter().map(entry).collect()), 0)
            }
        };
        Node { kind, span: self.span(node, scalar, 0, literal.at, length) }
    }

    /// The line of the file on which the text of a script begins, where each of its lines is one of the file.
    fn first_line(&self, node: &Node, scalar: &Scalar) -> Option<u32> {
        let as_it_stands = scalar.style == ScalarStyle::Literal || !scalar.text.trim_end().contains('\n');
        let (line, _) = self.source.place(self.raw(node, scalar, 0));
        u32::try_from(line).ok().filter(|_| as_it_stands)
    }

    fn no_calls(&mut self, node: &Node, scalar: &Scalar, names: &Names) {
        for call in names.calls() {
            let span: Range<usize> = self.span(node, scalar, 0, call.at, 0);
            let message = format!("`{}` is not available in an `undo`", call.function);
            let error = self.error("expression", span, message);
            error.help(match call.action {
                Some(_) => "call one action, with `uses` in the `undo`",
                None => "let the step give it as its output, and read it from there",
            });
        }
    }
}
