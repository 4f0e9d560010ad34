//! The watched folder of runbooks: the last good version of each.

mod find;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use host::{regular, shown};
use runwright_core::{Catalog, Runbook};

use crate::Error;
use crate::claims::Claims;
use crate::copies::{backup, copy};
use crate::folder::{Due, Folder, Trouble};
use crate::names::{Judged, Listing, Wanted};
use crate::view::{Problem, RunbookView};
use crate::workshop::Checked;

/// A runbook that new runs can use.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its checked form, and what may be meant otherwise in its file.
    pub checked: Checked,
    /// Its file.
    pub file: PathBuf,
    /// The file has changed since to something that can't be used.
    pub stale: bool,
}

/// The runbooks of one folder. A bad file never replaces the last good version of it, and a folder that can't be read takes
/// none away.
#[derive(Debug, Clone)]
pub struct Library {
    root: PathBuf,
    folder: Folder<Checked>,
    claims: Claims,
    /// What files would be if all were there that they name; only those that can't be used.
    drafts: BTreeMap<PathBuf, Arc<Runbook>>,
    /// What files call; only those that call something.
    calls: BTreeMap<PathBuf, Calls>,
}

/// A file that is to be checked, with what is in it.
type Read = (Due, Result<Arc<[u8]>, Trouble>);

/// What a file calls.
#[derive(Debug, Clone)]
struct Calls {
    /// The file as it was read: it may be half written by now.
    bytes: Arc<[u8]>,
    /// The runbooks, as they were when it was checked; none where there was none to call.
    runbooks: BTreeMap<String, Option<Arc<Runbook>>>,
}

/// A library that can be read while its folder is looked at, however long that takes.
#[derive(Debug)]
pub(crate) struct Shared {
    now: Mutex<Arc<Library>>,
    /// Whoever changes it is alone.
    changing: Mutex<()>,
}

/// What a scan found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Files of which a new version is used, or none any more.
    pub changed: Vec<PathBuf>,
    /// Some file is still changing: look again soon.
    pub unsettled: bool,
}

/// `.yaml` and `.yml`, but not the `.test.yaml` beside one. Conflicts of sync tools and endings in capitals are told; backups
/// are not worth a line each time.
const RUNBOOKS: Wanted = Wanted {
    deep: true,
    judge: |name| match judge(name) {
        Judged::Left(_) if backup(name, &ENDINGS).is_some() => Judged::Other,
        judged => judged,
    },
};

const ENDINGS: [&str; 2] = [".yaml", ".yml"];

fn judge(name: &str) -> Judged {
    let is_runbook = |name: &str| ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.ends_with(".test.yaml");
    match (copy(name).filter(|_| is_runbook(name)), backup(name, &ENDINGS)) {
        _ if name.starts_with('.') => Judged::Other,
        (Some(why), _) | (None, Some(why)) => Judged::Left(why),
        (None, None) if is_runbook(name) => Judged::Ours,
        (None, None) if is_runbook(&name.to_ascii_lowercase()) => {
            Judged::Left("its ending is in capitals, so it is not used: rename it to end in .yaml or .yml")
        }
        (None, None) => Judged::Other,
    }
}

/// What a folder and its subfolders hold of runbooks.
#[derive(Debug, Default)]
pub struct RunbookFiles {
    /// The files, sorted.
    pub files: Vec<PathBuf>,
    /// Backups and other files that are not used.
    pub left: Vec<Problem>,
    /// Copies of conflicts, which are not used: somebody must merge them.
    pub conflicts: Vec<Problem>,
    /// Folders that can't be read.
    pub unread: Vec<Problem>,
}

/// What `folder` and its subfolders hold of runbooks.
pub fn runbook_files(folder: &Path) -> RunbookFiles {
    let mut listing = Listing::of(&[folder.to_owned()], Wanted { deep: true, judge });
    let is_conflict = |path: &Path| path.file_name().is_some_and(|name| copy(&name.to_string_lossy()).is_some());
    let conflicts = listing.left.extract_if(.., |path, _| is_conflict(path));
    let conflicts = conflicts.map(|(path, why)| Problem { subject: shown(&path), problem: why.to_owned() }).collect();
    let (left, unread) = (listing.left_alone(), listing.unread_folders());
    RunbookFiles { files: listing.files.into_iter().collect(), left, conflicts, unread }
}

impl Library {
    /// The library of this folder. It is empty until it is [scanned](Self::scan).
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let root = folder.into();
        let folder = Folder::new(vec![root.clone()], RUNBOOKS);
        Self { root, folder, claims: Claims::default(), drafts: BTreeMap::new(), calls: BTreeMap::new() }
    }

    /// Looks at the folder: reads what is new or changed and forgets what is gone. With `patience` a file that was written
    /// just now is left for the next scan.
    pub fn scan(&mut self, catalog: &Catalog, scripts: &script::Engine, patience: bool) -> Scan {
        let scan = self.folder.scan(patience);
        let mut changed = scan.gone;
        for path in &changed {
            self.drafts.remove(path);
            self.calls.remove(path);
        }
        let read_now = |due: Due| {
            let bytes = read(&self.root, &due.path).map(Arc::from);
            (due, bytes)
        };
        let mut due: Vec<Read> = scan.due.into_iter().map(read_now).collect();
        // What calls another runbook is checked again when that has changed, up to the last that calls one.
        for _ in 0..=lang::limits::DEPTH_OF_STEPS {
            for (due, bytes) in due {
                let catalog = self.catalog(catalog.clone());
                let checked = bytes.and_then(|bytes| self.check(&due.path, &bytes, &catalog, scripts));
                if self.folder.learn(&due, checked) && !changed.contains(&due.path) {
                    changed.push(due.path);
                }
            }
            self.claims.decide(self.folder.good().map(|(path, checked)| (checked.runbook.name.as_str(), path)));
            due = self.out_of_date(&self.catalog(Catalog::default()));
            if due.is_empty() {
                break;
            }
        }
        Scan { changed, unsettled: scan.unsettled }
    }

    /// The same catalog with the runbooks that others can call.
    pub fn catalog(&self, catalog: Catalog) -> Catalog {
        let runbooks = self.runbooks().into_values().map(|loaded| loaded.checked.runbook);
        catalog
            .with_runbooks(runbooks, self.drafts.values().map(|draft| draft.name.clone()).chain(self.named_in_wrong()))
    }

    /// The names that files with errors of their own say are theirs, as far as their names tell.
    fn named_in_wrong(&self) -> impl Iterator<Item = String> {
        let stem = |(path, ..): (&Path, &str, bool)| Some(path.file_stem()?.to_str()?.to_owned());
        self.folder.wrong().filter(|(.., was_good)| !was_good).filter_map(stem)
    }

    /// The files that call a runbook which is another one by now, as they were read.
    fn out_of_date(&self, catalog: &Catalog) -> Vec<Read> {
        let is_other = |(name, before): (&String, &Option<Arc<Runbook>>)| match (before, catalog.runbook(name)) {
            (Some(before), Some(now)) => !Arc::ptr_eq(before, now),
            (before, now) => before.is_some() != now.is_some(),
        };
        let files = self.calls.iter().filter(|(_, calls)| calls.runbooks.iter().any(is_other));
        files.filter_map(|(path, calls)| Some((self.folder.again(path)?, Ok(Arc::clone(&calls.bytes))))).collect()
    }

    /// Checks every file again, for example because the plugins changed.
    pub fn forget_looks(&mut self) {
        self.folder.forget_looks();
    }

    /// The runbooks by name. A name that several files claim of which none was in use is not among them.
    pub fn runbooks(&self) -> BTreeMap<&str, Loaded> {
        let loaded = |(name, file)| {
            let (checked, stale) = self.folder.get(file)?;
            Some((name, Loaded { checked: checked.clone(), file: file.to_owned(), stale }))
        };
        self.claims.files().filter_map(loaded).collect()
    }

    /// Runbooks that can't be used, of which no earlier version can be used either, but whose triggers can be read; each
    /// with the first line of what is wrong. Then why there may be others of which not even that is known, if so.
    pub(crate) fn unusable(&self) -> (Vec<(Arc<Runbook>, String)>, Option<String>) {
        let (mut unusable, mut unread) = (Vec::new(), 0);
        for (path, problem, _) in self.folder.wrong().filter(|(.., was_good)| !was_good) {
            match self.drafts.get(path) {
                Some(runbook) if self.claims.file(&runbook.name).is_none() => {
                    let first = problem.lines().next().unwrap_or_default().trim_start_matches("error: ");
                    unusable.push((Arc::clone(runbook), first.to_owned()));
                }
                Some(_) => {}
                None => unread += 1,
            }
        }
        for (_, Checked { runbook, .. }) in self.folder.good() {
            let files = self.claims.contested(&runbook.name);
            if !files.is_empty() && !unusable.iter().any(|(listed, _)| listed.name == runbook.name) {
                let (name, files) = (runbook.name.clone(), files.to_owned());
                unusable.push((Arc::clone(runbook), Error::Contested { name, files }.to_string()));
            }
        }
        (unusable, self.unasked(unread))
    }

    /// Why an alarm can't be asked of every runbook, where `unread` files have errors: more may call for something.
    fn unasked(&self, unread: usize) -> Option<String> {
        let why = match (self.folder.unknown(), unread) {
            (Some(why), _) => why,
            (None, 0) => return None,
            (None, 1) => "one file has errors, see `runwright status`".to_owned(),
            (None, _) => format!("{unread} files have errors, see `runwright status`"),
        };
        Some(format!("not every runbook could be asked: {why}"))
    }

    /// What people are shown of the runbooks.
    pub fn views(&self) -> Vec<RunbookView> {
        let view = |loaded: Loaded| RunbookView {
            name: loaded.checked.runbook.name.clone(),
            description: loaded.checked.runbook.description.clone(),
            file: shown(&loaded.file),
            stale: loaded.stale,
        };
        self.runbooks().into_values().map(view).collect()
    }

    /// The files that can't be used as they are now, the folders that can't be read, and what files say that may be meant
    /// otherwise.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.folder.problems(true);
        let doubtful = |(path, checked): (&Path, &Checked)| {
            let problem = format!("{}; `runwright check` shows more", checked.doubts.as_ref()?);
            Some(Problem { subject: shown(path), problem })
        };
        problems.extend(self.folder.good().filter_map(doubtful));
        problems.extend(self.claims.problems("runbook"));
        problems
    }

    pub(crate) fn folder(&self) -> &Folder<Checked> {
        &self.folder
    }

    fn check(
        &mut self,
        path: &Path,
        bytes: &[u8],
        catalog: &Catalog,
        scripts: &script::Engine,
    ) -> Result<Checked, Trouble> {
        let name = shown(path);
        let mut parsed = lang::parse(&name, bytes, Some(catalog), scripts);
        let called = std::mem::take(&mut parsed.calls).into_iter();
        let called: BTreeMap<_, _> = called
            .map(|name| {
                let runbook = catalog.runbook(&name).cloned();
                (name, runbook)
            })
            .collect();
        match called.is_empty() {
            true => _ = self.calls.remove(path),
            false => _ = self.calls.insert(path.to_owned(), Calls { bytes: bytes.into(), runbooks: called }),
        }
        let draft = if parsed.runbook.is_none() { lang::parse(&name, bytes, None, scripts).runbook } else { None };
        match draft {
            Some(draft) => _ = self.drafts.insert(path.to_owned(), Arc::new(draft)),
            None => _ = self.drafts.remove(path),
        }
        Checked::of(parsed).map_err(|diagnostics| Trouble::Unusable(lang::render(&diagnostics, bytes)))
    }
}

impl Shared {
    pub(crate) fn new(library: Library) -> Self {
        Self { now: Mutex::new(Arc::new(library)), changing: Mutex::default() }
    }

    /// The library as it was after its last change.
    pub(crate) fn now(&self) -> Arc<Library> {
        Arc::clone(&self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes it; until that is done others read what was before.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Library) -> T) -> T {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Library::clone(&self.now());
        let changed = change(&mut next);
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        changed
    }
}

/// The text of a regular file that is inside of `root`, wherever links lead; one byte more than a runbook may have of one
/// that is too large, which is told then.
fn read(root: &Path, path: &Path) -> Result<Vec<u8>, Trouble> {
    let wrong = |error: std::io::Error| Trouble::Unread(format!("could not be read: {error}"));
    let inside = root.canonicalize().and_then(|root| Ok(path.canonicalize()?.starts_with(root)));
    if !inside.map_err(wrong)? {
        return Err(Trouble::Unread("is a link out of the watched folder: copy the file into it".to_owned()));
    }
    regular::read_beginning(path, lang::limits::FILE_BYTES).map_err(wrong)
}
