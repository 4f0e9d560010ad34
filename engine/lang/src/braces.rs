//! Text that was meant as an expression: `{{ inputs.vm }}` and `${inputs.vm}` stay as they are.

use crate::check::Check;
use crate::input::dotted;
use crate::node::{Node, Scalar};
use crate::scope::Scope;

impl Check<'_> {
    /// Warns of braces around what looks like a name of this place.
    pub(crate) fn braces(&mut self, node: &Node, scalar: &Scalar, scope: Scope) {
        for (at, length, inner) in braced(&scalar.text) {
            if self.full() {
                return;
            }
            let Some(meant) = meant(inner, scope) else { continue };
            let written = &scalar.text[at..at + length];
            let start = self.raw(node, scalar, at);
            let warning =
                self.warning("braces", start..start + length, format!("`{written}` is text here, and stays as it is"));
            warning.help(format!("an expression is written `${{{{ {meant} }}}}`"));
        }
    }
}

/// Every `{{ … }}` and `${ … }` on one line, where it stands, and what is in it.
fn braced(text: &str) -> Vec<(usize, usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find('{').map(|next| next + at) {
        let behind_dollar = text[..next].ends_with('$');
        let (open, close) = if text[next..].starts_with("{{") { ("{{", "}}") } else { ("{", "}") };
        at = next + open.len();
        let Some(length) = text[at..].find(close) else { continue };
        let inner = &text[at..at + length];
        // `${{ … }}` is an expression, and `{ … }` nothing.
        if behind_dollar == (open == "{") && !inner.contains('\n') {
            let begin = next - usize::from(behind_dollar);
            found.push((begin, at + length + close.len() - begin, inner.trim()));
        }
    }
    found
}

/// The expression that was meant, where `inner` is a name of this place, alone or with what is in it.
fn meant(inner: &str, scope: Scope) -> Option<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if inner.is_empty() || !inner.chars().all(word) {
        return None;
    }
    let first = inner.split('.').next().unwrap_or_default();
    if scope.roots().contains(&first) {
        return Some(inner.to_owned());
    }
    scope.input(inner).map(|name| format!("inputs.{}", dotted(name)))
}
