//! Watched folders: which files are new and whole, which changed, which are gone, and what was last made of each.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use host::shown;

use crate::look::{Look, Open};
use crate::names::{Listing, Wanted};
use crate::view::Problem;

/// Files that are used at most; those beyond are told.
const FILES_MAX: usize = 10_000;

/// A file that is missing in this many scans in a row is gone: editors rename files and write them again.
const SCANS_UNTIL_GONE: u32 = 2;

/// A file about which nothing changed for so long is taken to be whole, unless somebody has it open.
const SETTLED: Duration = Duration::from_secs(1);

/// A file that somebody has open for writing, and to which nothing was written for so long, is told.
const OPEN_TOLD: Duration = Duration::from_secs(10);

/// After this time it is taken as it is: it may be that its closing was not heard of.
const OPEN_MAX: Duration = Duration::from_secs(5 * 60);

/// The files of some folders, and the last good `T` that was made of each.
///
/// A file is due when it is new or has changed, has settled, and nobody has it [open](Self::open) for writing; whoever scans
/// reads it then and says what came of it ([`learn`](Self::learn)). A file that can't be used keeps the last good one that was
/// made of it. A folder that can't be read takes nothing away: what is not known to be gone stays.
#[derive(Debug, Clone)]
pub(crate) struct Folder<T> {
    roots: Vec<PathBuf>,
    wanted: Wanted,
    files: BTreeMap<PathBuf, Known<T>>,
    listing: Listing,
    left_out: usize,
    open: Open,
}

/// What is known of one file.
#[derive(Debug, Clone)]
struct Known<T> {
    /// Its look when it was last read.
    read: Option<Look>,
    /// Its look at the last scan, and since when it has that.
    seen: Option<(Look, Instant)>,
    good: Option<T>,
    problem: Option<String>,
    missing_scans: u32,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { read: None, seen: None, good: None, problem: None, missing_scans: 0 }
    }
}

/// Why a file can't be used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It can't be used until it changes.
    Unusable(String),
    /// It could not be read this time: it is tried again at the next scan.
    Unread(String),
}

/// A file that is to be read.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) path: PathBuf,
    pub(crate) look: Look,
    /// For how long it has been seen like this.
    pub(crate) unchanged: Duration,
}

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) due: Vec<Due>,
    /// Files that are gone, and are known no more.
    pub(crate) gone: Vec<PathBuf>,
    /// Some file is still changing: look again soon.
    pub(crate) unsettled: bool,
}

impl<T> Folder<T> {
    /// The folders `roots`. Nothing is known of them until they are [scanned](Self::scan).
    pub(crate) fn new(roots: Vec<PathBuf>, wanted: Wanted) -> Self {
        Self { roots, wanted, files: BTreeMap::new(), listing: Listing::default(), left_out: 0, open: Open::default() }
    }

    /// The files that somebody is writing, for whoever hears of that to note.
    pub(crate) fn open(&self) -> Open {
        self.open.clone()
    }

    /// Looks at the folders. With `patience` a file that is being written, or was just now, is left for a later scan.
    pub(crate) fn scan(&mut self, patience: bool) -> Scan {
        let mut scan = Scan::default();
        self.listing = Listing::of(&self.roots, self.wanted);
        self.left_out = 0;
        for path in &self.listing.files {
            if !self.files.contains_key(path) && self.files.len() >= FILES_MAX {
                self.left_out += 1;
                continue;
            }
            let known = self.files.entry(path.clone()).or_default();
            match std::fs::metadata(path).and_then(|meta| Look::of(&meta)) {
                Ok(look) => known.look(path, look, patience.then_some(&self.open), &mut scan),
                // It went away since the folder was read, unless it is a link.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => known.missing_scans += 1,
                Err(error) => {
                    (known.read, known.missing_scans) = (None, 0);
                    known.fail(Trouble::Unread(format!("could not be read: {error}")));
                }
            }
        }
        self.files.retain(|path, known| {
            if !self.listing.files.contains(path) && !self.listing.hides(path) {
                known.missing_scans += 1;
            }
            let gone = known.missing_scans >= SCANS_UNTIL_GONE;
            scan.unsettled |= known.missing_scans > 0 && !gone;
            if gone {
                scan.gone.push(path.clone());
            }
            !gone
        });
        scan
    }

    /// A file that was read before, to learn something else of what was read.
    pub(crate) fn again(&self, path: &Path) -> Option<Due> {
        let look = self.files.get(path)?.read?;
        Some(Due { path: path.to_owned(), look, unchanged: Duration::ZERO })
    }

    /// Remembers what came of a file that was due. True: there is something new of it, good or bad.
    pub(crate) fn learn(&mut self, due: &Due, read: Result<T, Trouble>) -> bool {
        let Some(known) = self.files.get_mut(&due.path) else { return false };
        match read {
            Ok(good) => {
                (known.read, known.good, known.problem) = (Some(due.look), Some(good), None);
                true
            }
            Err(trouble) => {
                known.read = matches!(trouble, Trouble::Unusable(_)).then_some(due.look);
                known.fail(trouble)
            }
        }
    }

    /// Remembers that what was made of a file can't be used any more.
    pub(crate) fn spoil(&mut self, path: &Path, problem: String) {
        if let Some(known) = self.files.get_mut(path) {
            (known.read, known.good, known.problem) = (None, None, Some(problem));
        }
    }

    /// The last good of a file, to change it.
    pub(crate) fn get_mut(&mut self, path: &Path) -> Option<&mut T> {
        self.files.get_mut(path)?.good.as_mut()
    }

    /// Forgets a file.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.files.remove(path);
    }

    /// Lets every file be read again, for example because what it is checked against has changed.
    pub(crate) fn forget_looks(&mut self) {
        self.files.values_mut().for_each(|known| known.read = None);
    }

    /// The last good of each file, by path.
    pub(crate) fn good(&self) -> impl Iterator<Item = (&Path, &T)> {
        self.files.iter().filter_map(|(path, known)| Some((path.as_path(), known.good.as_ref()?)))
    }

    /// The last good of this file, and whether the file has changed since to something that can't be used.
    pub(crate) fn get(&self, path: &Path) -> Option<(&T, bool)> {
        let known = self.files.get(path)?;
        Some((known.good.as_ref()?, known.problem.is_some()))
    }

    /// What is wrong with files, each with whether something good was made of it before.
    pub(crate) fn wrong(&self) -> impl Iterator<Item = (&Path, &str, bool)> {
        self.files
            .iter()
            .filter_map(|(path, known)| Some((path.as_path(), known.problem.as_deref()?, known.good.is_some())))
    }

    /// The folders that could be read: those that are worth watching.
    pub(crate) fn folders(&self) -> &BTreeSet<PathBuf> {
        &self.listing.folders
    }

    /// Whether some folder could not be read, so that it should be tried again before long.
    pub(crate) fn is_unread(&self) -> bool {
        !self.listing.unread.is_empty()
    }

    /// Why it is not known what else the folders hold; none where all of it is known.
    pub(crate) fn unknown(&self) -> Option<String> {
        let unread = self.listing.unread.iter().next().map(|(folder, why)| format!("{}: {why}", shown(folder)));
        unread.or_else(|| (self.left_out > 0).then(|| self.told_left_out()))
    }

    fn told_left_out(&self) -> String {
        format!("holds more than {FILES_MAX} files: {} of them are left out", self.left_out)
    }

    /// Files and folders that need a look, each with the reason. A root that is not there is one where `needed`, or where
    /// something of it is in use.
    pub(crate) fn problems(&self, needed: bool) -> Vec<Problem> {
        let problem = |path: &Path, problem: String| Problem { subject: shown(path), problem };
        let is_used = |folder: &Path| self.files.keys().any(|path| path.starts_with(folder));
        let mut problems = Vec::new();
        for (folder, why) in &self.listing.unread {
            match is_used(folder) {
                true => problems.push(problem(folder, format!("{why}; what was loaded from it stays in use"))),
                false if !needed && self.listing.away.contains(folder) => {}
                false => problems.push(problem(folder, why.clone())),
            }
        }
        if self.left_out > 0 {
            problems.extend(self.roots.first().map(|root| problem(root, self.told_left_out())));
        }
        for (path, known) in &self.files {
            problems.extend(known.problem.as_ref().map(|why| problem(path, why.clone())));
        }
        problems.extend(self.listing.left_alone());
        problems
    }
}

impl<T> Known<T> {
    /// Without `open`, nobody is waited for.
    fn look(&mut self, path: &Path, look: Look, open: Option<&Open>, scan: &mut Scan) {
        self.missing_scans = 0;
        if self.read == Some(look) {
            return;
        }
        let before = self.seen.filter(|(before, _)| *before == look).map(|(_, since)| since);
        self.seen = Some((look, before.unwrap_or_else(Instant::now)));
        let unchanged = before.map(|since| since.elapsed()).unwrap_or_default();
        if let Some(open) = open {
            let quiet = unchanged.max(look.age().unwrap_or_default());
            if open.contains(path) && quiet < OPEN_MAX {
                // Its closing is heard of; what is told of it meanwhile may come a little late.
                scan.unsettled |= quiet < OPEN_TOLD;
                if quiet >= OPEN_TOLD {
                    self.fail(Trouble::Unread("is still open for writing: it is used once it is closed".to_owned()));
                }
                return;
            }
            if quiet < SETTLED {
                scan.unsettled = true;
                return;
            }
        }
        scan.due.push(Due { path: path.to_owned(), look, unchanged });
    }

    /// True: that is new.
    fn fail(&mut self, trouble: Trouble) -> bool {
        let (Trouble::Unusable(problem) | Trouble::Unread(problem)) = trouble;
        let before = self.problem.replace(problem);
        before != self.problem
    }
}

#[cfg(test)]
mod tests;
