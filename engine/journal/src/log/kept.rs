//! What a log holds and nobody forgot, as places in its files.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use runwright_core::{Digest, Head, RunId, Value};
use serde::de::IgnoredAny;

use super::base::Contents;
use super::{Base, Found, Hole, scan_all, segment};
use crate::commit::Commit;
use crate::commit::item::{Accept, Handle, Item, Kind, Lost, LostRun, Meta, items};
use crate::frame::{Position, contents_at};
use crate::record::{View, array};
use crate::{Entry, Error, Handled};

/// At most this many files are open at a time: a log that could not be trimmed for long has more of them than a process
/// may open.
const FILES_MAX: usize = 64;

/// What is kept, and where it stands.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    log: PathBuf,
    base: Option<Base>,
    pub(crate) runs: BTreeMap<RunId, KeptRun>,
    pub(crate) sources: BTreeMap<Digest, Spot>,
    entries: HashMap<String, (u64, Accepted)>,
    pub(crate) settings: BTreeMap<String, Option<Value>>,
    pub(crate) holes: Vec<Hole>,
    /// What is not what was written, without anything being lost by it.
    pub(crate) spoiled: Vec<String>,
    /// The number of the last commit.
    pub(crate) number: u64,
    /// The number of the last inbox entry that was accepted.
    pub(crate) accepted: u64,
    /// Bytes of what is kept, about.
    pub(crate) bytes: u64,
    /// Where the log was read to.
    pub(crate) end: Position,
    files: HashMap<(bool, u32), File>,
}

/// One run in the log.
#[derive(Debug, Default)]
pub(crate) struct KeptRun {
    pub(crate) head: Option<Head>,
    pub(crate) lost: Option<Lost>,
    /// Its records by sequence number.
    pub(crate) records: BTreeMap<u64, Spot>,
    /// The last sequence number that the log tells of.
    pub(crate) last: u64,
}

/// Some bytes in a file of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    base: bool,
    segment: u32,
    at: u32,
    bytes: u32,
}

/// An inbox entry in the log.
#[derive(Debug, Clone)]
pub(crate) struct Accepted {
    spot: Spot,
    /// Whether it is a whole entry there, or a new one.
    whole: bool,
    pub(crate) handled: Option<Handled>,
}

impl Kept {
    /// Reads the log up to `upto`, before which everything was durable.
    pub(crate) fn read(log: &Path, upto: Position) -> Result<Self, Error> {
        let mut kept = Self { log: log.to_owned(), base: Base::newest(log)?, ..Self::default() };
        let whole = scan_all(log, upto, Some(upto), &mut |base, found| kept.found(base, found))?;
        if let Some((_, contents)) = &whole.base {
            kept.indexed(contents);
        }
        kept.end = whole.end.position;
        kept.number = kept.number.max(whole.end.number);
        Ok(kept)
    }

    /// Whether the log is what was written: no hole, and every run has all its records, or it was told which it lost.
    pub(crate) fn trouble(&self) -> Option<String> {
        if let Some(hole) = self.holes.first() {
            return Some(format!("it is damaged, {hole}"));
        }
        let known = |run: &KeptRun| run.head.is_some() && (run.is_whole() || run.lost.is_some());
        let broken = self.runs.iter().find(|(_, run)| !known(run));
        broken.map(|(run, _)| format!("run {run} is not whole in it"))
    }

    fn indexed(&mut self, contents: &Contents) {
        let info = contents.info.unwrap_or_default();
        self.number = self.number.max(info.number);
        self.accepted = self.accepted.max(info.accepted);
        if self.holes.iter().any(|hole| hole.base.is_some()) {
            for (run, seq) in &contents.index {
                let kept = self.runs.entry(*run).or_default();
                kept.last = kept.last.max(*seq);
            }
        }
    }

    fn found(&mut self, base: bool, found: Found) -> Result<(), Error> {
        match found {
            Found::Hole(hole) => {
                for touched in &hole.lost {
                    let run = self.runs.entry(touched.run).or_default();
                    run.last = run.last.max(touched.last);
                }
                self.holes.push(hole);
            }
            Found::Spoiled(what) => self.spoiled.push(what),
            Found::Commit { at, number, commit } => {
                if !base {
                    self.number = number;
                }
                self.commit(base, at, &commit)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, base: bool, at: Position, commit: &Commit) -> Result<(), Error> {
        let start = at.offset() + contents_at(commit.touched.len());
        for item in items(&commit.bytes).filter_map(Result::ok) {
            let place = u32::try_from(start + item.at).unwrap_or(u32::MAX);
            let bytes = u32::try_from(item.bytes.len()).unwrap_or(u32::MAX);
            self.item(Spot { base, segment: at.segment(), at: place, bytes }, item)?;
        }
        // A head counts from the last record of its commit.
        for head in &commit.heads {
            let run = self.runs.entry(head.run).or_default();
            run.last = run.last.max(head.seq);
            if run.head.as_ref().is_none_or(|known| known.seq <= head.seq) {
                run.head = Some(head.clone());
            }
        }
        for run in &commit.pruned {
            self.runs.remove(run);
        }
        Ok(())
    }

    fn item(&mut self, spot: Spot, item: Item<'_>) -> Result<(), Error> {
        let bad = |error: serde_json::Error| Error::Store(format!("an item of the log can't be read: {error}"));
        match item.kind {
            Ok(Kind::Record) => {
                let Ok(view) = View::read(item.bytes) else { return Ok(()) };
                self.bytes += u64::from(spot.bytes);
                self.runs.entry(view.run()).or_default().records.entry(view.seq()).or_insert(spot);
            }
            Ok(Kind::Source) => {
                let digest = Digest::from_bytes(array(item.bytes.get(..32).unwrap_or_default()));
                if self.sources.insert(digest, spot).is_none() {
                    self.bytes += u64::from(spot.bytes);
                }
            }
            Ok(Kind::Accept) => {
                let number = u64::from_le_bytes(array(item.bytes.get(..8).unwrap_or_default()));
                let text = item.bytes.get(8..).unwrap_or_default();
                let Accept::<IgnoredAny> { key, .. } = serde_json::from_slice(text).map_err(bad)?;
                self.accept(key, number, Accepted { spot, whole: false, handled: None });
            }
            Ok(Kind::Entry) => {
                let entry: Entry = serde_json::from_slice(item.bytes).map_err(bad)?;
                self.accept(entry.key, entry.number, Accepted { spot, whole: true, handled: entry.handled });
            }
            Ok(Kind::Handle) => {
                let Handle { key, handled } = serde_json::from_slice(item.bytes).map_err(bad)?;
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.1.handled = Some(handled);
                }
            }
            Ok(Kind::Forget) => drop(self.entries.remove(&*String::from_utf8_lossy(item.bytes))),
            Ok(Kind::Meta) => {
                let (name, value) = serde_json::from_slice::<Meta>(item.bytes).map_err(bad)?.into_parts();
                self.settings.insert(name, value);
            }
            Ok(Kind::Lost) => {
                let LostRun { run, lost } = serde_json::from_slice(item.bytes).map_err(bad)?;
                self.runs.entry(run).or_default().lost = Some(lost);
            }
            // Heads and runs that are forgotten are taken from the commit.
            Ok(Kind::Void | Kind::Head | Kind::Prune | Kind::Base | Kind::Index) | Err(_) => {}
        }
        Ok(())
    }

    fn accept(&mut self, key: String, number: u64, accepted: Accepted) {
        self.accepted = self.accepted.max(number);
        self.bytes += u64::from(accepted.spot.bytes);
        self.entries.insert(key, (number, accepted));
    }

    /// The numbers of the inbox entries, in the order in which they were accepted, and where they stand.
    pub(crate) fn entries(&self) -> Vec<(u64, Accepted)> {
        let mut all: Vec<_> = self.entries.values().cloned().collect();
        all.sort_by_key(|(number, _)| *number);
        all
    }

    /// One of them, read.
    pub(crate) fn entry(&mut self, number: u64, accepted: Accepted) -> Result<Entry, Error> {
        let bytes = self.read_spot(accepted.spot)?;
        let bad = |error: serde_json::Error| Error::Store(format!("inbox entry {number} can't be read: {error}"));
        let handled = accepted.handled;
        if accepted.whole {
            return Ok(Entry { handled, ..serde_json::from_slice(&bytes).map_err(bad)? });
        }
        let text = bytes.get(8..).unwrap_or_default();
        let Accept { key, at, payload } = serde_json::from_slice(text).map_err(bad)?;
        Ok(Entry { number, key, at, payload, handled })
    }

    /// The bytes at a place.
    pub(crate) fn read_spot(&mut self, spot: Spot) -> Result<Vec<u8>, Error> {
        let dir = match &self.base {
            Some(base) if spot.base => &base.dir,
            _ => &self.log,
        };
        let path = segment::path(dir, spot.segment);
        let failed = |error: std::io::Error| Error::io("read", &path, error);
        if self.files.len() >= FILES_MAX && !self.files.contains_key(&(spot.base, spot.segment)) {
            self.files.clear();
        }
        let file = match self.files.entry((spot.base, spot.segment)) {
            std::collections::hash_map::Entry::Occupied(file) => file.into_mut(),
            std::collections::hash_map::Entry::Vacant(room) => room.insert(File::open(&path).map_err(failed)?),
        };
        let mut bytes = vec![0; spot.bytes as usize];
        file.read_exact_at(&mut bytes, u64::from(spot.at)).map_err(failed)?;
        Ok(bytes)
    }

    /// The bytes with this digest, where the log has them.
    pub(crate) fn source(&mut self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        let Some(spot) = self.sources.get(&digest).copied() else { return Ok(None) };
        let bytes = self.read_spot(spot)?.split_off(32);
        Ok(Some(bytes).filter(|bytes| Digest::of(bytes) == digest))
    }
}

impl KeptRun {
    /// Whether all its records are there.
    fn is_whole(&self) -> bool {
        self.lost.is_none() && self.records.len() as u64 == self.last && self.records.keys().next() == Some(&1)
    }
}
