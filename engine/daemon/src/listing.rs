//! What is told of runs from outside: which there are, which go on here, and what those in a queue wait for.

use std::collections::{HashMap, HashSet};

use journal::Query;
use runwright_core::{Cause, Event, Head, Map, RunId, RunStatus};

use crate::view::{Listed, LockHolder, RunView};
use crate::{Engine, Error};

/// The runs of one list, at most: each costs reading its records.
pub(crate) const LIST_MAX: usize = 1_000;

impl Engine {
    /// The runs that fit, newest first, at most [`LIST_MAX`], each with what started it.
    pub fn list(&self, query: &Query) -> Result<Vec<Listed>, Error> {
        let limit = query.limit.unwrap_or(LIST_MAX).min(LIST_MAX);
        let heads = self.journal().runs(&Query { limit: Some(limit), ..query.clone() })?;
        let mut listed = self.listed(heads)?;
        for run in &mut listed {
            let Some((cause, inputs)) = self.origin(run.head.run) else { continue };
            (run.cause, run.inputs) = (Some(cause), Some(inputs));
        }
        Ok(listed)
    }

    /// The runs that are not over.
    pub(crate) fn unfinished(&self) -> Result<Vec<Listed>, Error> {
        self.listed(self.journal().runs(&Query::unfinished())?)
    }

    /// One run.
    pub fn show(&self, run: RunId) -> Result<RunView, Error> {
        let mut view = RunView::of(&self.driver.load(run)?);
        if !view.status.is_finished() {
            view.live = Some(self.driver.is_living(run));
        }
        if view.status == RunStatus::Queued {
            let head = self.journal().head(run)?.into_iter().collect();
            view.queued_behind = self.listed(head)?.pop().and_then(|listed| listed.queued_behind);
        }
        if !view.waits_for_locks().is_empty() {
            view.name_holders(&self.lock_holders()?);
        }
        Ok(view)
    }

    /// The runs that go on in this engine by themselves: those that are over do not, nor those that wait for a person, nor
    /// those that wait for what one has that does not go on: a lock, or a place among the runs of its runbook.
    pub fn going_on(&self) -> Result<Vec<RunId>, Error> {
        let heads = self.journal().runs(&Query::unfinished())?;
        let is_queued = |head: &Head| head.status == RunStatus::Queued;
        let lives = |head: &Head| head.status != RunStatus::Blocked && self.driver.is_living(head.run);
        let (living, still): (Vec<&Head>, Vec<&Head>) =
            heads.iter().filter(|head| !is_queued(head)).partition(|head| lives(head));
        let locks = |head: &&Head| -> Vec<String> {
            head.lock.iter().cloned().chain(head.step_locks.iter().map(|(_, lock)| lock.clone())).collect()
        };
        let kept: HashSet<String> = still.iter().flat_map(locks).collect();
        let is_of = |name: &str, heads: &[&Head]| heads.iter().any(|head| head.name == name);
        let mut going = Vec::new();
        for head in heads.iter().filter(|head| lives(head)) {
            let waits_for = match head.status {
                RunStatus::Queued => head.lock.iter().cloned().collect(),
                RunStatus::Waiting => RunView::of(&self.driver.load(head.run)?).waits_for_locks(),
                _ => Vec::new(),
            };
            let no_place = is_queued(head)
                && is_of(&head.name, &still)
                && !is_of(&head.name, &living)
                && self.driver.load(head.run)?.runbook().max_parallel.is_some();
            if !no_place && !waits_for.iter().any(|lock| kept.contains(lock)) {
                going.push(head.run);
            }
        }
        Ok(going)
    }

    fn listed(&self, heads: Vec<Head>) -> Result<Vec<Listed>, Error> {
        let is_queued = |head: &Head| head.status == RunStatus::Queued;
        let holders = if heads.iter().any(is_queued) { self.lock_holders()? } else { HashMap::new() };
        let listed = heads.into_iter().map(|head| {
            let live = !head.status.is_finished() && self.driver.is_living(head.run);
            let lock = head.lock.clone().filter(|_| is_queued(&head));
            let queued_behind = lock.map(|lock| LockHolder { run: holders.get(&lock).copied(), lock });
            Listed { head, live, cause: None, inputs: None, queued_behind }
        });
        Ok(listed.collect())
    }

    /// Which run holds which lock: what is held stands in the journal, whether its run goes on or not.
    fn lock_holders(&self) -> Result<HashMap<String, RunId>, Error> {
        let heads = self.journal().runs(&Query::unfinished())?.into_iter();
        let held = heads.filter(|head| head.status != RunStatus::Queued);
        let locks = held.flat_map(|head| {
            let of_steps = head.step_locks.into_iter().map(|(_, lock)| lock);
            head.lock.into_iter().chain(of_steps).map(move |lock| (lock, head.run))
        });
        Ok(locks.collect())
    }

    /// What started a run, with its inputs; none where its records can't be read, which is told where it is shown.
    fn origin(&self, run: RunId) -> Option<(Cause, Map)> {
        match self.journal().history(run).ok()?.into_iter().next()?.event {
            Event::Created { cause, inputs, .. } => Some((cause, inputs)),
            _ => None,
        }
    }
}
