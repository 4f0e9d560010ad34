//! What stands in the inbox.

use runwright_core::{By, Digest, Value};
use serde::{Deserialize, Serialize};
use trigger::{Alarm, Refused};

use crate::Error;

/// An alert that can't be read is kept up to this, in bytes of JSON.
const UNREADABLE_BYTES_MAX: usize = 64 * 1024;

/// The payload of an inbox entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Item {
    Again(Again),
    Unreadable(Unreadable),
    Alarm(Box<Alarm>),
}

/// What could not be started for an alarm is to be tried again.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Again {
    /// The key of the alarm's entry.
    pub(super) again: String,
    /// Only what failed because of the engine.
    pub(super) transient_only: bool,
    /// Who asked; none where the alarm came again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<By>,
}

/// An alert that can't be read, for people.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unreadable {
    /// The alert as it was sent; its beginning as text where it is large.
    unreadable: Value,
    /// What is wrong with it, and where.
    pub(super) problem: String,
}

impl Item {
    pub(super) fn payload(&self) -> Result<Value, Error> {
        serde_json::to_value(self).map_err(|error| Error::Internal(error.to_string()))
    }

    /// The entry that keeps an alert which can't be read: its key, and the item.
    pub(super) fn unreadable(refused: Refused) -> (String, Self) {
        let mut text = refused.alert.to_string();
        let digest = Digest::of(text.as_bytes()).to_string();
        let name = digest.rsplit(':').next().unwrap_or_default();
        let key = format!("unreadable/{}", &name[..name.len().min(16)]);
        let unreadable = if text.len() > UNREADABLE_BYTES_MAX {
            text.truncate(text.floor_char_boundary(UNREADABLE_BYTES_MAX));
            Value::String(text)
        } else {
            refused.alert
        };
        (key, Self::Unreadable(Unreadable { unreadable, problem: refused.error.to_string() }))
    }
}
