//! Repair.

use std::fs;
use std::path::Path;

use super::damage::{flip, frames, segment};
use super::{copy, export, fill, folder, log_only, open, small};
use crate::conformance::{batch, run_id};
use crate::{Error, Journal, Options, import, repair};
use runwright_core::RunStatus;

/// Every file under the folder with its bytes, but for the lock.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if name != "lock" {
            found.push((name, fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_whole_journal_is_left_alone() {
    let dir = folder();
    let lines = fill(dir.path(), &small(), 60);
    for dry_run in [true, false] {
        let done = repair(dir.path(), &small(), dry_run).unwrap();
        assert_eq!(done, crate::Repair::default());
    }
    assert_eq!(export(&open(dir.path(), &small())), lines);
}

#[test]
fn what_the_log_lost_is_taken_from_the_store() {
    let dir = folder();
    let lines = fill(dir.path(), &Options { segment_bytes: 1 << 20, ..small() }, 60);
    // Behind that, the store has nothing.
    let stored = open(dir.path(), &small()).shared.stored().offset();
    let frames: Vec<_> = frames(dir.path()).into_iter().take_while(|(at, length)| at + length <= stored).collect();
    for (n, (at, length)) in frames.into_iter().enumerate().skip(3).step_by(29) {
        let copied = folder();
        copy(dir.path(), copied.path());
        flip(&segment(copied.path()), at + if n % 2 == 0 { 10 } else { length - 30 });
        let before = files(copied.path());
        let would = repair(copied.path(), &small(), true).unwrap();
        assert_eq!(files(copied.path()), before, "a dry run changes nothing");
        assert!(would.log_rewritten && would.lost.is_empty(), "{would:?}");
        let done = repair(copied.path(), &small(), false).unwrap();
        assert_eq!((&done.healed, &done.lost, done.log_rewritten), (&would.healed, &would.lost, true));
        assert!(done.aside.iter().any(|path| path.ends_with("log.damaged-1")), "{done:?}");
        let journal = open(copied.path(), &small());
        assert_eq!(journal.verify().unwrap().damage, []);
        assert_eq!(export(&journal), lines);
        journal.append(batch(99, 1, 1)).blocking_wait().unwrap();
        journal.close().unwrap();
        assert_eq!(open(copied.path(), &Options { rebuild: true, ..small() }).verify().unwrap().damage, []);
    }
}

#[test]
fn what_neither_has_stays_lost_and_its_run_blocked() {
    let dir = folder();
    let journal = open(dir.path(), &log_only());
    for seq in 1..=3 {
        for n in 1..=4 {
            journal.append(batch(n, seq, seq)).blocking_wait().unwrap();
        }
    }
    journal.close().unwrap();
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    // Run 3, record 2.
    flip(&segment(dir.path()), frames(dir.path())[6].0 + 200);
    let would = repair(dir.path(), &small(), true).unwrap();
    let done = repair(dir.path(), &small(), false).unwrap();
    assert_eq!(done.lost, would.lost);
    assert_eq!((done.lost.len(), done.lost[0].run, done.lost[0].seq), (1, Some(run_id(3)), Some(2)));
    for rebuild in [false, true] {
        let journal = open(dir.path(), &Options { rebuild, ..small() });
        assert!(matches!(journal.history(run_id(3)), Err(Error::Damaged { seq: 2, .. })));
        assert!(matches!(journal.append(batch(3, 4, 4)).blocking_wait(), Err(Error::Damaged { seq: 2, .. })));
        let report = journal.verify().unwrap();
        assert_eq!(
            report.damage.iter().map(|damage| (damage.run, damage.seq)).collect::<Vec<_>>(),
            [(Some(run_id(3)), Some(2))]
        );
        let head = journal.head(run_id(3)).unwrap().unwrap();
        assert_eq!((head.seq, head.status), (3, RunStatus::Blocked));
        assert_eq!(journal.history(run_id(4)).unwrap().len(), 3);
        assert!(repair(dir.path(), &small(), false).unwrap_err().to_string().contains("in use"));
    }
    let again = repair(dir.path(), &small(), false).unwrap();
    assert!(!again.log_rewritten && !again.store_rebuilt, "{again:?}");
    assert_eq!(again.lost, done.lost, "it is told again");
    // The damage goes with an export, and the first record is in it.
    let text = export(&open(dir.path(), &small())).join("\n") + "\n";
    let other = folder();
    let imported = import(other.path(), &mut text.as_bytes(), &small()).unwrap();
    assert_eq!((imported.damaged, imported.records), (vec![run_id(3)], 10));
    let journal = open(other.path(), &small());
    assert!(matches!(journal.history(run_id(3)), Err(Error::Damaged { seq: 2, .. })));
    assert_eq!(export(&journal).join("\n") + "\n", text);
}

#[test]
fn a_store_that_lost_something_is_rebuilt() {
    let dir = folder();
    let lines = fill(dir.path(), &small(), 60);
    let journal = open(dir.path(), &small());
    journal.shared.store.harm(run_id(13));
    journal.close().unwrap();
    let done = repair(dir.path(), &small(), false).unwrap();
    assert_eq!(
        (done.store_rebuilt, done.log_rewritten, &done.healed[..]),
        (true, false, &[run_id(13)][..]),
        "{done:?}"
    );
    let journal = open(dir.path(), &small());
    assert_eq!(export(&journal), lines);
    assert_eq!(journal.verify().unwrap().damage, []);
}
