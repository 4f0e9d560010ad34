//! Bytes that are not what was written.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{copy, export, fill, folder, log_only, open, small};
use crate::conformance::{batch, run_id};
use crate::frame::{Frame, Position};
use crate::{Error, Journal, Options, Query};
use runwright_core::RunStatus;

pub(super) fn segment(dir: &Path) -> PathBuf {
    dir.join("log/000001.log")
}

/// The places of all frames in the first segment.
pub(super) fn frames(dir: &Path) -> Vec<(usize, usize)> {
    let bytes = fs::read(segment(dir)).unwrap();
    let mut found = Vec::new();
    let mut at = 64;
    while let Some(frame) = Frame::read(&bytes[at..], Position::new(1, at)) {
        found.push((at, frame.length));
        at += frame.length;
    }
    found
}

pub(super) fn flip(path: &Path, at: usize) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 0x20], at as u64).unwrap();
}

#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    let dir = folder();
    let journal = open(dir.path(), &log_only());
    journal.append(batch(1, 1, 2)).blocking_wait().unwrap();
    journal.append(batch(1, 3, 4)).blocking_wait().unwrap();
    journal.close().unwrap();
    fs::remove_file(dir.path().join("end")).unwrap();
    let (at, length) = *frames(dir.path()).last().unwrap();
    let whole = fs::read(segment(dir.path())).unwrap();
    for cut in (0..length).step_by(if cfg!(debug_assertions) { 13 } else { 1 }).chain(length - 12..length) {
        let mut torn = whole.clone();
        torn[at + cut..at + length].fill(0);
        if torn == whole {
            continue; // only padding was cut off
        }
        torn[at + length..at + length + 500].fill(if cut % 2 == 0 { 0 } else { 0xa5 });
        fs::write(segment(dir.path()), &torn).unwrap();
        let journal = open(dir.path(), &log_only());
        assert_eq!(journal.history(run_id(1)).unwrap().len(), 2, "cut at {cut}");
        journal.append(batch(1, 3, 3)).blocking_wait().unwrap();
        journal.close().unwrap();
        let journal = open(dir.path(), &log_only());
        assert_eq!(journal.history(run_id(1)).unwrap().len(), 3, "cut at {cut}");
        assert_eq!(journal.verify().unwrap().damage, []);
        journal.close().unwrap();
        fs::remove_file(dir.path().join("end")).unwrap();
        fs::write(segment(dir.path()), &whole).unwrap();
    }
}

#[test]
fn commits_behind_a_torn_one_in_the_same_write_are_cut_too() {
    let dir = folder();
    let journal = open(dir.path(), &log_only());
    journal.append(batch(1, 1, 2)).blocking_wait().unwrap();
    // Queued at once: most of them share a write.
    let pending: Vec<_> = (2..40).map(|n| journal.append(batch(n, 1, 2))).collect();
    pending.into_iter().for_each(|appended| drop(appended.blocking_wait().unwrap()));
    journal.close().unwrap();
    // As after a crash: where the log ended is remembered when it is closed.
    fs::remove_file(dir.path().join("end")).unwrap();
    let frames = frames(dir.path());
    let bytes = fs::read(segment(dir.path())).unwrap();
    let read = |(at, _): &(usize, usize)| Frame::read(&bytes[*at..], Position::new(1, *at)).unwrap().durable;
    let last = read(frames.last().unwrap());
    let group: Vec<_> = frames.iter().filter(|frame| read(frame) == last).collect();
    flip(&segment(dir.path()), group[0].0 + 200);
    let journal = open(dir.path(), &log_only());
    assert_eq!(journal.runs(&Query::default()).unwrap().len(), frames.len() - group.len());
    assert_eq!(journal.verify().unwrap().damage, []);
}

#[test]
fn damage_in_the_middle_is_named_and_blocks_that_run_only() {
    let dir = folder();
    let journal = open(dir.path(), &log_only());
    for seq in 1..=3 {
        for n in 1..=4 {
            journal.append(batch(n, seq, seq)).blocking_wait().unwrap();
        }
    }
    journal.close().unwrap();
    // The frame of run 3, record 2: once in the middle of its history; then run 2's last record.
    for (frame, run, seq) in [(6, 3, 2), (9, 2, 3)] {
        let (at, length) = frames(dir.path())[frame];
        for offset in [110, 200, length - 20] {
            let copied = folder();
            copy(dir.path(), copied.path());
            flip(&segment(copied.path()), at + offset);
            let journal = open(copied.path(), &small());
            match journal.history(run_id(run)) {
                Err(Error::Damaged { run: named, seq: at, .. }) => assert_eq!((named, at), (run_id(run), seq)),
                other => panic!("{other:?}"),
            }
            let named = journal.verify().unwrap().damage;
            assert!(named.iter().any(|damage| (damage.run, damage.seq) == (Some(run_id(run)), Some(seq))), "{named:?}");
            for other in (1..=4).filter(|n| *n != run) {
                assert_eq!(journal.history(run_id(other)).unwrap().len(), 3);
                journal.append(batch(other, 4, 4)).blocking_wait().unwrap();
            }
            if seq == 3 {
                let refused = journal.append(batch(run, 3, 3)).blocking_wait();
                assert!(refused.is_err(), "nobody goes on from a lost tail");
            }
        }
    }
}

#[test]
fn a_flipped_byte_in_an_old_commit_is_found_by_verify_and_read_from_the_store() {
    let dir = folder();
    let lines = fill(dir.path(), &Options { segment_bytes: 1 << 20, ..small() }, 60);
    let mut places: Vec<usize> = frames(dir.path()).iter().map(|(at, length)| at + length / 2).collect();
    places.truncate(60);
    for at in places.into_iter().step_by(7) {
        let copied = folder();
        copy(dir.path(), copied.path());
        flip(&segment(copied.path()), at);
        let journal = open(copied.path(), &small());
        assert_eq!(export(&journal), lines, "the store is whole");
        let damage = journal.verify().unwrap().damage;
        assert!(!damage.is_empty() && damage.iter().all(|damage| damage.readable), "{damage:?}");
    }
}

#[test]
fn a_damaged_header_blocks_the_run_that_was_in_it() {
    for (whole, blocked) in [(true, vec![2]), (false, vec![2, 3])] {
        let dir = folder();
        let journal = open(dir.path(), &log_only());
        for n in 1..=3 {
            journal.append(batch(n, 1, 1)).blocking_wait().unwrap();
        }
        journal.append(batch(1, 2, 2)).blocking_wait().unwrap();
        journal.append(batch(2, 2, 2)).blocking_wait().unwrap();
        journal.append(batch(1, 3, 3)).blocking_wait().unwrap();
        journal.close().unwrap();
        let (at, _) = frames(dir.path())[4];
        flip(&segment(dir.path()), at + 9);
        if !whole {
            // The length of the item, so that nobody can tell where the record is: any run may have been in it.
            flip(&segment(dir.path()), at + 36 + 32 + 2);
        }
        let journal = open(dir.path(), &log_only());
        assert_eq!(journal.history(run_id(1)).unwrap().len(), 3, "it went on behind the damage");
        for n in 2..=3 {
            let history = journal.history(run_id(n));
            match blocked.contains(&n) {
                true => assert!(matches!(history, Err(Error::Damaged { seq: 2, .. })), "run {n}"),
                false => assert_eq!(history.unwrap().len(), 1),
            }
        }
        drop(journal);
        let journal = open(dir.path(), &log_only());
        assert!(journal.history(run_id(2)).is_err(), "also after the next opening");
        assert_eq!(journal.head(run_id(2)).unwrap().unwrap().status, RunStatus::Blocked);
        assert_eq!(journal.runs(&Query::unfinished()).unwrap().len(), 3);
    }
}

#[test]
fn verify_names_run_and_record_of_any_flipped_byte() {
    let dir = folder();
    let journal = open(dir.path(), &log_only());
    for seq in 1..=4 {
        for n in 1..=10 {
            journal.append(batch(n, seq, seq)).blocking_wait().unwrap();
        }
    }
    journal.close().unwrap();
    let frames = frames(dir.path());
    for (n, (at, length)) in frames.iter().enumerate() {
        let copied = folder();
        copy(dir.path(), copied.path());
        flip(&segment(copied.path()), at + (n * 37) % length);
        let report = open(copied.path(), &small()).verify().unwrap();
        let (run, seq) = (run_id(n as u64 % 10 + 1), n as u64 / 10 + 1);
        let named = report.damage.iter().any(|damage| (damage.run, damage.seq) == (Some(run), Some(seq)));
        // Only the zeros between two frames belong to no record.
        let padding = report.damage.iter().any(|damage| damage.what.contains("padding"));
        assert!(named || padding, "frame {n}: {report:?}");
    }
}
