//! Files with a shape of their own, read through serde: every misfit at once, each with its place.

use std::ops::Range;

use serde::de::DeserializeOwned;

use crate::node::{Kind, Node};
use crate::source::{self, Source};
use crate::typed::{self, Misfit};
use crate::{Diagnostic, diagnostic, toml_tree};

/// A TOML file with the places of its values.
pub struct Toml<'a> {
    source: Source<'a>,
    root: Node,
}

impl<'a> Toml<'a> {
    /// The file in `bytes`; `name` is what diagnostics call it. An error has everything that is wrong with its syntax.
    pub fn read(name: &'a str, bytes: &'a [u8]) -> Result<Self, Vec<Diagnostic>> {
        let text = source::text(name, bytes).map_err(|diagnostic| vec![*diagnostic])?;
        let source = Source::new(name, text);
        let mut diagnostics = Vec::new();
        let root = toml_tree::tree(&source, &mut diagnostics);
        if diagnostics.is_empty() { Ok(Self { source, root }) } else { Err(diagnostic::bounded(diagnostics)) }
    }

    /// What it says, as a type that serde knows. An error has everything that does not fit.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T, Vec<Diagnostic>> {
        let told = |misfits: Vec<Misfit>| misfits.into_iter().map(|misfit| shape(&self.source, misfit)).collect();
        typed::read(self.root.clone()).map_err(|misfits| diagnostic::bounded(told(misfits)))
    }

    /// An error about the value at `path`, keys and the numbers of list items; if there is none, about the nearest value
    /// around it.
    pub fn error(&self, code: &'static str, path: &[&str], message: impl Into<String>) -> Diagnostic {
        self.source.error(code, self.span(path), message)
    }

    /// The place of the value at `path`, or of the nearest one around it.
    pub fn span(&self, path: &[&str]) -> Range<usize> {
        let (mut node, mut span) = (&self.root, self.root.span.clone());
        for part in path {
            let inner = match &node.kind {
                Kind::Map(entries) => entries.iter().find(|entry| entry.key == *part).map(|entry| &entry.value),
                Kind::List(items) => part.parse().ok().and_then(|place: usize| items.get(place)),
                Kind::Scalar(_) | Kind::Broken => None,
            };
            let Some(inner) = inner else { break };
            (node, span) = (inner, inner.span.clone());
        }
        span
    }
}

/// The diagnostic of a misfit.
pub(crate) fn shape(source: &Source<'_>, misfit: Misfit) -> Diagnostic {
    let mut error = source.error("shape", misfit.span.unwrap_or(0..0), misfit.message);
    error.help = misfit.help;
    error
}
