//! One batch as the bytes of its frame, with what the tables need of it beside them.

mod decode;
pub(crate) mod item;

use runwright_core::{Digest, Head, RunId, Value};

use crate::frame::{self, Position, RUNS_MAX, Touched};
use crate::record::{self, Hash};
use crate::{Batch, Entry, Error, Handled, InboxWrite};
pub(crate) use decode::Undecodable;
use item::{Accept, Handle, Kind, Lost, Meta};

/// A batch takes at most this many bytes of the log.
pub(crate) const BATCH_MAX: usize = 8 << 20;
/// Bytes of an inbox key.
const KEY_MAX: usize = 512;

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
    /// Runs that are forgotten: over, or given up.
    pub(crate) pruned: Vec<RunId>,
    /// Those of them that were given up.
    pub(crate) abandoned: Vec<RunId>,
    /// Runs whose history is not whole: only in a base.
    pub(crate) lost: Vec<(RunId, Lost)>,
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
    /// An entry that was dealt with is forgotten: its key may be accepted again.
    Forget { key: String },
}

impl Change {
    /// The entry's key.
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Accept { entry, .. } | Self::Put(entry) => &entry.key,
            Self::Handle { key, .. } | Self::Forget { key } => key,
        }
    }
}

impl Commit {
    /// The batch, encoded and checked for what can be checked without the journal.
    pub(crate) fn encode(batch: Batch) -> Result<Self, Error> {
        let touched = touched(&batch)?;
        let mut commit = Self { touched, ..Self::default() };
        commit.bytes = Vec::with_capacity(512 + 512 * batch.records.len() + 512 * batch.heads.len());
        commit.bytes.resize(frame::contents_at(commit.touched.len()), 0);
        for record in &batch.records {
            let item = commit.item(Kind::Record, |out| record::encode(record, out))?;
            let slot =
                Slot { run: record.run, seq: record.seq, start: item + 5, end: commit.bytes.len(), hash: [0; 32] };
            commit.records.push(slot);
        }
        for head in batch.heads {
            commit.item(Kind::Head, |out| serde_json::to_writer(out, &head))?;
            commit.heads.push(head);
        }
        for (digest, bytes) in batch.sources {
            commit.item(Kind::Source, |out| {
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
            let meta = Meta::new(name, value);
            commit.item(Kind::Meta, |out| serde_json::to_writer(out, &meta))?;
            commit.meta.push(meta.into_parts());
        }
        commit.abandoned.extend(&batch.abandon);
        for run in batch.prune.into_iter().chain(batch.abandon) {
            commit.item(Kind::Prune, |out| {
                out.extend_from_slice(&run.bytes());
                Ok(())
            })?;
            commit.pruned.push(run);
        }
        for key in batch.forget {
            commit.item(Kind::Forget, |out| {
                out.extend_from_slice(key.as_bytes());
                Ok(())
            })?;
            commit.inbox.push(Change::Forget { key });
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
                let item = self.item(Kind::Accept, |out| {
                    out.extend_from_slice(&[0; 8]);
                    serde_json::to_writer(out, &Accept { key: key.clone(), at, payload: &payload })
                })?;
                self.inbox.push(Change::Accept { entry: Entry { number: 0, key, at, payload, handled: None }, item });
            }
            InboxWrite::Handle { key, runs, note } => {
                let handle = Handle { key, handled: Handled { runs, note } };
                self.item(Kind::Handle, |out| serde_json::to_writer(out, &handle))?;
                self.inbox.push(Change::Handle { key: handle.key, handled: handle.handled });
            }
        }
        Ok(())
    }

    fn item(
        &mut self,
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), serde_json::Error>,
    ) -> Result<usize, Error> {
        item::write(&mut self.bytes, kind, write)
            .map_err(|error| Error::Invalid(format!("it can't be written as JSON: {error}")))
    }

    /// Gives the entry that is accepted at `item` its number.
    pub(crate) fn set_number(&mut self, item: usize, number: u64) {
        self.bytes[item + 5..item + 13].copy_from_slice(&number.to_le_bytes());
    }

    /// Takes the item at `item` out of the batch.
    pub(crate) fn void(&mut self, item: usize) {
        self.bytes[item] = Kind::Void as u8;
    }

    /// Writes the frame's header. Nothing may change after it.
    pub(crate) fn seal(&mut self, number: u64, durable: Position, position: Position) {
        frame::seal(&mut self.bytes, &self.touched, number, durable, position);
    }
}

/// The runs of a batch with their records, checked: no gaps, and exactly one head each, after the last record.
fn touched(batch: &Batch) -> Result<Vec<Touched>, Error> {
    if batch.heads.len() > RUNS_MAX {
        return Err(Error::Invalid(format!("it has more than {RUNS_MAX} runs")));
    }
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
        true => Ok(all),
        false => Err(Error::Invalid("every run with records needs one head, after its last record".to_owned())),
    }
}
