//! A checkpoint: a table goes into the store, and the store onto the disk.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;

use runwright_core::RunId;

use super::blob::{self, PART_MAX};
use super::{Checkpoint, Setting, Store, guarded, name_key, to_json};
use crate::Error;
use crate::table::{Part, Table};

/// At most this many runs are removed between two syncs.
const REMOVE_MAX: usize = 256;

impl Store {
    /// Puts a table into the store and makes it durable; only then does the store say that it has it.
    ///
    /// A crash in the middle leaves the checkpoint before it: the same part of the log is applied again, to the same
    /// keys, and what was there is overwritten with the same or more.
    pub(crate) fn apply(&self, table: &Table) -> Result<(), Error> {
        self.forget(&table.pruned)?;
        for (run, lost) in &table.lost {
            self.set_lost(*run, lost)?;
        }
        for (run, part) in &table.runs {
            self.apply_run(part)?;
            let mut head = part.tail.hash.to_vec();
            head.extend_from_slice(&to_json(&part.head)?);
            blob::put(&self.heads, &run.bytes(), &head)?;
            let open = blob::part_key(&run.bytes(), 0);
            match part.head.status.is_finished() {
                true => guarded(|| self.open.remove(open).map(drop))?,
                false => guarded(|| self.open.insert(open, &[]).map(drop))?,
            }
        }
        for (digest, bytes) in &table.sources {
            blob::put(&self.sources, &digest.bytes(), bytes)?;
        }
        for (key, entry) in &table.inbox {
            let key = name_key(key);
            let Some(entry) = entry else {
                blob::remove(&self.inbox, &key)?;
                continue;
            };
            let number = entry.number.to_be_bytes();
            blob::put(&self.inbox, &key, &to_json(entry)?)?;
            match entry.handled {
                Some(_) => guarded(|| self.waiting.remove(number).map(drop))?,
                None => guarded(|| self.waiting.insert(number, &key).map(drop))?,
            }
        }
        for (name, value) in &table.meta {
            match value.clone() {
                Some(value) => {
                    blob::put(&self.meta, &name_key(name), &to_json(&Setting { name: name.clone(), value })?)?
                }
                None => blob::remove(&self.meta, &name_key(name))?,
            }
        }
        self.sync()?;
        let mut checkpoint = Checkpoint::new(table.end, table.number, table.accepted);
        checkpoint.open = self.each_open(|_| Ok(()))?;
        checkpoint.waiting = guarded(|| Ok(self.waiting.len()))?;
        blob::put(&self.state, b"checkpoint", &to_json(&checkpoint)?)?;
        self.sync()
    }

    /// Removes runs, a few at a time with a sync after them: sled uses the room of what was removed again before what it
    /// moved elsewhere is durable.
    fn forget(&self, runs: &BTreeSet<RunId>) -> Result<(), Error> {
        let runs: Vec<&RunId> = runs.iter().collect();
        for some in runs.chunks(REMOVE_MAX) {
            for run in some {
                let run = run.bytes();
                blob::remove(&self.heads, &run)?;
                blob::remove(&self.open, &run)?;
                blob::remove(&self.damage, &run)?;
                blob::remove_all(&self.events, &run, run.len() + 10)?;
            }
            self.sync()?;
        }
        Ok(())
    }

    /// Packs records that follow each other into values, which costs sled much less than a value for each. The packing
    /// depends on the first record and the sizes only, so applying it again gives the same keys.
    fn apply_run(&self, part: &Part) -> Result<(), Error> {
        let run = part.head.run.bytes();
        let mut packed = Vec::new();
        let mut packed_first = 0;
        for (seq, record) in part.records() {
            if !packed.is_empty() && packed.len() + record.len() > PART_MAX {
                self.put_records(&run, packed_first, &packed)?;
                packed.clear();
            }
            if packed.is_empty() {
                packed_first = seq;
            }
            packed.extend_from_slice(record);
        }
        self.put_records(&run, packed_first, &packed)
    }

    fn put_records(&self, run: &[u8; 16], first: u64, records: &[u8]) -> Result<(), Error> {
        let key = [run.as_slice(), &first.to_be_bytes()].concat();
        guarded(|| {
            records
                .chunks(PART_MAX)
                .enumerate()
                .try_for_each(|(part, bytes)| self.events.insert(blob::part_key(&key, part), bytes).map(drop))
        })
    }

    /// Makes everything in sled durable: its `flush` gives the data to the kernel only.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        guarded(|| self.db.flush().map(drop))?;
        let sync = |name: &str, data_only: bool| {
            let path = self.dir.join(name);
            let file = File::open(&path).map_err(|error| Error::io("open", &path, error))?;
            let done = if data_only { rustix::fs::fdatasync(file.as_fd()) } else { rustix::fs::fsync(file.as_fd()) };
            done.map_err(|error| Error::io("sync", &path, error))
        };
        sync("db", true)?;
        self.synced_once.get_or_init(|| ["conf", "db", "."].iter().try_for_each(|name| sync(name, false))).clone()?;
        #[cfg(test)]
        crate::log::files::recorder::store_synced(&self.dir);
        Ok(())
    }
}
