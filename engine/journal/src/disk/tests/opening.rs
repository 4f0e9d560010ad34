//! Who may open a state directory, and what it looks like.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};

use super::{fill, open, small};
use crate::conformance::{batch, run_id};
use crate::{Error, Journal, Options, SledJournal};

#[test]
fn a_second_opening_is_told_who_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), &Options { holder: "runwright serve".to_owned(), ..small() });
    let error = SledJournal::open(dir.path()).unwrap_err();
    let text = format!("{} is in use by runwright serve (pid {})", dir.path().display(), std::process::id());
    assert_eq!(error.to_string(), text);
    journal.close().unwrap();
    SledJournal::open(dir.path()).unwrap();
}

#[test]
fn only_the_owner_can_look_into_it() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("deep/state");
    fill(&state, &small(), 3);
    for (path, mode) in [("", 0o700), ("log", 0o700), ("sled", 0o700), ("lock", 0o600), ("log/000001.log", 0o600)] {
        let found = fs::metadata(state.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
}

#[test]
fn a_newer_log_is_refused_by_name_and_version() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), &small(), 3);
    let path = dir.path().join("log/000001.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..20].copy_from_slice(&7_u32.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..60]).to_le_bytes();
    bytes[60..64].copy_from_slice(&crc);
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&bytes[..64], 0).unwrap();
    let error = SledJournal::open(dir.path()).unwrap_err();
    assert!(
        matches!(&error, Error::NewerFormat { what, found: 7, known: 1 } if what.ends_with("000001.log")),
        "{error}"
    );
}

#[test]
fn a_lost_log_is_noticed_and_the_store_still_answers() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), &small(), 60);
    fs::remove_dir_all(dir.path().join("log")).unwrap();
    let journal = open(dir.path(), &small());
    journal.append(batch(99, 1, 1)).blocking_wait().unwrap();
    assert!(!journal.verify().unwrap().damage.is_empty());
    journal.close().unwrap();
    assert_eq!(open(dir.path(), &small()).history(run_id(99)).unwrap().len(), 1);
}

#[test]
fn opening_at_once_after_closing_finds_the_same_store() {
    let dir = tempfile::tempdir().unwrap();
    fill(dir.path(), &small(), 3);
    for _ in 0..20 {
        open(dir.path(), &small()).close().unwrap();
    }
    assert!(!dir.path().join("sled.damaged-1").exists(), "sled keeps its lock for a moment, which is no damage");
}
