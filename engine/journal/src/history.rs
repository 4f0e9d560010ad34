//! Encoded records back to a verified history.

use runwright_core::{Record, RunId};

use crate::Error;
use crate::admit::Tail;
use crate::record::View;

/// Reads a run's records one after the other and checks that each follows the one before it.
#[derive(Debug)]
pub(crate) struct Reader {
    run: RunId,
    tail: Tail,
    records: Vec<Record>,
}

impl Reader {
    pub(crate) fn new(run: RunId) -> Self {
        Self { run, tail: Tail::NONE, records: Vec::new() }
    }

    /// Takes in one value: encoded records that follow each other. Records that were taken in before are skipped.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let view = View::read(bytes).map_err(|bad| self.damaged(bad.to_string()))?;
            bytes = &bytes[view.bytes().len()..];
            if view.run() != self.run {
                return Err(self.damaged(format!("it is a record of run {}", view.run())));
            }
            if view.seq() <= self.tail.seq {
                continue;
            }
            if view.seq() != self.tail.seq + 1 {
                return Err(self.damaged(format!("it is missing; the next one is record {}", view.seq())));
            }
            if view.prev() != self.tail.hash {
                return Err(self.damaged("it does not hold the hash of the record before it".to_owned()));
            }
            let record = view.decode().map_err(|error| self.damaged(format!("its event can't be read: {error}")))?;
            self.tail = Tail { seq: view.seq(), hash: view.hash() };
            self.records.push(record);
        }
        Ok(())
    }

    /// The history, which must end where the run's head says.
    pub(crate) fn finish(mut self, head: Option<Tail>) -> Result<Vec<Record>, Error> {
        let Some(head) = head else {
            return if self.records.is_empty() {
                Ok(self.records)
            } else {
                Err(self.damaged("the run has records but no head".to_owned()))
            };
        };
        if self.tail.seq < head.seq {
            return Err(self.damaged(format!("it is missing; the last one should be record {}", head.seq)));
        }
        if self.tail.seq > head.seq {
            // Appended after the head was read.
            self.records.truncate(usize::try_from(head.seq).unwrap_or(usize::MAX));
        } else if self.tail.hash != head.hash {
            self.tail.seq -= 1;
            return Err(self.damaged("its hash is not the one that the run's head holds".to_owned()));
        }
        Ok(self.records)
    }

    /// What was read so far, whatever the run's head says.
    pub(crate) fn into_records(self) -> Vec<Record> {
        self.records
    }

    /// An error of the store as damage to this run: other runs may be readable.
    pub(crate) fn or_damaged(&self, error: Error) -> Error {
        match error {
            Error::Store(why) => self.damaged(format!("the store can't be read: {why}")),
            other => other,
        }
    }

    fn damaged(&self, what: String) -> Error {
        Error::Damaged { run: self.run, seq: self.tail.seq + 1, what }
    }
}
