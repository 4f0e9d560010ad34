//! Telling whether a file changed, and whether whoever writes it is done.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

/// What tells that a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    bytes: u64,
    modified: SystemTime,
    /// When anything about it changed, in seconds and nanoseconds: also its mode, or its time of modification.
    changed: (i64, i64),
    file: (u64, u64),
}

/// A file that did not change for so long is taken to be whole.
const SETTLED: Duration = Duration::from_millis(300);

impl Look {
    pub(crate) fn of(meta: &Metadata) -> std::io::Result<Self> {
        let changed = (meta.ctime(), meta.ctime_nsec());
        Ok(Self { bytes: meta.len(), modified: meta.modified()?, changed, file: (meta.dev(), meta.ino()) })
    }

    /// Whether it was written long enough ago to be whole.
    pub(crate) fn is_settled(&self) -> bool {
        self.modified.elapsed().is_ok_and(|age| age >= SETTLED)
    }
}
