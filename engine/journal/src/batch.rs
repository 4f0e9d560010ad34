//! What goes into the journal and what is asked of it.

use runwright_core::{Digest, Head, Record, RunId, RunStatus, Timestamp, Value};
use serde::{Deserialize, Serialize};

/// One atomic commit: all of it becomes durable, or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// What happened, to one run or several. The records of one run follow each other without gaps.
    pub records: Vec<Record>,
    /// The head of every run that has records here, after the last of them; no others.
    pub heads: Vec<Head>,
    /// Bytes to keep by their digest. Keeping the same bytes again changes nothing.
    pub sources: Vec<(Digest, Vec<u8>)>,
    /// What arrived, and what became of it.
    pub inbox: Vec<InboxWrite>,
    /// Settings by name; `None` removes one.
    pub meta: Vec<(String, Option<Value>)>,
    /// Runs to forget. Each must be over and whole, else the batch is [`Error::Invalid`](crate::Error::Invalid).
    pub prune: Vec<RunId>,
    /// Runs to forget although nobody can read them any more, because a person gave them up. Each must be damaged.
    pub abandon: Vec<RunId>,
    /// Keys of inbox entries to forget. Each must have been handled. The same key may be accepted again afterwards.
    pub forget: Vec<String>,
}

impl Batch {
    /// A batch of one run: its records in order, and its head after the last of them.
    pub fn of(records: Vec<Record>, head: Head) -> Self {
        Self { records, heads: vec![head], ..Self::default() }
    }

    /// A batch that accepts one inbox entry.
    pub fn accept(key: impl Into<String>, payload: Value, at: Timestamp) -> Self {
        Self { inbox: vec![InboxWrite::Accept { key: key.into(), payload, at }], ..Self::default() }
    }
}

/// A change of the inbox, through which everything that may start a run comes.
#[derive(Debug, Clone, PartialEq)]
pub enum InboxWrite {
    /// Something arrived. Where its key is known already, this is dropped from the batch and the [`Receipt`] says so;
    /// the rest of the batch is committed.
    Accept {
        /// What makes it the same thing when it arrives again; 1 to 512 bytes.
        key: String,
        /// The thing itself.
        payload: Value,
        /// When it arrived.
        at: Timestamp,
    },
    /// It was dealt with. The entry must be waiting, else the whole batch is refused with
    /// [`Error::NotWaiting`](crate::Error::NotWaiting): the runs that it started begin in this same batch, once.
    Handle {
        /// The entry.
        key: String,
        /// The runs that it started; may be none.
        runs: Vec<RunId>,
        /// Why these, for people.
        note: String,
    },
}

/// What the journal says of a batch that is durable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The inbox keys that were known already, so that nothing was accepted for them.
    pub duplicates: Vec<String>,
}

/// Something that arrived in the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// Its place among everything that was ever accepted, from 1.
    pub number: u64,
    /// What makes it the same thing when it arrives again.
    pub key: String,
    /// When it arrived.
    pub at: Timestamp,
    /// The thing itself.
    pub payload: Value,
    /// What became of it; none while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handled: Option<Handled>,
}

/// What became of an inbox entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Handled {
    /// The runs that it started.
    pub runs: Vec<RunId>,
    /// Why these, for people.
    pub note: String,
}

/// Which runs: those that fit every part that is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Any of these; empty means any status.
    pub status: Vec<RunStatus>,
    /// Of the runbook with this name.
    pub name: Option<String>,
    /// Only runs born before this one: the last of one page asks for the next.
    pub before: Option<RunId>,
    /// How many at most; none means all.
    pub limit: Option<usize>,
}

impl Query {
    /// Every run that is not over.
    pub fn unfinished() -> Self {
        let status = RunStatus::ALL.into_iter().filter(|status| !status.is_finished()).collect();
        Self { status, ..Self::default() }
    }

    /// Whether this run fits.
    pub fn fits(&self, head: &Head) -> bool {
        (self.status.is_empty() || self.status.contains(&head.status))
            && self.name.as_ref().is_none_or(|name| *name == head.name)
            && self.before.is_none_or(|before| head.run < before)
    }

    /// Whether only runs that are not over can fit.
    pub(crate) fn only_unfinished(&self) -> bool {
        !self.status.is_empty() && self.status.iter().all(|status| !status.is_finished())
    }
}

/// What [`Journal::verify`](crate::Journal::verify) counted and found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// Runs that were read.
    pub runs: u64,
    /// Records that are what was written.
    pub records: u64,
    /// Inbox entries that were read.
    pub inbox: u64,
    /// Bytes of the commit log that were read; 0 where there is none.
    pub log_bytes: u64,
    /// Everything that is not what was written.
    pub damage: Vec<Damage>,
}

/// Something that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Damage {
    /// The run, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The first record concerned, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What is wrong and where, for people.
    pub what: String,
    /// Whether a second copy is whole, so that the run's history can be read.
    pub readable: bool,
}
