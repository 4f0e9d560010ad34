//! Telling whether a file changed, and whether whoever writes it is done.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// What tells that a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    bytes: u64,
    modified: SystemTime,
    inode: u64,
}

/// A file that did not change for so long is taken to be whole.
const SETTLED: Duration = Duration::from_millis(300);

/// A file that is not there in so many scans in a row is gone: editors rename and write anew.
pub(crate) const SCANS_UNTIL_GONE: u32 = 2;

impl Look {
    pub(crate) fn of(meta: &Metadata) -> std::io::Result<Self> {
        Ok(Self { bytes: meta.len(), modified: meta.modified()?, inode: meta.ino() })
    }

    /// Whether it was written long enough ago to be whole.
    pub(crate) fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age >= SETTLED)
    }
}
