//! Writes and syncs that fail.

use std::sync::atomic::Ordering;

use super::{export, open, small};
use crate::conformance::{batch, run_id};
use crate::{Error, Journal};

#[test]
fn a_full_disk_fails_appends_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), &small());
    journal.append(batch(1, 1, 1)).blocking_wait().unwrap();
    journal.faults.full.store(true, Ordering::Relaxed);
    let mut seq = 2;
    let error = loop {
        match journal.append(batch(1, seq, seq)).blocking_wait() {
            Ok(_) => seq += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Full(_)), "{error:?}");
    assert!(matches!(journal.append(batch(2, 1, 1)).blocking_wait(), Err(Error::Full(_))));
    assert_eq!(journal.history(run_id(1)).unwrap().len() as u64, seq - 1);
    journal.faults.full.store(false, Ordering::Relaxed);
    journal.append(batch(1, seq, seq)).blocking_wait().unwrap();
    journal.append(batch(2, 1, 1)).blocking_wait().unwrap();
    let lines = export(&journal);
    journal.close().unwrap();
    let journal = open(dir.path(), &small());
    assert_eq!(export(&journal), lines);
    assert_eq!(journal.verify().unwrap().damage, []);
}

#[test]
fn a_failed_sync_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), &small());
    journal.append(batch(1, 1, 1)).blocking_wait().unwrap();
    journal.faults.sync.store(true, Ordering::Relaxed);
    assert!(matches!(journal.append(batch(1, 2, 2)).blocking_wait(), Err(Error::Failed(_))));
    journal.faults.sync.store(false, Ordering::Relaxed);
    let error = journal.append(batch(1, 2, 2)).blocking_wait().unwrap_err();
    assert!(error.is_final(), "it is never tried again: {error}");
    assert_eq!(journal.history(run_id(1)).unwrap().len(), 1, "reads go on");
    assert!(journal.close().is_err());
}

#[test]
fn more_than_the_queue_holds_waits_for_room() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), &small());
    let big = || super::batch_of_source(7 << 20);
    let pending: Vec<_> = (0..14).map(|_| journal.append(big())).collect();
    for appended in pending {
        appended.blocking_wait().unwrap();
    }
    assert_eq!(journal.verify().unwrap().damage, []);
}

#[test]
fn a_store_that_cannot_be_written_is_final_and_rebuilt_at_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), &small());
    // Its checkpoints can't be synced any more.
    std::fs::remove_file(dir.path().join("sled/db")).unwrap();
    let mut seq = 1;
    let error = loop {
        match journal.append(batch(1, seq, seq)).blocking_wait() {
            Ok(_) => seq += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, Error::Failed(why) if why.contains("sled/db")), "{error:?}");
    assert!(journal.close().is_err());
    let journal = open(dir.path(), &small());
    assert_eq!(journal.history(run_id(1)).unwrap().len() as u64, seq - 1);
    assert_eq!(journal.verify().unwrap().damage, []);
    assert!(dir.path().join("sled.damaged-1").exists());
}
