//! Opening a state directory: the store, or a new one where it is damaged, and what the log has behind its checkpoint.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use runwright_core::RunId;

use super::keeper;
use super::lock::{BROKEN, make_dir};
use super::shared::Shared;
use crate::admit::Known;
use crate::commit::{Change, Commit};
use crate::frame::Position;
use crate::log::{Found, Hole, Log, scan};
use crate::store::{Lost, Store, move_away};
use crate::table::Table;
use crate::{Entry, Error};

/// Opens store and log, so that every acknowledged commit is in the store or in the tables.
pub(crate) fn open(dir: &Path, segment_bytes: usize, table_bytes: usize) -> Result<(Arc<Shared>, Log), Error> {
    let log_dir = dir.join("log");
    make_dir(&log_dir)?;
    let store = open_store(dir)?;
    let checkpoint = store.checkpoint()?;
    let start = Table {
        end: checkpoint.position(),
        number: checkpoint.number,
        accepted: checkpoint.accepted,
        ..Table::default()
    };
    let shared = Shared::new(store, start, table_bytes);
    let mut replay = Replay {
        shared: &shared,
        dir,
        began: Instant::now(),
        commits: 0,
        checkpoint_at: table_bytes,
        holes: Vec::new(),
        last: HashMap::new(),
    };
    let from = (checkpoint.position(), checkpoint.number);
    let end = scan(&log_dir, from, checkpoint.position(), None, &mut |found| replay.take(found))?;
    replay.mark_lost()?;
    let log = Log::open(&log_dir, end.position, end.garbage, segment_bytes)?;
    {
        let mut tables = shared.lock();
        tables.active.end = log.position();
        tables.active.number = end.number;
    }
    if !replay.holes.is_empty() {
        keeper::checkpoint(&shared, dir)?;
    }
    Ok((shared, log))
}

fn open_store(dir: &Path) -> Result<Store, Error> {
    let (path, broken) = (dir.join("sled"), dir.join(BROKEN));
    make_dir(&path)?;
    let opened = match broken.exists() {
        true => Err(Error::Store("it failed while it was written to".to_owned())),
        false => Store::open(&path),
    };
    let why = match opened {
        Err(Error::Store(why)) => why,
        other => return other,
    };
    if path.exists() {
        let aside = move_away(&path)?;
        tracing::error!(why, aside = %aside.display(), "the store is damaged; rebuilding it from the log");
    }
    if broken.exists() {
        fs::remove_file(&broken).map_err(|error| Error::io("remove", &broken, error))?;
    }
    make_dir(&path)?;
    Store::open(&path)
}

/// Where the disk has no room for a checkpoint, so many full tables are read into memory at most: what a journal that
/// ran into a full disk left behind, and more.
const IN_MEMORY_MAX: usize = 16;

/// Puts what a scan of the log finds into the tables.
struct Replay<'a> {
    shared: &'a Shared,
    dir: &'a Path,
    began: Instant,
    commits: u64,
    checkpoint_at: usize,
    holes: Vec<Hole>,
    /// Where the last record of each run stands.
    last: HashMap<RunId, Position>,
}

impl Replay<'_> {
    fn take(&mut self, found: Found) -> Result<(), Error> {
        match found {
            Found::Hole(hole) => {
                tracing::error!(from = %hole.from, to = %hole.to, "the log is damaged");
                self.holes.push(hole);
                Ok(())
            }
            Found::Commit { at, number, commit } => self.commit(at, number, commit),
        }
    }

    fn commit(&mut self, at: Position, number: u64, mut commit: Commit) -> Result<(), Error> {
        for touched in &commit.touched {
            self.last.insert(touched.run, at);
        }
        for change in &mut commit.inbox {
            if let Change::Handle { key, handled } = change
                && let Some(entry) = self.shared.entry(key)?
            {
                *change = Change::Put(Entry { handled: Some(handled.clone()), ..entry });
            }
        }
        let bytes = {
            let mut tables = self.shared.lock();
            let end = at.plus(commit.frame_bytes());
            tables.active.absorb(commit);
            (tables.active.end, tables.active.number) = (end, number);
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
    fn mark_lost(&self) -> Result<(), Error> {
        for hole in &self.holes {
            for touched in &hole.lost {
                let seq = self.shared.head(touched.run)?.map_or(0, |head| head.seq);
                if seq < touched.last {
                    self.mark(touched.run, seq + 1, hole)?;
                }
            }
            if !hole.more {
                continue;
            }
            let runs = self.shared.unfinished()?;
            for head in runs.iter().filter(|head| self.last.get(&head.run).is_none_or(|at| *at < hole.from)) {
                self.mark(head.run, head.seq + 1, hole)?;
            }
        }
        Ok(())
    }

    fn mark(&self, run: RunId, seq: u64, hole: &Hole) -> Result<(), Error> {
        let what = format!("it may have been in a damaged part of the log, {} to {}", hole.from, hole.to);
        tracing::error!(%run, seq, what, "a run may have lost its last records");
        self.shared.store.set_lost(run, &Lost { seq, what })
    }
}
