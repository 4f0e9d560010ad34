//! The watched folder of runbooks: the last good version of each.

mod find;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runwright_core::{Catalog, Runbook};
use rustix::fs::OFlags;

use crate::look::{Look, SCANS_UNTIL_GONE};
use crate::view::{Problem, RunbookView};

/// A runbook that new runs can use.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Its checked form.
    pub runbook: Arc<Runbook>,
    /// Its file.
    pub file: PathBuf,
    /// The file has changed since to something that can't be used.
    pub stale: bool,
}

/// The runbooks of one folder. A bad file never replaces the last good version of it.
#[derive(Debug)]
pub struct Library {
    folder: PathBuf,
    files: BTreeMap<PathBuf, Known>,
}

/// A file in the folder.
#[derive(Debug, Default)]
struct Known {
    /// Its look when it was last read.
    read: Option<Look>,
    /// Its look at the last scan, if it had changed: it is read when it keeps that look.
    changing: Option<Look>,
    good: Option<Arc<Runbook>>,
    /// What it would be if the plugins were there that it names; only where it can't be used.
    without_plugins: Option<Arc<Runbook>>,
    problem: Option<String>,
    missing_scans: u32,
}

/// What a scan found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Files of which a new version is used, or none any more.
    pub changed: Vec<PathBuf>,
    /// Some file is still changing: look again soon.
    pub unsettled: bool,
}

/// Files that are looked at in the folder, at most.
const FILES_MAX: usize = 10_000;

impl Library {
    /// The library of this folder. It is empty until it is [scanned](Self::scan).
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), files: BTreeMap::new() }
    }

    /// Looks at the folder: reads what is new or changed and forgets what is gone.
    pub fn scan(&mut self, catalog: &Catalog, scripts: &script::Engine) -> std::io::Result<Scan> {
        let mut scan = Scan::default();
        let seen = list(&self.folder)?;
        for path in &seen {
            self.look(path, catalog, scripts, &mut scan);
        }
        self.files.retain(|path, known| {
            known.missing_scans = if seen.contains(path) { 0 } else { known.missing_scans + 1 };
            let gone = known.missing_scans >= SCANS_UNTIL_GONE;
            scan.unsettled |= known.missing_scans > 0 && !gone;
            if gone {
                scan.changed.push(path.clone());
            }
            !gone
        });
        Ok(scan)
    }

    /// Checks every file again, for example because the plugins changed.
    pub fn forget_looks(&mut self) {
        for known in self.files.values_mut() {
            known.read = None;
        }
    }

    fn look(&mut self, path: &Path, catalog: &Catalog, scripts: &script::Engine, scan: &mut Scan) {
        let known = self.files.entry(path.to_owned()).or_default();
        let opened = open(&self.folder, path);
        let look = match &opened {
            Ok((_, look)) => *look,
            Err(problem) => {
                if known.problem.as_ref() != Some(problem) {
                    known.problem = Some(problem.clone());
                    scan.changed.push(path.to_owned());
                }
                known.read = None;
                return;
            }
        };
        if known.read == Some(look) {
            return;
        }
        if !look.is_settled() && known.changing != Some(look) {
            known.changing = Some(look);
            scan.unsettled = true;
            return;
        }
        (known.read, known.changing) = (Some(look), None);
        let read = opened.and_then(|(file, _)| read(file));
        let read = read.map_err(|problem| Unusable { problem, without_plugins: None });
        let parsed = read.and_then(|bytes| check(path, &bytes, catalog, scripts));
        scan.changed.push(path.to_owned());
        match parsed {
            Ok(runbook) => {
                known.good = Some(Arc::new(runbook));
                (known.problem, known.without_plugins) = (None, None);
            }
            Err(Unusable { problem, without_plugins }) => {
                known.problem = Some(problem);
                known.without_plugins = without_plugins;
            }
        }
    }

    /// The runbooks by name. Of two files with one name the first in the order of their paths counts.
    pub fn runbooks(&self) -> BTreeMap<&str, Loaded> {
        let mut runbooks = BTreeMap::new();
        for (path, known) in &self.files {
            if let Some(runbook) = &known.good {
                let loaded =
                    Loaded { runbook: Arc::clone(runbook), file: path.clone(), stale: known.problem.is_some() };
                runbooks.entry(runbook.name.as_str()).or_insert(loaded);
            }
        }
        runbooks
    }

    /// Runbooks that can't be used, of which no earlier version can be used either, but whose triggers can be read; each
    /// with the first line of what is wrong. Then how many files can't even be read so far.
    pub(crate) fn unusable(&self) -> (Vec<(Arc<Runbook>, String)>, usize) {
        let usable = self.runbooks();
        let (mut unusable, mut unread) = (Vec::new(), 0);
        for known in self.files.values().filter(|known| known.good.is_none()) {
            match (&known.without_plugins, &known.problem) {
                (Some(runbook), Some(problem)) if !usable.contains_key(runbook.name.as_str()) => {
                    let first = problem.lines().next().unwrap_or_default().trim_start_matches("error: ");
                    unusable.push((Arc::clone(runbook), first.to_owned()));
                }
                (None, Some(_)) => unread += 1,
                _ => {}
            }
        }
        (unusable, unread)
    }

    /// What people are shown of the runbooks.
    pub fn views(&self) -> Vec<RunbookView> {
        let view = |loaded: Loaded| RunbookView {
            name: loaded.runbook.name.clone(),
            description: loaded.runbook.description.clone(),
            file: loaded.file.display().to_string(),
            stale: loaded.stale,
        };
        self.runbooks().into_values().map(view).collect()
    }

    /// The files that can't be used as they are now.
    pub fn problems(&self) -> Vec<Problem> {
        let runbooks = self.runbooks();
        let mut problems = Vec::new();
        for (path, known) in &self.files {
            let subject = path.display().to_string();
            if let Some(problem) = &known.problem {
                problems.push(Problem { subject, problem: problem.clone() });
            } else if let Some(runbook) = &known.good
                && let Some(used) = runbooks.get(runbook.name.as_str())
                && used.file != *path
            {
                let problem = format!("{} has a runbook {:?} already: rename one", used.file.display(), runbook.name);
                problems.push(Problem { subject, problem });
            }
        }
        problems
    }
}

/// The runbook files in `folder` and its subfolders, sorted. Editors' and hidden files are not.
fn list(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with('.') {
                continue;
            }
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if is_runbook(&name) && found.len() < FILES_MAX {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file of this name holds a runbook: `.yaml` or `.yml`, but not the `.test.yaml` beside one.
pub(crate) fn is_runbook(name: &str) -> bool {
    (name.ends_with(".yaml") || name.ends_with(".yml")) && !name.ends_with(".test.yaml")
}

/// Opens a file without waiting for anything, and only a regular one that is inside of `folder`, wherever links lead.
fn open(folder: &Path, path: &Path) -> Result<(File, Look), String> {
    let wrong = |error: std::io::Error| format!("could not be read: {error}");
    let inside = folder.canonicalize().and_then(|folder| Ok(path.canonicalize()?.starts_with(folder)));
    if !inside.map_err(wrong)? {
        return Err("is a link out of the watched folder: copy the file into it".to_owned());
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, rustix::fs::Mode::empty()).map_err(|e| wrong(e.into()))?);
    let meta = file.metadata().map_err(wrong)?;
    if !meta.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let look = Look::of(&meta).map_err(wrong)?;
    Ok((file, look))
}

/// At most one byte more than a runbook may have, so that what is too large is told and not read.
fn read(file: File) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = lang::limits::FILE_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| format!("could not be read: {error}"))?;
    Ok(bytes)
}

/// Why a file can't be used.
struct Unusable {
    problem: String,
    without_plugins: Option<Arc<Runbook>>,
}

fn check(path: &Path, bytes: &[u8], catalog: &Catalog, scripts: &script::Engine) -> Result<Runbook, Unusable> {
    let name = path.display().to_string();
    let parsed = lang::parse(&name, bytes, Some(catalog), scripts);
    parsed.runbook.ok_or_else(|| Unusable {
        problem: lang::render(&parsed.diagnostics, bytes),
        without_plugins: lang::parse(&name, bytes, None, scripts).runbook.map(Arc::new),
    })
}
