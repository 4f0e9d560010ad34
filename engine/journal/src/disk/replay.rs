//! What the log holds, back into the tables.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Instant;

use runwright_core::RunId;

use super::keeper;
use super::shared::Shared;
use crate::admit::Known;
use crate::commit::item::Lost;
use crate::commit::{Change, Commit};
use crate::frame::Position;
use crate::log::base::Contents;
use crate::log::{Base, Found, Hole};
use crate::{Entry, Error, Handled};

/// Where the disk has no room for a checkpoint, at most this many full tables are read into memory: what a journal that
/// ran into a full disk left behind, and more.
const IN_MEMORY_MAX: usize = 16;

/// Puts what a scan of the log finds into the tables.
pub(crate) struct Replay<'a> {
    shared: &'a Shared,
    dir: &'a Path,
    began: Instant,
    commits: u64,
    checkpoint_at: usize,
    holes: Vec<Hole>,
    /// Where the last record of each run stands; the beginning for what a base holds.
    last: HashMap<RunId, Position>,
    pruned: HashSet<RunId>,
    /// Where the inbox entries were accepted.
    accepted: HashMap<u64, Position>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(shared: &'a Shared, dir: &'a Path) -> Self {
        Self {
            shared,
            dir,
            began: Instant::now(),
            commits: 0,
            checkpoint_at: shared.table_bytes,
            holes: Vec::new(),
            last: HashMap::new(),
            pruned: HashSet::new(),
            accepted: HashMap::new(),
        }
    }

    /// Whether something may be lost.
    pub(crate) fn has_holes(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Takes in what was found in a base. Only when all of it was, a checkpoint may count it.
    pub(crate) fn base(&mut self, found: Found) -> Result<(), Error> {
        self.found(found, |_, _| (Position::default(), Position::default()))
    }

    /// Takes in what the base says of itself.
    pub(crate) fn based(&mut self, base: &Base, contents: &Contents) -> Result<(), Error> {
        let info = contents.info.unwrap_or_default();
        {
            let mut tables = self.shared.lock();
            tables.active.end = base.end();
            tables.active.number = info.number;
            tables.active.accepted = tables.active.accepted.max(info.accepted);
        }
        if self.has_holes() {
            for (run, seq) in &contents.index {
                let there = self.shared.head(*run)?.map_or(0, |head| head.seq);
                if there < *seq && self.shared.lost(*run)?.is_none() {
                    self.mark(*run, there + 1, &format!("it was in a damaged part of base-{:06}", base.segment))?;
                }
            }
        }
        Ok(())
    }

    /// Takes in what was found in the segments.
    pub(crate) fn take(&mut self, found: Found) -> Result<(), Error> {
        self.found(found, |at, commit| (at, at.plus(commit.frame_bytes())))
    }

    fn found(&mut self, found: Found, place: impl Fn(Position, &Commit) -> (Position, Position)) -> Result<(), Error> {
        match found {
            Found::Hole(hole) => {
                tracing::error!(%hole, "the log is damaged");
                self.holes.push(hole);
                Ok(())
            }
            Found::Spoiled(_) => Ok(()),
            Found::Commit { at, number, commit } => {
                let (at, end) = place(at, &commit);
                self.commit(at, end, number, commit)
            }
        }
    }

    fn commit(&mut self, at: Position, end: Position, number: u64, mut commit: Commit) -> Result<(), Error> {
        for touched in &commit.touched {
            self.last.insert(touched.run, at);
        }
        self.pruned.extend(&commit.pruned);
        for change in &mut commit.inbox {
            if let Change::Accept { entry, .. } = change {
                self.accepted.insert(entry.number, at);
            }
            if let Change::Handle { key, handled } = change
                && let Some(entry) = self.shared.entry(key)?
            {
                *change = Change::Put(Entry { handled: Some(handled.clone()), ..entry });
            }
        }
        let bytes = {
            let mut tables = self.shared.lock();
            tables.active.absorb(commit);
            if end != Position::default() {
                (tables.active.end, tables.active.number) = (end, number);
            }
            tables.active.bytes
        };
        self.commits += 1;
        if bytes >= self.checkpoint_at {
            let seconds = self.began.elapsed().as_secs();
            tracing::info!(commits = self.commits, seconds, position = %at, "reading the log");
            match keeper::checkpoint(self.shared, self.dir) {
                // On a full disk everything should still be visible, within bounds.
                Err(Error::Full(_)) if bytes < IN_MEMORY_MAX * self.shared.table_bytes => self.checkpoint_at *= 2,
                done => done?,
            }
        }
        Ok(())
    }

    /// Marks the runs that may have lost their last records: a gap shows by itself, a lost tail does not.
    pub(crate) fn mark_lost(&self) -> Result<(), Error> {
        for hole in &self.holes {
            let what = format!("it may have been in a damaged part of the log, {hole}");
            for touched in hole.lost.iter().filter(|touched| !self.pruned.contains(&touched.run)) {
                let seq = self.shared.head(touched.run)?.map_or(0, |head| head.seq);
                if seq < touched.last {
                    self.mark(touched.run, seq + 1, &what)?;
                }
            }
            self.set_aside_entries(hole, &what)?;
            // A base has an index, which was compared.
            if !hole.more || hole.base.is_some() {
                continue;
            }
            let runs = self.shared.unfinished()?;
            for head in runs.iter().filter(|head| self.last.get(&head.run).is_none_or(|at| *at < hole.from)) {
                self.mark(head.run, head.seq + 1, &what)?;
            }
        }
        Ok(())
    }

    /// What waits in the inbox since before a hole may have been dealt with in it: it starts nothing a second time.
    fn set_aside_entries(&self, hole: &Hole, what: &str) -> Result<(), Error> {
        let begins = hole.lost.iter().any(|touched| touched.first == 1);
        if hole.base.is_some() || !(hole.more || begins) {
            return Ok(());
        }
        let mut waiting = Vec::new();
        self.shared.each_entry(&mut |entry| {
            let behind = self.accepted.get(&entry.number).is_some_and(|at| *at > hole.from);
            waiting.extend(Some(entry).filter(|entry| entry.handled.is_none() && !behind));
            Ok(())
        })?;
        for entry in waiting {
            tracing::error!(key = entry.key, what, "an inbox entry may have been handled; it starts nothing any more");
            let note = format!("whether it was handled is lost: {what}");
            let entry = Entry { handled: Some(Handled { runs: Vec::new(), note }), ..entry };
            let commit = Commit { inbox: vec![Change::Put(entry)], ..Commit::default() };
            self.shared.lock().active.absorb(commit);
        }
        Ok(())
    }

    fn mark(&self, run: RunId, seq: u64, what: &str) -> Result<(), Error> {
        tracing::error!(%run, seq, what, "a run may have lost its last records");
        self.shared.store.set_lost(run, &Lost { seq, what: what.to_owned() })
    }
}
