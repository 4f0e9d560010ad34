//! What the journal on disk answers: the tables and the store as one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Write;

use runwright_core::{Digest, Head, Record, RunId, Value};

use super::SledJournal;
use super::shared::Shared;
use crate::admit::Known as _;
use crate::frame::Position;
use crate::history::Reader;
use crate::log::{Found, scan};
use crate::{Appended, Batch, Entry, Error, Journal, Query, Report, export};

impl Shared {
    /// The runs that match, newest first.
    pub(crate) fn runs(&self, query: &Query) -> Result<Vec<Head>, Error> {
        let mut newest: HashMap<RunId, Head> = HashMap::new();
        for table in self.lock().all() {
            for (run, part) in &table.runs {
                newest.entry(*run).or_insert_with(|| part.head.clone());
            }
        }
        let mut found = self.store.runs(query, |run| newest.contains_key(&run))?;
        found.extend(newest.into_values().filter(|head| query.fits(head)));
        found.sort_by_key(|head| Reverse(head.run));
        found.truncate(query.limit.unwrap_or(usize::MAX));
        Ok(found)
    }

    /// Every run that is not over.
    pub(crate) fn unfinished(&self) -> Result<Vec<Head>, Error> {
        self.runs(&Query::unfinished())
    }

    /// A run's history, verified.
    pub(crate) fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        // What is in the tables does not have to be in the store yet, so the store is read up to there.
        let (newest, first, tail) = {
            let tables = self.lock();
            let mut parts: Vec<Vec<u8>> = Vec::new();
            let mut first = u64::MAX;
            for part in tables.all().filter_map(|table| table.runs.get(&run)) {
                first = part.records().next().map_or(first, |(seq, _)| seq);
                parts.push(part.records().flat_map(|(_, record)| record).copied().collect());
            }
            parts.reverse();
            (parts, first, tables.newest(|table| table.runs.get(&run).map(|part| part.tail)))
        };
        // Before the records, which may go on meanwhile.
        let (tail, first) = match tail {
            Some(tail) => (Some(tail), first),
            None => {
                let tail = self.store.head(run)?.map(|(_, tail)| tail);
                (tail, tail.map_or(0, |tail| tail.seq + 1))
            }
        };
        let mut reader = Reader::new(run);
        self.store.read(run, first, &mut reader).map_err(|error| reader.or_damaged(error))?;
        newest.iter().try_for_each(|records| reader.take(records))?;
        if let Some(lost) = self.store.lost(run)? {
            return Err(Error::Damaged { run, seq: lost.seq, what: lost.what });
        }
        reader.finish(tail)
    }

    fn entries(&self) -> Result<BTreeMap<u64, Entry>, Error> {
        let newest: Vec<Entry> = self.lock().all().flat_map(|table| table.inbox.values().cloned()).collect();
        let all = self.store.entries()?.into_iter().chain(newest.into_iter().rev());
        Ok(all.map(|entry| (entry.number, entry)).collect())
    }

    fn settings(&self) -> Result<BTreeMap<String, Option<Value>>, Error> {
        let newest: Vec<_> = self.lock().all().map(|table| table.meta.clone()).collect();
        let mut all: BTreeMap<String, Option<Value>> =
            self.store.settings()?.into_iter().map(|(name, value)| (name, Some(value))).collect();
        newest.into_iter().rev().for_each(|table| all.extend(table));
        Ok(all)
    }

    fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        match self.lock().newest(|table| table.sources.get(&digest).cloned()) {
            Some(bytes) => Ok(Some(bytes.to_vec())),
            None => self.store.source(digest),
        }
    }

    fn sources(&self) -> Result<BTreeSet<Digest>, Error> {
        let newest: Vec<Digest> = self.lock().all().flat_map(|table| table.sources.keys().copied()).collect();
        Ok(self.store.sources()?.into_iter().chain(newest).collect())
    }
}

impl SledJournal {
    /// A run's history from the log alone, for a run that is damaged in the store.
    fn log_history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        let tail = self.shared.tail(run)?;
        let end = self.shared.lock().active.end;
        let mut reader = Reader::new(run);
        scan(&self.dir.join("log"), (Position::default(), 0), end, Some(end), &mut |found| match found {
            Found::Commit { commit, .. } => {
                let mut mine = commit.records.iter().filter(|slot| slot.run == run);
                mine.try_for_each(|slot| reader.take(&commit.bytes[slot.start..slot.end]))
            }
            Found::Hole(_) => Ok(()),
        })?;
        reader.finish(tail)
    }
}

impl Journal for SledJournal {
    fn append(&self, batch: Batch) -> Appended {
        self.enqueue(batch)
    }

    fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        match self.shared.history(run) {
            Err(Error::Damaged { seq, what, .. }) => match self.log_history(run) {
                Ok(records) => {
                    tracing::warn!(%run, seq, what, "a run is damaged in the store; the log has it");
                    Ok(records)
                }
                Err(_) => Err(Error::Damaged { run, seq, what }),
            },
            other => other,
        }
    }

    fn runs(&self, query: &Query) -> Result<Vec<Head>, Error> {
        self.shared.runs(query)
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, Error> {
        self.shared.head(run)
    }

    fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        self.shared.source(digest)
    }

    fn inbox(&self, key: &str) -> Result<Option<Entry>, Error> {
        self.shared.entry(key)
    }

    fn waiting(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        let mut newest: HashMap<String, Entry> = HashMap::new();
        for table in self.shared.lock().all() {
            for (key, entry) in &table.inbox {
                newest.entry(key.clone()).or_insert_with(|| entry.clone());
            }
        }
        let known: HashSet<u64> = newest.values().map(|entry| entry.number).collect();
        let mut found = self.shared.store.waiting(limit, |number| known.contains(&number))?;
        found.extend(newest.into_values().filter(|entry| entry.handled.is_none()));
        found.sort_by_key(|entry| entry.number);
        found.truncate(limit);
        Ok(found)
    }

    fn meta(&self, name: &str) -> Result<Option<Value>, Error> {
        match self.shared.lock().newest(|table| table.meta.get(name).cloned()) {
            Some(value) => Ok(value),
            None => self.shared.store.setting(name),
        }
    }

    fn export(&self, out: &mut dyn Write) -> Result<(), Error> {
        let mut out = export::Writer::new(out)?;
        for digest in self.shared.sources()? {
            out.source(digest, &self.shared.source(digest)?.unwrap_or_default())?;
        }
        out.runs(self)?;
        self.shared.entries()?.into_values().try_for_each(|entry| out.entry(entry))?;
        let settings = self.shared.settings()?.into_iter();
        settings.filter_map(|(name, value)| Some((name, value?))).try_for_each(|(name, value)| out.meta(name, value))
    }

    fn verify(&self) -> Result<Report, Error> {
        let mut report = super::verify::verify(self)?;
        report.inbox = self.shared.entries()?.len() as u64;
        Ok(report)
    }
}
