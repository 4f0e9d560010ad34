//! Durable notes of the running step, kept over its attempts and restarts of the engine. Always granted.
//!
//! Note what the next attempt must know, for example the id of a job that was started, as soon as it is
//! known. A note is durable when [`set`] returns; between an effect and its note the engine may die.

use serde::{Serialize, de::DeserializeOwned};

use super::host;
use crate::{Error, Result, bindings::runwright::plugin::checkpoint::CheckpointError};

/// The note `key` of this step, as an earlier attempt or this one left it.
///
/// # Errors
///
/// [`ErrorKind::Transient`](crate::ErrorKind::Transient) when the journal can't be read, and
/// [`ErrorKind::Permanent`](crate::ErrorKind::Permanent) when the note does not fit `T`.
pub fn get<T: DeserializeOwned>(key: &str) -> Result<Option<T>> {
    let Some(bytes) = host::checkpoint::get(key)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::permanent(format!("checkpoint {key} is not valid: {error}")).code("checkpoint.invalid"))
}

/// Notes `value` under `key`.
///
/// # Errors
///
/// As for [`get`]; also [`ErrorKind::Permanent`](crate::ErrorKind::Permanent) for a value that is too large.
pub fn set<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<()> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Error::permanent(format!("checkpoint {key} has no JSON form: {error}")))?;
    Ok(host::checkpoint::set(key, &bytes)?)
}

/// The note `key` as the bytes that [`set_bytes`] noted.
///
/// # Errors
///
/// [`ErrorKind::Transient`](crate::ErrorKind::Transient) when the journal can't be read.
pub fn get_bytes(key: &str) -> Result<Option<Vec<u8>>> {
    Ok(host::checkpoint::get(key)?)
}

/// Notes bytes as they are: at most 4 KiB a note, and 64 notes a step.
///
/// # Errors
///
/// [`ErrorKind::Permanent`](crate::ErrorKind::Permanent) for what is too large.
pub fn set_bytes(key: &str, bytes: &[u8]) -> Result<()> {
    Ok(host::checkpoint::set(key, bytes)?)
}

/// Forgets the note `key`.
///
/// # Errors
///
/// As for [`get`].
pub fn remove(key: &str) -> Result<()> {
    Ok(host::checkpoint::remove(key)?)
}

impl From<CheckpointError> for Error {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::TooLarge => Self::permanent("the checkpoint is too large").code("checkpoint.too-large"),
            CheckpointError::Failed(why) => {
                Self::transient(format!("the checkpoint failed: {why}")).code("checkpoint.failed")
            }
        }
    }
}
