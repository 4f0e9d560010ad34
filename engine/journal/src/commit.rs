//! One batch as the bytes of its frame, with what the tables need of it beside them.
//!
//! The contents of a frame are items: a kind (1 byte), a length (4 bytes, little-endian) and so many bytes.

use runwright_core::{Digest, Head, RunId, Timestamp, Value};
use serde::{Deserialize, Serialize};

use crate::frame::{self, Position, RUNS_MAX, Touched};
use crate::record::{self, Hash, View, array};
use crate::{Batch, Entry, Error, Handled, InboxWrite};

/// A batch may take so many bytes of the log at most.
pub(crate) const BATCH_MAX: usize = 8 << 20;
const KEY_MAX: usize = 512;

const VOID: u8 = 0;
const RECORD: u8 = 1;
const HEAD: u8 = 2;
const SOURCE: u8 = 3;
const ACCEPT: u8 = 4;
const HANDLE: u8 = 5;
const META: u8 = 6;

/// One batch, encoded. What only the writer knows (hashes, numbers) is filled in by `admit` and [`Commit::seal`].
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) bytes: Vec<u8>,
    pub(crate) touched: Vec<Touched>,
    pub(crate) records: Vec<Slot>,
    pub(crate) heads: Vec<Head>,
    pub(crate) sources: Vec<(Digest, Vec<u8>)>,
    pub(crate) inbox: Vec<Change>,
    pub(crate) meta: Vec<(String, Option<Value>)>,
}

/// Where one record stands in a commit's bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) run: RunId,
    pub(crate) seq: u64,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) hash: Hash,
}

/// A change of the inbox.
#[derive(Debug)]
pub(crate) enum Change {
    /// A new entry; its item stands at `item`.
    Accept { entry: Entry, item: usize },
    /// An entry was dealt with.
    Handle { key: String, handled: Handled },
    /// What an entry is after either of them: all that is left when it is known what was there before.
    Put(Entry),
}

impl Change {
    /// The entry's key.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Accept { entry, .. } | Self::Put(entry) => &entry.key,
            Self::Handle { key, .. } => key,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Accept<V> {
    key: String,
    at: Timestamp,
    payload: V,
}

#[derive(Serialize, Deserialize)]
struct Handle {
    key: String,
    #[serde(flatten)]
    handled: Handled,
}

#[derive(Serialize, Deserialize)]
struct Meta<V> {
    name: String,
    value: Option<V>,
}

impl Commit {
    /// The batch, encoded and checked for what can be checked without the journal.
    pub(crate) fn encode(batch: Batch) -> Result<Self, Error> {
        let touched = touched(&batch)?;
        let mut commit = Self { touched, ..Self::default() };
        commit.bytes = Vec::with_capacity(512 + 512 * batch.records.len() + 512 * batch.heads.len());
        commit.bytes.resize(frame::contents_at(commit.touched.len()), 0);
        for record in &batch.records {
            let item = commit.item(RECORD, |out| record::encode(record, out))?;
            let slot =
                Slot { run: record.run, seq: record.seq, start: item + 5, end: commit.bytes.len(), hash: [0; 32] };
            commit.records.push(slot);
        }
        for head in batch.heads {
            commit.item(HEAD, |out| serde_json::to_writer(out, &head))?;
            commit.heads.push(head);
        }
        for (digest, bytes) in batch.sources {
            commit.item(SOURCE, |out| {
                out.extend_from_slice(&digest.bytes());
                out.extend_from_slice(&bytes);
                Ok(())
            })?;
            commit.sources.push((digest, bytes));
        }
        for write in batch.inbox {
            commit.inbox(write)?;
        }
        for (name, value) in batch.meta {
            commit.item(META, |out| serde_json::to_writer(out, &Meta { name: name.clone(), value: value.as_ref() }))?;
            commit.meta.push((name, value));
        }
        if commit.bytes.len() > BATCH_MAX {
            return Err(Error::Invalid(format!("it takes {} bytes, and {BATCH_MAX} are allowed", commit.bytes.len())));
        }
        Ok(commit)
    }

    fn inbox(&mut self, write: InboxWrite) -> Result<(), Error> {
        match write {
            InboxWrite::Accept { key, payload, at } => {
                if key.is_empty() || key.len() > KEY_MAX {
                    let length = key.len();
                    return Err(Error::Invalid(format!("an inbox key has 1 to {KEY_MAX} bytes, not {length}")));
                }
                let item = self.item(ACCEPT, |out| {
                    out.extend_from_slice(&[0; 8]);
                    serde_json::to_writer(out, &Accept { key: key.clone(), at, payload: &payload })
                })?;
                self.inbox.push(Change::Accept { entry: Entry { number: 0, key, at, payload, handled: None }, item });
            }
            InboxWrite::Handle { key, runs, note } => {
                let handle = Handle { key, handled: Handled { runs, note } };
                self.item(HANDLE, |out| serde_json::to_writer(out, &handle))?;
                self.inbox.push(Change::Handle { key: handle.key, handled: handle.handled });
            }
        }
        Ok(())
    }

    fn item(
        &mut self,
        kind: u8,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), serde_json::Error>,
    ) -> Result<usize, Error> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[kind, 0, 0, 0, 0]);
        write(&mut self.bytes).map_err(|error| Error::Invalid(format!("it can't be written as JSON: {error}")))?;
        let length = u32::try_from(self.bytes.len() - start - 5).unwrap_or(u32::MAX);
        self.bytes[start + 1..start + 5].copy_from_slice(&length.to_le_bytes());
        Ok(start)
    }

    /// Gives the entry that is accepted at `item` its number.
    pub(crate) fn set_number(&mut self, item: usize, number: u64) {
        self.bytes[item + 5..item + 13].copy_from_slice(&number.to_le_bytes());
    }

    /// Takes the item at `item` out of the batch.
    pub(crate) fn void(&mut self, item: usize) {
        self.bytes[item] = VOID;
    }

    /// Writes the frame's header. Nothing may change after it.
    pub(crate) fn seal(&mut self, number: u64, durable: Position, position: Position) {
        frame::seal(&mut self.bytes, &self.touched, number, durable, position);
    }

    /// Bytes of its frame in the log, for a commit that was read.
    pub(crate) fn frame_bytes(&self) -> usize {
        (frame::contents_at(self.touched.len()) + self.bytes.len()).next_multiple_of(frame::ALIGN)
    }

    /// The commit in the contents of a frame that was read. Hashes are taken again.
    pub(crate) fn decode(touched: Vec<Touched>, contents: &[u8]) -> Result<Self, String> {
        let mut commit = Self { touched, bytes: contents.to_vec(), ..Self::default() };
        let mut at = 0;
        while at < contents.len() {
            let header = contents.get(at..at + 5).ok_or("an item ends too early")?;
            let end = at + 5 + u32::from_le_bytes(array(&header[1..])) as usize;
            let item = contents.get(at + 5..end).ok_or("an item ends too early")?;
            commit.decode_item(header[0], item, at).map_err(|why| format!("item at {at}: {why}"))?;
            at = end;
        }
        Ok(commit)
    }

    fn decode_item(&mut self, kind: u8, item: &[u8], at: usize) -> Result<(), String> {
        let json = |error: serde_json::Error| error.to_string();
        match kind {
            VOID => {}
            RECORD => {
                let view = View::read(item).map_err(|bad| bad.to_string())?;
                let (start, end) = (at + 5, at + 5 + view.bytes().len());
                self.records.push(Slot { run: view.run(), seq: view.seq(), start, end, hash: view.hash() });
            }
            HEAD => self.heads.push(serde_json::from_slice(item).map_err(json)?),
            SOURCE => {
                let (digest, bytes) = item.split_at_checked(32).ok_or("a source without a digest")?;
                self.sources.push((Digest::from_bytes(array(digest)), bytes.to_vec()));
            }
            ACCEPT => {
                let (number, text) = item.split_at_checked(8).ok_or("an entry without a number")?;
                let Accept { key, at: time, payload } = serde_json::from_slice(text).map_err(json)?;
                let number = u64::from_le_bytes(array(number));
                self.inbox
                    .push(Change::Accept { entry: Entry { number, key, at: time, payload, handled: None }, item: at });
            }
            HANDLE => {
                let Handle { key, handled } = serde_json::from_slice(item).map_err(json)?;
                self.inbox.push(Change::Handle { key, handled });
            }
            META => {
                let Meta { name, value } = serde_json::from_slice(item).map_err(json)?;
                self.meta.push((name, value));
            }
            newer => return Err(format!("kind {newer} is of a newer version")),
        }
        Ok(())
    }
}

/// The runs of a batch with their records, checked: no gaps, and exactly one head each, after the last record.
fn touched(batch: &Batch) -> Result<Vec<Touched>, Error> {
    let mut all: Vec<Touched> = Vec::with_capacity(batch.heads.len());
    for record in &batch.records {
        match all.iter_mut().rev().find(|touched| touched.run == record.run) {
            Some(touched) if touched.last.checked_add(1) == Some(record.seq) => touched.last = record.seq,
            Some(touched) => {
                let expected = touched.last.saturating_add(1);
                return Err(Error::Sequence { run: record.run, expected, found: record.seq });
            }
            None => all.push(Touched { run: record.run, first: record.seq, last: record.seq }),
        }
    }
    let heads_fit = all.len() == batch.heads.len()
        && all.iter().all(|touched| batch.heads.iter().any(|head| head.run == touched.run && head.seq == touched.last));
    match heads_fit {
        _ if all.len() > RUNS_MAX => Err(Error::Invalid(format!("it has more than {RUNS_MAX} runs"))),
        true => Ok(all),
        false => Err(Error::Invalid("every run with records needs one head, after its last record".to_owned())),
    }
}
