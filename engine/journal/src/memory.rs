//! A journal in memory, for tests.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use runwright_core::{Digest, Head, Record, RunId, Value};

use crate::admit::{Gate, Known, Tail};
use crate::commit::Commit;
use crate::history::Reader;
use crate::table::Table;
use crate::{Appended, Batch, Entry, Error, Journal, Query, Receipt, Report, export};

/// A journal in memory, which can be told to fail: for tests of what stands on a journal.
///
/// Appends resolve at once. Records go through the same encoding and the same checks as on disk.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    table: Table,
    gate: Gate,
    appends: u64,
    records: u64,
    batches: Vec<Batch>,
    fail: Vec<(u64, Error)>,
    failed: Option<Error>,
    damaged: Vec<(RunId, u64)>,
    spoilt: BTreeSet<Digest>,
}

impl Memory {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the `nth` append from now on (1 is the next) fail with `error`; nothing of it is kept.
    /// After an [`Error::Failed`] or [`Error::Closed`] every later append fails as well.
    pub fn fail_append(&self, nth: u64, error: Error) {
        let mut inner = self.lock();
        let nth = inner.appends + nth;
        inner.fail.push((nth, error));
    }

    /// Makes appends work again after a final error: as after a restart of the engine.
    pub fn restart(&self) {
        let mut inner = self.lock();
        inner.failed = None;
        inner.fail.clear();
    }

    /// Makes the run read as damaged at this record.
    pub fn damage(&self, run: RunId, seq: u64) {
        self.lock().damaged.push((run, seq));
    }

    /// Makes this source unreadable, until it is appended again.
    pub fn spoil_source(&self, digest: Digest) {
        self.lock().spoilt.insert(digest);
    }

    /// How many records were appended.
    pub fn records(&self) -> u64 {
        self.lock().records
    }

    /// How many batches were committed.
    pub fn commits(&self) -> usize {
        self.lock().batches.len()
    }

    /// The journal as it was when the first `commits` batches had been committed: as after a crash right then.
    ///
    /// # Errors
    ///
    /// None, unless this journal was changed by other means than appends.
    pub fn after(&self, commits: usize) -> Result<Self, Error> {
        let batches: Vec<Batch> = self.lock().batches.iter().take(commits).cloned().collect();
        let journal = Self::new();
        batches.into_iter().try_for_each(|batch| journal.append_now(batch).map(drop))?;
        Ok(journal)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append_now(&self, batch: Batch) -> Result<Receipt, Error> {
        self.lock().append(batch)
    }
}

impl Inner {
    fn append(&mut self, batch: Batch) -> Result<Receipt, Error> {
        self.appends += 1;
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if let Some((_, error)) = self.fail.iter().find(|(nth, _)| *nth == self.appends) {
            let error = error.clone();
            self.failed = error.is_final().then(|| error.clone());
            return Err(error);
        }
        let Self { table, gate, damaged, spoilt, .. } = self;
        batch.sources.iter().for_each(|(digest, _)| _ = spoilt.remove(digest));
        let mut commit = Commit::encode(batch.clone())?;
        let receipt = gate.admit(&mut commit, &Seen { table, damaged })?;
        gate.settled(true);
        damaged.retain(|(run, _)| !commit.abandoned.contains(run));
        self.records += commit.records.len() as u64;
        table.absorb(commit);
        self.batches.push(batch);
        Ok(receipt)
    }

    fn check(&self, run: RunId) -> Result<(), Error> {
        check(&self.damaged, run)
    }
}

fn check(damaged: &[(RunId, u64)], run: RunId) -> Result<(), Error> {
    match damaged.iter().find(|(damaged, _)| *damaged == run) {
        Some((_, seq)) => Err(Error::Damaged { run, seq: *seq, what: "a test damaged it".to_owned() }),
        None => Ok(()),
    }
}

struct Seen<'a> {
    table: &'a Table,
    damaged: &'a [(RunId, u64)],
}

impl Known for Seen<'_> {
    fn tail(&self, run: RunId) -> Result<Option<Tail>, Error> {
        check(self.damaged, run)?;
        Ok(self.table.runs.get(&run).map(|part| part.tail))
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, Error> {
        Ok(self.table.runs.get(&run).map(|part| part.head.clone()))
    }

    fn is_damaged(&self, run: RunId) -> bool {
        check(self.damaged, run).is_err()
    }

    fn entry(&self, key: &str) -> Result<Option<Entry>, Error> {
        Ok(self.table.inbox.get(key).cloned().flatten())
    }
}

impl Journal for Memory {
    fn append(&self, batch: Batch) -> Appended {
        Appended::ready(self.append_now(batch))
    }

    fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        let inner = self.lock();
        inner.check(run)?;
        let mut reader = Reader::new(run);
        let part = inner.table.runs.get(&run);
        part.map_or(Ok(()), |part| part.records().try_for_each(|(_, bytes)| reader.take(bytes)))?;
        reader.finish(part.map(|part| part.tail))
    }

    fn runs(&self, query: &Query) -> Result<Vec<Head>, Error> {
        let inner = self.lock();
        let heads = inner.table.runs.values().rev().map(|part| &part.head);
        Ok(heads.filter(|head| query.fits(head)).take(query.limit.unwrap_or(usize::MAX)).cloned().collect())
    }

    fn head(&self, run: RunId) -> Result<Option<Head>, Error> {
        Ok(self.lock().table.runs.get(&run).map(|part| part.head.clone()))
    }

    fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        let inner = self.lock();
        if inner.spoilt.contains(&digest) {
            return Err(Error::Store(format!("source {digest} is spoilt")));
        }
        Ok(inner.table.sources.get(&digest).map(|bytes| bytes.to_vec()))
    }

    fn inbox(&self, key: &str) -> Result<Option<Entry>, Error> {
        Ok(self.lock().table.inbox.get(key).cloned().flatten())
    }

    fn waiting(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        let inner = self.lock();
        let mut waiting: Vec<_> =
            inner.table.inbox.values().flatten().filter(|entry| entry.handled.is_none()).collect();
        waiting.sort_by_key(|entry| entry.number);
        Ok(waiting.into_iter().take(limit).cloned().collect())
    }

    fn each_entry(&self, visit: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        let entries: Vec<Entry> = self.lock().table.inbox.values().flatten().cloned().collect();
        entries.into_iter().try_for_each(visit)
    }

    fn meta(&self, name: &str) -> Result<Option<Value>, Error> {
        Ok(self.lock().table.meta.get(name).cloned().flatten())
    }

    fn export(&self, out: &mut dyn Write) -> Result<(), Error> {
        let (sources, entries, meta) = {
            let Inner { table, .. } = &*self.lock();
            let sources: BTreeSet<Digest> = table.sources.keys().copied().collect();
            let mut entries: Vec<Entry> = table.inbox.values().flatten().cloned().collect();
            entries.sort_by_key(|entry| entry.number);
            (sources, entries, table.meta.clone())
        };
        let mut out = export::Writer::new(out)?;
        for digest in sources {
            out.source(digest, &self.source(digest)?.unwrap_or_default())?;
        }
        out.runs(self, |_| Vec::new())?;
        entries.into_iter().try_for_each(|entry| out.entry(entry))?;
        meta.into_iter().filter_map(|(name, value)| Some((name, value?))).try_for_each(|(n, v)| out.meta(n, v))?;
        out.end()
    }

    fn verify(&self) -> Result<Report, Error> {
        let mut report = export::check_runs(&self.runs(&Query::default())?, |run| self.history(run))?;
        report.inbox = self.lock().table.inbox.values().flatten().count() as u64;
        Ok(report)
    }
}
