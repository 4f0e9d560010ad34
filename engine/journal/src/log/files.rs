//! The few ways in which the log changes files. Tests record them here, to cut the power between any two.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::Error;

/// Writes bytes in place.
pub(crate) fn write_at(file: &File, path: &Path, at: usize, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, at as u64)?;
    note(path, || recorder::Event::Write { at, bytes: bytes.to_vec() });
    Ok(())
}

/// Makes what was written to a file durable.
pub(crate) fn sync(file: &File, path: &Path) -> io::Result<()> {
    rustix::fs::fdatasync(file)?;
    note(path, || recorder::Event::Sync);
    Ok(())
}

/// A file was made with `start` at its beginning and zeros up to `bytes`.
pub(crate) fn created(path: &Path, start: &[u8], bytes: usize) {
    note(path, || recorder::Event::Create { start: start.to_vec(), bytes });
}

/// Gives a file or folder another name.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|error| Error::io("rename", from, error))?;
    note(from, || recorder::Event::Rename { to: to.to_owned() });
    Ok(())
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
    note(path, || recorder::Event::Remove);
    Ok(())
}

/// Removes a folder and what is in it.
pub(crate) fn remove_dir(path: &Path) -> Result<(), Error> {
    fs::remove_dir_all(path).map_err(|error| Error::io("remove", path, error))?;
    note(path, || recorder::Event::Remove);
    Ok(())
}

/// Makes the names in a folder durable.
pub(crate) fn sync_dir(path: &Path) -> Result<(), Error> {
    let synced = File::open(path).and_then(|dir| dir.sync_all());
    synced.map_err(|error| Error::io("sync", path, error))?;
    note(path, || recorder::Event::SyncDir);
    Ok(())
}

#[cfg(not(test))]
fn note(_path: &Path, _event: impl FnOnce() -> recorder::Event) {}

#[cfg(test)]
use recorder::note;

#[cfg(not(test))]
mod recorder {
    /// Never made: the type that the closures above name.
    #[expect(dead_code, reason = "only tests record")]
    pub(crate) enum Event {
        Write { at: usize, bytes: Vec<u8> },
        Sync,
        Create { start: Vec<u8>, bytes: usize },
        Rename { to: std::path::PathBuf },
        Remove,
        SyncDir,
    }
}

#[cfg(test)]
pub(crate) mod recorder {
    //! What happened to the files under a folder, in order.

    use std::path::{Path, PathBuf};
    use std::sync::{Arc, Mutex, PoisonError};

    /// What happened to one file or folder.
    #[derive(Debug, Clone)]
    pub(crate) enum Event {
        Write {
            at: usize,
            bytes: Vec<u8>,
        },
        Sync,
        Create {
            start: Vec<u8>,
            bytes: usize,
        },
        Rename {
            to: PathBuf,
        },
        Remove,
        SyncDir,
        /// The store was synced: its files as they are now.
        Store(Arc<Vec<(PathBuf, Vec<u8>)>>),
        /// Records up to `seq` of run `n` were acknowledged.
        Acknowledged {
            n: u64,
            seq: u64,
        },
    }

    pub(crate) type Events = Arc<Mutex<Vec<(PathBuf, Event)>>>;

    static RECORDERS: Mutex<Vec<(PathBuf, Events)>> = Mutex::new(Vec::new());

    /// Records what happens under this folder from now on.
    pub(crate) fn record(dir: &Path) -> Events {
        let events = Events::default();
        RECORDERS.lock().unwrap_or_else(PoisonError::into_inner).push((dir.to_owned(), Arc::clone(&events)));
        events
    }

    /// The store in this folder was synced.
    pub(crate) fn store_synced(dir: &Path) {
        note(dir, || {
            let files = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
            let files = files.filter_map(|path| Some((path.clone(), std::fs::read(path).ok()?)));
            Event::Store(Arc::new(files.collect()))
        });
    }

    /// Takes an event in, where someone records.
    pub(crate) fn note(path: &Path, event: impl FnOnce() -> Event) {
        let recorders = RECORDERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, events)) = recorders.iter().find(|(dir, _)| path.starts_with(dir)) {
            events.lock().unwrap_or_else(PoisonError::into_inner).push((path.to_owned(), event()));
        }
    }
}
