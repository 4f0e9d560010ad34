//! The plugins in the folders: new runs use what is there, also when it changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::driver::Hosted;
use host::{Host, regular, shown};
use runwright_core::{Digest, PluginFacts};

use crate::claims::Claims;
use crate::copies::copy;
use crate::folder::{Folder, Trouble};
use crate::look::{Look, Open};
use crate::names::{Judged, Wanted};
use crate::view::Problem;
use crate::{Error, PluginLock, Settings};

/// The files of plugins, and what was last made of each. Clones share them.
#[derive(Clone)]
pub(crate) struct PluginFiles {
    host: Arc<Host>,
    lock: PathBuf,
    bytes_max: usize,
    files: Arc<Mutex<Files>>,
}

struct Files {
    /// What new runs use of each file: the last that could be used.
    folder: Folder<Arc<PluginFacts>>,
    claims: Claims,
    /// The look of `plugins.lock` at the last scan.
    lock: Option<Look>,
    /// Where copies are kept, once an engine says so.
    kept: Option<PathBuf>,
    /// What is wrong with `plugins.lock`.
    problem: Option<String>,
}

impl Files {
    /// Lets no new run use what `plugins.lock` pins to another binary by now.
    fn refuse(&mut self, lock: &PluginLock) {
        let refused = |(path, facts): (&Path, &Arc<PluginFacts>)| Some((path.to_owned(), lock.refuses(facts)?));
        let refused: Vec<(PathBuf, String)> = self.folder.good().filter_map(refused).collect();
        for (path, why) in refused {
            self.folder.spoil(&path, why);
        }
    }
}

/// What a scan found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// New runs use something else now.
    pub(crate) changed: bool,
    /// Some file is still changing: look again soon.
    pub(crate) unsettled: bool,
}

/// `*.wasm`, but for hidden files and the conflicts of sync tools.
const PLUGINS: Wanted = Wanted {
    deep: false,
    judge: |name| match copy(name) {
        _ if name.starts_with('.') => Judged::Other,
        _ if !name.ends_with(".wasm") && name.to_ascii_lowercase().ends_with(".wasm") => {
            Judged::Left("its ending is in capitals, so it is not used: rename it to end in .wasm")
        }
        _ if !name.ends_with(".wasm") => Judged::Other,
        Some(why) => Judged::Left(why),
        None => Judged::Ours,
    },
};

impl PluginFiles {
    /// The files of these settings, not looked at yet.
    pub(crate) fn new(host: Arc<Host>, settings: &Settings) -> Self {
        let folder = Folder::new(settings.plugins.clone(), PLUGINS);
        let files = Files { folder, claims: Claims::default(), lock: None, kept: None, problem: None };
        let (lock, bytes_max) = (settings.plugin_lock.clone(), settings.limits.component_bytes);
        Self { host, lock, bytes_max, files: Arc::new(Mutex::new(files)) }
    }

    /// From now on a copy of every plugin that new runs use is kept in `folder`, so that runs which are pinned to one can
    /// go on when its file is gone. One that can't be kept is not used until it can.
    pub(crate) fn keep_in(&self, folder: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("create", folder, error))?;
        let mut files = self.files();
        files.kept = Some(folder.to_owned());
        let good: Vec<(PathBuf, Digest)> =
            files.folder.good().map(|(path, facts)| (path.to_owned(), facts.digest)).collect();
        for (path, digest) in good {
            if let Err(error) = self.keep(folder, digest, &path) {
                files.folder.spoil(&path, error.to_string());
            }
        }
        drop(files);
        self.offer();
        Ok(())
    }

    /// Looks at the folders: loads what is new or changed, and withdraws what is gone. With `patience` a file that was
    /// written just now is left for the next scan. A file that can't be used never replaces the one before it, and a folder
    /// that can't be read withdraws nothing.
    ///
    /// What was pinned by runs stays loaded. One scan at a time.
    pub(crate) async fn scan(&self, patience: bool) -> Scanned {
        let lock = self.read_lock();
        if let Some(lock) = &lock {
            self.files().refuse(lock);
        }
        let scan = self.files().folder.scan(patience);
        for due in &scan.due {
            let loaded = match &lock {
                Some(lock) => self.load(&due.path, lock).await,
                None => Err(Trouble::Unread("can't be used: plugins.lock can't, which may pin it".to_owned())),
            };
            self.files().folder.learn(due, loaded);
        }
        Scanned { changed: self.offer(), unsettled: scan.unsettled }
    }

    /// Lets new runs use what the files give. True: that is something else than before.
    fn offer(&self) -> bool {
        let mut files = self.files();
        let files = &mut *files;
        // The same binary in several files is no question.
        let mut claims: BTreeMap<(&str, Digest), &Path> = BTreeMap::new();
        for (path, facts) in files.folder.good() {
            let claim = claims.entry((&facts.name, facts.digest)).or_insert(path);
            if files.claims.file(&facts.name) == Some(path) {
                *claim = path;
            }
        }
        files.claims.decide(claims.iter().map(|((name, _), path)| (*name, *path)));
        let facts = files.claims.files().filter_map(|(_, path)| files.folder.get(path));
        // By name: the order in which people are shown them.
        let offered: Vec<Digest> = facts.map(|(facts, _)| facts.digest).collect();
        let before: Vec<Digest> = self.host.plugins().iter().map(|facts| facts.digest).collect();
        let withdrawn = before.iter().filter(|digest| !offered.contains(digest));
        let withdrawn: Vec<Digest> = withdrawn.inspect(|digest| self.host.withdraw(**digest)).copied().collect();
        offered.iter().for_each(|digest| _ = self.host.offer(*digest));
        !withdrawn.is_empty() || before.len() != offered.len()
    }

    /// The binary at `path`, compiled, checked and kept, if it may be used.
    async fn load(&self, path: &Path, lock: &PluginLock) -> Result<Arc<PluginFacts>, Trouble> {
        let digest = self.host.load_pinned(path).await.map_err(|error| match error {
            host::Error::Read { source, .. } => Trouble::Unread(format!("could not be read: {source}")),
            error => Trouble::Unusable(error.to_string()),
        })?;
        let forgotten = || Trouble::Unread("it was forgotten".to_owned());
        let facts = self.host.facts_of(digest).ok_or_else(forgotten)?;
        if let Some(why) = lock.refuses(&facts) {
            return Err(Trouble::Unusable(why));
        }
        let kept = self.files().kept.clone();
        if let Some(folder) = kept {
            self.keep(&folder, digest, path).map_err(|error| Trouble::Unread(error.to_string()))?;
        }
        Ok(facts)
    }

    /// What `plugins.lock` says; none where it can't be read, so that nothing new may be used. Where it changed every file
    /// is looked at again.
    fn read_lock(&self) -> Option<PluginLock> {
        let look = std::fs::metadata(&self.lock).and_then(|meta| Look::of(&meta)).ok();
        let is_away = |folder: &Path| !folder.as_os_str().is_empty() && !folder.is_dir();
        let lock = match self.lock.parent().is_some_and(is_away) {
            true => Err(Error::io("read", &self.lock, std::io::ErrorKind::NotFound.into())),
            false => PluginLock::read(&self.lock),
        };
        let mut files = self.files();
        if files.lock != look {
            files.lock = look;
            files.folder.forget_looks();
        }
        files.problem = lock.as_ref().err().map(ToString::to_string);
        lock.ok()
    }

    /// Files that are not used as they are now, each with the reason.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let files = self.files();
        let lock = files.problem.iter();
        let lock = lock.map(|problem| Problem { subject: shown(&self.lock), problem: problem.clone() });
        let mut problems: Vec<Problem> = lock.collect();
        problems.extend(files.folder.problems(false));
        problems.extend(files.claims.problems("plugin"));
        problems
    }

    /// The files of plugins that somebody is writing.
    pub(crate) fn open(&self) -> Open {
        self.files().folder.open()
    }

    /// The folders in which something may change, and whether one of them can't be read now.
    pub(crate) fn folders(&self) -> (BTreeSet<PathBuf>, bool) {
        let files = self.files();
        let mut folders = files.folder.folders().clone();
        let lock = self.lock.parent().filter(|folder| !folder.as_os_str().is_empty());
        folders.insert(lock.unwrap_or(Path::new(".")).to_owned());
        (folders, files.folder.is_unread())
    }

    /// Keeps a copy of the plugin at `path`, which must still be this one. **A crash** leaves a whole copy or none.
    fn keep(&self, folder: &Path, digest: Digest, path: &Path) -> Result<(), Error> {
        let kept = folder.join(Hosted::kept_name(digest));
        if kept.exists() {
            return Ok(());
        }
        let bytes = regular::read(path, self.bytes_max).map_err(|error| Error::io("read", path, error))?;
        if Digest::of(&bytes) != digest {
            // It was replaced since it was loaded: what was loaded can't be kept, so no run may be pinned to it.
            return Err(Error::Internal(format!("{} changed while it was being loaded", shown(path))));
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

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
