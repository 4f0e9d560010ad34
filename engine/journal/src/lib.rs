//! The durable journal: what happened to every run, on disk before anyone acts on it.
//!
//! A [`Journal`] takes [`Batch`]es. A batch is one atomic commit: records of one or several runs, the [`Head`] of each
//! of them, sources (checked runbooks by digest), inbox entries and settings. [`Journal::append`] gives an
//! [`Appended`], a future that resolves once the batch is durable; what was acknowledged is seen by every read after it.
//!
//! - [`SledJournal`] keeps it in a state directory, for one process.
//! - [`Memory`] keeps it in memory and can be told to fail: for tests.
//!
//! Both pass the suite in [`conformance`].
//!
//! # How a commit becomes durable
//!
//! `append` encodes the batch in the caller's thread and queues it. One writer thread takes all that waits, checks that
//! it fits (sequence numbers, inbox keys), adds what needs the order (hash chain, numbers), writes it to the log as
//! checksummed frames and calls `fdatasync` once. That is the commit point and the only wait. Then the batches go into
//! a table in memory, which readers see, and everyone is told. A keeper thread puts full tables (8 MiB of log) into
//! sled and syncs it: a checkpoint. Reads are answered from table and store as one.
//!
//! # The state directory
//!
//! ```text
//! lock                 flock: who has it open; the kernel lets go of it however the process ends
//! end                  where the log ended when the journal was closed last
//! log/base-000007/     everything that is kept of the segments 1 to 7; where there is none, the log begins with 1
//! log/000008.log …     the commit log behind it, in allocated segments
//! sled/                the store; can be rebuilt from the log at any time
//! sled.damaged-1 …     stores that were set aside, three at most
//! log.damaged-1 …      logs that [`repair`] set aside
//! ```
//!
//! Opening reads the log from the store's last checkpoint. A store that does not open, panics, hangs, lost something
//! that is needed to go on, or ends before the log begins is set aside and rebuilt. When the machine was started again,
//! all heads, inbox entries, sources and settings are compared with the log first: after a power failure sled may have
//! lost what was synced long ago. An unfinished write at the log's end is cut off. Damage before it blocks only the
//! runs that it may concern: their [`history`](Journal::history) is [`Error::Damaged`], so are appends where their last
//! records are in doubt, and their status is `blocked`. An inbox entry that may have been handled there starts nothing
//! a second time. What only one of log and store has lost is read from the other; [`Journal::verify`] finds it, and
//! [`repair`] puts it in order.
//!
//! # What is kept, and for how long
//!
//! The log always holds everything that is kept, so the store can be rebuilt without loss whatever happens to it. It is
//! trimmed in normal operation: once the closed segments that are in the store hold [`Options::trim_bytes`] (64 MiB) and
//! as much as the base before them, what is kept of base and segments, runs that live on and runs that are over alike,
//! is written as a new base beside the work. The base counts when its folder has its name, durably; then what it stands
//! for is removed. So the log takes at most twice what is kept, `trim_bytes` and a few segments (and a third copy while
//! a base is written), and every byte is written about twice in its life. A log with damage in it is never trimmed.
//!
//! What is kept is for [`prune`] to say: it forgets runs that were over long enough, never one that is blocked, damaged
//! or not over, and the inbox keys that led to them after [`DEDUP_MIN`]. [`compact`] makes a new base and store at once.
//! [`Journal::export`] and [`import`] are the backup. Sources are never forgotten: they are few.
//!
//! # Limits
//!
//! | what | at most | one more |
//! |---|---|---|
//! | a batch | 8 MiB of log, 65,536 runs | [`Error::Invalid`]; nothing was written |
//! | an inbox key | 512 bytes | the same |
//! | the queue | 64 MiB or 16,384 batches | waits for room |
//! | one write and sync | 1,024 batches, or 4 MiB before the last one | is written next |
//! | a table | [`Options::table_bytes`] (8 MiB); four of them while the store is behind | waits for a checkpoint |
//! | a segment | [`Options::segment_bytes`] (16 MiB, the first one 1 MiB) | the next one; it is as large as its first frame |
//! | a frame of a base | 1 MiB and one item | the next one |
//! | a file of a base | [`Options::base_file_bytes`] (64 MiB), or one frame | the next one |
//! | closed segments | [`Options::trim_bytes`] (64 MiB), or as much as the base | they are trimmed |
//! | a table when the journal is closed | 256 KiB stay in the log | goes into the store |
//! | a value of sled | 4,000 bytes | parts, at most 65,536 |
//! | a line of an export | 64 MiB | [`Error::Export`]; nothing is imported |
//! | runs or keys that one commit of [`prune`] forgets | 64 | another commit |
//! | notes of what was given up | 1,000, or 1 MiB | the oldest is dropped |
//! | stores that were set aside | 3 | the oldest is removed |
//!
//! # Faults that it is made for
//!
//! - The process is killed at any moment: what was acknowledged is there, every batch is whole or absent.
//! - The power fails: the same, as long as the disk keeps what `fdatasync` returned for.
//! - The disk is full: appends fail with [`Error::Full`] and work again when there is room. Log segments have their
//!   full size before they are used, and no checkpoint is begun without room for it.
//! - A sync fails: [`Error::Failed`], for good. Nobody knows what is on the disk then, so it is never tried again.
//! - Bytes change on disk, files are cut off or vanish: every record and frame has a checksum, the records of a run are
//!   a hash chain, its head holds the last one, a segment knows its length, and `end` where the log ended. Limit: the
//!   last write before a crash, damaged afterwards, looks like an unfinished one.
//!
//! # Tests
//!
//! In debug builds `RUNWRIGHT_SMALL_FILES` makes segments, tables and bases a thousandth as large as usual, so that a
//! little work crosses all their limits.
//!
//! In debug builds `RUNWRIGHT_KILL_AT=after:N` makes the process end itself with SIGKILL right after the commit with the
//! N-th record that it writes is durable, before the append resolves; `before:N` right before that commit is written.
//! Each batch is a commit of its own then. A batch is never torn, so all N within one batch are the same moment.

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
mod prune;
mod record;
mod store;
mod table;

use std::io::Write;

use runwright_core::{Digest, Head, Record, RunId, Value};

pub use appended::Appended;
pub use batch::{Batch, Damage, Entry, Handled, InboxWrite, Query, Receipt, Report};
pub use disk::{Compacted, Options, Repair, SledJournal, compact, repair};
pub use error::Error;
pub use export::{Imported, Line, import};
pub use memory::Memory;
pub use prune::{Abandoned, DEDUP_MIN, Pruned, abandon, prune};

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

    /// Tells of every inbox entry, in no order.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read, or what `visit` gives.
    fn each_entry(&self, visit: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error>;

    /// The setting with this name.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] where the store can't be read.
    fn meta(&self, name: &str) -> Result<Option<Value>, Error>;

    /// Writes everything as JSON, one [`Line`] per line: a header, sources, then per run its head and records (oldest
    /// run first), inbox entries, settings, and an end by which it is known to be whole. [`import`] reads it.
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
