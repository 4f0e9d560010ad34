//! The tasks that watch folders. No error about a file or a folder ends one: it is told in `status`, and the rest goes on.

use std::collections::BTreeSet;
use std::path::PathBuf;

use host::shown;

use crate::alarm_files::AlarmFiles;
use crate::hints::{Complaints, Hints, Mood};
use crate::{Engine, Error, Settings};

/// Watches the folders of runbooks and alarms for ever.
///
/// # Errors
/// Only where the journal can't be written any more: then no alarm can be taken in by this process.
pub(crate) async fn watch(engine: Engine, complaints: Complaints) -> Result<(), Error> {
    let mut hints = Hints::new(complaints);
    let mut alarms = AlarmFiles::new(&engine.settings.alarms);
    loop {
        let changing = tokio::task::block_in_place(|| engine.scan_runbooks(true));
        let unsettled = alarms.scan(&engine).await? || changing;
        let (folders, unread) = {
            let library = engine.library();
            let folders: BTreeSet<PathBuf> = library.folder().folders().union(alarms.folders()).cloned().collect();
            (folders, library.folder().is_unread() || alarms.is_unread())
        };
        hints.next(&folders, mood(unsettled, unread)).await;
    }
}

/// Watches the folders of plugins, and `plugins.lock`, for ever. Compiling a plugin holds up nothing else.
pub(crate) async fn watch_plugins(engine: Engine, complaints: Complaints) -> Result<(), Error> {
    let mut hints = Hints::new(complaints);
    loop {
        let unsettled = engine.scan_plugins().await;
        let (folders, unread) = engine.workshop.files.folders();
        hints.next(&folders, mood(unsettled, unread)).await;
    }
}

fn mood(unsettled: bool, unread: bool) -> Mood {
    match (unsettled, unread) {
        (true, _) => Mood::Unsettled,
        (false, true) => Mood::Unread,
        (false, false) => Mood::Calm,
    }
}

/// Makes the folders of runbooks and alarms where they are not there. Only at a start, before the first look: one that goes
/// away later is rather unmounted than unwanted, and an empty one in its place would withdraw all that was in it.
pub(crate) fn make(settings: &Settings) {
    for folder in [&settings.runbooks, &settings.alarms] {
        if let Err(error) = std::fs::create_dir_all(folder) {
            tracing::warn!(folder = shown(folder), %error, "the folder could not be made");
        }
    }
}
