//! The store: what the journal's reads are answered from, in sled. It is written at checkpoints only and can always be
//! rebuilt from the log, so nothing here is a commit point.
//!
//! sled loses what was flushed when the power fails, spills large values into files that it never syncs, panics at
//! damage and has no checksums that reach its readers. Hence: values are at most [`blob::PART_MAX`] bytes, each carries
//! a checksum, a checkpoint syncs the file itself, and every call is guarded against panics.

mod apply;
mod blob;
mod check;
mod guard;
mod inbox;
mod open;

use std::path::PathBuf;
use std::sync::OnceLock;

use runwright_core::{Digest, Head, RunId, Value};
use serde::{Deserialize, Serialize};
use sled::{Db, Tree};

use crate::admit::Tail;
use crate::commit::item::Lost;
use crate::frame::Position;
use crate::history::Reader;
use crate::record::array;
use crate::{Error, Query};
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

    /// Whether the store has a part of a base only: its checkpoints name no position until all of the base is in it.
    pub(crate) fn is_of_a_part(self) -> bool {
        self.format > 0 && self.position() == Position::default()
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
