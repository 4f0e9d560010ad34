//! What is durable in the log but not in the store yet, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use runwright_core::{Digest, Head, RunId, Value};

use crate::admit::Tail;
use crate::commit::{Change, Commit};
use crate::frame::Position;
use crate::record::View;
use crate::{Entry, Error};

/// The newest part of the journal: everything behind the last checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) runs: BTreeMap<RunId, Part>,
    pub(crate) sources: HashMap<Digest, Arc<[u8]>>,
    pub(crate) inbox: HashMap<String, Entry>,
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
    commit: Arc<Vec<u8>>,
    start: usize,
    end: usize,
}

impl Part {
    /// The encoded records, oldest first.
    pub(crate) fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(|held| &held.commit[held.start..held.end])
    }

    /// The sequence number of the oldest record.
    pub(crate) fn first(&self) -> u64 {
        self.records().next().and_then(|bytes| View::read(bytes).ok()).map_or(self.head.seq, View::seq)
    }
}

impl Table {
    /// Takes a commit in. `entry` looks an inbox entry up where it is not here.
    pub(crate) fn absorb(
        &mut self,
        commit: Commit,
        entry: impl Fn(&str) -> Result<Option<Entry>, Error>,
    ) -> Result<(), Error> {
        let Commit { bytes, records, heads, sources, inbox, meta, .. } = commit;
        self.bytes += bytes.len();
        for change in inbox {
            match change {
                Change::Accept { entry, .. } => {
                    self.accepted = self.accepted.max(entry.number);
                    self.inbox.insert(entry.key.clone(), entry);
                }
                Change::Handle { key, handled } => match self.inbox.get_mut(&key) {
                    Some(entry) => entry.handled = Some(handled),
                    None => match entry(&key)? {
                        Some(entry) => {
                            self.inbox.insert(key, Entry { handled: Some(handled), ..entry });
                        }
                        None => tracing::warn!(key, "an inbox entry that was handled is not there"),
                    },
                },
            }
        }
        let bytes = Arc::new(bytes);
        for head in heads {
            let run = head.run;
            let mine = records.iter().filter(|slot| slot.run == run);
            let Some(last) = mine.clone().next_back() else { continue };
            let tail = Tail { seq: last.seq, hash: last.hash };
            let held = mine.map(|slot| Held { commit: Arc::clone(&bytes), start: slot.start, end: slot.end });
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
        self.sources.extend(sources.into_iter().map(|(digest, bytes)| (digest, Arc::from(bytes))));
        self.meta.extend(meta);
        Ok(())
    }
}
