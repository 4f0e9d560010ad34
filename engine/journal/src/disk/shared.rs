//! What the writer, the keeper and all readers share.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use runwright_core::{Head, RunId};

use crate::admit::{Known, Tail};
use crate::store::Store;
use crate::table::Table;
use crate::{Entry, Error};

#[derive(Debug)]
pub(crate) struct Shared {
    tables: Mutex<Tables>,
    /// Notified when a table is full, was put into the store, or the journal closes.
    pub(crate) changed: Condvar,
    pub(crate) store: Store,
    /// A table of so many bytes goes into the store.
    pub(crate) table_bytes: usize,
    failed: OnceLock<Error>,
}

/// What is not in the store yet.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// Grows with every commit.
    pub(crate) active: Table,
    /// Is being put into the store.
    pub(crate) draining: Option<Arc<Table>>,
    /// The journal closes.
    pub(crate) closing: bool,
    /// The disk has no room for a checkpoint.
    pub(crate) full: bool,
}

impl Tables {
    /// The first that the tables know, the newest first.
    pub(crate) fn newest<T>(&self, find: impl Fn(&Table) -> Option<T>) -> Option<T> {
        find(&self.active).or_else(|| self.draining.as_deref().and_then(find))
    }

    /// Both, the newest first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Table> {
        std::iter::once(&self.active).chain(self.draining.as_deref())
    }
}

impl Shared {
    pub(crate) fn new(store: Store, active: Table, table_bytes: usize) -> Arc<Self> {
        let tables = Mutex::new(Tables { active, ..Tables::default() });
        Arc::new(Self { tables, changed: Condvar::new(), store, table_bytes, failed: OnceLock::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the journal into its final state: no append succeeds any more.
    pub(crate) fn fail(&self, error: &Error) -> Error {
        let why = match error {
            Error::Io { what, source } => format!("{what}: {source}"),
            Error::Failed(why) => why.clone(),
            other => other.to_string(),
        };
        let failed = self.failed.get_or_init(|| {
            tracing::error!(why, "the journal has failed; no effect may be started any more");
            Error::Failed(why)
        });
        self.changed.notify_all();
        failed.clone()
    }

    pub(crate) fn failed(&self) -> Option<Error> {
        self.failed.get().cloned()
    }

    /// Where a run stands.
    pub(crate) fn head(&self, run: RunId) -> Result<Option<Head>, Error> {
        let head = self.lock().newest(|table| table.runs.get(&run).map(|part| part.head.clone()));
        match head {
            Some(head) => Ok(Some(head)),
            None => Ok(self.store.head(run)?.map(|(head, _)| head)),
        }
    }
}

impl Known for Shared {
    fn tail(&self, run: RunId) -> Result<Option<Tail>, Error> {
        if let Some(tail) = self.lock().newest(|table| table.runs.get(&run).map(|part| part.tail)) {
            return Ok(Some(tail));
        }
        if let Some(lost) = self.store.lost(run)? {
            return Err(Error::Damaged { run, seq: lost.seq, what: lost.what });
        }
        Ok(self.store.head(run)?.map(|(_, tail)| tail))
    }

    fn entry(&self, key: &str) -> Result<Option<Entry>, Error> {
        match self.lock().newest(|table| table.inbox.get(key).cloned()) {
            Some(entry) => Ok(Some(entry)),
            None => self.store.entry(key),
        }
    }
}
