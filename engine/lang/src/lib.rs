//! Runbook text to a checked [`Runbook`], with every diagnostic at once.
//!
//! ```
//! let engine = script::Engine::new(script::Limits::default());
//! let text = b"name: hello\nsteps:\n  - id: greet\n    scrpt: 1 + 1\n";
//! let parsed = lang::parse("hello.yaml", text, None, &engine);
//! assert!(parsed.runbook.is_none());
//! assert_eq!(parsed.diagnostics[0].to_string(), "hello.yaml:4:5: error: unknown key `scrpt` in a step");
//! assert_eq!(parsed.diagnostics[0].help.as_deref(), Some("did you mean `script`?"));
//! ```
//!
//! **Invariant:** parsing never panics and never takes more than a bounded time, whatever the bytes are; a runbook comes
//! out only where there is no error.

mod action;
mod acts;
mod approve;
mod braces;
mod called;
mod characters;
mod check;
mod defaults;
mod diagnostic;
mod document;
mod editor;
mod expression;
mod failing;
mod foreign;
mod groups;
mod input;
mod known;
mod lock;
mod node;
mod numbers;
mod place;
mod render;
mod runbook;
mod scalar;
mod schema;
mod scope;
mod source;
mod step;
mod syntax;
mod toml_tree;
mod tree;
mod trigger;
mod typed;
mod types;
mod undo;
mod wait;

use std::collections::BTreeSet;

use runwright_core::{Catalog, Runbook, Value};

pub use diagnostic::{Diagnostic, Severity, doubts};
pub use document::Toml;
pub use editor::editor_schema;
pub use render::render;

/// The bounds of a runbook file.
pub mod limits {
    /// Bytes of a file.
    pub const FILE_BYTES: usize = 1024 * 1024;
    /// Values in a file.
    pub const NODES: usize = 20_000;
    /// Lists and maps inside each other.
    pub const DEPTH: usize = 32;
    /// Bytes of one text.
    pub const SCALAR_BYTES: usize = 64 * 1024;
    /// Steps in one list.
    pub const STEPS: usize = 500;
    /// Steps inside each other.
    pub const DEPTH_OF_STEPS: usize = 8;
    /// Steps of all runbooks that one calls.
    pub const CALLED_STEPS: usize = 10_000;
    /// Bytes of all runbooks that one calls, in the form in which runs keep them.
    pub const CALLED_BYTES: usize = 4 * 1024 * 1024;
    /// Diagnostics of one file; of further ones only their being there is told.
    pub const DIAGNOSTICS: usize = 100;
}

/// What became of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The checked runbook; none where there is an error.
    pub runbook: Option<Runbook>,
    /// What is wrong or doubtful, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The names of the runbooks that its steps call, also where there are none of that name.
    pub calls: BTreeSet<String>,
}

/// Checks the runbook in `bytes`; `name` is what diagnostics call the file.
///
/// Without a catalog neither actions nor other runbooks are looked at: what comes out is no runbook to run.
pub fn parse(name: &str, bytes: &[u8], catalog: Option<&Catalog>, engine: &script::Engine) -> Parsed {
    let text = match source::text(name, bytes) {
        Ok(text) => text,
        Err(diagnostic) => return Parsed { runbook: None, diagnostics: vec![*diagnostic], calls: BTreeSet::new() },
    };
    let source = source::Source::new(name, text);
    let mut check = check::Check::new(&source, catalog, engine);
    let runbook = tree::tree(&mut check).and_then(|root| check.runbook(&root));
    let calls = std::mem::take(&mut check.calls);
    let diagnostics = check.finish();
    Parsed { runbook: runbook.filter(|_| sound(&diagnostics)), diagnostics, calls }
}

fn sound(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error)
}

/// The value of a YAML text that is no runbook, for example an inventory, within the same bounds; null where it is empty.
pub fn value(name: &str, bytes: &[u8], engine: &script::Engine) -> Result<Value, Vec<Diagnostic>> {
    let text = source::text(name, bytes).map_err(|diagnostic| vec![*diagnostic])?;
    let source = source::Source::new(name, text);
    let mut check = check::Check::new(&source, None, engine);
    let value = tree::tree(&mut check).map(|root| root.value());
    let diagnostics = check.finish();
    value.filter(|_| sound(&diagnostics)).ok_or(diagnostics)
}

/// What a YAML text that is no runbook says, as a type that serde knows: for files with a shape of their own, within
/// the same bounds. An error has everything that does not fit, each with its place.
///
/// ```
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Cases {
///     cases: Vec<String>,
/// }
/// let engine = script::Engine::new(script::Limits::default());
/// let cases: Cases = lang::typed("cases.yaml", b"cases: [a, b]", &engine).unwrap();
/// assert_eq!(cases.cases.len(), 2);
/// let wrong = lang::typed::<Cases>("cases.yaml", b"case: [a]", &engine).map(|_| ()).unwrap_err();
/// assert_eq!(wrong[0].to_string(), "cases.yaml:1:1: error: unknown key `case`");
/// assert_eq!(wrong[0].help.as_deref(), Some("did you mean `cases`?"));
/// ```
pub fn typed<T: serde::de::DeserializeOwned>(
    name: &str,
    bytes: &[u8],
    engine: &script::Engine,
) -> Result<T, Vec<Diagnostic>> {
    let text = source::text(name, bytes).map_err(|diagnostic| vec![*diagnostic])?;
    let source = source::Source::new(name, text);
    let mut check = check::Check::new(&source, None, engine);
    let read = tree::tree(&mut check).map(typed::read);
    let mut diagnostics = check.finish();
    let value = match read {
        Some(Ok(value)) => Some(value),
        Some(Err(misfits)) => {
            diagnostics.extend(misfits.into_iter().map(|misfit| document::shape(&source, misfit)));
            None
        }
        None => None,
    };
    value.filter(|_| sound(&diagnostics)).ok_or_else(|| diagnostic::bounded(diagnostics))
}
