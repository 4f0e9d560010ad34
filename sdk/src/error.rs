//! How an action fails, and what remains of it.

use std::{fmt, time::Duration};

use serde_json::Value;

/// The result of an action.
pub type Result<T> = std::result::Result<T, Error>;

/// What remains of an action that failed: it decides whether the engine tries again, undoes, or asks a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The plugin has no such action.
    UnknownAction,
    /// The input is wrong. Nothing happened.
    InvalidInput,
    /// A capability that the call needs was refused. Nothing happened.
    Denied,
    /// Nothing happened; it may work later.
    Transient,
    /// Nothing happened; it will not work later.
    Permanent,
    /// It failed on the way and effects may remain: undo applies.
    Partial,
    /// The effect may or may not have happened.
    UnknownOutcome,
    /// The step was cancelled before anything happened.
    Cancelled,
}

/// A failed action: what remains, and why.
///
/// The message is for people: a lowercase fragment that fits after "could not do it: ", and never with a
/// secret in it. The code is for machines, for example `http.429`.
///
/// ```
/// use runwright_sdk::Error;
/// let error = Error::transient("the service answered 429").code("http.429");
/// assert_eq!(error.to_string(), "the service answered 429");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Error(Box<Failure>);

#[derive(Debug, Clone, PartialEq)]
struct Failure {
    kind: ErrorKind,
    message: String,
    code: Option<String>,
    details: Option<Value>,
    retry_after: Option<Duration>,
}

impl Error {
    /// An error that leaves behind what `kind` says.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Failure { kind, message: message.into(), code: None, details: None, retry_after: None }))
    }

    /// The input is wrong. Nothing happened.
    pub fn invalid_input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// A capability was refused. Nothing happened.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Denied, message)
    }

    /// Nothing happened; it may work later.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Transient, message)
    }

    /// Nothing happened; it will not work later.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permanent, message)
    }

    /// It failed on the way; effects may remain.
    pub fn partial(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Partial, message)
    }

    /// The effect may or may not have happened.
    pub fn unknown_outcome(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::UnknownOutcome, message)
    }

    /// The step was cancelled before anything happened.
    pub fn cancelled() -> Self {
        Self::new(ErrorKind::Cancelled, "cancelled")
    }

    /// The same with a code for machines.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// The same with details for machines.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.0.details = Some(details);
        self
    }

    /// The same with the time to wait before the next attempt; counts only for a transient error.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The same with `what` in front of the message.
    #[must_use]
    pub fn context(mut self, what: impl fmt::Display) -> Self {
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// The same for a call that had already acted: "nothing happened" becomes [`ErrorKind::Partial`].
    ///
    /// The conversions from a capability's error know nothing of what the action did before, so say it.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        if self.0.kind != ErrorKind::UnknownOutcome {
            self.0.kind = ErrorKind::Partial;
        }
        self
    }

    /// What remains.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The code for machines.
    pub fn code_text(&self) -> Option<&str> {
        self.0.code.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {}

/// What the engine is told.
impl From<Error> for crate::bindings::runwright::plugin::types::PluginError {
    fn from(error: Error) -> Self {
        use crate::bindings::runwright::plugin::types::{ErrorInfo, TransientError};
        let error = *error.0;
        let retry_after_ms = error.retry_after.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        let info = ErrorInfo {
            message: error.message,
            code: error.code,
            details: error.details.map(|details| details.to_string()),
        };
        match error.kind {
            ErrorKind::UnknownAction => Self::UnknownAction(info.message),
            ErrorKind::InvalidInput => Self::InvalidInput(info),
            ErrorKind::Denied => Self::Denied(info),
            ErrorKind::Transient => Self::Transient(TransientError { error: info, retry_after_ms }),
            ErrorKind::Permanent => Self::Permanent(info),
            ErrorKind::Partial => Self::Partial(info),
            ErrorKind::UnknownOutcome => Self::UnknownOutcome(info),
            ErrorKind::Cancelled => Self::Cancelled,
        }
    }
}
