//! Export, import, compaction.

use std::fs;

use super::trimming::{finished, log_bytes, tiny};
use super::{export, fill, folder, open, small};
use crate::conformance::{batch, head, record, run_id};
use crate::{Batch, Error, Journal, Line, Memory, Options, SledJournal, compact, import};
use runwright_core::{Digest, Direction, Event, Head, RunStatus};

fn text(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect()
}

#[test]
fn an_export_is_imported_as_it_was() {
    let dir = folder();
    fill(dir.path(), &small(), 60);
    let journal = open(dir.path(), &small());
    // More than one frame of a base.
    let mut big = record(1_000, 1);
    for seq in 1..=6 {
        big.seq = seq;
        let output = super::conformance::succeeded("x".repeat(700_000));
        big.event = Event::Ended { step: "big".to_owned(), direction: Direction::Forward, attempt: 1, outcome: output };
        let batch = Batch::of(vec![big.clone()], head(1_000, seq, RunStatus::Running));
        journal.append(batch).blocking_wait().unwrap();
    }
    let lines = export(&journal);
    let empty = folder();
    let state = empty.path().join("deep/state");
    let done = import(&state, &mut text(&lines).as_slice(), &small()).unwrap();
    assert_eq!((done.runs, done.entries, done.sources, done.settings), (61, 60, 60, 5));
    assert_eq!(done.damaged, []);
    for rebuild in [false, true] {
        let imported = open(&state, &Options { rebuild, ..small() });
        assert_eq!(super::difference(&export(&imported), &lines), None);
        let report = imported.verify().unwrap();
        assert_eq!((report.records, report.damage), (done.records, Vec::new()));
    }
    let imported = open(&state, &small());
    imported.append(batch(13, 8, 8)).blocking_wait().unwrap();
    assert_eq!(
        imported.append(Batch::accept("key-9", 1.into(), record(1, 1).at)).blocking_wait().unwrap().duplicates,
        ["key-9"]
    );
    let error = import(&state, &mut text(&lines).as_slice(), &small()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    imported.close().unwrap();
    let error = import(&state, &mut text(&lines).as_slice(), &small()).unwrap_err();
    assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
    let memory = Memory::new();
    memory.append(batch(1, 1, 3)).blocking_wait().unwrap();
    let of_memory = text(&export(&memory));
    let other = empty.path().join("other");
    import(&other, &mut of_memory.as_slice(), &small()).unwrap();
    assert_eq!(text(&export(&open(&other, &small()))), of_memory);
}

#[test]
fn a_changed_export_is_refused_and_leaves_nothing() {
    let dir = folder();
    let lines = fill(dir.path(), &small(), 12);
    let whole = text(&lines);
    let empty = folder();
    let refused = |bytes: &[u8]| -> Error {
        let error = import(empty.path(), &mut &bytes[..], &small()).unwrap_err();
        assert!(!empty.path().join("log").exists());
        error
    };
    for at in (3..whole.len()).step_by(whole.len() / 100) {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        refused(&changed);
        refused(&whole[..at]);
    }
    let without = |n: usize| text(&[&lines[..n], &lines[n + 1..]].concat());
    (0..lines.len()).step_by(3).for_each(|n| drop(refused(&without(n))));
    let at = lines.iter().position(|line| line.contains("\"seq\":3,")).unwrap();
    let error = refused(&text(&[&lines[..at], &lines[at + 1..]].concat()));
    assert!(error.to_string().contains("run "), "{error}");
    let newer = whole.clone();
    let newer = String::from_utf8(newer).unwrap().replacen("\"version\":1", "\"version\":9", 1);
    assert!(matches!(refused(newer.as_bytes()), Error::NewerFormat { found: 9, known: 1, .. }));
    assert!(matches!(refused(b""), Error::Export { line: 1, .. }));
    import(empty.path(), &mut whole.as_slice(), &small()).unwrap();
}

#[test]
fn a_run_without_records_is_not_imported() {
    let mut out = Vec::new();
    let mut writer = crate::export::Writer::new(&mut out).unwrap();
    let head = Head { seq: 0, ..head(1, 1, RunStatus::Running) };
    writer.line(&Line::Run { head, sha256: Digest::of(b"") }).unwrap();
    writer.end().unwrap();
    let empty = folder();
    let error = import(empty.path(), &mut &out[..], &small()).unwrap_err();
    assert!(error.to_string().contains("has no record 1"), "{error}");
    assert!(!empty.path().join("log").exists());
}

#[test]
fn a_compacted_journal_is_small_and_says_the_same() {
    let dir = folder();
    let options = Options { trim_bytes: 1 << 30, ..tiny() };
    let journal = open(dir.path(), &options);
    (1..=300).for_each(|n| finished(&journal, n));
    journal.append(batch(999, 1, 2)).blocking_wait().unwrap();
    let gone: Vec<_> = (1..=250).map(run_id).collect();
    for some in gone.chunks(50) {
        journal.append(Batch { prune: some.to_vec(), ..Batch::default() }).blocking_wait().unwrap();
    }
    let lines = export(&journal);
    journal.close().unwrap();
    let before = log_bytes(&dir.path().join("log"));
    let done = compact(dir.path(), &options).unwrap();
    assert!(done.after_bytes < done.before_bytes / 2, "{done:?}");
    assert!(log_bytes(&dir.path().join("log")) < before / 3);
    for _ in 0..2 {
        let journal = open(dir.path(), &options);
        assert_eq!(export(&journal), lines);
        assert_eq!(journal.verify().unwrap().damage, []);
        journal.close().unwrap();
        compact(dir.path(), &options).unwrap();
        assert!(!dir.path().join("sled.damaged-1").exists(), "the new store is used at once");
    }
    let journal = open(dir.path(), &options);
    journal.append(batch(999, 3, 3)).blocking_wait().unwrap();
    journal.close().unwrap();
    fs::remove_dir_all(dir.path().join("sled")).unwrap();
    assert_eq!(open(dir.path(), &options).history(run_id(999)).unwrap().len(), 3);
}

#[test]
fn a_damaged_log_is_not_compacted() {
    let dir = folder();
    fill(dir.path(), &small(), 60);
    let path = dir.path().join("log/000001.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[900] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = compact(dir.path(), &small()).unwrap_err();
    assert!(error.to_string().contains("the log, it is damaged"), "{error}");
    assert!(path.exists());
    SledJournal::open(dir.path()).unwrap();
}
