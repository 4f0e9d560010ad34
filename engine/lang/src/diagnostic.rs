//! What is wrong with a text, and where.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::limits;

/// Something wrong or doubtful at one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The kind of trouble, for machines, for example `unknown-key`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: a lowercase fragment.
    pub message: String,
    /// The file, as it was named to [`parse`](crate::parse).
    pub file: String,
    /// The bytes that it is about.
    pub span: Range<usize>,
    /// The line at which they begin, from 1.
    pub line: usize,
    /// The column at which they begin, from 1, in characters.
    pub column: usize,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It can't be run.
    Error,
    /// It can, but something is doubtful.
    Warning,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `file:line:column: error: message`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}: {}", self.file, self.line, self.column, self.severity.as_str(), self.message)
    }
}

impl Diagnostic {
    pub(crate) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.notes.push(note.into());
        self
    }
}

/// What a runbook without errors says that may be meant otherwise (numbers, characters), in one line for people who do not look
/// at the file: the first, with its line and column, and how many more there are.
pub fn doubts(diagnostics: &[Diagnostic]) -> Option<String> {
    let doubts: Vec<&Diagnostic> =
        diagnostics.iter().filter(|diagnostic| matches!(diagnostic.code, "number" | "character")).collect();
    let first = doubts.first()?;
    let Diagnostic { line, column, message, .. } = first;
    let more = match doubts.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more of the kind"),
    };
    Some(format!("at {line}:{column}, {message}{more}"))
}

/// The diagnostics in the order of the text, at most [`limits::DIAGNOSTICS`] of them; a note says that more follow.
pub(crate) fn bounded(mut all: Vec<Diagnostic>) -> Vec<Diagnostic> {
    all.sort_by_key(|diagnostic| diagnostic.span.start);
    let more = all.len().saturating_sub(limits::DIAGNOSTICS);
    all.truncate(limits::DIAGNOSTICS);
    if more > 0
        && let Some(last) = all.last_mut()
    {
        last.note("more errors follow");
    }
    all
}
