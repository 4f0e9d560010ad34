//! What is durable in the log but not in the store yet, in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use runwright_core::{Digest, Head, RunId, Value};

use crate::Entry;
use crate::admit::Tail;
use crate::commit::item::Lost;
use crate::commit::{Change, Commit};
use crate::frame::Position;
use crate::record::NO_HASH;

/// The newest part of the journal: everything behind the last checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) runs: BTreeMap<RunId, Part>,
    /// Runs that were forgotten: nothing older than this table holds of them counts.
    pub(crate) pruned: BTreeSet<RunId>,
    /// Runs of which something is known to be lost.
    pub(crate) lost: BTreeMap<RunId, Lost>,
    pub(crate) sources: HashMap<Digest, Arc<[u8]>>,
    /// What is none was forgotten.
    pub(crate) inbox: HashMap<String, Option<Entry>>,
    pub(crate) meta: BTreeMap<String, Option<Value>>,
    /// Bytes of the log that it stands for.
    pub(crate) bytes: usize,
    /// The log up to here is in it, or was before it.
    pub(crate) end: Position,
    /// The number of the last commit in it.
    pub(crate) number: u64,
    /// The number of the last entry that was accepted.
    pub(crate) accepted: u64,
}

/// The newest records of one run, and its head.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) head: Head,
    pub(crate) tail: Tail,
    records: Vec<Held>,
}

/// One record, within the bytes of its commit.
#[derive(Debug, Clone)]
struct Held {
    seq: u64,
    commit: Arc<Vec<u8>>,
    start: usize,
    end: usize,
}

impl Part {
    /// The sequence numbers and the encoded records, oldest first.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.records.iter().map(|held| (held.seq, &held.commit[held.start..held.end]))
    }
}

impl Table {
    /// What it says of a run: none where older tables and the store decide.
    pub(crate) fn run(&self, run: RunId) -> Option<Option<&Part>> {
        match self.runs.get(&run) {
            Some(part) => Some(Some(part)),
            None => self.pruned.contains(&run).then_some(None),
        }
    }

    /// An empty table that goes on where this one ends.
    pub(crate) fn next(&self) -> Self {
        Self { end: self.end, number: self.number, accepted: self.accepted, ..Self::default() }
    }

    /// Takes an admitted commit in.
    pub(crate) fn absorb(&mut self, commit: Commit) {
        let Commit { bytes, records, heads, sources, inbox, meta, pruned, lost, .. } = commit;
        self.bytes += bytes.len();
        for change in inbox {
            match change {
                Change::Accept { entry, .. } | Change::Put(entry) => {
                    self.accepted = self.accepted.max(entry.number);
                    self.inbox.insert(entry.key.clone(), Some(entry));
                }
                Change::Forget { key } => drop(self.inbox.insert(key, None)),
                Change::Handle { .. } => {}
            }
        }
        for run in pruned {
            self.runs.remove(&run);
            self.lost.remove(&run);
            self.pruned.insert(run);
        }
        let bytes = Arc::new(bytes);
        for head in heads {
            let run = head.run;
            let mine = records.iter().filter(|slot| slot.run == run);
            let tail = match mine.clone().next_back() {
                Some(last) => Tail { seq: last.seq, hash: last.hash },
                None => Tail { seq: head.seq, hash: NO_HASH },
            };
            let held =
                mine.map(|slot| Held { seq: slot.seq, commit: Arc::clone(&bytes), start: slot.start, end: slot.end });
            match self.runs.get_mut(&run) {
                Some(part) => {
                    part.records.extend(held);
                    (part.head, part.tail) = (head, tail);
                }
                None => {
                    self.runs.insert(run, Part { head, tail, records: held.collect() });
                }
            }
        }
        self.lost.extend(lost);
        self.sources.extend(sources.into_iter().map(|(digest, bytes)| (digest, Arc::from(bytes))));
        self.meta.extend(meta);
    }
}
