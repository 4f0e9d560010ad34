//! The watched folders. Events of the file system are only hints: what counts is what a scan finds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::{Engine, Error};

/// Scans happen at least this often, whatever was missed.
const RESCAN: Duration = Duration::from_secs(30);

/// How long a burst of events is left to calm down.
const CALM: Duration = Duration::from_millis(100);

/// How soon a file that is still changing is looked at again.
const UNSETTLED: Duration = Duration::from_millis(300);

/// An alarm file's size, in bytes.
const ALARM_BYTES_MAX: u64 = 1 << 20;

/// Watches the folders of runbooks and alarms for ever. Folders that are not there are made.
pub(crate) async fn watch(engine: Engine) -> Result<(), Error> {
    let folders = [engine.settings.runbooks.clone(), engine.settings.alarms.clone()];
    for folder in &folders {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    }
    let mut hints = Hints::of(&folders, RecursiveMode::Recursive)?;
    let mut alarms = AlarmFiles::default();
    loop {
        let unsettled = tokio::task::block_in_place(|| engine.scan_runbooks());
        let unsettled = alarms.scan(&engine).await? || unsettled;
        hints.next(unsettled).await;
    }
}

/// Watches the folders of plugins, and `plugins.lock`, for ever. Compiling a plugin holds up nothing else.
pub(crate) async fn watch_plugins(engine: Engine) -> Result<(), Error> {
    let lock = engine.settings.plugin_lock.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut folders = engine.settings.plugins.clone();
    folders.push(lock.unwrap_or(Path::new(".")).to_owned());
    folders.retain(|folder| folder.is_dir());
    let mut hints = Hints::of(&folders, RecursiveMode::NonRecursive)?;
    loop {
        let unsettled = engine.scan_plugins().await;
        hints.next(unsettled).await;
    }
}

/// What the file system tells of folders.
struct Hints {
    heard: mpsc::Receiver<()>,
    _watcher: notify::RecommendedWatcher,
}

impl Hints {
    fn of(folders: &[PathBuf], mode: RecursiveMode) -> Result<Self, Error> {
        let (hint, heard) = mpsc::channel::<()>(1);
        let mut watcher = notify::recommended_watcher(move |_| {
            // A full channel means that a scan is due already.
            let _ = hint.try_send(());
        })
        .map_err(|error| Error::Internal(format!("files can't be watched: {error}")))?;
        for folder in folders {
            if let Err(error) = watcher.watch(folder, mode) {
                tracing::warn!(folder = %folder.display(), %error, "can't be watched: it is looked at every 30 s");
            }
        }
        Ok(Self { heard, _watcher: watcher })
    }

    /// Waits until it is time to look again.
    async fn next(&mut self, unsettled: bool) {
        let wait = if unsettled { UNSETTLED } else { RESCAN };
        if let Ok(Some(())) = tokio::time::timeout(wait, self.heard.recv()).await {
            tokio::time::sleep(CALM).await;
            while self.heard.try_recv().is_ok() {}
        }
    }
}

/// The files in the folder of alarms: each is taken in once it no longer changes, and then moved away.
#[derive(Default)]
struct AlarmFiles {
    changing: Vec<(PathBuf, u64, Option<std::time::SystemTime>)>,
}

impl AlarmFiles {
    /// Takes in what is whole. True: something is still changing.
    async fn scan(&mut self, engine: &Engine) -> Result<bool, Error> {
        let folder = &engine.settings.alarms;
        let mut changing = Vec::new();
        for path in alarm_files(folder) {
            let Ok(meta) = std::fs::symlink_metadata(&path) else { continue };
            let look = (path.clone(), meta.len(), meta.modified().ok());
            if !meta.is_file() || meta.len() > ALARM_BYTES_MAX || self.changing.contains(&look) {
                take_in(engine, &path, &meta).await?;
            } else {
                changing.push(look);
            }
        }
        self.changing = changing;
        Ok(!self.changing.is_empty())
    }
}

/// The files dropped into the folder, oldest name first; hidden, temporary and editors' files are not.
fn alarm_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.ends_with(".json") && !name.starts_with('.')
    });
    files.sort();
    files
}

/// Takes an alarm file in. It is moved to `accepted/` when what it says is durable, and to `rejected/`, with the reason
/// beside it, when it can't be understood. **A crash** in between leaves it where it is: it is taken in again, and the
/// inbox knows it.
async fn take_in(engine: &Engine, path: &Path, meta: &std::fs::Metadata) -> Result<(), Error> {
    let read = if !meta.is_file() {
        Err("is not a regular file".to_owned())
    } else if meta.len() > ALARM_BYTES_MAX {
        Err(format!("is larger than {ALARM_BYTES_MAX} bytes"))
    } else {
        std::fs::read(path).map_err(|error| format!("could not be read: {error}"))
    };
    let taken = match read {
        Ok(body) => match engine.alarm(&body).await {
            Ok(accepted) => Ok(accepted),
            Err(Error::Alarm(error)) => Err(error.to_string()),
            // The engine is in trouble, not the file: it stays and is tried again.
            Err(error) => {
                tracing::error!(file = %path.display(), %error, "the alarm could not be taken in");
                return match error {
                    Error::Journal(error) if error.is_final() => Err(error.into()),
                    _ => Ok(()),
                };
            }
        },
        Err(problem) => Err(problem),
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    match taken {
        Ok(accepted) => {
            let text = serde_json::to_string_pretty(&accepted).unwrap_or_default();
            put_away(path, &folder.join("accepted"), "result.json", &text)
        }
        Err(problem) => {
            tracing::warn!(file = %path.display(), "alarm file rejected: {problem}");
            put_away(path, &folder.join("rejected"), "reason.txt", &format!("{problem}\n"))
        }
    }
}

/// Moves a file into `folder`, never over another one, and writes what became of it beside it.
fn put_away(path: &Path, folder: &Path, kind: &str, text: &str) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let free = (0_u32..).map(|n| if n == 0 { name.clone() } else { format!("{n}-{name}") });
    let Some(name) = free.into_iter().find(|name| !folder.join(name).exists()) else { return Ok(()) };
    std::fs::rename(path, folder.join(&name)).map_err(|error| Error::io("move", path, error))?;
    let beside = folder.join(format!("{name}.{kind}"));
    std::fs::write(&beside, text).map_err(|error| Error::io("write", beside, error))
}
