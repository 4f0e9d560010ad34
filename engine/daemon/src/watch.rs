//! The tasks that watch folders. No error about a file or a folder ends one: it is told in `status`, and the rest goes on.

use std::path::Path;

use host::shown;
use journal::Batch;
use runwright_core::Value;

use crate::alarm_files::AlarmFiles;
use crate::hints::{Complaints, Hints, Mood};
use crate::{Engine, Error, Settings};

/// Watches the folder of runbooks for ever.
pub(crate) async fn watch_runbooks(engine: Engine, complaints: Complaints) -> Result<(), Error> {
    let mut hints = Hints::new(complaints, engine.library().folder().open());
    loop {
        let unsettled = tokio::task::block_in_place(|| engine.scan_runbooks(true));
        let (folders, unread) = {
            let library = engine.library();
            (library.folder().folders().clone(), library.folder().is_unread())
        };
        hints.next(&folders, mood(unsettled, unread)).await;
    }
}

/// Watches the folder of alarms for ever. What becomes of them may take long, and holds up nothing else.
///
/// # Errors
/// Only where the journal can't be written any more: then no alarm can be taken in by this process.
pub(crate) async fn watch_alarms(engine: Engine, complaints: Complaints) -> Result<(), Error> {
    let mut alarms = AlarmFiles::new(&engine.settings.alarms);
    let mut hints = Hints::new(complaints, alarms.open());
    loop {
        let unsettled = alarms.scan(&engine).await?;
        hints.next(alarms.folders(), mood(unsettled, alarms.is_unread())).await;
    }
}

/// Watches the folders of plugins, and `plugins.lock`, for ever. Compiling a plugin holds up nothing else.
pub(crate) async fn watch_plugins(engine: Engine, complaints: Complaints) -> Result<(), Error> {
    let mut hints = Hints::new(complaints, engine.workshop.files.open());
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

/// The journal's setting that holds the folder of runbooks which an engine has served from.
const SERVED: &str = "runbooks";

/// Makes the folders of runbooks and alarms where they are not there, before the first look. A folder of runbooks that was
/// there before is rather unmounted than unwanted: an empty one in its place would let alarms start nothing.
pub(crate) async fn make(engine: &Engine) -> Result<(), Error> {
    let Settings { runbooks, alarms, .. } = &*engine.settings;
    make_folder(alarms);
    let folder = Some(Value::from(shown(runbooks)));
    if engine.journal().meta(SERVED)? != folder && make_folder(runbooks) {
        engine.journal().append(Batch { meta: vec![(SERVED.to_owned(), folder)], ..Batch::default() }).await?;
    }
    Ok(())
}

fn make_folder(folder: &Path) -> bool {
    let made = std::fs::create_dir_all(folder);
    made.inspect_err(|error| tracing::warn!(folder = shown(folder), %error, "the folder could not be made")).is_ok()
}
