//! Runs and inbox keys that are forgotten.

use std::time::Duration;

use runwright_core::{RunStatus, Timestamp, Value};

use super::{batch, head, record, run_id};
use crate::{Batch, DEDUP_MIN, Error, InboxWrite, Journal, Pruned, Query, prune};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn finish(journal: &impl Journal, n: u64, status: RunStatus) {
    journal.append(batch(n, 1, 2)).blocking_wait().unwrap();
    journal.append(Batch::of(vec![record(n, 3)], head(n, 3, status))).blocking_wait().unwrap();
}

/// The time so long after the samples were written.
fn after(age: Duration) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000).plus_millis(age.as_millis() as u64)
}

pub(super) fn only_what_is_over_is_forgotten(journal: &impl Journal) {
    for (n, status) in (1..).zip(RunStatus::ALL) {
        finish(journal, n, status);
    }
    let goes_on = RunStatus::ALL.iter().filter(|status| !status.is_finished()).count() as u64;
    let over = goes_on + 1;
    let forget = |n: u64| journal.append(Batch { prune: vec![run_id(n)], ..Batch::default() }).blocking_wait();
    for (n, status) in (1..).zip(RunStatus::ALL).filter(|(_, status)| !status.is_finished()) {
        assert!(matches!(forget(n), Err(Error::Invalid(_))), "{status:?}");
    }
    assert!(matches!(forget(99), Err(Error::Invalid(_))));
    let twice = Batch { prune: vec![run_id(over), run_id(over)], ..Batch::default() };
    let _ = journal.append(twice).blocking_wait();
    let n = over + 1;
    let both = Batch { prune: vec![run_id(n)], ..Batch::of(vec![record(n, 4)], head(n, 4, RunStatus::Failed)) };
    assert!(matches!(journal.append(both).blocking_wait(), Err(Error::Invalid(_))));
    let nothing = prune(journal, after(DAY), 2 * DAY, false).unwrap();
    assert_eq!((nothing.runs, nothing.records), (0, 0), "none is so old");
    let would = prune(journal, after(3 * DAY), 2 * DAY, true).unwrap();
    let left = journal.runs(&Query::default()).unwrap().len() as u64;
    assert_eq!((would.runs, would.records), (left - goes_on, 3 * (left - goes_on)));
    assert_eq!(prune(journal, after(3 * DAY), 2 * DAY, false).unwrap(), would);
    let left: Vec<RunStatus> = journal.runs(&Query::default()).unwrap().into_iter().map(|head| head.status).collect();
    assert_eq!(left.len() as u64, goes_on);
    assert!(left.iter().all(|status| !status.is_finished()));
    assert_eq!(journal.history(run_id(n)).unwrap(), []);
    assert_eq!(journal.head(run_id(n)).unwrap(), None);
    assert_eq!(journal.verify().unwrap().damage, []);
    match journal.append(batch(n, 4, 4)).blocking_wait() {
        Err(Error::Sequence { expected: 1, found: 4, .. }) => {}
        other => panic!("nobody goes on with a run that is forgotten: {other:?}"),
    }
}

pub(super) fn keys_are_remembered_for_a_while(journal: &impl Journal) {
    let at = after(Duration::ZERO);
    let accept = |key: &str| journal.append(Batch::accept(key, Value::from(key), at)).blocking_wait().unwrap();
    for (key, runs) in [("started", vec![run_id(1)]), ("lives", vec![run_id(2)]), ("ignored", vec![])] {
        accept(key);
        let handled = InboxWrite::Handle { key: key.to_owned(), runs, note: String::new() };
        journal.append(Batch { inbox: vec![handled], ..Batch::default() }).blocking_wait().unwrap();
    }
    accept("waits");
    finish(journal, 1, RunStatus::Succeeded);
    finish(journal, 2, RunStatus::Blocked);
    let forget = Batch { forget: vec!["waits".to_owned()], ..Batch::default() };
    assert!(matches!(journal.append(forget).blocking_wait(), Err(Error::Invalid(_))));
    let early = prune(journal, after(2 * DAY), DAY, false).unwrap();
    assert_eq!(early, Pruned { runs: 1, records: 3, ..Pruned::default() });
    assert_eq!(accept("started").duplicates, ["started"], "also when its run is forgotten");
    let late = prune(journal, after(DEDUP_MIN + DAY), DAY, false).unwrap();
    assert_eq!(late, Pruned { entries: 2, ..Pruned::default() });
    for (key, known) in [("started", false), ("ignored", false), ("lives", true), ("waits", true)] {
        assert_eq!(journal.inbox(key).unwrap().is_some(), known, "{key}");
        assert_eq!(accept(key).duplicates.len(), usize::from(known), "{key}");
    }
    let numbers: Vec<u64> = journal.waiting(9).unwrap().into_iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, [4, 5, 6]);
    let mut all = 0;
    journal
        .each_entry(&mut |_| {
            all += 1;
            Ok(())
        })
        .unwrap();
    assert_eq!(all, 4);
}
