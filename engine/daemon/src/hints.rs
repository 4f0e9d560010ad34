//! When to look at folders again. Events of the file system are only hints: what counts is what a scan finds.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::io::Errno;
use tokio::sync::mpsc;

use crate::look::Open;

/// Scans happen at least this often, whatever was missed.
const RESCAN: Duration = Duration::from_secs(30);

/// How often it is looked where nothing can be watched, or where a folder can't be read.
const POLL: Duration = Duration::from_secs(3);

/// How long a burst of events is left to calm down.
const CALM: Duration = Duration::from_millis(100);

/// How soon a file that is still changing is looked at again.
const UNSETTLED: Duration = Duration::from_millis(300);

/// What the file system tells of folders. Without it, because the system has no watches left, they are polled.
pub(crate) struct Hints {
    hint: mpsc::Sender<()>,
    heard: mpsc::Receiver<()>,
    watcher: Option<RecommendedWatcher>,
    /// The folders that are watched, each with the device and inode that it had then.
    watched: BTreeMap<PathBuf, (u64, u64)>,
    complaints: Complaints,
    open: Open,
}

/// The limits that were told to be at fault, by whichever task met them first.
pub(crate) type Complaints = Arc<Mutex<BTreeSet<&'static str>>>;

/// How soon to look again if no hint comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Nothing is expected.
    Calm,
    /// A folder could not be read.
    Unread,
    /// A file is still changing.
    Unsettled,
}

impl Hints {
    /// Those of folders whose `open` files they tell.
    pub(crate) fn new(complaints: Complaints, open: Open) -> Self {
        let (hint, heard) = mpsc::channel(1);
        Self { hint, heard, watcher: None, watched: BTreeMap::new(), complaints, open }
    }

    /// Waits until it is time to look at these folders again.
    pub(crate) async fn next(&mut self, folders: &BTreeSet<PathBuf>, mood: Mood) {
        let is_watching = self.watch(folders);
        let wait = match mood {
            Mood::Unsettled => UNSETTLED,
            Mood::Calm if is_watching => RESCAN,
            Mood::Calm | Mood::Unread => POLL,
        };
        if let Ok(Some(())) = tokio::time::timeout(wait, self.heard.recv()).await {
            tokio::time::sleep(CALM).await;
            while self.heard.try_recv().is_ok() {}
        }
    }

    /// Watches these folders and no others. False: some can't be watched.
    fn watch(&mut self, folders: &BTreeSet<PathBuf>) -> bool {
        if self.watcher.is_none() {
            match watcher(self.hint.clone(), self.open.clone()) {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => self.complain(&error, "fs.inotify.max_user_instances"),
            }
        }
        let Some(watcher) = &mut self.watcher else { return false };
        self.watched.retain(|folder, identity| {
            // A folder that was replaced, or mounted over, is another one.
            let stays = folders.contains(folder) && identity_of(folder) == Some(*identity);
            if !stays {
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        let mut failed = None;
        for folder in folders {
            if self.watched.contains_key(folder) {
                continue;
            }
            let Some(identity) = identity_of(folder) else { continue };
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder.clone(), identity);
                    // Something may have happened there before it was watched.
                    let _ = self.hint.try_send(());
                }
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = &failed {
            self.complain(error, "fs.inotify.max_user_watches");
        }
        failed.is_none()
    }

    /// Says once why something can't be watched; `limit` is the sysctl that a system without watches left has at fault.
    fn complain(&mut self, error: &notify::Error, limit: &'static str) {
        if !self.complaints.lock().unwrap_or_else(PoisonError::into_inner).insert(limit) {
            return;
        }
        let at_limit = match &error.kind {
            notify::ErrorKind::MaxFilesWatch => true,
            notify::ErrorKind::Io(error) => error.raw_os_error() == Some(Errno::MFILE.raw_os_error()),
            _ => false,
        };
        let mend = if at_limit { format!("; raise the sysctl {limit}") } else { String::new() };
        tracing::warn!("folders are looked at every {} s, as they can't be watched: {error}{mend}", POLL.as_secs());
    }
}

fn watcher(hint: mpsc::Sender<()>, open: Open) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<Event>| {
        open.hear(&event);
        // A look at a folder must not lead to the next look.
        let kind = event.map(|event| event.kind);
        if matches!(kind, Ok(EventKind::Access(access)) if access != AccessKind::Close(AccessMode::Write)) {
            return;
        }
        // A full channel means that a scan is due already.
        let _ = hint.try_send(());
    })
}

fn identity_of(folder: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(folder).ok().map(|meta| (meta.dev(), meta.ino()))
}
