//! The writer: the one thread that appends to the log. It takes all that waits, writes it, syncs once, and answers.

use std::sync::{Arc, PoisonError};

use tokio::sync::oneshot;

use super::kill::Kill;
use super::queue::{Job, Queue};
use super::shared::Shared;
use crate::admit::Gate;
use crate::commit::Commit;
use crate::frame::ALIGN;
use crate::log::Log;
use crate::{Error, Receipt};

/// One write and sync take at most this many batches, or bytes before the last batch: a bound on the latency.
const GROUP_MAX: usize = 1_024;
const GROUP_BYTES_MAX: usize = 4 << 20;
/// The writer waits for the store when it is behind by this many full tables: a bound on memory.
const TABLES_BEHIND_MAX: usize = 4;

pub(crate) struct Writer {
    log: Log,
    gate: Gate,
    shared: Arc<Shared>,
    number: u64,
    frames: Vec<u8>,
    group: Vec<Member>,
    kill: Kill,
}

struct Member {
    commit: Commit,
    receipt: Receipt,
    answer: oneshot::Sender<Result<Receipt, Error>>,
}

impl Writer {
    pub(crate) fn new(log: Log, shared: Arc<Shared>) -> Self {
        let (number, accepted) = {
            let tables = shared.lock();
            (tables.active.number, tables.active.accepted)
        };
        let gate = Gate::new(accepted);
        Self { log, gate, shared, number, frames: Vec::new(), group: Vec::new(), kill: Kill::from_env() }
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self, queue: &Queue) {
        let mut jobs = Vec::new();
        while let Some(taken) = queue.take(jobs) {
            jobs = taken;
            for job in jobs.drain(..) {
                self.add(job);
                let group_max = if self.kill.is_armed() { 1 } else { GROUP_MAX };
                if self.group.len() >= group_max || self.frames.len() >= GROUP_BYTES_MAX {
                    self.commit();
                }
            }
            self.commit();
        }
    }

    fn add(&mut self, job: Job) {
        let Job { mut commit, answer } = job;
        match self.prepare(&mut commit) {
            Ok(receipt) => {
                let position = self.log.position().plus(self.frames.len());
                self.number += 1;
                commit.seal(self.number, self.log.durable(), position);
                self.frames.extend_from_slice(&commit.bytes);
                self.group.push(Member { commit, receipt, answer });
            }
            Err(error) => drop(answer.send(Err(error))),
        }
    }

    fn prepare(&mut self, commit: &mut Commit) -> Result<Receipt, Error> {
        if let Some(error) = self.shared.failed() {
            return Err(error);
        }
        let bytes = commit.bytes.len().next_multiple_of(ALIGN);
        if !self.log.fits(self.frames.len() + bytes) {
            self.commit();
            self.log.roll(bytes).map_err(|error| self.unless_full(error))?;
        }
        self.wait_for_store()?;
        self.gate.admit(commit, &*self.shared)
    }

    fn unless_full(&self, error: Error) -> Error {
        match error {
            Error::Full(_) => error,
            error => self.shared.fail(&error),
        }
    }

    /// Holds back while the store is far behind.
    fn wait_for_store(&mut self) -> Result<(), Error> {
        let limit = TABLES_BEHIND_MAX * self.shared.table_bytes;
        if self.shared.lock().active.bytes < limit {
            return Ok(());
        }
        self.commit();
        let shared = Arc::clone(&self.shared);
        let mut tables = shared.lock();
        while tables.active.bytes >= limit {
            if let Some(error) = shared.failed() {
                return Err(error);
            }
            if tables.full {
                return Err(Error::Full("there is no room for a checkpoint".to_owned()));
            }
            shared.changed.notify_all();
            tables = shared.changed.wait(tables).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Makes the group durable and tells everyone in it.
    fn commit(&mut self) {
        if self.group.is_empty() {
            return;
        }
        let records = self.group.iter().map(|member| member.commit.records.len()).sum();
        self.kill.before(records);
        let written = self.log.write(&self.frames);
        self.frames.clear();
        let written = match written {
            Err(error) => Err(self.unless_full(error)),
            Ok(()) => self.log.sync().map_err(|error| self.shared.fail(&error)),
        };
        self.gate.settled(written.is_ok());
        if written.is_ok() {
            self.kill.after(records);
            self.publish();
        }
        for Member { receipt, answer, .. } in self.group.drain(..) {
            let _ = answer.send(written.clone().map(|()| receipt));
        }
    }

    /// Shows the group to readers, before anyone is told.
    fn publish(&mut self) {
        let mut tables = self.shared.lock();
        for member in &mut self.group {
            tables.active.absorb(std::mem::take(&mut member.commit));
        }
        tables.active.end = self.log.position();
        tables.active.number = self.number;
        if tables.active.bytes >= self.shared.table_bytes {
            self.shared.changed.notify_all();
        }
    }
}
