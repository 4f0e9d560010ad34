//! Scripts, and the actions that they call.

use std::ops::Range;

use runwright_core::{ActionName, Work};
use script::Names;

use crate::check::Check;
use crate::node::{Entry, Kind, Node, Scalar};
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
                names.iter().for_each(|read| self.read(node, scalar, 0, read, scope));
                match undoes {
                    true => self.no_calls(node, scalar, &names),
                    false => acts = self.acts(node, scalar, &names),
                }
            }
            Err(error) => self.script_error(node, scalar, 0, &error, scope),
        }
        Some(Work::Script { source, acts })
    }

    /// The actions that the script calls, each once.
    fn acts(&mut self, node: &Node, scalar: &Scalar, names: &Names) -> Vec<ActionName> {
        let mut acts = Vec::new();
        for (text, at) in names.acts().take_while(|_| !self.full()).collect::<Vec<_>>() {
            let span = self.span(node, scalar, 0, at, text.len() + 2);
            let action = self.action_name(text, span);
            acts.extend(action.filter(|action| !acts.contains(action)));
        }
        acts
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
