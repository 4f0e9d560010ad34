//! The durable journal: what happened to every run, on disk before anyone acts on it.
//!
//! A [`Journal`] takes [`Batch`]es. A batch is one atomic commit: records of one or several runs, the [`Head`] of each
//! of them, sources (checked runbooks by digest), inbox entries and settings. [`Journal::append`] gives an
//! [`Appended`], a future that resolves once the batch is durable; what was acknowledged is seen by every read after it.
//!
//! - `Memory` keeps everything in memory and can be told to fail: for tests.
//!
//! Every implementation passes the suite in [`conformance`].

mod admit;
mod appended;
mod batch;
mod commit;
pub mod conformance;
mod disk;
mod error;
mod export;
mod frame;
mod history;
mod log;
mod memory;
mod record;
mod store;
mod table;

use std::io::Write;

use runwright_core::{Digest, Head, Record, RunId, Value};

pub use appended::Appended;
pub use batch::{Batch, Damage, Entry, Handled, InboxWrite, Query, Receipt, Report};
pub use disk::{Options, SledJournal};
pub use error::Error;
pub use export::Line;
pub use memory::Memory;

/// A durable store of run histories, with one atomic, ordered way to write.
///
/// Appends of one run must be made in the order of their records. Reads see every acknowledged append (and may see one
/// that is durable but not acknowledged yet).
///
/// **A crash** before an append resolved leaves its batch either whole or absent, never in part. A crash after it
/// resolved leaves it whole.
pub trait Journal: Send + Sync + 'static {
    /// Queues a batch for the next commit.
    ///
    /// The future resolves when the batch is durable. Dropping it does not take the batch back. Where the queue is
    /// full, the batch is queued by the future as soon as there is room; then dropping it early does take it back.
    ///
    /// # Errors
    ///
    /// [`Error::Sequence`] for a record that does not follow the run's last; [`Error::NotWaiting`] for an inbox entry
    /// that was handled already; [`Error::Invalid`], [`Error::Damaged`] and [`Error::Full`]: nothing of the batch was
    /// written, and later appends may succeed. [`Error::Failed`] is final: start no effect any more and exit.
    fn append(&self, batch: Batch) -> Appended;

    /// Everything that happened to a run, verified: checksums, hash chain, no gap, last record as its head says.
    ///
    /// A run that the journal does not know has an empty history.
    ///
    /// # Errors
    ///
    /// [`Error::Damaged`] names the first record that is not what was written.
    fn history(&self, run: RunId) -> Result<Vec<Record>, Error>;

    /// The runs that match, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read.
    fn runs(&self, query: &Query) -> Result<Vec<Head>, Error>;

    /// Where a run stands; none for an unknown run.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read.
    fn head(&self, run: RunId) -> Result<Option<Head>, Error>;

    /// The bytes with this digest, as appended; their digest was checked again.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read or the bytes have another digest.
    fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error>;

    /// The inbox entry with this key, waiting or handled.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read.
    fn inbox(&self, key: &str) -> Result<Option<Entry>, Error>;

    /// The inbox entries that nobody handled yet, in the order in which they were accepted, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read.
    fn waiting(&self, limit: usize) -> Result<Vec<Entry>, Error>;

    /// The setting with this name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read.
    fn meta(&self, name: &str) -> Result<Option<Value>, Error>;

    /// Writes everything as JSON, one [`Line`] per line: a header, sources, then per run its head and records (oldest
    /// run first), inbox entries and settings.
    ///
    /// # Errors
    ///
    /// What the reads give, or [`Error::Io`] of `out`. A damaged run is a line of its own and no error.
    fn export(&self, out: &mut dyn Write) -> Result<(), Error>;

    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// Where something can't be read at all; damage that was found is in the report.
    fn verify(&self) -> Result<Report, Error>;
}

impl<J: Journal + ?Sized> Journal for std::sync::Arc<J> {
    fn append(&self, batch: Batch) -> Appended {
        (**self).append(batch)
    }
    fn history(&self, run: RunId) -> Result<Vec<Record>, Error> {
        (**self).history(run)
    }
    fn runs(&self, query: &Query) -> Result<Vec<Head>, Error> {
        (**self).runs(query)
    }
    fn head(&self, run: RunId) -> Result<Option<Head>, Error> {
        (**self).head(run)
    }
    fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        (**self).source(digest)
    }
    fn inbox(&self, key: &str) -> Result<Option<Entry>, Error> {
        (**self).inbox(key)
    }
    fn waiting(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        (**self).waiting(limit)
    }
    fn meta(&self, name: &str) -> Result<Option<Value>, Error> {
        (**self).meta(name)
    }
    fn export(&self, out: &mut dyn Write) -> Result<(), Error> {
        (**self).export(out)
    }
    fn verify(&self) -> Result<Report, Error> {
        (**self).verify()
    }
}
