//! What the journal on disk answers.

use std::collections::HashSet;
use std::io::Write;

use runwright_core::{Digest, Head, Record, RunId, Value};

use super::SledJournal;
use crate::admit::Known as _;
use crate::history::Reader;
use crate::log::{Found, scan_all};
use crate::{Appended, Batch, Entry, Error, Journal, Query, Report, export};

impl SledJournal {
    /// A run's history from the log alone, for a run that is damaged in the store.
    fn log_history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        let tail = self.shared.tail(run)?;
        let end = self.shared.lock().active.end;
        let mut reader = Reader::new(run);
        let _files = self.shared.read_files();
        scan_all(&self.dir.join("log"), end, Some(end), &mut |_, found| match found {
            Found::Commit { commit, .. } => {
                let mut mine = commit.records.iter().filter(|slot| slot.run == run);
                mine.try_for_each(|slot| reader.take(&commit.bytes[slot.start..slot.end]))
            }
            Found::Hole(_) | Found::Spoiled(_) => Ok(()),
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
                // It was forgotten meanwhile.
                Err(_) if self.shared.head(run)?.is_none() => Ok(Vec::new()),
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
        let newest = self.shared.newest_entries();
        let known: HashSet<u64> = newest.values().flatten().map(|entry| entry.number).collect();
        let mut found = self.shared.store.waiting(limit, |number| known.contains(&number))?;
        found.extend(newest.into_values().flatten().filter(|entry| entry.handled.is_none()));
        found.sort_by_key(|entry| entry.number);
        found.truncate(limit);
        Ok(found)
    }

    fn each_entry(&self, visit: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        self.shared.each_entry(visit)
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
        out.runs(self, |run| self.shared.readable(run))?;
        self.shared.entries()?.into_values().try_for_each(|entry| out.entry(entry))?;
        let settings = self.shared.settings()?.into_iter();
        settings
            .filter_map(|(name, value)| Some((name, value?)))
            .try_for_each(|(name, value)| out.meta(name, value))?;
        out.end()
    }

    fn verify(&self) -> Result<Report, Error> {
        let mut report = super::verify::verify(self)?;
        report.inbox = self.shared.entries()?.len() as u64;
        Ok(report)
    }
}
