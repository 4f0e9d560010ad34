//! The tables and the store as one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use runwright_core::{Digest, Head, Record, RunId, Value};

use super::shared::Shared;
use crate::admit::{Known as _, Tail};
use crate::commit::item::Lost;
use crate::history::Reader;
use crate::{Entry, Error, Query};

impl Shared {
    /// The runs that match, newest first.
    pub(crate) fn runs(&self, query: &Query) -> Result<Vec<Head>, Error> {
        let mut newest: HashMap<RunId, Option<Head>> = HashMap::new();
        for table in self.lock().all() {
            for (run, part) in &table.runs {
                newest.entry(*run).or_insert_with(|| Some(part.head.clone()));
            }
            for run in &table.pruned {
                newest.entry(*run).or_insert(None);
            }
        }
        for run in self.all_lost()?.into_keys() {
            newest.insert(run, self.head(run)?);
        }
        let mut found = self.store.runs(query, |run| newest.contains_key(&run))?;
        found.extend(newest.into_values().flatten().filter(|head| query.fits(head)));
        found.sort_by_key(|head| Reverse(head.run));
        found.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(found)
    }

    /// Every run of which something is known to be lost.
    pub(crate) fn all_lost(&self) -> Result<BTreeMap<RunId, Lost>, Error> {
        let mut all: BTreeMap<RunId, Lost> = self.store.all_lost()?.into_iter().collect();
        let tables = self.lock();
        for table in tables.draining.as_deref().into_iter().chain([&tables.active]) {
            all.retain(|run, _| !table.pruned.contains(run));
            all.extend(table.lost.iter().map(|(run, lost)| (*run, lost.clone())));
        }
        Ok(all)
    }

    /// Every run that is not over.
    pub(crate) fn unfinished(&self) -> Result<Vec<Head>, Error> {
        self.runs(&Query::unfinished())
    }

    /// A run's history, verified.
    pub(crate) fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        if let Some(lost) = self.lost(run)? {
            return Err(Error::Damaged { run, seq: lost.seq, what: lost.what });
        }
        let mut reader = Reader::new(run);
        let tail = self.read(run, &mut reader)?;
        reader.finish(tail)
    }

    /// The records of a run up to the first that is not what was written.
    pub(crate) fn readable(&self, run: RunId) -> Vec<Record> {
        let mut reader = Reader::new(run);
        let _ = self.read(run, &mut reader);
        reader.into_records()
    }

    /// Feeds what there is of a run to the reader, and gives the end that its head names.
    pub(crate) fn read(&self, run: RunId, reader: &mut Reader) -> Result<Option<Tail>, Error> {
        // What is in the tables does not have to be in the store yet, so the store is read up to there.
        let Newest { parts, first, tail, cut } = self.newest(run);
        // Before the records, which may go on meanwhile.
        let (tail, first) = match tail {
            Some(tail) => (Some(tail), first),
            None if cut => (None, 0),
            None => {
                let tail = self.store.head(run)?.map(|(_, tail)| tail);
                (tail, tail.map_or(0, |tail| tail.seq + 1))
            }
        };
        if !cut {
            self.store.read(run, first, reader).map_err(|error| reader.or_damaged(error))?;
        }
        parts.iter().try_for_each(|records| reader.take(records))?;
        Ok(tail)
    }

    fn newest(&self, run: RunId) -> Newest {
        let mut newest = Newest { parts: Vec::new(), first: u64::MAX, tail: None, cut: false };
        for table in self.lock().all() {
            if let Some(part) = table.runs.get(&run) {
                newest.first = part.records().next().map_or(newest.first, |(seq, _)| seq);
                newest.parts.push(part.records().flat_map(|(_, record)| record).copied().collect());
                newest.tail.get_or_insert(part.tail);
            }
            if table.pruned.contains(&run) {
                newest.cut = true;
                break;
            }
        }
        newest.parts.reverse();
        newest
    }

    /// Every inbox entry that the tables know, the newest form of each; none for those that were forgotten.
    pub(crate) fn newest_entries(&self) -> HashMap<String, Option<Entry>> {
        let mut newest: HashMap<String, Option<Entry>> = HashMap::new();
        for table in self.lock().all() {
            for (key, entry) in &table.inbox {
                newest.entry(key.clone()).or_insert_with(|| entry.clone());
            }
        }
        newest
    }

    /// Every inbox entry, in no order.
    pub(crate) fn each_entry(&self, visit: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        let newest = self.newest_entries();
        self.store.each_entry(&mut |entry| if newest.contains_key(&entry.key) { Ok(()) } else { visit(entry) })?;
        newest.into_values().flatten().try_for_each(visit)
    }

    pub(crate) fn entries(&self) -> Result<BTreeMap<u64, Entry>, Error> {
        let mut entries = BTreeMap::new();
        self.each_entry(&mut |entry| {
            entries.insert(entry.number, entry);
            Ok(())
        })?;
        Ok(entries)
    }

    pub(crate) fn settings(&self) -> Result<BTreeMap<String, Option<Value>>, Error> {
        let newest: Vec<_> = self.lock().all().map(|table| table.meta.clone()).collect();
        let mut all: BTreeMap<String, Option<Value>> =
            self.store.settings()?.into_iter().map(|(name, value)| (name, Some(value))).collect();
        newest.into_iter().rev().for_each(|table| all.extend(table));
        Ok(all)
    }

    pub(crate) fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        match self.lock().newest(|table| table.sources.get(&digest).cloned()) {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => self.store.source(digest),
        }
    }

    pub(crate) fn sources(&self) -> Result<BTreeSet<Digest>, Error> {
        let newest: Vec<Digest> = self.lock().all().flat_map(|table| table.sources.keys().copied()).collect();
        Ok(self.store.sources()?.into_iter().chain(newest).collect())
    }
}

/// What the tables have of one run.
struct Newest {
    /// Encoded records, oldest first.
    parts: Vec<Vec<u8>>,
    /// The number of the first of them.
    first: u64,
    tail: Option<Tail>,
    /// Whether what is older was forgotten.
    cut: bool,
}
