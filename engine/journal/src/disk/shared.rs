//! What the writer, the keeper and all readers share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use runwright_core::{Head, RunId, RunStatus};

use crate::admit::{Known, Tail};
use crate::commit::item::Lost;
use crate::frame::Position;
use crate::store::Store;
use crate::table::Table;
use crate::{Entry, Error};

#[derive(Debug)]
pub(crate) struct Shared {
    tables: Mutex<Tables>,
    /// Notified when a table is full, was put into the store, or the journal closes.
    pub(crate) changed: Condvar,
    pub(crate) store: Store,
    /// A table of this many bytes goes into the store.
    pub(crate) table_bytes: usize,
    failed: OnceLock<Error>,
    /// Who reads the log's old files holds it, so that they are not removed meanwhile.
    files: RwLock<()>,
    /// Up to where the log is in the store.
    stored: AtomicU64,
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
        let stored = AtomicU64::new(active.end.0);
        let tables = Mutex::new(Tables { active, ..Tables::default() });
        Arc::new(Self {
            tables,
            changed: Condvar::new(),
            store,
            table_bytes,
            failed: OnceLock::new(),
            files: RwLock::default(),
            stored,
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to where the log is in the store, durably.
    pub(crate) fn stored(&self) -> Position {
        Position(self.stored.load(Ordering::Acquire))
    }

    pub(crate) fn set_stored(&self, position: Position) {
        self.stored.store(position.0, Ordering::Release);
    }

    /// Keeps the log's files from being removed.
    pub(crate) fn read_files(&self) -> RwLockReadGuard<'_, ()> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody reads the log's old files.
    pub(crate) fn change_files(&self) -> RwLockWriteGuard<'_, ()> {
        self.files.write().unwrap_or_else(PoisonError::into_inner)
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

    /// What is known to be lost of a run.
    pub(crate) fn lost(&self, run: RunId) -> Result<Option<Lost>, Error> {
        let known = |table: &Table| match table.lost.get(&run) {
            Some(lost) => Some(Some(lost.clone())),
            None => table.pruned.contains(&run).then_some(None),
        };
        match self.lock().newest(known) {
            Some(lost) => Ok(lost),
            None => self.store.lost(run),
        }
    }

    pub(crate) fn failed(&self) -> Option<Error> {
        self.failed.get().cloned()
    }
}

impl Known for Shared {
    fn tail(&self, run: RunId) -> Result<Option<Tail>, Error> {
        if let Some(lost) = self.lost(run)? {
            return Err(Error::Damaged { run, seq: lost.seq, what: lost.what });
        }
        match self.lock().newest(|table| table.run(run).map(|part| part.map(|part| part.tail))) {
            Some(tail) => Ok(tail),
            None => Ok(self.store.head(run)?.map(|(_, tail)| tail)),
        }
    }

    fn is_damaged(&self, run: RunId) -> bool {
        matches!(self.history(run), Err(Error::Damaged { .. }))
    }

    /// A run of which something is lost is blocked, whatever its last head says: a person must decide.
    fn head(&self, run: RunId) -> Result<Option<Head>, Error> {
        let newest = self.lock().newest(|table| table.run(run).map(|part| part.map(|part| part.head.clone())));
        let head = match newest {
            Some(head) => head,
            None => self.store.head(run)?.map(|(head, _)| head),
        };
        match head {
            Some(head) if self.lost(run)?.is_some() => Ok(Some(Head { status: RunStatus::Blocked, ..head })),
            head => Ok(head),
        }
    }

    fn entry(&self, key: &str) -> Result<Option<Entry>, Error> {
        match self.lock().newest(|table| table.inbox.get(key).cloned()) {
            Some(entry) => Ok(entry),
            None => self.store.entry(key),
        }
    }
}
