//! Power failures: everything that the log does to files is recorded, and cut off at any place.
//!
//! What is simulated: a write to a file of the log is kept only once an `fdatasync` of that file followed; otherwise
//! all, none, or any of its 512-byte sectors are there. A new name, a rename or a removal is kept only once its folder
//! was synced; otherwise any number of them, in order. The store is as it was when its files were synced last, and
//! where it was synced again later, any of its 4 KiB pages may be from then already. The file `end` is never there. What
//! is not simulated: a disk that loses what it was told to keep, or damages what was there before.
//!
//! After each cut everything that was acknowledged before it must be there, every batch whole or absent.

mod disk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::soak::{Chance, rounds};
use super::trimming::tiny;
use super::{folder, open};
use crate::conformance::{batch, head, record, run_id};
use crate::log::files::recorder::{Event, note, record as start_recording};
use crate::{Batch, Journal, SledJournal};
use disk::Disk;
use runwright_core::{RunStatus, Timestamp, Value};

const CUTS: usize = 110;
/// From here on, a number stands for an inbox key.
const KEYS: u64 = 1_000_000;

/// A journal at work: eight threads, runs that end and are forgotten, alarms, checkpoints, trimming.
fn work(dir: &Path, seed: u64) {
    let journal = open(dir, &tiny());
    let told = |n: u64, seq: u64| note(dir, || Event::Acknowledged { n, seq });
    for round in 0..4_u64 {
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                let journal = &journal;
                scope.spawn(move || {
                    let mut chance = Chance::new(seed * 100 + round * 8 + thread);
                    let first = 1 + (round * 8 + thread) * 10;
                    for n in first..first + 3 {
                        let pairs = 1 + chance.below(5) as u64;
                        for pair in 0..pairs {
                            let mut next = batch(n, pair * 2 + 1, pair * 2 + 2);
                            if pair + 1 == pairs && !chance.one_in(3) {
                                next.heads = vec![head(n, pair * 2 + 2, RunStatus::Succeeded)];
                            }
                            journal.append(next).blocking_wait().unwrap();
                            told(n, pair * 2 + 2);
                        }
                        let alarm = Batch::accept(format!("key-{n}"), Value::from(n), Timestamp::from_millis(n));
                        journal.append(alarm).blocking_wait().unwrap();
                        told(KEYS + n, 1);
                    }
                });
            }
        });
        if round % 2 == 1 {
            forget(&journal, (round - 1) * 80..round * 80, &told);
        }
    }
    drop(journal);
}

fn forget(journal: &SledJournal, numbers: std::ops::Range<u64>, told: &impl Fn(u64, u64)) {
    for n in numbers {
        if journal.head(run_id(n)).unwrap().is_some_and(|head| head.status.is_finished()) {
            told(n, 0);
            journal.append(Batch { prune: vec![run_id(n)], ..Batch::default() }).blocking_wait().unwrap();
        }
    }
}

/// The store as it was synced next after each place.
fn next_stores(events: &[(PathBuf, Event)]) -> Vec<Option<disk::Files>> {
    let mut next = None;
    let mut all: Vec<_> = events
        .iter()
        .rev()
        .map(|(_, event)| {
            if let Event::Store(files) = event {
                next = Some(std::sync::Arc::clone(files));
            }
            next.clone()
        })
        .collect();
    all.reverse();
    all
}

fn check(dir: &Path, acknowledged: &BTreeMap<u64, u64>, forgotten: &[u64], thorough: bool, what: &str) {
    let journal = SledJournal::open_with(dir, &tiny()).unwrap_or_else(|error| panic!("{what}: {error}"));
    for (n, seq) in acknowledged {
        if *n > KEYS {
            assert!(journal.inbox(&format!("key-{}", n - KEYS)).unwrap().is_some(), "{what}: key {n} is lost");
            continue;
        }
        let history = journal.history(run_id(*n)).unwrap_or_else(|error| panic!("{what}: {error}"));
        if forgotten.contains(n) && history.is_empty() {
            continue;
        }
        let length = history.len() as u64;
        assert!(length >= *seq, "{what}: run {n} has {length} of {seq} records");
        assert_eq!(length % 2, 0, "{what}: a batch is whole or absent");
        assert_eq!(history, (1..=length).map(|seq| record(*n, seq)).collect::<Vec<_>>(), "{what}");
    }
    if thorough {
        // The store may have lost what the log has, but the log is what was written.
        let damage = journal.verify().unwrap().damage;
        assert!(damage.iter().all(|damage| damage.readable && damage.run.is_some()), "{what}: {damage:?}");
    }
    journal.append(batch(9_999, 1, 2)).blocking_wait().unwrap();
}

#[test]
fn what_was_acknowledged_survives_power_failures() {
    rounds("power losses", |seed| {
        let dir = folder();
        let recorded = start_recording(dir.path());
        work(dir.path(), seed);
        let events = std::mem::take(&mut *recorded.lock().unwrap());
        let next = next_stores(&events);
        let mut chance = Chance::new(seed);
        let mut cuts: Vec<usize> = (0..CUTS).map(|_| chance.below(events.len())).collect();
        cuts.sort_unstable();
        let (mut disk, mut at, mut acknowledged, mut forgotten) = (Disk::default(), 0, BTreeMap::new(), Vec::new());
        for cut in cuts {
            for (path, event) in &events[at..cut.max(at)] {
                match event {
                    Event::Acknowledged { n, seq: 0 } => forgotten.push(*n),
                    Event::Acknowledged { n, seq } => drop(acknowledged.insert(*n, *seq)),
                    _ => disk.take(path, event),
                }
            }
            at = cut.max(at);
            disk.next_store.clone_from(&next[at]);
            let after = folder();
            disk.after_power_loss(dir.path(), after.path(), &mut chance);
            let what = format!("seed {seed}, cut at {cut} of {}", events.len());
            check(after.path(), &acknowledged, &forgotten, chance.one_in(4), &what);
        }
        CUTS
    });
}
