//! Why a body is no list of alarms.

use std::fmt;

/// What is wrong with a body, where in it, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Where: a path such as `alerts[2].startsAt`, or `line 3, column 7` for text that is not JSON; may be empty.
    pub at: String,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Error {
    pub(crate) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.at.is_empty() {
            write!(f, "{}: ", self.at)?;
        }
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}
