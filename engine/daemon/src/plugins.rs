//! The plugins in the folders: new runs use what is there, also when it changes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::driver::Hosted;
use host::Host;
use runwright_core::{Digest, PluginFacts};

use crate::look::{Look, SCANS_UNTIL_GONE};
use crate::view::Problem;
use crate::{Error, PluginLock, Settings};

/// The files of plugins, and what was last made of each. Clones share them.
#[derive(Clone)]
pub(crate) struct PluginFiles {
    host: Arc<Host>,
    folders: Arc<[PathBuf]>,
    lock: PathBuf,
    files: Arc<Mutex<Files>>,
}

#[derive(Default)]
struct Files {
    known: BTreeMap<PathBuf, Known>,
    /// The look of `plugins.lock` at the last scan.
    lock: Option<Look>,
    /// Where copies are kept, once an engine says so.
    kept: Option<PathBuf>,
    /// What is wrong with `plugins.lock`.
    problem: Option<String>,
}

/// A file in one of the folders.
#[derive(Debug, Default, Clone)]
struct Known {
    read: Option<Look>,
    changing: Option<Look>,
    /// What new runs use of it: the last that could be used.
    good: Option<Arc<PluginFacts>>,
    problem: Option<String>,
    missing_scans: u32,
}

/// What a scan found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// New runs use something else now.
    pub(crate) changed: bool,
    /// Some file is still changing: look again soon.
    pub(crate) unsettled: bool,
}

impl PluginFiles {
    /// The files of these settings, not looked at yet.
    pub(crate) fn new(host: Arc<Host>, settings: &Settings) -> Self {
        let (folders, lock) = (settings.plugins.clone().into(), settings.plugin_lock.clone());
        Self { host, folders, lock, files: Arc::default() }
    }

    /// From now on a copy of every plugin that new runs use is kept in `folder`, so that runs which are pinned to one can
    /// go on when its file is gone.
    pub(crate) fn keep_in(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        let mut files = self.files();
        for (path, known) in &files.known {
            if let Some(facts) = &known.good {
                keep(folder, facts.digest, path)?;
            }
        }
        files.kept = Some(folder.to_owned());
        Ok(())
    }

    /// Looks at the folders: loads what is new or changed, and withdraws what is gone. With `patience` a file that was
    /// written just now is left for the next scan. A file that can't be used never replaces the one before it.
    ///
    /// What was pinned by runs stays loaded. One scan at a time.
    pub(crate) async fn scan(&self, patience: bool) -> Scanned {
        let mut scanned = Scanned::default();
        let lock = self.read_lock();
        let paths: Vec<PathBuf> = self.folders.iter().flat_map(|folder| wasm_files(folder)).collect();
        for path in &paths {
            let Some(look) = std::fs::metadata(path).and_then(|meta| Look::of(&meta)).ok() else { continue };
            {
                let mut files = self.files();
                let known = files.known.entry(path.clone()).or_default();
                known.missing_scans = 0;
                if known.read == Some(look) {
                    continue;
                }
                if patience && !look.is_settled() && known.changing != Some(look) {
                    known.changing = Some(look);
                    scanned.unsettled = true;
                    continue;
                }
            }
            let loaded = self.load(path, &lock).await;
            let mut files = self.files();
            let known = files.known.entry(path.clone()).or_default();
            (known.read, known.changing) = (Some(look), None);
            match loaded {
                Ok(facts) => {
                    scanned.changed |= known.good.as_ref().is_none_or(|good| good.digest != facts.digest);
                    known.good = Some(facts);
                    known.problem = None;
                }
                Err(problem) => known.problem = Some(problem),
            }
        }
        let withdrawn = self.withdraw(&paths, &mut scanned);
        scanned.changed |= withdrawn;
        if scanned.changed {
            self.offer();
        }
        scanned
    }

    /// Forgets files that are gone. True: new runs lose something.
    fn withdraw(&self, paths: &[PathBuf], scanned: &mut Scanned) -> bool {
        let mut lost = false;
        self.files().known.retain(|path, known| {
            if paths.contains(path) {
                return true;
            }
            known.missing_scans += 1;
            let gone = known.missing_scans >= SCANS_UNTIL_GONE;
            scanned.unsettled |= !gone;
            lost |= gone && known.good.is_some();
            !gone
        });
        lost
    }

    /// Lets new runs use what the files give: of two with one name the first in the order of their paths.
    fn offer(&self) {
        let files = self.files();
        let mut offered: BTreeMap<&str, Digest> = BTreeMap::new();
        for facts in files.known.values().filter_map(|known| known.good.as_ref()) {
            offered.entry(&facts.name).or_insert(facts.digest);
        }
        let before: Vec<Digest> = self.host.plugins().iter().map(|facts| facts.digest).collect();
        for digest in before.into_iter().filter(|digest| !offered.values().any(|offered| offered == digest)) {
            self.host.withdraw(digest);
        }
        for digest in offered.into_values() {
            self.host.offer(digest);
        }
    }

    /// The binary at `path`, compiled, checked and kept, if it may be used.
    async fn load(&self, path: &Path, lock: &PluginLock) -> Result<Arc<PluginFacts>, String> {
        let digest = self.host.load_pinned(path).await.map_err(|error| error.to_string())?;
        let facts = self.host.facts_of(digest).ok_or_else(|| "it was forgotten".to_owned())?;
        if let Some(why) = lock.refuses(&facts) {
            return Err(why);
        }
        let kept = self.files().kept.clone();
        if let Some(folder) = kept {
            keep(&folder, digest, path).map_err(|error| error.to_string())?;
        }
        Ok(facts)
    }

    /// What `plugins.lock` says. Where it changed every file is looked at again.
    fn read_lock(&self) -> PluginLock {
        let look = std::fs::metadata(&self.lock).and_then(|meta| Look::of(&meta)).ok();
        let lock = PluginLock::read(&self.lock);
        let mut files = self.files();
        if files.lock != look {
            files.lock = look;
            files.known.values_mut().for_each(|known| known.read = None);
        }
        files.problem = lock.as_ref().err().map(ToString::to_string);
        lock.unwrap_or_default()
    }

    /// Files that are not used as they are now, each with the reason.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let files = self.files();
        let mut problems: Vec<Problem> = Vec::new();
        if let Some(problem) = &files.problem {
            problems.push(Problem { subject: self.lock.display().to_string(), problem: problem.clone() });
        }
        let mut used: BTreeMap<&str, &Path> = BTreeMap::new();
        for (path, known) in &files.known {
            let subject = path.display().to_string();
            if let Some(problem) = &known.problem {
                problems.push(Problem { subject, problem: problem.clone() });
            } else if let Some(facts) = &known.good {
                let first = *used.entry(&facts.name).or_insert(path);
                if first != path {
                    let problem = format!("{} is the plugin {:?} already: remove one", first.display(), facts.name);
                    problems.push(Problem { subject, problem });
                }
            }
        }
        problems
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a copy of the plugin at `path`, which must still be this one. **A crash** leaves a whole copy or none.
fn keep(folder: &Path, digest: Digest, path: &Path) -> Result<(), Error> {
    let kept = folder.join(Hosted::kept_name(digest));
    if kept.exists() {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
    if Digest::of(&bytes) != digest {
        // It was replaced since it was loaded: what was loaded can't be kept, so no run may be pinned to it.
        return Err(Error::Internal(format!("{} changed while it was being loaded", path.display())));
    }
    let whole = folder.join(format!("{}.new", Hosted::kept_name(digest)));
    let written = File::create(&whole).and_then(|mut file| {
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&whole, &kept)?;
        File::open(folder)?.sync_all()
    });
    written.map_err(|error| Error::io("write", kept, error))
}

/// The `*.wasm` files of a folder, sorted; none where there is no folder.
fn wasm_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    files.sort();
    files
}
