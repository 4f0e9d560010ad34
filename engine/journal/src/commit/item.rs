//! The items that the contents of a frame are made of: a kind (1 byte), a length (4 bytes, little-endian) and that
//! many bytes.

use runwright_core::{RunId, Timestamp, Value};
use serde::{Deserialize, Serialize};

use crate::Handled;
use crate::record::array;

/// Bytes before what an item holds.
pub(crate) const HEADER: usize = 5;

/// What an item is. A new kind is a new format: an older version refuses it by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Nothing: taken out of the batch.
    Void = 0,
    /// A record, encoded.
    Record = 1,
    /// A head, as JSON.
    Head = 2,
    /// A digest and the bytes that have it.
    Source = 3,
    /// A number (8 bytes) and a new inbox entry, as JSON.
    Accept = 4,
    /// What became of an inbox entry, as JSON.
    Handle = 5,
    /// A setting, as JSON.
    Meta = 6,
    /// The id of a run that is forgotten.
    Prune = 7,
    /// The key of an inbox entry that is forgotten.
    Forget = 8,
    /// A whole inbox entry, as JSON; only in a base.
    Entry = 9,
    /// What is lost of a run, as JSON; only in a base.
    Lost = 10,
    /// What a base holds: first and last item of it, as JSON.
    Base = 11,
    /// Ids (16 bytes) and last sequence numbers (8 bytes) of the runs in a base, one after the other.
    Index = 12,
}

impl Kind {
    /// The newest kind that this version knows.
    pub(crate) const LAST: u8 = 12;

    const ALL: [Self; 13] = [
        Self::Void,
        Self::Record,
        Self::Head,
        Self::Source,
        Self::Accept,
        Self::Handle,
        Self::Meta,
        Self::Prune,
        Self::Forget,
        Self::Entry,
        Self::Lost,
        Self::Base,
        Self::Index,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Accept<V> {
    pub(crate) key: String,
    pub(crate) at: Timestamp,
    pub(crate) payload: V,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Handle {
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) handled: Handled,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Meta {
    name: String,
    value: Option<Value>,
    /// Tells the value `null` from none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    null: bool,
}

impl Meta {
    pub(crate) fn new(name: String, value: Option<Value>) -> Self {
        let null = value == Some(Value::Null);
        Self { name, value, null }
    }

    /// The name and the value; none where the setting was removed.
    pub(crate) fn into_parts(self) -> (String, Option<Value>) {
        (self.name, if self.null { Some(Value::Null) } else { self.value })
    }
}

/// What is lost of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Lost {
    /// The first record that is lost.
    pub(crate) seq: u64,
    /// How, for people.
    pub(crate) what: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct LostRun {
    pub(crate) run: RunId,
    #[serde(flatten)]
    pub(crate) lost: Lost,
}

/// Appends an item and gives where it begins.
pub(crate) fn write<E>(
    out: &mut Vec<u8>,
    kind: Kind,
    contents: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<usize, E> {
    let start = out.len();
    out.extend_from_slice(&[kind as u8, 0, 0, 0, 0]);
    contents(out)?;
    let length = u32::try_from(out.len() - start - HEADER).unwrap_or(u32::MAX);
    out[start + 1..start + HEADER].copy_from_slice(&length.to_le_bytes());
    Ok(start)
}

/// One item that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item<'a> {
    pub(crate) kind: Result<Kind, u8>,
    pub(crate) bytes: &'a [u8],
    /// Where its bytes begin in the contents of its frame.
    pub(crate) at: usize,
}

/// The items of a frame's contents; an error where one ends too early.
pub(crate) fn items(contents: &[u8]) -> impl Iterator<Item = Result<Item<'_>, String>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= contents.len() {
            return None;
        }
        let read = || {
            let header = contents.get(at..at + HEADER)?;
            let end = at + HEADER + u32::from_le_bytes(array(&header[1..])) as usize;
            let bytes = contents.get(at + HEADER..end)?;
            Some(Item { kind: Kind::from_byte(header[0]).ok_or(header[0]), bytes, at: at + HEADER })
        };
        let found = read().ok_or_else(|| format!("the item at {at} ends too early"));
        at = found.as_ref().map_or(contents.len(), |item| item.at + item.bytes.len());
        Some(found)
    })
}
