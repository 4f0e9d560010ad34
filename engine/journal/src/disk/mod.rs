//! The journal on disk.

mod compact;
mod compare;
mod empty;
mod end;
mod keeper;
mod kill;
mod lock;
mod open;
mod queue;
mod reads;
mod repair;
mod replay;
mod shared;
#[cfg(test)]
mod tests;
mod trim;
mod verify;
mod view;
mod writer;

use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::{Appended, Batch, Error};
pub use compact::{Compacted, compact};
pub(crate) use empty::EmptyState;
use end::EndFile;
use lock::Lock;
use queue::Queue;
pub use repair::{Repair, repair};
use shared::Shared;
use trim::Trimmer;
use writer::Writer;

/// The journal on disk: a commit log in front of sled, in one state directory, for one process.
///
/// ```
/// let state = tempfile::tempdir()?;
/// let journal = journal::SledJournal::open(state.path())?;
/// journal.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SledJournal {
    dir: PathBuf,
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
    keeper: Option<JoinHandle<()>>,
    #[cfg(test)]
    faults: Arc<crate::log::Faults>,
    _lock: Lock,
}

/// How to open a [`SledJournal`].
#[derive(Debug, Clone)]
pub struct Options {
    /// What a second process is told holds the lock.
    pub holder: String,
    /// Bytes of one log segment; a new state directory begins with a smaller one.
    pub segment_bytes: usize,
    /// Bytes of the log after which its newest part goes into the store.
    pub table_bytes: usize,
    /// The log is not trimmed before this many bytes of it could be: it takes at most this, twice what is kept in it, and
    /// a few segments.
    pub trim_bytes: usize,
    /// Bytes of one file of a base, at most; a commit that is larger has a file of its own.
    pub base_file_bytes: usize,
    /// Sets the store aside and rebuilds it from the log: mends whatever `verify` found in the store alone.
    pub rebuild: bool,
}

impl Default for Options {
    fn default() -> Self {
        let unit = if has_small_files() { 1 << 10 } else { 1 << 20 };
        Self {
            holder: "another runwright".to_owned(),
            segment_bytes: 16 * unit,
            table_bytes: 8 * unit,
            trim_bytes: 64 * unit,
            base_file_bytes: 64 * unit,
            rebuild: false,
        }
    }
}

/// Whether a test wants files a thousandth as large as usual, to cross their limits with little.
fn has_small_files() -> bool {
    cfg!(debug_assertions) && std::env::var_os("RUNWRIGHT_SMALL_FILES").is_some()
}

impl SledJournal {
    /// Opens the journal in this state directory, or makes one.
    ///
    /// A store that is damaged is set aside and rebuilt from the log; progress is told through `tracing`.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`], [`Error::Network`], [`Error::NewerFormat`], [`Error::Full`], [`Error::Io`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(dir, &Options::default())
    }

    /// Opens the journal with these options.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_with(dir: impl AsRef<Path>, options: &Options) -> Result<Self, Error> {
        let dir = dir.as_ref().to_owned();
        let lock = Lock::take(&dir, &options.holder)?;
        if options.rebuild {
            lock::mark_broken(&dir);
        }
        let (shared, log) = open::open(&dir, &lock, options)?;
        #[cfg(test)]
        let faults = Arc::clone(&log.faults);
        let queue = Queue::new();
        let writer = Writer::new(log, Arc::clone(&shared));
        let writer = {
            let (queue, shared) = (Arc::clone(&queue), Arc::clone(&shared));
            spawn("journal-writer", &dir, move || {
                or_fail(&shared, "the writer", || writer.run(&queue));
                queue.abandon();
            })?
        };
        let keeper = {
            let (shared, trimmer) = (Arc::clone(&shared), Trimmer::new(&dir, options));
            let folder = dir.clone();
            spawn("journal-keeper", &dir, move || {
                or_fail(&shared, "the keeper", || keeper::run(&shared, &folder, trimmer))
            })?
        };
        Ok(Self {
            dir,
            shared,
            queue,
            writer: Some(writer),
            keeper: Some(keeper),
            #[cfg(test)]
            faults,
            _lock: lock,
        })
    }

    /// Writes what is queued and closes the journal. Dropping it does the same, without telling of an error.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] where the journal had failed.
    pub fn close(mut self) -> Result<(), Error> {
        self.stop();
        self.shared.failed().map_or(Ok(()), Err)
    }

    fn stop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
            let end = self.shared.lock().active.end;
            if self.shared.failed().is_none()
                && let Err(error) = EndFile::write(&self.dir, end)
            {
                tracing::warn!(%error, "where the log ends could not be remembered");
            }
        }
    }

    fn enqueue(&self, batch: Batch) -> Appended {
        match crate::commit::Commit::encode(batch) {
            Ok(commit) => self.queue.push(commit),
            Err(error) => Appended::ready(Err(error)),
        }
    }
}

impl Drop for SledJournal {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, dir: &Path, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| Error::io("start a thread for", dir, error))
}

/// A panic in one of the journal's threads is a bug; it must not leave anyone waiting for it.
fn or_fail(shared: &Shared, who: &str, work: impl FnOnce()) {
    if panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
        shared.fail(&Error::Failed(format!("{who} panicked")));
    }
}
