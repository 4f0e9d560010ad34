//! Forgetting what is over and old.

use std::collections::HashSet;
use std::time::Duration;

use runwright_core::{By, RunId, RunStatus, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Batch, Error, Journal, Query};

/// The key of an inbox entry is remembered for so long at least, so that what arrives again is known.
pub const DEDUP_MIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One commit forgets at most this many runs or keys: it is one write, and others wait for it.
const BATCH_MAX: usize = 64;
const PAGE_MAX: usize = 1_000;

/// What [`prune`] did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pruned {
    /// Runs that were forgotten.
    pub runs: u64,
    /// Their records.
    pub records: u64,
    /// Inbox entries that were forgotten, and with them their keys.
    pub entries: u64,
    /// Runs that are over and old but damaged: they stay.
    pub damaged: Vec<RunId>,
}

/// Forgets the runs that were over `older_than` before `now`, and the inbox entries that started no other runs.
///
/// Runs that are not over, blocked or damaged stay, however old they are. The key of an inbox entry is kept for
/// [`DEDUP_MIN`] after it was accepted, or for `older_than` where that is longer: what arrives again after that counts
/// as new. Each commit forgets at most 64 runs or keys and is durable before the next. With `dry_run` nothing is
/// changed.
///
/// **A crash** in the middle leaves the rest for the next time.
///
/// # Errors
///
/// What reads and appends give.
pub fn prune<J: Journal + ?Sized>(
    journal: &J,
    now: Timestamp,
    older_than: Duration,
    dry_run: bool,
) -> Result<Pruned, Error> {
    let before = |age: Duration| now.millis().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    let mut pruned = Pruned::default();
    let gone = old_runs(journal, before(older_than), &mut pruned)?;
    if !dry_run {
        for some in gone.chunks(BATCH_MAX) {
            journal.append(Batch { prune: some.to_vec(), ..Batch::default() }).blocking_wait()?;
        }
    }
    let keys = old_keys(journal, before(older_than.max(DEDUP_MIN)), &gone.into_iter().collect())?;
    pruned.entries = keys.len() as u64;
    if !dry_run {
        for some in keys.chunks(BATCH_MAX) {
            journal.append(Batch { forget: some.to_vec(), ..Batch::default() }).blocking_wait()?;
        }
    }
    Ok(pruned)
}

/// A run that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Abandoned {
    /// The run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// Who gave it up, and why.
    pub by: By,
    /// The first record that nobody can read, and what is wrong with it.
    pub what: String,
}

/// The setting that holds what was given up, oldest first.
const ABANDONED: &str = "abandoned";

/// At most this many are remembered, and bytes of them: the setting must always fit into a batch.
const ABANDONED_MAX: usize = 1_000;
const ABANDONED_BYTES_MAX: usize = 1 << 20;

/// Forgets a damaged run because `by` gave it up, and remembers that, in one commit.
///
/// # Errors
///
/// [`Error::Invalid`] for a run that is not damaged; else what reads and appends give.
pub fn abandon<J: Journal + ?Sized>(journal: &J, run: RunId, by: &By, at: Timestamp) -> Result<Abandoned, Error> {
    let what = match journal.history(run) {
        Err(Error::Damaged { seq, what, .. }) => format!("record {seq} is damaged: {what}"),
        Err(error) => return Err(error),
        Ok(_) => return Err(Error::Invalid(format!("run {run} is not damaged, so it can't be given up"))),
    };
    let noted = journal.meta(ABANDONED)?.and_then(|noted| serde_json::from_value(noted).ok());
    let mut all: Vec<Abandoned> = noted.unwrap_or_default();
    let given_up = Abandoned { run, at, by: by.clone(), what };
    all.push(given_up.clone());
    let mut bytes = 0;
    let fits = |given_up: &&Abandoned| {
        bytes += serde_json::to_vec(given_up).map_or(0, |text| text.len());
        bytes <= ABANDONED_BYTES_MAX
    };
    let newest = all.iter().rev().take(ABANDONED_MAX).take_while(fits).count().max(1);
    let newest = &all[all.len() - newest..];
    let meta = serde_json::to_value(newest).map_err(|error| Error::Invalid(error.to_string()))?;
    let batch = Batch { abandon: vec![run], meta: vec![(ABANDONED.to_owned(), Some(meta))], ..Batch::default() };
    journal.append(batch).blocking_wait()?;
    Ok(given_up)
}

/// The runs that may be forgotten, oldest last.
fn old_runs<J: Journal + ?Sized>(journal: &J, before: u64, pruned: &mut Pruned) -> Result<Vec<RunId>, Error> {
    let status = RunStatus::ALL.into_iter().filter(|status| status.is_finished()).collect();
    let mut query = Query { status, limit: Some(PAGE_MAX), ..Query::default() };
    let mut gone = Vec::new();
    loop {
        let heads = journal.runs(&query)?;
        let Some(last) = heads.last() else { return Ok(gone) };
        query.before = Some(last.run);
        for head in heads.iter().filter(|head| head.updated.millis() < before) {
            match journal.history(head.run) {
                Ok(records) => {
                    pruned.records += records.len() as u64;
                    pruned.runs += 1;
                    gone.push(head.run);
                }
                Err(Error::Damaged { run, .. }) => pruned.damaged.push(run),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The keys of the entries that were dealt with and whose runs are all gone.
fn old_keys<J: Journal + ?Sized>(journal: &J, before: u64, gone: &HashSet<RunId>) -> Result<Vec<String>, Error> {
    let mut old = Vec::new();
    journal.each_entry(&mut |entry| {
        if let Some(handled) = entry.handled
            && entry.at.millis() < before
        {
            old.push((entry.number, entry.key, handled.runs));
        }
        Ok(())
    })?;
    old.sort();
    let mut keys = Vec::new();
    for (_, key, runs) in old {
        let mut kept = false;
        for run in runs {
            kept = kept || (!gone.contains(&run) && journal.head(run)?.is_some());
        }
        if !kept {
            keys.push(key);
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;
    use crate::conformance::{batch, head, record, run_id};

    #[test]
    fn runs_are_forgotten_over_the_edges_of_batches_and_pages() {
        for runs in [BATCH_MAX, BATCH_MAX + 1, PAGE_MAX, PAGE_MAX + 1] {
            let journal = Memory::new();
            for n in 1..=runs as u64 {
                let batch = Batch::of(vec![record(n, 1)], head(n, 1, RunStatus::Succeeded));
                journal.append(batch).blocking_wait().unwrap();
            }
            let commits = journal.commits();
            let pruned = prune(&journal, Timestamp::from_millis(u64::MAX), Duration::ZERO, false).unwrap();
            assert_eq!(pruned.runs, runs as u64);
            assert_eq!(journal.commits() - commits, runs.div_ceil(BATCH_MAX));
            assert!(journal.runs(&Query::default()).unwrap().is_empty());
        }
    }

    /// Gives up `runs` runs, each with a reason of `reason` bytes; how many the journal remembers.
    fn remembered(runs: u64, reason: usize) -> usize {
        let journal = Memory::new();
        let by = By { who: "ada".to_owned(), why: "y".repeat(reason) };
        let given_up =
            |n: u64| Abandoned { run: run_id(n), at: Timestamp::from_millis(n), by: by.clone(), what: "x".to_owned() };
        // All but the last two were given up before.
        let before: Vec<Abandoned> = (1..=runs - 2).map(given_up).collect();
        let meta = vec![(ABANDONED.to_owned(), Some(serde_json::to_value(before).unwrap()))];
        journal.append(Batch { meta, ..Batch::default() }).blocking_wait().unwrap();
        for n in [runs - 1, runs] {
            journal.append(batch(n, 1, 1)).blocking_wait().unwrap();
            journal.damage(run_id(n), 1);
            abandon(&journal, run_id(n), &by, Timestamp::from_millis(n)).unwrap();
        }
        let all: Vec<Abandoned> = serde_json::from_value(journal.meta(ABANDONED).unwrap().unwrap()).unwrap();
        assert_eq!(all.last().map(|last| last.run), Some(run_id(runs)), "the newest are kept");
        all.len()
    }

    #[test]
    fn a_thousand_that_were_given_up_are_remembered_and_1_mib_of_them() {
        assert_eq!([remembered(999, 10), remembered(1_000, 10), remembered(1_001, 10)], [999, 1_000, 1_000]);
        assert_eq!([remembered(4, 200_000), remembered(6, 200_000)], [4, 5]);
        assert_eq!(remembered(3, 2 << 20), 1, "the newest at any rate");
    }
}
