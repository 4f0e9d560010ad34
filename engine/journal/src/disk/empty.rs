//! A state directory that nothing is in yet.

use std::fs;
use std::path::{Path, PathBuf};

use super::lock::{Lock, make_dir};
use crate::Error;

/// A locked state directory without a journal. Dropped before [`keep`](Self::keep), it is as it was.
#[derive(Debug)]
pub(crate) struct EmptyState {
    log: PathBuf,
    kept: bool,
    _lock: Lock,
}

impl EmptyState {
    /// Locks the folder, and makes it where it is missing.
    ///
    /// # Errors
    ///
    /// [`Error::NotEmpty`], and what taking the lock gives.
    pub(crate) fn take(dir: &Path, what: &str) -> Result<Self, Error> {
        let lock = Lock::take(dir, what)?;
        let entries = fs::read_dir(dir).map_err(|error| Error::io("read", dir, error))?;
        let mut names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        // Others keep what is theirs beside it: compiled plugins, the socket.
        if names.any(|name| name == "end" || name.starts_with("log") || name.starts_with("sled")) {
            return Err(Error::NotEmpty { path: dir.to_owned() });
        }
        let log = dir.join("log");
        make_dir(&log)?;
        Ok(Self { log, kept: false, _lock: lock })
    }

    /// The folder for its log.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Leaves what was put into it.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for EmptyState {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.log);
        }
    }
}
