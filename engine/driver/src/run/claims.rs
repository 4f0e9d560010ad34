//! The locks that one run, and its steps, hold or wait for.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use runwright_core::{Run, RunId, RunStatus};

use crate::locks::{Comes, Holder, Key, Locks, Turn};

/// The claims of one run, by the path that claims; the run itself has the empty one.
#[derive(Default)]
pub(crate) struct Claims {
    of: BTreeMap<String, Claim>,
    turns: FuturesUnordered<BoxFuture<'static, (String, u64, Option<Comes>)>>,
    tickets: u64,
    /// Steps that may need no more what they claim.
    touched: BTreeSet<String>,
}

/// What one path wants, one after the other, and how many of that it has.
struct Claim {
    wanted: Vec<(Key, usize)>,
    got: usize,
    /// The number of the place in line, where it waits.
    waits: Option<u64>,
    /// It would wait for ever for this run.
    never: Option<RunId>,
    /// It gives up where all would wait for each other.
    yields: bool,
}

/// How far a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// All of it is held.
    Held,
    /// It waits.
    Waits,
    /// It would wait for ever: that run waits for it.
    Never(RunId),
}

impl Claims {
    /// Claims all of `wanted` for this path, each with how many may have it at the same time. Asked again, goes on with what
    /// was wanted at first, and says how far that is. One that `yields` gives up where all would wait for each other.
    pub(crate) fn claim(
        &mut self,
        locks: &Locks,
        run: RunId,
        path: &str,
        wanted: Vec<(Key, usize)>,
        yields: bool,
    ) -> Standing {
        let new = Claim { wanted, got: 0, waits: None, never: None, yields };
        let claim = self.of.entry(path.to_owned()).or_insert(new);
        if let Some(holder) = claim.never {
            self.release(locks, run, path);
            return Standing::Never(holder);
        }
        while claim.waits.is_none() && claim.got < claim.wanted.len() {
            let (key, at_once) = &claim.wanted[claim.got];
            match locks.claim(key, &Holder { run, path: path.to_owned() }, *at_once, claim.yields) {
                Turn::Held => claim.got += 1,
                Turn::Waits(comes) => {
                    self.tickets += 1;
                    claim.waits = Some(self.tickets);
                    let (path, ticket) = (path.to_owned(), self.tickets);
                    self.turns.push(Box::pin(async move { (path, ticket, comes.await.ok()) }));
                }
                Turn::Never(holder) => {
                    self.release(locks, run, path);
                    return Standing::Never(holder);
                }
            }
        }
        if claim.waits.is_some() { Standing::Waits } else { Standing::Held }
    }

    /// The claims of a new run: on a place among the runs of its runbook, then on its lock. In this order, so that who waits for
    /// a place holds nothing: otherwise it could hold the lock for which a run waits that has the place.
    pub(crate) fn of_new(locks: &Locks, run: &Run) -> Self {
        let at_once = run.runbook().max_parallel.map_or(usize::MAX, |most| most as usize);
        let mut claims = Self::default();
        claims.claim(locks, run.id(), "", of_run(run, 1, at_once), true);
        claims
    }

    /// The claims of a run that goes on: what it, and its steps, hold by its history they have, until what makes it otherwise is
    /// durable.
    pub(crate) fn of_history(locks: &Locks, run: &Run) -> Self {
        if run.status() == RunStatus::Queued {
            return Self::of_new(locks, run);
        }
        let mut claims = Self::default();
        claims.claim(locks, run.id(), "", of_run(run, usize::MAX, usize::MAX), true);
        let mut of_steps: BTreeMap<String, Vec<(Key, usize)>> = BTreeMap::new();
        let held = locks.of_steps(run.id()).into_iter().chain(run.step_locks());
        for (path, key) in held {
            of_steps.entry(path).or_default().push((Key::Lock(key), usize::MAX));
        }
        for (path, wanted) in of_steps {
            claims.claim(locks, run.id(), &path, wanted, true);
            claims.touched.insert(path);
        }
        claims
    }

    /// The path whose claim's turn comes next. When this is dropped nothing is lost.
    pub(crate) async fn turn(&mut self) -> String {
        loop {
            match self.turns.next().await {
                Some((path, ticket, Some(comes))) => {
                    if let Some(claim) = self.of.get_mut(&path).filter(|claim| claim.waits == Some(ticket)) {
                        (claim.waits, claim.never) = (None, comes.err());
                        claim.got += usize::from(comes.is_ok());
                        return path;
                    }
                }
                // It is not waited for any more.
                Some((.., None)) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// What goes on at this path may need its claim no more.
    pub(crate) fn touch(&mut self, path: &str) {
        if !path.is_empty() && self.of.contains_key(path) {
            self.touched.insert(path.to_owned());
        }
    }

    /// Releases what steps hold, or wait for, that need it no more.
    pub(crate) fn keep_needed(&mut self, locks: &Locks, run: &Run) {
        for path in std::mem::take(&mut self.touched) {
            if !run.needs_locks(&path) {
                self.release(locks, run.id(), &path);
            }
        }
    }

    /// Releases what `keeps` is false for.
    pub(crate) fn keep(&mut self, locks: &Locks, run: RunId, keeps: impl Fn(&str) -> bool) {
        let goes: Vec<String> = self.of.keys().filter(|path| !keeps(path)).cloned().collect();
        goes.iter().for_each(|path| self.release(locks, run, path));
    }

    /// Releases all.
    pub(crate) fn release_all(&mut self, locks: &Locks, run: RunId) {
        self.keep(locks, run, |_| false);
    }

    fn release(&mut self, locks: &Locks, run: RunId, path: &str) {
        let Some(claim) = self.of.remove(path) else { return };
        let who = Holder { run, path: path.to_owned() };
        let taken = claim.got + usize::from(claim.waits.is_some());
        claim.wanted.iter().take(taken).for_each(|(key, _)| locks.release(key, &who));
    }
}

/// What a run claims for itself, each with how many may have it at the same time.
fn of_run(run: &Run, with_lock: usize, at_once: usize) -> Vec<(Key, usize)> {
    let wanted = run.lock().map(|key| (Key::Wanted(key.to_owned()), usize::MAX));
    let lock = run.lock().map(|key| (Key::Lock(key.to_owned()), with_lock));
    let place = (Key::Runs(run.runbook().name.clone()), at_once);
    wanted.into_iter().chain([place]).chain(lock).collect()
}
