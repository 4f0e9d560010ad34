//! Making a state directory as small as what is kept in it.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::end::EndFile;
use super::lock::Lock;
use super::{Options, keeper, open, trim};
use crate::log::segment;
use crate::store::COMPACTED;
use crate::{Error, SledJournal};

/// What [`compact`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compacted {
    /// Bytes of log and store before.
    pub before_bytes: u64,
    /// Bytes of log and store after.
    pub after_bytes: u64,
}

/// Writes everything that is kept again, as one base and a store, and removes the rest of log and store.
///
/// What an export says is the same before and after. Stores that were set aside stay.
///
/// **A crash** in the middle leaves the journal as it was, or smaller, with nothing lost.
///
/// # Errors
///
/// [`Error::Store`] where something in the log is damaged: nothing was changed, and [`repair`](crate::repair) is next.
/// Else what opening gives.
pub fn compact(dir: impl AsRef<Path>, options: &Options) -> Result<Compacted, Error> {
    let dir = dir.as_ref();
    let log_dir = dir.join("log");
    let lock = Lock::take(dir, &options.holder)?;
    let (shared, mut log) = open::open(dir, &lock, options)?;
    let before_bytes = bytes(&log_dir) + bytes(&dir.join("sled"));
    let end = log.position();
    if end.offset() > segment::HEADER {
        let base = trim::replace(&log_dir, end.segment(), end, options.base_file_bytes, &|| true);
        let base = base.map_err(|error| match error {
            Error::Store(what) => Error::Store(format!("the log, {what}")),
            error => error,
        })?;
        log.roll(0)?;
        trim::remove_before(&log_dir, &base)?;
        EndFile::write(dir, log.position())?;
        drop((log, shared));
        // The store ends before the log begins now: the next opening builds another one.
        let aside = dir.join(COMPACTED);
        remove(&aside)?;
        fs::rename(dir.join("sled"), &aside).map_err(|error| Error::io("set aside", &aside, error))?;
        drop(lock);
        SledJournal::open_with(dir, options)?.close()?;
        remove(&aside)?;
    } else {
        keeper::checkpoint(&shared, dir)?;
    }
    let after_bytes = bytes(&log_dir) + bytes(&dir.join("sled"));
    Ok(Compacted { before_bytes, after_bytes })
}

fn remove(dir: &Path) -> Result<(), Error> {
    if dir.exists() { fs::remove_dir_all(dir).map_err(|error| Error::io("remove", dir, error)) } else { Ok(()) }
}

/// Bytes in all files of a folder.
fn bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |path: &Path| if path.is_dir() { bytes(path) } else { path.metadata().map_or(0, |meta| meta.len()) };
    entries.map(|entry| size(&entry.path())).sum()
}
