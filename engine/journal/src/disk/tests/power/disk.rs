//! A disk that keeps only what was synced, made from what was recorded.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::soak::Chance;
use crate::log::files::recorder::Event;

/// What a disk writes at once.
const SECTOR: usize = 512;
/// What the kernel writes back at once.
const PAGE: usize = 4_096;

/// Files with their bytes.
pub(super) type Files = Arc<Vec<(PathBuf, Vec<u8>)>>;

/// A disk on the way: what is durable, and what may be.
#[derive(Default)]
pub(super) struct Disk {
    files: Vec<File>,
    /// Names as the processes see them.
    names: BTreeMap<PathBuf, usize>,
    /// Names that are durable.
    durable: BTreeMap<PathBuf, usize>,
    /// Changes of names that are not durable yet, in order.
    pending: Vec<Change>,
    /// The store when it was synced last, and the next time.
    pub(super) store: Files,
    pub(super) next_store: Option<Files>,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

#[derive(Debug, Clone)]
enum Change {
    Create(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Create(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Rename(from, to) => {
                let moved: Vec<_> = names.iter().filter(|(path, _)| path.starts_with(from)).map(clone).collect();
                for (path, file) in moved {
                    names.remove(&path);
                    let rest = path.strip_prefix(from).unwrap();
                    names.insert(if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) }, file);
                }
            }
            Self::Remove(path) => names.retain(|name, _| !name.starts_with(path)),
        }
    }

    fn is_in(&self, dir: &Path) -> bool {
        let (Self::Create(path, _) | Self::Remove(path) | Self::Rename(path, _)) = self;
        path.parent() == Some(dir)
    }
}

fn clone((path, file): (&PathBuf, &usize)) -> (PathBuf, usize) {
    (path.clone(), *file)
}

impl File {
    /// Writes what is pending: all of it, or each sector by chance.
    fn settle(&self, chance: Option<&mut Chance>) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let mut chance = chance;
        for (at, written) in &self.pending {
            bytes.resize(bytes.len().max(at + written.len()), 0);
            let mut from = 0;
            while from < written.len() {
                let to = ((at + from) / SECTOR * SECTOR + SECTOR - at).min(written.len());
                if chance.as_mut().is_none_or(|chance| chance.one_in(2)) {
                    bytes[at + from..at + to].copy_from_slice(&written[from..to]);
                }
                from = to;
            }
        }
        bytes
    }
}

impl Disk {
    /// Takes in what happened next.
    pub(super) fn take(&mut self, path: &Path, event: &Event) {
        match event {
            Event::Create { start, bytes } => {
                let mut whole = start.clone();
                whole.resize(*bytes, 0);
                self.files.push(File { durable: Vec::new(), pending: vec![(0, whole)] });
                self.change(Change::Create(path.to_owned(), self.files.len() - 1));
            }
            Event::Write { at, bytes } => {
                if let Some(file) = self.names.get(path) {
                    self.files[*file].pending.push((*at, bytes.clone()));
                }
            }
            Event::Sync => {
                if let Some(file) = self.names.get(path) {
                    let file = &mut self.files[*file];
                    file.durable = file.settle(None);
                    file.pending.clear();
                }
            }
            Event::Rename { to } => self.change(Change::Rename(path.to_owned(), to.clone())),
            Event::Remove => self.change(Change::Remove(path.to_owned())),
            Event::SyncDir => {
                let (done, rest) = std::mem::take(&mut self.pending).into_iter().partition(|change| change.is_in(path));
                self.pending = rest;
                let done: Vec<Change> = done;
                done.iter().for_each(|change| change.apply(&mut self.durable));
            }
            Event::Store(files) => self.store = Arc::clone(files),
            Event::Acknowledged { .. } => {}
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    /// What is there when the power comes back, in a folder of its own. Some of what was not synced may be there too.
    pub(super) fn after_power_loss(&self, from: &Path, to: &Path, chance: &mut Chance) {
        let mut names = self.durable.clone();
        let kept = chance.below(self.pending.len() + 1);
        self.pending[..kept].iter().for_each(|change| change.apply(&mut names));
        for (path, file) in names {
            let bytes = match chance.below(3) {
                0 => self.files[file].durable.clone(),
                1 => self.files[file].settle(None),
                _ => self.files[file].settle(Some(chance)),
            };
            put(from, to, &path, &bytes);
        }
        for (path, bytes) in self.store.iter() {
            put(from, to, path, bytes);
        }
        if let Some(next) = self.next_store.as_ref().filter(|_| !chance.one_in(3)) {
            self.tear_store(next, from, to, chance);
        }
    }

    /// Pages of the store that were on their way when the power failed.
    fn tear_store(&self, next: &Files, from: &Path, to: &Path, chance: &mut Chance) {
        for (path, newer) in next.iter() {
            let older = self.store.iter().find(|(older, _)| older == path).map(|(_, bytes)| bytes.as_slice());
            let mut bytes = older.unwrap_or_default().to_vec();
            if older.is_none() && chance.one_in(2) {
                continue;
            }
            bytes.resize(bytes.len().max(newer.len()), 0);
            for (page, written) in newer.chunks(PAGE).enumerate() {
                if chance.one_in(2) {
                    bytes[page * PAGE..page * PAGE + written.len()].copy_from_slice(written);
                }
            }
            put(from, to, path, &bytes);
        }
    }
}

fn put(from: &Path, to: &Path, path: &Path, bytes: &[u8]) {
    let path = to.join(path.strip_prefix(from).unwrap());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
