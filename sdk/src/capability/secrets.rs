//! Named secrets that the operator granted.

use std::fmt;

use super::host;
use crate::bindings::runwright::plugin::secrets::SecretError;

/// A secret: shown only by [`expose`](Secret::expose), never by `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself. Put it in no log line, error, output or undo-data.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secret called `name`.
///
/// # Errors
///
/// When it is not granted, or nobody stored it.
pub fn get(name: &str) -> Result<Secret, Error> {
    host::secrets::get(name).map(Secret).map_err(|error| match error {
        SecretError::Denied => Error::Denied(name.into()),
        SecretError::Missing => Error::Missing(name.into()),
        SecretError::Failed(why) => Error::Failed(why),
    })
}

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The secret of this name is not granted.
    Denied(String),
    /// The secret of this name is granted, but there is no value where the grant says.
    Missing(String),
    /// It could not be read.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(name) => write!(f, "the secret {name} is not granted"),
            Self::Missing(name) => write!(f, "the secret {name} has no value"),
            Self::Failed(why) => write!(f, "the secret could not be read: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Denied(_) => Self::denied(text).code("secret.denied"),
            Error::Missing(_) => Self::permanent(text).code("secret.missing"),
            Error::Failed(_) => Self::transient(text).code("secret.failed"),
        }
    }
}
