//! Keeping the log from growing without bound: what is kept is written again as a base, and the segments that it stands
//! for are removed.
//!
//! The log always holds all that is kept, so a store can be rebuilt from it whatever happens to sled. It is trimmed
//! when its closed segments hold as much as [`Options::trim_bytes`](crate::Options::trim_bytes) and as much as the base
//! before them: so it takes at most about twice what is kept, and each byte is written again about once at most for each
//! byte that is new. It is never trimmed while something in it is damaged.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::Options;
use super::lock::free_bytes;
use super::shared::Shared;
use crate::Error;
use crate::frame::Position;
use crate::log::base::Writer;
use crate::log::kept::Kept;
use crate::log::{Base, Found, files, rewrite, segment, segments};

/// A base is not begun with less room on the disk than it may take, and so much.
const FREE_MIN: u64 = 8 << 20;

/// Trims the log beside everything else.
#[derive(Debug)]
pub(crate) struct Trimmer {
    log: PathBuf,
    trim_bytes: u64,
    base_file_bytes: usize,
    working: Option<JoinHandle<()>>,
    end: Arc<AtomicBool>,
    /// It was given up: the log is damaged.
    given_up: Arc<AtomicBool>,
}

impl Trimmer {
    pub(crate) fn new(dir: &Path, options: &Options) -> Self {
        Self {
            log: dir.join("log"),
            trim_bytes: options.trim_bytes as u64,
            base_file_bytes: options.base_file_bytes,
            working: None,
            end: Arc::default(),
            given_up: Arc::default(),
        }
    }

    /// Begins to trim where it is time to.
    pub(crate) fn consider(&mut self, shared: &Arc<Shared>) {
        if self.working.as_ref().is_some_and(|working| !working.is_finished()) || self.given_up.load(Ordering::Relaxed)
        {
            return;
        }
        let stored = shared.stored();
        if !is_due(&self.log, stored, self.trim_bytes).unwrap_or(false) {
            return;
        }
        let (log, shared, base_file_bytes) = (self.log.clone(), Arc::clone(shared), self.base_file_bytes);
        let (end, given_up) = (Arc::clone(&self.end), Arc::clone(&self.given_up));
        let work = move || {
            let go_on = || !end.load(Ordering::Relaxed);
            match trim(&log, stored.segment().saturating_sub(1), &shared, base_file_bytes, &go_on) {
                Ok(()) | Err(Error::Closed) => {}
                // The next checkpoint tries again: each try writes new files, so no failed sync is repeated.
                Err(error @ (Error::Full(_) | Error::Io { .. })) => {
                    tracing::warn!(%error, "the log can't be trimmed now, so it grows");
                }
                Err(error) => {
                    given_up.store(true, Ordering::Relaxed);
                    tracing::error!(%error, "the log can't be trimmed, so it grows; `journal verify` tells more");
                }
            }
        };
        self.working = std::thread::Builder::new().name("journal-trimmer".to_owned()).spawn(work).ok();
    }
}

impl Drop for Trimmer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(working) = self.working.take() {
            let _ = working.join();
        }
    }
}

/// Whether the segments that a base could take the place of hold enough. `stored` is in the store.
fn is_due(log: &Path, stored: Position, trim_bytes: u64) -> Result<bool, Error> {
    let base = Base::newest(log)?;
    if let Some(base) = &base
        && has_leftovers(log, base)?
    {
        return Ok(true);
    }
    let from = base.as_ref().map_or(0, |base| base.segment);
    let closed: u64 = segments(log)?
        .iter()
        .filter(|(number, _)| (from + 1..stored.segment()).contains(number))
        .filter_map(|(_, path)| Some(path.metadata().ok()?.len()))
        .sum();
    let before = base.map_or(Ok(0), |base| base.bytes())?;
    Ok(closed > 0 && closed >= trim_bytes && closed >= before)
}

/// Removes what a crash left behind a base that counts, where the base is whole.
fn clear_leftovers(log: &Path, base: &Base, shared: &Shared) -> Result<(), Error> {
    if !has_leftovers(log, base)? {
        return Ok(());
    }
    base.scan(&mut |found| match found {
        Found::Hole(hole) => Err(Error::Store(format!("it is damaged, {hole}"))),
        _ => Ok(()),
    })?;
    let _files = shared.change_files();
    remove_before(log, base)
}

fn has_leftovers(log: &Path, base: &Base) -> Result<bool, Error> {
    Ok(Base::all(log)?.len() > 1 || segments(log)?.iter().any(|(number, _)| *number <= base.segment))
}

/// Makes a base of everything up to the end of this segment, which is closed and in the store, and removes what it
/// stands for.
///
/// **A crash** on the way leaves the old files or the new ones: the base counts from its renaming on, and what it
/// stands for is removed after that, now or at the next trimming.
///
/// # Errors
///
/// [`Error::Store`] where the log is damaged, [`Error::Full`], [`Error::Closed`] where `go_on` says no.
fn trim(
    log: &Path,
    segment: u32,
    shared: &Shared,
    base_file_bytes: usize,
    go_on: &dyn Fn() -> bool,
) -> Result<(), Error> {
    if let Some(base) = Base::newest(log)? {
        clear_leftovers(log, &base, shared)?;
        if base.segment >= segment {
            return Ok(());
        }
    }
    let base = replace(log, segment, closed_end(log, segment)?, base_file_bytes, go_on)?;
    tracing::info!(segment, bytes = base.bytes()?, "the log was trimmed");
    let _files = shared.change_files();
    remove_before(log, &base)
}

/// Writes a base of everything up to `end`, which is in this segment. What it stands for is still there.
pub(crate) fn replace(
    log: &Path,
    segment: u32,
    end: Position,
    base_file_bytes: usize,
    go_on: &dyn Fn() -> bool,
) -> Result<Base, Error> {
    let mut kept = Kept::read(log, end)?;
    if let Some(trouble) = kept.trouble() {
        return Err(Error::Store(trouble));
    }
    let (needed, free) = (kept.bytes * 5 / 4 + FREE_MIN, free_bytes(log)?);
    if free < needed {
        return Err(Error::Full(format!("a new base needs {needed} bytes, and {free} are free")));
    }
    let mut writer = Writer::new(log, rewrite::info(&kept), base_file_bytes)?;
    rewrite::rewrite(&mut kept, &mut writer, go_on)?;
    writer.finish(segment)
}

/// Where the frames of a closed segment end: the next one's first frame holds it. It is in an earlier segment where the
/// closed one was left without a frame: refused batches may have needed a larger one.
fn closed_end(log: &Path, segment: u32) -> Result<Position, Error> {
    let path = segment::path(log, segment + 1);
    let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
    let place = Position::new(segment + 1, segment::HEADER);
    let first = bytes.get(segment::HEADER..).and_then(|bytes| crate::frame::Frame::read(bytes, place));
    let end = first.map(|frame| frame.durable).filter(|end| end.segment() <= segment);
    end.ok_or_else(|| Error::Store(format!("the first commit in {} can't be read", path.display())))
}

/// Removes the segments and the bases that this base stands for.
pub(crate) fn remove_before(log: &Path, base: &Base) -> Result<(), Error> {
    for older in Base::all(log)?.iter().filter(|older| older.segment < base.segment) {
        files::remove_dir(&older.dir)?;
    }
    for (_, path) in segments(log)?.iter().filter(|(number, _)| *number <= base.segment) {
        files::remove(path)?;
    }
    files::sync_dir(log)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn file(path: &Path, bytes: u64) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        File::create(path).unwrap().set_len(bytes).unwrap();
    }

    #[test]
    fn it_is_due_from_the_byte_on_at_which_it_should_be() {
        let log = tempfile::tempdir().unwrap();
        file(&segment::path(log.path(), 3), 60);
        file(&segment::path(log.path(), 4), 40);
        file(&segment::path(log.path(), 5), 1_000);
        let due = |stored: u32, trim_bytes: u64| is_due(log.path(), Position::new(stored, 64), trim_bytes).unwrap();
        assert!(due(5, 100) && !due(5, 101), "segments that are closed and in the store count");
        assert!(due(4, 60) && !due(4, 61));
        assert!(!due(3, 0), "there is nothing to trim");
        let base = log.path().join("base-000002");
        file(&segment::path(&base, 1), 70);
        file(&segment::path(&base, 2), 30);
        assert!(due(5, 100), "as much as all files of the base before it");
        file(&segment::path(&base, 3), 1);
        assert!(!due(5, 100));
        file(&segment::path(log.path(), 2), 1);
        assert!(due(5, 1_000), "something is left over from a crash");
    }
}
