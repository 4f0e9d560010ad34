//! Opening sled, which may hang, panic or refuse at damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Store;
use super::guard::guarded;
use crate::Error;

const CACHE_BYTES: u64 = 64 << 20;
/// Opening a million records takes seconds. A sled that needs longer than this hangs.
const OPEN_MAX: Duration = Duration::from_secs(300);
/// A sled that has not let go of its files after this long is another program's.
const UNLOCKED_MAX: Duration = Duration::from_secs(10);

impl Store {
    /// Opens the store in this folder, or makes it. Where that fails, it is tried again without sled's snapshots,
    /// which only make opening faster.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: it must be rebuilt. [`Error::NewerFormat`]: it must not.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        set_aside(dir, |name| name.starts_with("snap.") && name.ends_with(".generating"))?;
        let store = match Self::open_unlocked(dir) {
            Err(Error::Store(why)) => {
                tracing::warn!(why, "the store did not open; trying again without its snapshots");
                set_aside(dir, |name| name.starts_with("snap."))?;
                Self::open_unlocked(dir)?
            }
            other => other?,
        };
        store.checkpoint()?;
        Ok(store)
    }

    /// A sled that was closed lets go of its files a moment later, and the state directory is ours: so this waits.
    fn open_unlocked(dir: &Path) -> Result<Self, Error> {
        let began = Instant::now();
        loop {
            match Self::try_open(dir) {
                Err(Error::Store(why)) if why.contains("could not acquire lock") => {
                    if began.elapsed() > UNLOCKED_MAX {
                        let (path, holder) = (dir.to_owned(), "another program that reads the store".to_owned());
                        return Err(Error::Locked { path, pid: None, holder });
                    }
                    thread::sleep(Duration::from_millis(5));
                }
                other => return other,
            }
        }
    }

    fn try_open(dir: &Path) -> Result<Self, Error> {
        let (done, opened) = channel();
        let path = dir.to_owned();
        let work = move || {
            let store = guarded(|| {
                let config = sled::Config::new().path(&path).cache_capacity(CACHE_BYTES).use_compression(false);
                let db = config.flush_every_ms(None).open()?;
                let tree = |name: &str| db.open_tree(name);
                Ok(Self {
                    events: tree("events")?,
                    heads: tree("heads")?,
                    open: tree("open")?,
                    inbox: tree("inbox")?,
                    waiting: tree("waiting")?,
                    sources: tree("sources")?,
                    meta: tree("meta")?,
                    damage: tree("damage")?,
                    state: tree("state")?,
                    dir: path,
                    db,
                    synced_once: OnceLock::new(),
                })
            });
            let _ = done.send(store);
        };
        let thread = thread::Builder::new().name("journal-open".to_owned()).spawn(work);
        thread.map_err(|error| Error::io("start a thread to open", dir, error))?;
        let began = Instant::now();
        loop {
            match opened.recv_timeout(Duration::from_secs(2)) {
                Ok(store) => return store,
                Err(RecvTimeoutError::Timeout) if began.elapsed() < OPEN_MAX => {
                    tracing::info!(seconds = began.elapsed().as_secs(), "opening the store");
                }
                Err(RecvTimeoutError::Timeout) => return Err(Error::Store("opening it hangs".to_owned())),
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Store("opening it panicked".to_owned())),
            }
        }
    }
}

/// Renames or removes the files in the store's folder that `which` names.
fn set_aside(dir: &Path, which: impl Fn(&str) -> bool) -> Result<(), Error> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    let files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    for path in files.into_iter().filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&which)) {
        tracing::warn!(path = %path.display(), "removing an unfinished or damaged snapshot of the store");
        fs::remove_file(&path).map_err(|error| Error::io("remove", &path, error))?;
    }
    Ok(())
}

/// At most this many stores that were set aside are kept; older ones are removed, or a store that is damaged again and again would
/// fill the disk.
const ASIDE_MAX: u32 = 3;

/// Moves a damaged store to `sled.damaged-<n>` beside it.
pub(crate) fn move_away(dir: &Path) -> Result<PathBuf, Error> {
    let place = |n: u32| dir.with_file_name(format!("sled.damaged-{n}"));
    let parent = dir.parent().and_then(|parent| fs::read_dir(parent).ok());
    let names = parent.into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let there = names.filter_map(|name| name.strip_prefix("sled.damaged-")?.parse::<u32>().ok());
    let mut there: Vec<u32> = there.collect();
    there.sort_unstable();
    let next = there.last().map_or(1, |last| last + 1);
    for old in there.iter().rev().skip(ASIDE_MAX as usize - 1) {
        let _ = fs::remove_dir_all(place(*old));
    }
    fs::rename(dir, place(next)).map_err(|error| Error::io("set aside", dir, error))?;
    Ok(place(next))
}
