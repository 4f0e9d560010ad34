//! Whether a batch fits what is there: sequence numbers, hash chains, inbox keys. One caller at a time decides.

use std::collections::{HashMap, HashSet};

use runwright_core::{Head, RunId};

use crate::commit::{Change, Commit};
use crate::record::{self, Hash, NO_HASH};
use crate::{Entry, Error, Receipt};

/// The end of a run's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) seq: u64,
    pub(crate) hash: Hash,
}

impl Tail {
    /// The end of an empty history.
    pub(crate) const NONE: Self = Self { seq: 0, hash: NO_HASH };
}

/// What is in the journal already.
pub(crate) trait Known {
    /// The end of a run's history; none for an unknown run.
    fn tail(&self, run: RunId) -> Result<Option<Tail>, Error>;
    /// Where a run stands; none for an unknown run.
    fn head(&self, run: RunId) -> Result<Option<Head>, Error>;
    /// Whether nobody can read the run's history.
    fn is_damaged(&self, run: RunId) -> bool;
    /// An inbox entry.
    fn entry(&self, key: &str) -> Result<Option<Entry>, Error>;
}

/// The gate: knows what was admitted, also where it is not in the tables yet.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    tails: HashMap<RunId, Tail>,
    inbox: HashMap<String, Option<Entry>>,
    pruned: HashSet<RunId>,
    /// The number of the last entry that was accepted.
    accepted: u64,
}

/// The ends of at most this many runs are remembered; those of more are looked up again.
const TAILS_MAX: usize = 65_536;

impl Gate {
    /// A gate after this many accepted inbox entries.
    pub(crate) fn new(accepted: u64) -> Self {
        Self { accepted, ..Self::default() }
    }

    /// Admits the commit and fills in its hashes and numbers, or refuses it and changes nothing.
    pub(crate) fn admit(&mut self, commit: &mut Commit, known: &impl Known) -> Result<Receipt, Error> {
        let tails = self.follow(commit, known)?;
        self.may_prune(commit, known)?;
        let receipt = self.receive(commit, known)?;
        self.tails.extend(tails);
        self.pruned.extend(&commit.pruned);
        for run in &commit.abandoned {
            self.tails.remove(run);
        }
        for head in &commit.heads {
            if head.status.is_finished() {
                self.tails.remove(&head.run);
            }
        }
        Ok(receipt)
    }

    /// Forgets what was admitted: it is in the tables now, or it never will be.
    pub(crate) fn settled(&mut self, written: bool) {
        self.inbox.clear();
        self.pruned.clear();
        if !written || self.tails.len() > TAILS_MAX {
            self.tails.clear();
        }
    }

    fn follow(&self, commit: &mut Commit, known: &impl Known) -> Result<Vec<(RunId, Tail)>, Error> {
        let mut tails = Vec::with_capacity(commit.touched.len());
        for touched in &commit.touched {
            let tail = match self.tails.get(&touched.run) {
                Some(tail) => *tail,
                None if self.pruned.contains(&touched.run) => Tail::NONE,
                None => known.tail(touched.run)?.unwrap_or(Tail::NONE),
            };
            if touched.first != tail.seq + 1 {
                return Err(Error::Sequence { run: touched.run, expected: tail.seq + 1, found: touched.first });
            }
            tails.push((touched.run, tail));
        }
        for slot in &mut commit.records {
            if let Some((_, tail)) = tails.iter_mut().find(|(run, _)| *run == slot.run) {
                slot.hash = record::seal(&mut commit.bytes[slot.start..slot.end], &tail.hash);
                *tail = Tail { seq: slot.seq, hash: slot.hash };
            }
        }
        Ok(tails)
    }

    /// Only runs that are over and whole may be forgotten, and damaged ones that were given up.
    fn may_prune(&self, commit: &Commit, known: &impl Known) -> Result<(), Error> {
        for run in &commit.pruned {
            let touched = commit.touched.iter().any(|touched| touched.run == *run);
            if commit.abandoned.contains(run) {
                if touched || !known.is_damaged(*run) {
                    return Err(Error::Invalid(format!("run {run} is not damaged, so it can't be given up")));
                }
                continue;
            }
            known.tail(*run)?;
            let over = known.head(*run)?.is_some_and(|head| head.status.is_finished());
            if !over || touched || self.tails.contains_key(run) || self.pruned.contains(run) {
                return Err(Error::Invalid(format!("run {run} is not over, so it can't be forgotten")));
            }
        }
        Ok(())
    }

    fn receive(&mut self, commit: &mut Commit, known: &impl Known) -> Result<Receipt, Error> {
        let mut receipt = Receipt::default();
        if commit.inbox.is_empty() {
            return Ok(receipt);
        }
        let mut seen: HashMap<String, Option<Entry>> = HashMap::new();
        let mut accepted = self.accepted;
        for change in std::mem::take(&mut commit.inbox) {
            let key = change.key();
            let there = match seen.get(key).or_else(|| self.inbox.get(key)) {
                Some(entry) => entry.clone(),
                None => known.entry(key)?,
            };
            let change = match (change, there) {
                (Change::Accept { mut entry, item }, None) => {
                    accepted += 1;
                    entry.number = accepted;
                    commit.set_number(item, accepted);
                    Change::Put(entry)
                }
                (Change::Accept { entry, item }, Some(_)) => {
                    commit.void(item);
                    receipt.duplicates.push(entry.key);
                    continue;
                }
                (Change::Handle { handled, .. }, Some(entry)) if entry.handled.is_none() => {
                    Change::Put(Entry { handled: Some(handled), ..entry })
                }
                (Change::Handle { key, .. }, _) => return Err(Error::NotWaiting(key)),
                (Change::Forget { key }, Some(entry)) if entry.handled.is_some() => Change::Forget { key },
                (Change::Forget { key }, _) => {
                    return Err(Error::Invalid(format!(
                        "inbox entry {key:?} was not handled, so it can't be forgotten"
                    )));
                }
                (Change::Put(entry), _) => Change::Put(entry),
            };
            let after = if let Change::Put(entry) = &change { Some(entry.clone()) } else { None };
            seen.insert(change.key().to_owned(), after);
            commit.inbox.push(change);
        }
        self.accepted = accepted;
        self.inbox.extend(seen);
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{batch, run_id};

    /// A journal that has record 1 of every run.
    struct One;

    impl Known for One {
        fn tail(&self, _run: RunId) -> Result<Option<Tail>, Error> {
            Ok(Some(Tail { seq: 1, hash: [1; 32] }))
        }
        fn head(&self, _run: RunId) -> Result<Option<Head>, Error> {
            Ok(None)
        }
        fn is_damaged(&self, _run: RunId) -> bool {
            false
        }
        fn entry(&self, _key: &str) -> Result<Option<Entry>, Error> {
            Ok(None)
        }
    }

    #[test]
    fn the_ends_of_65536_runs_are_remembered_and_those_of_more_are_looked_up() {
        for (runs, remembered) in [(TAILS_MAX, true), (TAILS_MAX + 1, false)] {
            let mut gate = Gate::new(0);
            let tails = (0..runs as u64).map(|n| (run_id(n), Tail { seq: 7, hash: [7; 32] }));
            gate.tails.extend(tails);
            gate.settled(true);
            let next = if remembered { 8 } else { 2 };
            for (seq, fits) in [(10 - next, false), (next, true)] {
                let mut commit = Commit::encode(batch(5, seq, seq)).unwrap();
                assert_eq!(gate.admit(&mut commit, &One).is_ok(), fits, "{runs} runs, record {seq}");
            }
        }
    }
}
