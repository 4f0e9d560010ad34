//! What a store has, and whether that is what it should have.

use std::collections::BTreeSet;

use runwright_core::RunId;

use super::{Checkpoint, Store, blob, guarded};
use crate::Error;
use crate::record::{View, array};

impl Store {
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
    pub(super) fn each_open(&self, mut visit: impl FnMut(RunId) -> Result<(), Error>) -> Result<usize, Error> {
        let mut range = self.open.iter();
        let mut count = 0;
        while let Some((key, _)) = guarded(|| range.next().transpose())? {
            count += 1;
            visit(RunId::from_bytes(array(blob::first_part(&key).unwrap_or_default())))?;
        }
        Ok(count)
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
}
