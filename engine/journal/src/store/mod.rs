//! The store: what the journal's reads are answered from, in sled. It is written at checkpoints only and can always be
//! rebuilt from the log, so nothing here is a commit point.
//!
//! sled loses what was flushed when the power fails, spills large values into files that it never syncs, panics at
//! damage and has no checksums that reach its readers. Hence: values are at most [`blob::PART_MAX`] bytes, each carries
//! a checksum, a checkpoint syncs the file itself, and every call is guarded against panics.

mod apply;
mod blob;
mod guard;
mod open;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use runwright_core::{Digest, Head, RunId, Value};
use serde::{Deserialize, Serialize};
use sled::{Db, Tree};

use crate::admit::Tail;
use crate::commit::item::Lost;
use crate::frame::Position;
use crate::history::Reader;
use crate::record::{View, array};
use crate::{Entry, Error, Query};
use guard::guarded;
pub(crate) use open::move_away;

/// What a store is called while another takes its place.
pub(crate) const COMPACTED: &str = "sled.compacted";
/// The format of the store that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// The store, open.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    db: Db,
    /// Run id, big-endian sequence number of the first, part number: encoded records that follow each other.
    events: Tree,
    /// Run id: the hash of its last record, then its head as JSON.
    heads: Tree,
    /// The ids of the runs that are not over.
    open: Tree,
    /// SHA-256 of the key: the entry as JSON.
    inbox: Tree,
    /// Big-endian number of an entry that waits: SHA-256 of its key.
    waiting: Tree,
    /// Digest: the bytes.
    sources: Tree,
    /// SHA-256 of the name: name and value as JSON.
    meta: Tree,
    /// Run id: what is known to be lost of it.
    damage: Tree,
    /// `checkpoint`.
    state: Tree,
    /// Whether what only changes when sled makes its files was synced.
    synced_once: OnceLock<Result<(), Error>>,
}

/// Up to where the log is in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Checkpoint {
    format: u32,
    position: u64,
    /// The number of the last commit.
    pub(crate) number: u64,
    /// The number of the last inbox entry.
    pub(crate) accepted: u64,
    /// How many runs are not over.
    #[serde(default)]
    open: usize,
    /// How many inbox entries wait.
    #[serde(default)]
    waiting: usize,
}

impl Checkpoint {
    pub(crate) fn new(position: Position, number: u64, accepted: u64) -> Self {
        Self { format: FORMAT, position: position.0, number, accepted, open: 0, waiting: 0 }
    }

    pub(crate) fn position(self) -> Position {
        Position(self.position)
    }
}

#[derive(Serialize, Deserialize)]
struct Setting {
    name: String,
    value: Value,
}

impl Store {
    /// The last checkpoint; the beginning for an empty store.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint, Error> {
        let Some(bytes) = blob::get(&self.state, b"checkpoint")? else { return Ok(Checkpoint::default()) };
        let checkpoint: Checkpoint = json(&bytes)?;
        if checkpoint.format > FORMAT {
            let what = self.dir.display().to_string();
            return Err(Error::NewerFormat { what, found: checkpoint.format.into(), known: FORMAT.into() });
        }
        Ok(checkpoint)
    }

    /// Whether nothing was ever put into it.
    pub(crate) fn is_empty(&self) -> Result<bool, Error> {
        Ok(blob::get(&self.state, b"checkpoint")?.is_none() && guarded(|| self.heads.first())?.is_none())
    }

    /// Reads what must be there to go on: every run that is not over, every inbox entry that waits, the settings.
    /// sled may lose any of it without a word.
    ///
    /// # Errors
    ///
    /// [`Error::Store`]: it must be rebuilt.
    pub(crate) fn check(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let runs = self.each_open(|run| match self.head(run)? {
            Some(_) => Ok(()),
            None => Err(Error::Store(format!("run {run} has no head"))),
        })?;
        let waiting = self.waiting(usize::MAX, |_| false)?.len();
        self.settings()?;
        self.all_lost()?;
        if (runs, waiting) != (checkpoint.open, checkpoint.waiting) {
            return Err(Error::Store("it lost a part of what was put into it".to_owned()));
        }
        Ok(())
    }

    /// Tells of every run that is not over, and counts them.
    fn each_open(&self, mut visit: impl FnMut(RunId) -> Result<(), Error>) -> Result<usize, Error> {
        let mut range = self.open.iter();
        let mut count = 0;
        while let Some((key, _)) = guarded(|| range.next().transpose())? {
            count += 1;
            visit(RunId::from_bytes(array(blob::first_part(&key).unwrap_or_default())))?;
        }
        Ok(count)
    }

    /// A run's head, and the end of its history.
    pub(crate) fn head(&self, run: RunId) -> Result<Option<(Head, Tail)>, Error> {
        blob::get(&self.heads, &run.bytes())?.map(|bytes| head(&bytes)).transpose()
    }

    /// Feeds the run's records to the reader, up to `before`: values that begin there may be on their way in.
    pub(crate) fn read(&self, run: RunId, before: u64, reader: &mut Reader) -> Result<(), Error> {
        let key = |seq: u64| [run.bytes().as_slice(), &seq.to_be_bytes()].concat();
        let mut records = Vec::new();
        let mut range = self.events.range(key(0)..key(before));
        while let Some((key, value)) = guarded(|| range.next().transpose())? {
            if blob::first_part(&key).is_some() {
                reader.take(&records)?;
                records.clear();
            }
            records.extend_from_slice(&value);
        }
        reader.take(&records)
    }

    /// Tells of every record of a run that can be read, whether they fit together or not.
    pub(crate) fn each_record(&self, run: RunId, visit: &mut dyn FnMut(View<'_>)) {
        let mut flush = |bytes: &mut Vec<u8>| {
            let mut rest = bytes.as_slice();
            while let Ok(view) = View::read(rest) {
                visit(view);
                rest = &rest[view.bytes().len()..];
            }
            bytes.clear();
        };
        let mut records = Vec::new();
        let mut range = self.events.scan_prefix(run.bytes());
        while let Ok(Some((key, value))) = guarded(|| range.next().transpose()) {
            if blob::first_part(&key).is_some() {
                flush(&mut records);
            }
            records.extend_from_slice(&value);
        }
        flush(&mut records);
    }

    /// The runs of which it has heads or records, as far as that can be read.
    pub(crate) fn run_ids(&self) -> BTreeSet<RunId> {
        let mut found = BTreeSet::new();
        for tree in [&self.heads, &self.open, &self.events] {
            let mut range = tree.iter();
            while let Ok(Some((key, _))) = guarded(|| range.next().transpose()) {
                found.extend(key.get(..16).map(|run| RunId::from_bytes(array(run))));
            }
        }
        found
    }

    /// What is known to be lost of a run.
    pub(crate) fn lost(&self, run: RunId) -> Result<Option<Lost>, Error> {
        blob::get(&self.damage, &run.bytes())?.map(|bytes| json(&bytes)).transpose()
    }

    /// Every run of which something is known to be lost.
    pub(crate) fn all_lost(&self) -> Result<Vec<(RunId, Lost)>, Error> {
        self.each(&self.damage, |key, bytes| Ok((RunId::from_bytes(array(key)), json(bytes)?)))
    }

    /// Remembers what is lost of a run. Durable with the next checkpoint.
    pub(crate) fn set_lost(&self, run: RunId, lost: &Lost) -> Result<(), Error> {
        blob::put(&self.damage, &run.bytes(), &to_json(lost)?)
    }

    /// The runs that match, newest first, but for those that `skip` takes out.
    pub(crate) fn runs(&self, query: &Query, skip: impl Fn(RunId) -> bool) -> Result<Vec<Head>, Error> {
        let limit = query.limit.unwrap_or(usize::MAX);
        let tree = if query.only_unfinished() { &self.open } else { &self.heads };
        let end = query.before.map_or([0xff; 18].to_vec(), |run| run.bytes().to_vec());
        let mut found = Vec::new();
        let mut range = tree.range(..end).rev();
        while found.len() < limit {
            let Some((key, _)) = guarded(|| range.next().transpose())? else { break };
            let Some(key) = blob::first_part(&key) else { continue };
            let run = RunId::from_bytes(array(key));
            if skip(run) {
                continue;
            }
            match self.head(run)? {
                Some((head, _)) if query.fits(&head) => found.push(head),
                _ => {}
            }
        }
        Ok(found)
    }

    /// The bytes with this digest.
    pub(crate) fn source(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        match blob::get(&self.sources, &digest.bytes())? {
            Some(bytes) if Digest::of(&bytes) != digest => Err(Error::Store(format!("{digest} has another content"))),
            bytes => Ok(bytes),
        }
    }

    /// The digests of all sources.
    pub(crate) fn sources(&self) -> Result<Vec<Digest>, Error> {
        self.each(&self.sources, |key, _| Ok(Digest::from_bytes(array(key))))
    }

    /// An inbox entry.
    pub(crate) fn entry(&self, key: &str) -> Result<Option<Entry>, Error> {
        blob::get(&self.inbox, &name_key(key))?.map(|bytes| json(&bytes)).transpose()
    }

    /// Every inbox entry.
    pub(crate) fn each_entry(&self, visit: &mut dyn FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        self.each(&self.inbox, |_, bytes| visit(json(bytes)?)).map(drop)
    }

    /// The entries that wait, oldest first, but for those that `skip` takes out.
    pub(crate) fn waiting(&self, limit: usize, skip: impl Fn(u64) -> bool) -> Result<Vec<Entry>, Error> {
        let mut found = Vec::new();
        let mut range = self.waiting.iter();
        while found.len() < limit {
            let Some((number, key)) = guarded(|| range.next().transpose())? else { break };
            if skip(u64::from_be_bytes(array(&number))) {
                continue;
            }
            let Some(bytes) = blob::get(&self.inbox, &key)? else { continue };
            found.extend(Some(json::<Entry>(&bytes)?).filter(|entry| entry.handled.is_none()));
        }
        Ok(found)
    }

    /// A setting.
    pub(crate) fn setting(&self, name: &str) -> Result<Option<Value>, Error> {
        Ok(blob::get(&self.meta, &name_key(name))?.map(|bytes| json::<Setting>(&bytes)).transpose()?.map(|s| s.value))
    }

    /// Every setting.
    pub(crate) fn settings(&self) -> Result<Vec<(String, Value)>, Error> {
        self.each(&self.meta, |_, bytes| json::<Setting>(bytes).map(|setting| (setting.name, setting.value)))
    }

    /// Loses the first records of a run.
    #[cfg(test)]
    pub(crate) fn harm(&self, run: RunId) {
        let first = self.events.scan_prefix(run.bytes()).keys().next();
        self.events.remove(first.unwrap().unwrap()).unwrap();
    }

    fn each<T>(&self, tree: &Tree, mut read: impl FnMut(&[u8], &[u8]) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut found = Vec::new();
        for item in tree.iter() {
            let (full, _) = guarded(|| item)?;
            let Some(key) = blob::first_part(&full) else { continue };
            if let Some(value) = blob::get(tree, key)? {
                found.push(read(key, &value)?);
            }
        }
        Ok(found)
    }
}

/// Names and keys have any length; sled keys should not.
fn name_key(name: &str) -> [u8; 32] {
    Digest::of(name.as_bytes()).bytes()
}

fn head(bytes: &[u8]) -> Result<(Head, Tail), Error> {
    let (hash, text) = bytes.split_at_checked(32).ok_or_else(|| Error::Store("a head ends too early".to_owned()))?;
    let head: Head = json(text)?;
    let tail = Tail { seq: head.seq, hash: array(hash) };
    Ok((head, tail))
}

fn json<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::Store(error.to_string()))
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::Store(error.to_string()))
}
