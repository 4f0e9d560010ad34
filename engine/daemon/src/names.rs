//! The names in folders: which files are ours, which are left alone, and which folders can't be read.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use host::shown;

use crate::view::Problem;

/// Names that are looked at in one folder and its subfolders, at most.
const NAMES_MAX: usize = 100_000;

/// What is looked for in folders.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Subfolders are looked at too, but for hidden ones and links.
    pub(crate) deep: bool,
    /// Judges a file by its name.
    pub(crate) judge: fn(&str) -> Judged,
}

/// What the name of a file says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It is one of the files that are looked for.
    Ours,
    /// It is not, and people are told so, with the reason.
    Left(&'static str),
    /// It is nobody's business.
    Other,
}

/// What stands in folders.
#[derive(Debug, Default, Clone)]
pub(crate) struct Listing {
    /// The files that were looked for.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Files that are left alone, each with the reason.
    pub(crate) left: BTreeMap<PathBuf, &'static str>,
    /// Folders that were read.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Folders that could not be read, or not to their end: what they hold is not known.
    pub(crate) unread: BTreeMap<PathBuf, String>,
    /// Those of them that are roots and not there.
    pub(crate) away: BTreeSet<PathBuf>,
}

impl Listing {
    /// What stands in the folders `roots`.
    pub(crate) fn of(roots: &[PathBuf], wanted: Wanted) -> Self {
        let mut listing = Self::default();
        for root in roots {
            listing.list(root, wanted);
        }
        listing
    }

    /// Whether this path is below a folder that could not be read, so that it may still be there.
    pub(crate) fn hides(&self, path: &Path) -> bool {
        !self.unread.is_empty() && path.ancestors().any(|folder| self.unread.contains_key(folder))
    }

    fn list(&mut self, root: &Path, wanted: Wanted) {
        let mut names = 0;
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let read = self.read(&folder, wanted, &mut folders, &mut names);
            let (path, problem) = match read {
                Ok(()) if names <= NAMES_MAX => {
                    self.folders.insert(folder);
                    continue;
                }
                Ok(()) => {
                    let most = format!("holds more than {NAMES_MAX} names: those beyond are left out");
                    (root.to_owned(), most)
                }
                Err(error) => {
                    if folder == root && error.kind() == io::ErrorKind::NotFound {
                        self.away.insert(folder.clone());
                    }
                    (folder, format!("the folder can't be read: {error}"))
                }
            };
            self.unread.insert(path, problem);
            if names > NAMES_MAX {
                return;
            }
        }
    }

    fn read(&mut self, folder: &Path, wanted: Wanted, folders: &mut Vec<PathBuf>, names: &mut usize) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            *names += 1;
            if *names > NAMES_MAX {
                break;
            }
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && wanted.deep {
                folders.extend((!is_hidden(&name)).then(|| entry.path()));
                continue;
            }
            match (wanted.judge)(&name.to_string_lossy()) {
                Judged::Ours if is_folder => _ = self.left.insert(entry.path(), "is a folder, not a file"),
                Judged::Left(_) if is_folder => {}
                Judged::Ours => _ = self.files.insert(entry.path()),
                Judged::Left(why) => _ = self.left.insert(entry.path(), why),
                Judged::Other => {}
            }
        }
        Ok(())
    }

    /// The folders that could not be read, for people.
    pub(crate) fn unread_folders(&self) -> Vec<Problem> {
        let problem = |(folder, why): (&PathBuf, &String)| Problem { subject: shown(folder), problem: why.clone() };
        self.unread.iter().map(problem).collect()
    }

    /// The files that are left alone, for people: the first of them, and how many more there are.
    pub(crate) fn left_alone(&self) -> Vec<Problem> {
        const TOLD_MAX: usize = 20;
        let problem = |(path, why): (&PathBuf, &&str)| Problem { subject: shown(path), problem: (*why).to_owned() };
        let mut told: Vec<Problem> = self.left.iter().take(TOLD_MAX).map(problem).collect();
        if let Some((path, _)) = self.left.iter().nth(TOLD_MAX) {
            let subject = shown(path.parent().unwrap_or(path));
            let more = self.left.len() - TOLD_MAX;
            told.push(Problem { subject, problem: format!("{more} more files in it are left alone") });
        }
        told
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
