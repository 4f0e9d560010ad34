//! Telling whether a file changed, and whether whoever writes it is done.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind};

/// What tells that a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    bytes: u64,
    modified: SystemTime,
    /// When anything about it changed, in seconds and nanoseconds: also its mode, or its time of modification.
    changed: (i64, i64),
    file: (u64, u64),
}

impl Look {
    pub(crate) fn of(meta: &Metadata) -> std::io::Result<Self> {
        let changed = (meta.ctime(), meta.ctime_nsec());
        Ok(Self { bytes: meta.len(), modified: meta.modified()?, changed, file: (meta.dev(), meta.ino()) })
    }

    /// For how long nothing about it has changed, by the file system's clock; none where that is ahead of ours.
    pub(crate) fn age(&self) -> Option<Duration> {
        let seconds = Duration::from_secs(self.changed.0.try_into().ok()?);
        let changed = UNIX_EPOCH + seconds + Duration::from_nanos(self.changed.1.try_into().ok()?);
        changed.elapsed().ok()
    }
}

/// The files that somebody is writing, as far as the file system tells: those that were changed and not closed since. Clones
/// share them.
///
/// One that was changed through a mapping, or on another machine, is not among them; nor is anything where folders can't be
/// watched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Open(Arc<Mutex<BTreeSet<PathBuf>>>);

impl Open {
    /// Whether somebody writes the file. Events have absolute paths.
    pub(crate) fn contains(&self, path: &Path) -> bool {
        std::path::absolute(path).is_ok_and(|path| self.files().contains(&path))
    }

    /// Takes note of what the file system tells. Where it lost something, nothing is known any more.
    pub(crate) fn hear(&self, event: &notify::Result<Event>) {
        let Ok(event) = event else { return self.files().clear() };
        if event.need_rescan() {
            return self.files().clear();
        }
        match event.kind {
            EventKind::Modify(ModifyKind::Data(_)) => self.files().extend(event.paths.iter().cloned()),
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(_) => {
                let mut files = self.files();
                event.paths.iter().for_each(|path| _ = files.remove(path));
            }
            _ => {}
        }
    }

    fn files(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
