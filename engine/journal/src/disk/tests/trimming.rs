//! The log does not grow without bound, and what is kept is always in it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{export, folder, open, small};
use crate::conformance::{batch, head, record, run_id};
use crate::frame::Position;
use crate::log::Base;
use crate::{Batch, Journal, Options, Query};
use runwright_core::RunStatus;

/// Segments of 32 KiB, trimmed from 64 KiB on, and bases of several files.
pub(super) fn tiny() -> Options {
    let (segment_bytes, table_bytes) = (32 << 10, 8 << 10);
    Options { segment_bytes, table_bytes, trim_bytes: 64 << 10, base_file_bytes: 16 << 10, ..small() }
}

/// Bytes in all files of a folder, some of which may vanish meanwhile.
pub(super) fn log_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let bytes =
        |path: &Path| if path.is_dir() { log_bytes(path) } else { path.metadata().map_or(0, |meta| meta.len()) };
    entries.map(|entry| bytes(&entry.path())).sum()
}

/// Appends a run of three records that is over.
pub(super) fn finished(journal: &impl Journal, n: u64) {
    journal.append(batch(n, 1, 2)).blocking_wait().unwrap();
    let last = Batch::of(vec![record(n, 3)], head(n, 3, RunStatus::Succeeded));
    journal.append(last).blocking_wait().unwrap();
}

fn forget(journal: &impl Journal, runs: std::ops::Range<u64>) {
    let prune = Batch { prune: runs.map(run_id).collect(), ..Batch::default() };
    journal.append(prune).blocking_wait().unwrap();
}

pub(super) fn wait_for_a_base(dir: &Path) -> Base {
    let began = Instant::now();
    loop {
        if let Some(base) = Base::newest(&dir.join("log")).unwrap() {
            return base;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the log was not trimmed");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_log_stays_bounded_while_a_long_run_lives_on() {
    let dir = folder();
    let journal = open(dir.path(), &tiny());
    let mut most = 0;
    for round in 0..60_u64 {
        // The long-lived run has a record in every part of the log.
        journal.append(batch(1, round + 1, round + 1)).blocking_wait().unwrap();
        for n in 0..20 {
            finished(&journal, 1_000 + round * 20 + n);
        }
        if round > 0 {
            forget(&journal, 1_000 + (round - 1) * 20..1_000 + round * 20);
        }
        most = most.max(log_bytes(&dir.path().join("log")));
    }
    // 3,600 records of about 600 bytes went through it.
    assert!(most < 1 << 20, "{most}");
    wait_for_a_base(dir.path());
    assert_eq!(journal.verify().unwrap().damage, []);
    let lines = export(&journal);
    journal.close().unwrap();
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let journal = open(dir.path(), &tiny());
    assert_eq!(export(&journal), lines, "the store is rebuilt from what was carried forward");
    assert_eq!(journal.verify().unwrap().damage, []);
    let next = journal.history(run_id(1)).unwrap().len() as u64 + 1;
    journal.append(batch(1, next, next)).blocking_wait().unwrap();
    assert_eq!(journal.runs(&Query::default()).unwrap().len(), 21);
}

#[test]
fn the_first_position_is_remembered() {
    let dir = folder();
    let journal = open(dir.path(), &tiny());
    (1..=150).for_each(|n| finished(&journal, n));
    let lines = export(&journal);
    let base = wait_for_a_base(dir.path());
    journal.close().unwrap();
    let base_now = Base::newest(&dir.path().join("log")).unwrap().unwrap();
    assert!(base_now.segment >= base.segment);
    assert!(!dir.path().join("log/000001.log").exists());
    assert!(base_now.end() > Position::new(1, 64));
    for _ in 0..2 {
        let journal = open(dir.path(), &tiny());
        assert_eq!(export(&journal), lines);
        assert_eq!(journal.verify().unwrap().damage, []);
    }
    // A store from before the log's beginning can't be caught up with it, and is rebuilt.
    let other = folder();
    let young = open(other.path(), &tiny());
    (1..=30).for_each(|n| finished(&young, n));
    young.close().unwrap();
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    super::copy(&other.path().join("sled"), &dir.path().join("sled"));
    let journal = open(dir.path(), &tiny());
    assert_eq!(export(&journal), lines);
    assert!(dir.path().join("sled.damaged-1").exists());
}

#[test]
fn what_a_crash_leaves_of_trimming_is_cleared() {
    let dir = folder();
    let untrimmed = Options { trim_bytes: 1 << 30, ..tiny() };
    let journal = open(dir.path(), &untrimmed);
    (1..=150).for_each(|n| finished(&journal, n));
    let lines = export(&journal);
    journal.close().unwrap();
    let before = folder();
    super::copy(dir.path(), before.path());
    let journal = open(dir.path(), &tiny());
    let base = wait_for_a_base(dir.path());
    journal.close().unwrap();
    // The base is there, and so is still everything that it stands for.
    super::copy(&base.dir, &before.path().join("log").join(base.dir.file_name().unwrap()));
    fs::create_dir(before.path().join("log/base.tmp")).unwrap();
    fs::write(before.path().join("log/base.tmp/000001.log"), b"half").unwrap();
    for rebuild in [false, true] {
        let journal = open(before.path(), &Options { rebuild, ..untrimmed.clone() });
        assert_eq!(export(&journal), lines);
        assert_eq!(journal.verify().unwrap().damage, []);
        assert!(!before.path().join("log/base.tmp").exists());
    }
    let journal = open(before.path(), &tiny());
    let began = Instant::now();
    while before.path().join("log/000001.log").exists() {
        assert!(began.elapsed() < Duration::from_secs(10), "it was not removed");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(journal.verify().unwrap().damage, []);
}

#[test]
fn a_damaged_log_is_not_trimmed() {
    let dir = folder();
    let journal = open(dir.path(), &Options { trim_bytes: 1 << 30, ..tiny() });
    (1..=150).for_each(|n| finished(&journal, n));
    let lines = export(&journal);
    journal.close().unwrap();
    let path = dir.path().join("log/000001.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[700] ^= 1;
    fs::write(&path, bytes).unwrap();
    let journal = open(dir.path(), &tiny());
    std::thread::sleep(Duration::from_millis(100));
    assert!(Base::newest(&dir.path().join("log")).unwrap().is_none());
    assert!(path.exists());
    assert_eq!(export(&journal), lines);
}
